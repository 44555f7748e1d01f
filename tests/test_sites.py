from datetime import date

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geomon.errors import RegisterConflict
from geomon.sites import update
from geomon.tables import check_table, make

AS_OF = date(2023, 12, 31)
LATER = date(2024, 6, 30)


def site(site_id, shape, **facts):
    row = {
        "site_id": site_id,
        "aoi": "test",
        "zone_id": None,
        "first_seen": date(2022, 9, 1),
        "predates_history": False,
        "confirmed_on": date(2022, 10, 1),
        "last_seen": date(2023, 1, 1),
        "status": "confirmed",
        "activity": "active",
        "type": "excavation",
        "confuser": None,
        "area_ha": shape.area * 1e6,
        "area_low_ha": 0.1,
        "area_high_ha": 9.0,
        "area_new_ha": None,
        "confidence": 0.9,
        "reasons": ["bare ground"],
        "n_clear": 20,
        "event": None,
        "lineage": [],
        "release": "kp_only",
        "run_id": "own",
    }
    return row | facts | {"geometry": shape}


def frame(*sites):
    return make("sites", sites, [one["geometry"] for one in sites])


def box(x, y, width=2, height=2):
    """A rectangle on a grid of 0.001 degrees."""
    return shapely.box(18 + x / 1000, 5 + y / 1000, 18 + (x + width) / 1000, 5 + (y + height) / 1000)


def by_id(table):
    return {row["site_id"]: row for row in table.to_dict("records")}


def same(a, b):
    assert a.drop(columns="geometry").equals(b.drop(columns="geometry"))
    assert a.geometry.to_wkb().tolist() == b.geometry.to_wkb().tolist()


def first(*sites):
    return update(None, frame(*sites), as_of=AS_OF, run_id="run1")[0]


def test_the_first_register_holds_every_object_as_new():
    """Without a register before, each object is a site under its own id."""
    register, names = update(None, frame(site("s-b", box(5, 0)), site("s-a", box(0, 0))), as_of=AS_OF, run_id="run1")
    assert register["site_id"].tolist() == ["s-a", "s-b"]
    assert set(register["event"]) == {"new"}
    assert set(register["run_id"]) == {"run1"}
    assert names == {"s-a": "s-a", "s-b": "s-b"}


def test_a_register_without_objects_is_a_valid_table():
    """No site is a table with no rows."""
    register, names = update(None, frame(), as_of=AS_OF, run_id="run1")
    assert len(check_table(register, "sites")) == 0
    assert names == {}


def test_an_object_that_covers_a_site_goes_on_under_its_id_and_first_dates():
    """A late scene moved the founding pixel: the id and the recorded dates stay."""
    now = site("s-x", box(0, 0, 3), first_seen=date(2022, 8, 1), confirmed_on=date(2022, 9, 1), last_seen=LATER)
    register, names = update(first(site("s-a", box(0, 0))), frame(now), as_of=LATER, run_id="run2")
    (row,) = register.to_dict("records")
    assert names == {"s-x": "s-a"}
    assert (row["first_seen"], row["confirmed_on"]) == (date(2022, 9, 1), date(2022, 10, 1))
    assert (row["last_seen"], row["event"], row["lineage"]) == (LATER, "grew", [])


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [("active", "previously_active", "went_quiet"), ("active", "active", None), ("previously_active", "active", None)],
)
def test_a_site_that_stops_went_quiet(before, after, event):
    """Only digging that stopped went quiet; going on is no event."""
    old = first(site("s-a", box(0, 0), activity=before))
    register, _ = update(old, frame(site("s-a", box(0, 0), activity=after)), as_of=LATER, run_id="run2")
    assert register["event"].tolist() == [event]


def test_of_two_sites_that_grow_together_the_elder_stays_and_the_other_is_its_lineage():
    """The id of the site first seen goes on; the other one's is never given away."""
    old = first(
        site("s-a", box(0, 0), first_seen=date(2022, 9, 2)), site("s-b", box(4, 0, 1), first_seen=date(2022, 9, 1))
    )
    register, names = update(old, frame(site("s-x", box(0, 0, 5))), as_of=LATER, run_id="run2")
    assert names == {"s-x": "s-b"}
    assert register["lineage"].tolist() == [["s-a"]]


def test_an_object_whose_own_id_is_registered_keeps_it_on_a_merge():
    """Ids follow from the data: the founding part's id wins over an elder neighbour's."""
    old = first(site("s-a", box(0, 0)), site("s-b", box(4, 0, 1), first_seen=date(2022, 8, 1)))
    register, names = update(old, frame(site("s-a", box(0, 0, 5))), as_of=LATER, run_id="run2")
    assert names == {"s-a": "s-a"}
    assert register["lineage"].tolist() == [["s-b"]]


