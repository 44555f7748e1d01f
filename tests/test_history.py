from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.footprints import delineate, gather
from geomon.footprints.history import REACH_PX, is_old, with_history
from geomon.model import AlertStatus, PeriodKind, to_day
from geomon.tables import check_table
from tests._change import BASELINE, COL, ROW, Px, block, context, tiled, window, zone

TABLES = ("footprints", "periods", "alerts", "sub_mmu", "dropped", "sites", "ground")
WORKING, RIVER, VILLAGE, HALF = (50, 30, 0), (5, 50, 30), (85, 0, 0), (25, 20, 0)
"""What ground was in the baseline: percent bare, turbid and still."""
DRY = {"bare": 90, "water": 0, "turbid": 0}


def old(col, row, width, height, was=WORKING, **facts):
    """A rectangle that was open in the baseline and is as it was."""
    return block(col, row, width, height, alert=AlertStatus.NONE, was=was, last=date(2023, 12, 1), **facts)


def run(pixels, *, size=64, **facts):
    found = delineate(gather(tiled(pixels, size=size)), context(**facts))
    for name, schema in (("footprints", "mining_footprints"), ("sites", "sites"), ("ground", "ground")):
        check_table(getattr(found, name), schema)
    return found


def same(a, b):
    for name in TABLES:
        left, right = getattr(a, name), getattr(b, name)
        assert left.drop(columns="geometry", errors="ignore").equals(right.drop(columns="geometry", errors="ignore"))
        if hasattr(left, "crs"):
            assert left.geometry.to_wkb().tolist() == right.geometry.to_wkb().tolist()


# ---------------------------------------------------------------- old ground alone


def test_an_old_working_is_a_footprint_that_predates_the_history():
    """Bare ground and turbid water that were there first are a mine: dated not later than the baseline, nothing new."""
    found = run(old(0, 0, 8, 6))
    (footprint,) = found.footprints.to_dict("records")
    (site,) = found.sites.to_dict("records")
    assert footprint["predates_history"] is True
    assert footprint["first_seen"] == site["first_seen"] == BASELINE.start
    assert footprint["confirmed_on"] == BASELINE.end
    assert footprint["area_ha"] == pytest.approx(0.48, rel=0.05)
    assert footprint["area_new_ha"] == 0.0
    assert footprint["activity"] == "previously_active"
    assert found.alerts["status"].tolist() == ["confirmed"]
    assert found.ground["first_seen"].tolist() == [BASELINE.start]


@pytest.mark.parametrize("kind", list(PeriodKind))
def test_an_old_working_is_never_new(kind):
    """In no period of any kind is ground that was there before new, or dug."""
    periods = run(old(0, 0, 8, 6), kinds=(kind,)).periods
    assert len(periods)
    assert "new" not in set(periods["activity"])
    assert periods["area_new_ha"].tolist() == [0.0] * len(periods)
    assert (periods["area_ha"] > 0.4).all()


def test_an_old_working_under_cloud_is_not_observed():
    """Ground that nobody saw in the monitor is not called quiet, however old it is."""
    assert run(old(0, 0, 8, 6, seen=())).footprints["activity"].tolist() == ["not_observed"]


@pytest.mark.parametrize(
    "pixels",
    [
        old(0, 0, 40, 6, was=RIVER),
        old(0, 0, 6, 6, was=(0, 0, 100)),
        old(0, 0, 6, 6, was=(0, 90, 0)),
        old(0, 0, 20, 12, was=VILLAGE),
        old(0, 0, 80, 2, was=VILLAGE),
    ],
    ids=["river", "lake", "mud", "village", "road"],
)
def test_what_was_open_but_is_no_mine_is_nothing_to_report(pixels):
    """Rivers, lakes, villages and roads were open as well: no footprint, no site, no alert, no ground."""
    found = run(pixels)
    assert [len(getattr(found, name)) for name in TABLES] == [0] * len(TABLES)


@pytest.mark.parametrize(("width", "kept"), [(3, 0), (4, 0), (12, 1)])
def test_old_ground_alone_is_a_working_only_where_it_is_large(width, kept):
    """Nine old pixels are nothing, twelve may be a bank of sand and are not called a mine, 36 are one."""
    found = run(old(0, 0, width, 3))
    assert len(found.footprints) == kept
    assert len(found.sub_mmu) == 0


