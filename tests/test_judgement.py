from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.footprints import delineate, gather
from geomon.footprints.history import with_history
from geomon.footprints.judgement import PLAIN, ground_of, judge
from geomon.footprints.objects import REGION_DAYS, REGION_PX, REGION_SHARE, STAND_OUT, is_regional
from geomon.footprints.outlines import thick
from geomon.footprints.pixels import Mesh
from geomon.model import AlertStatus, Confuser
from tests._change import BASELINE, COL, ROW, Px, block, context, tiled

DAY = date(2022, 9, 1)
LATER = {"confirmed": date(2023, 11, 1), "last": date(2023, 12, 1)}
ROAD = {"bare": 90, "water": 0, "turbid": 0, "first": DAY, **LATER}


def table_of(pixels, *, size=64):
    return with_history(gather(tiled(pixels, size=size)), BASELINE)


def judged(pixels, *, size=64):
    """The pixel table, the objects and their verdicts."""
    table = table_of(pixels, size=size)
    return table, *judge(table, Mesh(table), None)


def mine(col, row, width, height, *, step=20, **facts):
    """A working of bare ground and turbid water that grew by two pixels every `step` days."""
    return [
        px
        for k in range(width * height)
        for px in block(
            col + k % width, row + k // width, 1, 1, **{"first": DAY + timedelta(step * (k // 2)), **LATER, **facts}
        )
    ]


def old(col, row, width, height, was):
    return block(col, row, width, height, alert=AlertStatus.NONE, was=was, last=date(2023, 12, 1))


def places(table, index):
    return set(zip(table.col[index].tolist(), table.row[index].tolist(), strict=True))


def sites(pixels):
    return delineate(gather(tiled(pixels)), context()).sites


# ---------------------------------------------------------------- mines on roads


@pytest.mark.parametrize("at", [0, 40, 84], ids=["start", "middle", "end"])
def test_a_mine_that_touches_a_new_road_is_found(at):
    """Both together are a line and no mine; the working is a footprint all the same, and the road is none of it."""
    road, working = block(0, 0, 90, 2, **ROAD), mine(at, 2, 6, 6)
    table, objects, verdicts = judged([*road, *working])
    assert [verdict.mining for verdict in verdicts] == [False, True]
    assert verdicts[0].confuser == Confuser.ROAD
    assert verdicts[1].probability >= PLAIN
    held = places(table, objects[1].index)
    assert {(px.col, px.row) for px in working} <= held
    assert len(held) <= 36 + 2 * 8
    assert len(objects[0].index) + len(objects[1].index) == len(table)


@pytest.mark.parametrize(
    "beside",
    [[], block(40, 2, 6, 6, **ROAD), block(44, -40, 2, 80, **ROAD), block(40, 2, 6, 6, **ROAD | {"water": 4})],
    ids=["road", "lay-by", "crossing", "puddles"],
)
def test_a_thick_part_of_a_road_is_no_mine(beside):
    """Lay-bys and crossings are thick and dry: the road stays one rejected object with all its pixels."""
    pixels = {(px.col, px.row): px for px in [*block(0, 0, 90, 2, **ROAD), *beside]}
    table, objects, verdicts = judged(pixels.values())
    assert [verdict.confuser for verdict in verdicts] == [Confuser.ROAD]
    assert len(objects[0].index) == len(table)


def test_a_road_with_two_mines_is_three_objects():
    """Each plain part is its own, with its own id; what is left of the road keeps one."""
    found = sites([*block(0, 0, 120, 2, **ROAD), *mine(10, 2, 6, 6), *mine(90, 2, 6, 6)])
    assert sorted(found["activity"] == "rejected") == [False, False, True]
    assert found["site_id"].is_unique


