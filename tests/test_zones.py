from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.footprints import delineate, gather
from geomon.grid import Tile, inside, pixel_area_m2
from geomon.model import Period, PeriodKind, to_day
from geomon.tables import check_table
from geomon.zones import ZoneCounts, ZoneFrame, table, tile_statistics, total
from tests._change import COL, LATTICE, MONITOR, ROW, block, context, tiled, window, zone

FRAME = ZoneFrame(MONITOR, (PeriodKind.QUARTER,), "0123456789ab")
TILES = tuple(Tile(LATTICE, COL + c, ROW + r, 32, 32, 32) for r in (0, 32) for c in (0, 32))
EVERY_MONTH = tuple(range(18))


def observed(tile, rng=None, *, months=EVERY_MONTH, last=date(2023, 12, 1)):
    """Layers of a tile seen in some months, or at random."""
    seen = np.zeros((3, *tile.shape), np.uint8)
    for month in months:
        seen[month // 8] |= np.uint8(1 << month % 8)
    last_clear = np.full(tile.shape, to_day(last) if months else 0, np.uint16)
    if rng is not None:
        seen &= rng.integers(0, 256, seen.shape, dtype=np.uint8) & rng.integers(0, 256, seen.shape, dtype=np.uint8)
        last_clear -= rng.integers(0, 60, tile.shape).astype(np.uint16)
        last_clear[rng.random(tile.shape) < 0.1] = 0
    return {"seen_months": seen, "last_clear": last_clear}


def count(zones, tiles=TILES, frame=FRAME, aoi=None, **facts):
    ground = window(-100, -100, 400, 400) if aoi is None else aoi
    return total(
        tile_statistics(tile, observed(tile, **facts), zones=zones, within=inside(tile, ground), frame=frame)
        for tile in tiles
    )


def rows(zones, pixels=(), counts=None, frame=FRAME):
    found = delineate(gather(tiled(pixels)), context(zones=zones))
    made = table(zones, count(zones) if counts is None else counts, ground=found.ground, frame=frame)
    return check_table(made, "zones"), found


MINE = [*block(0, 0, 5, 4), *block(5, 0, 2, 4, first=date(2022, 12, 1), confirmed=date(2023, 1, 10))]
WHOLE = zone("all", window(0, 0, 64, 64))


def test_an_observed_zone_without_sites_has_zeros():
    """Nothing dug where everything was seen is zero, not null."""
    made, _ = rows((WHOLE,))
    assert made["observed_share"].tolist() == [1.0] * 6
    assert made["area_new_ha"].tolist() == [0.0] * 6
    assert made["n_sites_active"].tolist() == [0] * 6
    assert set(made["answer"]) == {"cannot_tell"}


@pytest.mark.parametrize("counts", [{}, None])
def test_an_unseen_zone_has_nulls_and_never_zeros(counts):
    """A zone that was never seen clear, or never looked at, says nothing about digging."""
    made, _ = rows((WHOLE,), MINE, counts=count((WHOLE,), months=()) if counts is None else counts)
    assert made["observed_share"].tolist() == [0.0] * 6
    assert made["never_seen_clear_share"].tolist() == [1.0] * 6
    silent = made[
        ["n_sites_new", "n_sites_active", "area_new_ha", "area_active_ha", "area_new_low_ha", "area_new_high_ha"]
    ]
    assert silent.isna().all(axis=None)
    assert made["days_since_clear"].isna().all()


def test_an_unseen_period_is_null_beside_observed_ones():
    """Only the months of a period can tell about it."""
    made, _ = rows((WHOLE,), MINE, counts=count((WHOLE,), months=(0, 1, 2)))
    assert made["area_new_ha"].isna().tolist() == [False, *[True] * 5]


def test_new_ground_and_sites_are_counted_in_the_period_they_were_dug():
    """20 pixels in the third quarter of 2022, 8 in the fourth, one site."""
    made, found = rows((WHOLE,), MINE)
    assert made["area_new_ha"].tolist() == pytest.approx([0.2, 0.08, 0, 0, 0, 0], abs=2e-3)
    assert made["n_sites_new"].tolist() == [1, 0, 0, 0, 0, 0]
    assert made["n_sites_active"].tolist() == [1, 1, 0, 0, 0, 0]
    assert made["area_active_ha"].tolist() == pytest.approx([0.2, 0.28, 0, 0, 0, 0], abs=2e-3)
    assert made["area_new_ha"].sum() == pytest.approx(found.footprints["area_ha"][0], abs=2e-4)
    assert (made["area_new_low_ha"] <= made["area_new_ha"]).all()
    assert (made["area_new_ha"] <= made["area_new_high_ha"]).all()


def test_the_same_season_is_compared_only_where_there_is_one():
    """The first year has nothing to be compared with; a running quarter is compared with the same days."""
    pixels = [*block(0, 0, 5, 4, first=date(2022, 8, 1)), *block(5, 0, 2, 4, first=date(2022, 9, 20))]
    made, _ = rows((WHOLE,), pixels)
    assert made["same_season_change_ha"].isna().tolist() == [True] * 4 + [False] * 2
    assert made["same_season_change_ha"].tolist()[4:] == pytest.approx([-0.28, 0.0], abs=2e-3)
    cut = ZoneFrame(Period(MONITOR.start, date(2023, 8, 31)), FRAME.kinds, "0123456789ab")
    made, _ = rows((WHOLE,), pixels, counts=count((WHOLE,), frame=cut), frame=cut)
    assert made["same_season_change_ha"].tolist()[-1] == pytest.approx(-0.2, abs=2e-3)
    unseen = count((WHOLE,), months=range(3, 18))
    made, _ = rows((WHOLE,), pixels, counts=unseen)
    assert made["same_season_change_ha"].isna().tolist() == [True] * 5 + [False]


def test_days_since_clear_is_the_median_of_the_ground_that_was_seen():
    """Counted to as-of; ground never seen is told by its own share."""
    counts = {
        "all": ZoneCounts(4.0, 1.0, (3.0,) * 6, {to_day(date(2023, 12, 1)): 1.0, to_day(date(2023, 12, 21)): 2.0})
    }
    made, _ = rows((WHOLE,), counts=counts)
    assert set(made["days_since_clear"]) == {10}
    assert set(made["never_seen_clear_share"]) == {0.25}


def test_a_site_counts_in_the_zone_that_holds_most_of_it_and_its_ground_where_it_lies():
    """Two zones share a mine: one site, two areas."""
    west, east = zone("west", window(0, 0, 2, 64)), zone("east", window(2, 0, 62, 64))
    made, found = rows((west, east), MINE)
    assert made.groupby("zone_id")["n_sites_new"].sum().to_dict() == {"east": 1, "west": 0}
    assert made.groupby("zone_id")["area_new_ha"].sum().to_dict() == pytest.approx(
        {"east": 0.2, "west": 0.08}, abs=2e-3
    )
    assert found.footprints["zone_id"].tolist() == ["east"]


def test_overlapping_zones_each_count_a_site_they_hold():
    """A border strip inside a zone counts the site, and so does the zone."""
    strip = zone("strip", window(0, 0, 10, 64))
    made, _ = rows((WHOLE, strip), MINE)
    assert made.groupby("zone_id")["n_sites_new"].sum().to_dict() == {"all": 1, "strip": 1}


def test_names_are_data():
    """Hostile names come out as they went in."""
    name = "<script>alert('x')</script>\",\n=1+1"
    made, _ = rows((zone("z", window(0, 0, 64, 64), name=name),))
    assert set(made["zone_name"]) == {name}


def test_the_ground_of_a_zone_is_measured_on_the_ellipsoid():
    """Block-wise pixel areas differ from each pixel's own by less than a millionth."""
    counts = count((WHOLE,))["all"]
    row, col = np.mgrid[ROW : ROW + 64, COL : COL + 64]
    assert counts.area_m2 == pytest.approx(pixel_area_m2(LATTICE, col, row).sum(), rel=1e-6)


@settings(max_examples=15)
@given(cut=st.tuples(st.floats(1, 63), st.floats(1, 63)), seed=st.integers(0, 9))
def test_the_parts_of_a_partition_add_up_to_the_whole(cut, seed):
    """Ground, seen ground, sites and areas of four parts are those of the zone they make up."""
    x, y = cut
    corners = ((0, 0, x, y), (x, 0, 64 - x, y), (0, y, x, 64 - y), (x, y, 64 - x, 64 - y))
    parts = tuple(zone(f"part{k}", window(*corner)) for k, corner in enumerate(corners))
    zones = (WHOLE, *parts)
    pixels = [*MINE, *block(30, 30, 6, 6), *block(50, 3, 4, 4, first=date(2023, 3, 1), confirmed=date(2023, 6, 1))]
    pixels += block(54, 3, 1, 4, first=date(2023, 8, 1), confirmed=date(2023, 10, 1))
    counts = {}
    for tile in TILES:
        layers = observed(tile, np.random.default_rng([seed, tile.col, -tile.row]))
        found = tile_statistics(tile, layers, zones=zones, within=inside(tile, window(-9, -9, 99, 99)), frame=FRAME)
        counts = total([counts, found])
    whole = counts["all"]
    together = sum((counts[part.id] for part in parts if part.id in counts), ZoneCounts())
    assert together.area_m2 == pytest.approx(whole.area_m2)
    assert together.never_m2 == pytest.approx(whole.never_m2)
    assert together.seen_m2 == pytest.approx(whole.seen_m2)
    assert together.last_clear_m2 == pytest.approx(whole.last_clear_m2)
    found = delineate(gather(tiled(pixels)), context(zones=zones))
    made = table(zones, {part.id: counts[part.id] for part in zones}, ground=found.ground, frame=FRAME)
    sums = (
        made[made["zone_id"] != "all"]
        .groupby("period_start")[["n_sites_new", "n_sites_active", "area_new_ha", "area_new_high_ha"]]
        .sum()
    )
    want = made[made["zone_id"] == "all"].set_index("period_start")[sums.columns]
    assert np.allclose(sums.to_numpy(float), want.to_numpy(float), atol=4e-4)


@settings(max_examples=10)
@given(size=st.sampled_from([8, 16, 20, 64]))
def test_zone_sums_do_not_depend_on_the_tiling(size):
    """The same ground cut otherwise gives the same sums."""
    tiles = [
        Tile(LATTICE, COL + c, ROW + r, min(size, 64 - c), min(size, 64 - r), size)
        for r in range(0, 64, size)
        for c in range(0, 64, size)
    ]
    odd = zone("odd", shapely.Point(window(20, 20, 1, 1).centroid).buffer(0.002))
    got, want = count((odd,), tiles)["odd"], count((odd,))["odd"]
    assert got.area_m2 == pytest.approx(want.area_m2, rel=1e-12)
    assert got.seen_m2 == pytest.approx(want.seen_m2, rel=1e-12)