@pytest.mark.parametrize(("was", "kept"), [((20, 19, 0), 0), ((20, 20, 0), 1), ((39, 0, 0), 0), ((255, 255, 255), 0)])
def test_ground_counts_as_open_from_two_fifths(was, kept):
    """Less bare ground and water than forty percent, or none known, was not open; water counts as bare ground does."""
    pixels = with_history(gather(tiled(old(0, 0, 4, 3, was=was))), BASELINE)
    assert len(pixels) == 12 * kept
    assert is_old(pixels).sum() == 12 * kept


def test_ground_that_changed_since_keeps_its_own_dates():
    """A pixel with an alert is dated by its evidence, whatever was there before."""
    pixels = with_history(gather(tiled(block(0, 0, 5, 4, was=WORKING))), BASELINE)
    assert not is_old(pixels).any()
    assert set(pixels.first_seen.tolist()) == {to_day(date(2022, 9, 1))}
    assert set(pixels.bare.tolist()) == {50}


def test_a_refuted_run_leaves_old_ground_old():
    """Evidence that later looks undid is no change: an old working is as large as it was without."""
    pixels = old(0, 0, 8, 6)
    doubted = [replace(px, alert=AlertStatus.DROPPED) if (px.col + px.row) % 3 == 0 else px for px in pixels]
    assert run(doubted).footprints["area_ha"].tolist() == run(pixels).footprints["area_ha"].tolist()


# ---------------------------------------------------------------- old ground beside new


NEW = {"first": date(2023, 2, 3), "confirmed": date(2023, 3, 5), "last": date(2023, 12, 1)}


def test_digging_at_the_edge_of_an_old_working_is_one_mine_that_grew():
    """The old ground is part of it, undated; only what was dug since is new, and the quarter of it an expansion."""
    found = run([*old(0, 0, 4, 6), *block(4, 0, 3, 6, **NEW)])
    (footprint,) = found.footprints.to_dict("records")
    assert footprint["predates_history"] is True
    assert footprint["first_seen"] == BASELINE.start
    assert 0 < footprint["area_new_ha"] < footprint["area_ha"]
    assert footprint["area_new_ha"] == pytest.approx(0.18, abs=0.02)
    assert footprint["area_ha"] == pytest.approx(0.42, abs=0.02)
    activity = dict(zip(found.periods["period_start"], found.periods["activity"], strict=True))
    assert activity[date(2023, 1, 1)] == "expanding"
    assert "new" not in activity.values()
    fresh = found.ground.query("zone_id == ''").set_index("first_seen")["area_m2"]
    assert fresh[NEW["first"]] == pytest.approx(1e4 * footprint["area_new_ha"], rel=1e-3)


def test_a_new_mine_without_old_ground_is_all_new():
    """Nothing older, nothing predates."""
    (footprint,) = run(block(4, 0, 3, 6, **NEW)).footprints.to_dict("records")
    assert footprint["predates_history"] is False
    assert footprint["area_new_ha"] == footprint["area_ha"]


def test_old_ground_out_of_reach_is_another_object():
    """A crew moves on by a pit or two: old ground that does not touch, or begins further off, is not its own."""
    apart = run([*old(-4, 0, 8, 6), *block(5, 0, 3, 6, **NEW)])
    assert sorted(apart.footprints["predates_history"]) == [False, True]
    reach = int(REACH_PX)
    long = run([*old(0, 0, 30, 4), *block(30, 0, 4, 4, **NEW)])
    (first, second) = sorted(long.footprints["area_ha"])
    assert first + second == pytest.approx(0.04 * 34, rel=0.05)
    assert first == pytest.approx(0.04 * (4 + reach), abs=0.05)


def test_a_river_beside_a_mine_is_not_its_ground():
    """Water alone next to new digging is the river: the mine stays what it is without it."""
    alone = run(block(4, 0, 5, 6, **NEW))
    beside = run([*old(0, -20, 4, 50, was=RIVER), *block(4, 0, 5, 6, **NEW)])
    assert beside.footprints["area_ha"].tolist() == alone.footprints["area_ha"].tolist()
    assert beside.footprints["predates_history"].tolist() == [False]