def test_the_end_of_a_road_less_than_the_unit_is_no_object():
    """Where the mine takes all but a scrap of a piece of road the scrap is no site, and no id is given twice."""
    working = [
        px for k in range(16) for px in block(k % 4, k // 4, 1, 1, first=DAY + timedelta(14 * (k // 2)), **LATER)
    ]
    late = ROAD | {"first": date(2022, 10, 15)}
    road = [px for k in range(6) for px in block(17 + 15 * k, 0, 12, 1, **late)]
    found = sites([*working, *block(4, 0, 10, 1, **late), *road])
    assert found["site_id"].is_unique
    assert found["area_ha"].min() >= 0.0999
    assert (found["activity"] != "rejected").sum() == 1


def test_the_thick_part_is_what_three_by_three_pixels_fill():
    """A line of two pixels has none; a block keeps all its pixels and those beside it."""
    table = table_of([*block(0, 0, 40, 2), *block(10, 2, 3, 3)])
    kept = places(table, thick(table, np.arange(len(table))))
    assert {(px.col, px.row) for px in block(10, 0, 3, 5)} <= kept
    assert kept <= {(px.col, px.row) for px in block(9, 0, 5, 5)}
    line = table_of(block(0, 0, 40, 2))
    assert len(thick(line, np.arange(len(line)))) == 0


# ---------------------------------------------------------------- old ground and its owner


@pytest.mark.parametrize(
    "beside",
    [block(6, 0, 60, 2, **ROAD), block(6, 0, 8, 8, **ROAD), block(6, 0, 8, 8, bare=5, water=80, first=DAY)],
    ids=["road", "field", "flood"],
)
def test_a_rejected_neighbour_holds_no_old_ground(beside):
    """Old ground belongs to mines only: the working beside a look-alike is a mine of its own, whole."""
    working = old(0, 0, 6, 6, (50, 30, 0))
    table, objects, verdicts = judged([*working, *beside])
    assert [verdict.mining for verdict in verdicts] == [False, True]
    assert len(objects[0].old) == 0
    assert objects[1].standing
    assert places(table, objects[1].ground) == {(px.col, px.row) for px in working}


def test_old_ground_goes_to_the_mine_not_to_the_larger_road():
    """Between a small mine and a large road it is the mine's."""
    pixels = [*block(0, -4, 3, 60, **ROAD), *old(3, 0, 2, 6, (50, 30, 0)), *mine(5, 0, 6, 6)]
    _, objects, verdicts = judged(pixels)
    assert [len(one.old) for one, verdict in zip(objects, verdicts, strict=True) if verdict.mining] == [12]
    assert [len(one.old) for one, verdict in zip(objects, verdicts, strict=True) if not verdict.mining] == [0]


# ---------------------------------------------------------------- any mixture


KINDS = {
    "road": lambda col, row: block(col, row, 50, 2, **ROAD),
    "across": lambda col, row: block(col, row, 2, 50, **ROAD),
    "mine": lambda col, row: mine(col, row, 6, 5),
    "old": lambda col, row: old(col, row, 5, 5, (50, 30, 0)),
    "river": lambda col, row: old(col, row, 4, 40, (5, 50, 30)),
    "faint": lambda col, row: block(col, row, 7, 4, bare=25, water=4, turbid=0),
    "burn": lambda col, row: block(col, row, 6, 6, gone=date(2022, 11, 1), hits=3),
}
mixtures = st.lists(
    st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=7
)


def mixed(parts):
    """What was drawn first lies on top."""
    found = {}
    for kind, col, row in parts:
        for px in KINDS[kind](col, row):
            found.setdefault((px.col, px.row), px)
    return list(found.values())


@settings(max_examples=30)
@given(parts=mixtures, size=st.sampled_from([7, 16, 100]))
def test_no_pixel_is_judged_twice_and_no_id_given_twice(parts, size):
    """Each pixel has one object at most, each object one id; old ground is only in mines, standing ones come last."""
    table, objects, verdicts = judged(mixed(parts))
    held = ground_of(objects)
    assert len(np.unique(held)) == len(held)
    assert len({one.token for one in objects}) == len(objects)
    assert all(len(one.index) for one in objects)
    for one, verdict in zip(objects, verdicts, strict=True):
        assert verdict.mining or not len(one.old)
        assert verdict.mining or not one.standing
    standing = [one.standing for one in objects]
    assert standing == sorted(standing)
    again, others, told = judged(mixed(parts), size=size)
    assert [one.token for one in others] == [one.token for one in objects]
    assert told == verdicts
    assert [places(again, one.ground) for one in others] == [places(table, one.ground) for one in objects]


# ---------------------------------------------------------------- what the year did to whole blocks


WEST, NORTH = -COL % REGION_PX, -ROW % REGION_PX
"""Where a block of the lattice begins, relative to (COL, ROW)."""
ENOUGH = int(np.ceil(REGION_SHARE * REGION_PX**2))
SAVANNA = {"bare": 45, "water": 0, "turbid": 0, "first": DAY, **LATER}


def savanna(count, *, holes=(), col=2, row=2, width=30, **facts):
    """So many pixels in rows of a block that bared together."""
    taken = {(px.col, px.row) for px in holes}
    free = (px for px in block(WEST + col, NORTH + row, width, REGION_PX, **SAVANNA | facts))
    found = [px for px in free if (px.col, px.row) not in taken]
    return found[:count]


def regional_places(pixels, *, size=64):
    table = table_of(pixels, size=size)
    return places(table, np.flatnonzero(is_regional(table)))


@pytest.mark.parametrize(("count", "faint"), [(ENOUGH - 1, False), (ENOUGH, True)])
def test_a_block_that_bares_at_once_is_not_dug_ground(count, faint):
    """From eight percent of a block on its bare ground is the year's; what shows as much in fewer pixels is dug."""
    assert len(regional_places(savanna(count))) == count * faint


def test_what_bares_over_years_is_not_the_year():
    """As many pixels, begun further apart than the days of one event, are dug ground."""
    pixels = savanna(400)
    spread = [
        Px(px.col, px.row, **SAVANNA | {"first": DAY + timedelta((REGION_DAYS + 1) * (k // 200))})
        for k, px in enumerate(pixels)
    ]
    assert regional_places(spread) == set()
    together = [Px(px.col, px.row, **SAVANNA | {"first": DAY + timedelta(REGION_DAYS * (k // 200))}) for k, px in
                enumerate(pixels)]  # fmt: skip
    assert len(regional_places(together)) == 400


@pytest.mark.parametrize(("above", "dug"), [(100 * STAND_OUT - 1, False), (100 * STAND_OUT + 1, True)])
def test_dug_ground_stands_out_from_the_year(above, dug):
    """What shows more than the others by the margin is dug, in the middle of them too."""
    pit = block(WEST + 10, NORTH + 6, 4, 4, **SAVANNA | {"bare": 45 + int(above)})
    found = regional_places([*savanna(400, holes=pit), *pit])
    assert len(found) == 400 + 16 * (not dug)


def test_a_mine_in_the_bare_savanna_keeps_its_ground():
    """The land around it, bare in the same weeks, is another object and no mine; it adds at most a rim of a pixel."""
    working = mine(WEST + 10, NORTH + 6, 6, 6, step=5, bare=60, water=30)
    table, objects, verdicts = judged([*savanna(600, holes=working), *working])
    (one,) = [one for one, verdict in zip(objects, verdicts, strict=True) if verdict.mining]
    assert places(table, one.index) == {(px.col, px.row) for px in working}
    assert len(one.rim) <= 4 * 6 + 4
    assert [verdict.mining for verdict in verdicts].count(False) >= 1


@settings(max_examples=20)
@given(size=st.sampled_from([5, 16, 50, 128]), seed=st.integers(0, 99))
def test_what_the_year_did_does_not_depend_on_the_tiling(size, seed):
    """Blocks are those of the lattice: tiles of any size call the same pixels faint."""
    pixels = savanna(500, col=REGION_PX - 12, width=26)  # across the border of two blocks
    rng = np.random.default_rng(seed)
    pixels = [Px(px.col, px.row, **SAVANNA | {"bare": int(rng.integers(36, 90))}) for px in pixels]
    assert regional_places(pixels, size=size) == regional_places(pixels)


def test_a_lone_mine_is_not_touched_by_another_blocks_year():
    """The same mine, with and without a savanna that bared in the next block: equal site, to the last number."""
    working = mine(WEST + REGION_PX + 10, NORTH + 6, 6, 6)
    alone, beside = sites(working), sites([*savanna(600), *working])
    beside = beside[beside["site_id"].isin(alone["site_id"])].reset_index(drop=True)
    assert beside.drop(columns="geometry").equals(alone.drop(columns="geometry"))


def test_shares_that_nobody_told_are_never_faint():
    """A detector without shares loses nothing to the year."""
    assert regional_places(savanna(600, bare=255, water=255, turbid=255)) == set()


def test_a_large_working_is_one_object_wherever_it_lies():
    """Five hectares dug at once are one mine, within a block of the lattice or across the border of two."""
    for col in (2, REGION_PX - 20):
        assert len(sites(block(WEST + col, NORTH + 4, 25, 20))) == 1