def test_a_site_that_splits_goes_on_in_its_largest_part():
    """The other part is a new site whose lineage names the parent."""
    old = first(site("s-a", box(0, 0, 6)))
    register, names = update(
        old, frame(site("s-x", box(0, 0, 2)), site("s-y", box(3, 0, 3))), as_of=LATER, run_id="run2"
    )
    rows = by_id(register)
    assert names == {"s-x": "s-x", "s-y": "s-a"}
    assert (rows["s-x"]["lineage"], rows["s-x"]["event"]) == (["s-a"], "new")


def test_a_site_that_splits_goes_on_in_the_part_with_its_founding_pixel():
    """The own id of a part tells that it holds the founding pixel, however small it is."""
    old = first(site("s-a", box(0, 0, 6)))
    register, names = update(
        old, frame(site("s-a", box(0, 0, 1)), site("s-y", box(3, 0, 3))), as_of=LATER, run_id="run2"
    )
    assert names == {"s-a": "s-a", "s-y": "s-y"}
    assert by_id(register)["s-y"]["lineage"] == ["s-a"]


def test_a_site_without_an_object_is_withdrawn_once_and_kept():
    """Its row stays, dropped; the run after has nothing more to report of it."""
    old = first(site("s-a", box(0, 0)))
    gone, _ = update(old, frame(), as_of=LATER, run_id="run2")
    assert gone[["status", "event", "run_id"]].to_numpy().tolist() == [["dropped", "withdrawn", "run2"]]
    still, _ = update(gone, frame(), as_of=LATER, run_id="run3")
    assert still[["status", "event", "run_id"]].to_numpy().tolist() == [["dropped", None, "run3"]]
    back, _ = update(still, frame(site("s-a", box(0, 0))), as_of=LATER, run_id="run4")
    assert back[["status", "event"]].to_numpy().tolist() == [["confirmed", "new"]]


def test_an_id_that_stands_twice_is_refused():
    """A register with one id on two rows is damaged."""
    with pytest.raises(RegisterConflict, match="s-a"):
        update(frame(site("s-a", box(0, 0)), site("s-a", box(9, 9))), frame(), as_of=AS_OF, run_id="run2")


def test_a_register_that_knows_the_future_is_refused():
    """An earlier as-of must not learn from a later run."""
    with pytest.raises(RegisterConflict, match="confirmed up to 2021-01-01"):
        update(first(site("s-a", box(0, 0))), frame(), as_of=date(2021, 1, 1), run_id="run2")


@st.composite
def objects(draw):
    """Disjoint rectangles with distinct own ids, some of them shared between two draws."""
    cells = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), unique=True, max_size=8))
    names = draw(st.lists(st.sampled_from("abcdefghij"), min_size=len(cells), max_size=len(cells), unique=True))
    sizes = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=len(cells), max_size=len(cells)))
    shift = draw(st.integers(0, 3))
    days = draw(st.lists(st.integers(1, 28), min_size=len(cells), max_size=len(cells)))
    return [
        site(f"s-{name}", box(5 * x + shift, 5 * y, *size), first_seen=date(2022, 9, day))
        for (x, y), name, size, day in zip(cells, names, sizes, days, strict=True)
    ]


chains = st.lists(objects(), min_size=1, max_size=4)


def registers(chain):
    register = None
    for number, held in enumerate(chain):
        before = register
        register, names = update(before, frame(*held), as_of=AS_OF, run_id=f"run{number}")
        yield before, held, register, names


@given(chain=chains)
def test_registering_a_run_again_changes_nothing(chain):
    """Update is idempotent: on its own result, and called twice on the same."""
    for number, (before, held, register, names) in enumerate(registers(chain)):
        again, renamed = update(register, frame(*held), as_of=AS_OF, run_id=f"run{number}")
        same(again, register)
        assert renamed == names
        same(update(before, frame(*held), as_of=AS_OF, run_id=f"run{number}")[0], register)


@given(chain=chains, rng=st.randoms())
def test_the_order_of_rows_means_nothing(chain, rng):
    """Shuffled tables give the same register and names."""
    for number, (before, held, register, names) in enumerate(registers(chain)):
        shuffled = held[:]
        rng.shuffle(shuffled)
        mixed = None if before is None else before.sample(frac=1.0, random_state=rng.randrange(1000))
        got, renamed = update(mixed, frame(*shuffled), as_of=AS_OF, run_id=f"run{number}")
        same(got, register)
        assert renamed == names


@given(chain=chains)
def test_ids_are_unique_first_seen_never_moves_and_no_id_is_lost(chain):
    """Every id of the run before is still a site or in a lineage, and each object is exactly one site."""
    for before, held, register, names in registers(chain):
        rows = by_id(register)
        assert register["site_id"].is_unique
        assert len(set(names.values())) == len(held)
        assert set(names.values()) <= rows.keys()
        kept = rows.keys() | {old for row in rows.values() for old in row["lineage"]}
        for site_id, old in by_id(before).items() if before is not None else ():
            assert site_id in kept
            if site_id in rows:
                assert rows[site_id]["first_seen"] == old["first_seen"]
                assert set(old["lineage"]) <= set(rows[site_id]["lineage"])