def test_a_mixed_rim_does_not_cut_new_digging_from_the_old():
    """Faint pixels between the new pit and the old working belong to the pit: the three are one mine."""
    faint = block(4, 0, 1, 6, **NEW, bare=25, water=5, turbid=0)
    (footprint,) = run([*old(0, 0, 4, 6), *faint, *block(5, 0, 3, 6, **NEW)]).footprints.to_dict("records")
    assert footprint["predates_history"] is True
    assert footprint["area_ha"] > 0.4


@pytest.mark.parametrize("facts", [DRY, {**DRY, "gone": date(2023, 6, 1), "hits": 3}], ids=["field", "burn"])
def test_a_look_alike_beside_an_old_working_does_not_hide_it(facts):
    """A field or fire at its edge is rejected alone: the old working is a footprint as it is without."""
    alone = run(old(0, 0, 6, 6)).footprints
    beside = run([*old(0, 0, 6, 6), *block(6, 0, 8, 8, **NEW, **facts)]).footprints
    assert len(beside) == len(alone) == 1
    assert beside["area_ha"][0] == pytest.approx(alone["area_ha"][0], rel=0.05)


def test_old_ground_belongs_to_one_object():
    """Between two new pits each old pixel goes to the nearer; together they hold every pixel once."""
    pixels = [*block(0, 0, 4, 4, **NEW), *old(4, 0, 4, 4), *block(8, 0, 5, 4, **NEW)]
    found = run(pixels)
    assert found.footprints["predates_history"].tolist() == [True, True]
    assert sorted(found.footprints["area_ha"]) == pytest.approx([0.24, 0.28], rel=0.05)
    one_side = run([*block(0, 0, 4, 4, **NEW), *old(5, 0, 3, 4), *block(8, 0, 5, 4, **NEW)])
    assert sorted(one_side.footprints["predates_history"]) == [False, True]


def test_old_ground_lies_in_its_zones():
    """The parts of a partition add up to the whole of a mine with old ground."""
    zones = (zone("west", window(-50, -50, 52.3, 200)), zone("east", window(2.3, -50, 90, 200)))
    found = run([*old(0, 0, 4, 6), *block(4, 0, 3, 6, **NEW)], zones=zones)
    parts = found.ground.groupby("zone_id")["area_m2"].sum()
    assert parts["west"] + parts["east"] == pytest.approx(parts[""])
    assert parts[""] == pytest.approx(1e4 * found.footprints["area_ha"][0], rel=1e-3)


# ---------------------------------------------------------------- any mixture of both


cells = st.dictionaries(
    st.tuples(st.integers(0, 14), st.integers(0, 14)),
    st.sampled_from([*[WORKING] * 4, RIVER, VILLAGE, HALF, *[None] * 4]),
    max_size=150,
)


def made(places):
    return [
        Px(COL + c, ROW + r, **NEW) if was is None else Px(COL + c, ROW + r, alert=AlertStatus.NONE, was=was)
        for (c, r), was in places.items()
    ]


@settings(max_examples=25)
@given(places=cells, size=st.sampled_from([3, 5, 7, 16, 64]), seed=st.integers(0, 99))
def test_old_ground_does_not_depend_on_the_tiling(places, size, seed):
    """Any cut of the same pixels, old ones among them, gives equal tables, to the byte of each outline."""
    parts = tiled(made(places), size=size)
    np.random.default_rng(seed).shuffle(parts)
    same(delineate(gather(parts), context()), run(made(places), size=128))


@settings(max_examples=25)
@given(places=cells)
def test_old_ground_is_never_counted_as_new(places):
    """New ground is at most that of the pixels that changed; what predates says so; bounds hold the area."""
    found = run(made(places))
    fresh = sum(was is None for was in places.values())
    assert found.footprints["area_new_ha"].sum() <= 0.01 * fresh * 1.2 + 1e-9
    for table in (found.footprints, found.sites):
        assert (table["area_low_ha"] <= table["area_ha"]).all()
        assert (table["area_ha"] <= table["area_high_ha"]).all()
        assert (table["area_new_ha"] <= table["area_ha"] + 1e-9).all()
        assert ((table["first_seen"] == BASELINE.start) == table["predates_history"]).all()
    assert set(found.ground["first_seen"]) <= {BASELINE.start, NEW["first"]}
