from datetime import UTC, date, datetime

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.errors import GridMismatch
from geomon.footprints import delineate, gather
from geomon.footprints.ground import NINETY_FIVE, PIXEL_ERROR, QUARTER, SITE_ERROR, outlined, relative_error
from geomon.footprints.objects import ALL_SHOWN, MMU_M2, NONE_SHOWN, confirmed_objects, dug_share
from geomon.footprints.pixels import Mesh
from geomon.grid import Tile, areas_m2, inside, pixel_area_m2, plan_grid
from geomon.model import AlertStatus, Period, PeriodKind, Scene
from geomon.tables import GEOMETRY, check_table
from tests._change import COL, LATTICE, MONITOR, ROW, Px, block, context, layers, tiled, window, zone

TABLES = {
    "mining_footprints": "footprints",
    "footprint_periods": "periods",
    "alerts": "alerts",
    "sub_mmu": "sub_mmu",
    "dropped": "dropped",
    "sites": "sites",
    "ground": "ground",
}

MINE = [
    *block(0, 0, 5, 4),
    *block(5, 0, 2, 4, first=date(2022, 12, 1), confirmed=date(2023, 1, 10), last=date(2023, 2, 1)),
]
"""A mine: 20 pixels in September 2022, 8 more in December."""


def run(pixels, *, size=64, **facts):
    return delineate(gather(tiled(pixels, size=size)), context(**facts))


def test_every_table_has_the_columns_of_the_schema_with_pixels_and_without():
    """No pixel is a set of empty tables, valid all the same."""
    for found in (run(MINE), run([])):
        for table, name in TABLES.items():
            check_table(getattr(found, name), table)
            assert (GEOMETRY[table] == "none") == (not hasattr(getattr(found, name), "crs"))


def test_a_mine_is_one_footprint_one_site_one_confirmed_alert():
    """Their ids share the founding token, their dates and areas agree."""
    found = run(MINE)
    (footprint,) = found.footprints.to_dict("records")
    (site,) = found.sites.to_dict("records")
    (alert,) = found.alerts.to_dict("records")
    assert footprint["first_seen"] == site["first_seen"] == date(2022, 9, 1)
    assert footprint["confirmed_on"] == alert["confirmed_on"] == date(2022, 10, 1)
    assert footprint["last_seen"] == date(2023, 2, 1)
    assert footprint["area_ha"] == pytest.approx(0.28, rel=2e-3)
    assert footprint["area_new_ha"] == footprint["area_ha"]
    error = NINETY_FIVE * np.hypot(PIXEL_ERROR / np.sqrt(28), SITE_ERROR)
    assert footprint["area_low_ha"] == pytest.approx((1 - error) * 0.28, rel=2e-3)
    assert footprint["area_high_ha"] == pytest.approx((1 + error) * 0.28, rel=2e-3)
    assert (footprint["period_start"], footprint["period_end"]) == (MONITOR.start, MONITOR.end)
    assert (alert["status"], alert["confuser"]) == ("confirmed", None)
    assert footprint["footprint_id"][2:] == site["site_id"][2:] == alert["alert_id"][2:]
    assert footprint["release"] == "kp_only"


def test_an_object_without_water_that_appears_at_once_is_a_site_and_an_alert_but_no_footprint():
    """What is not mining keeps its confuser."""
    found = run(block(0, 0, 8, 8, water=0, bare=90))
    assert len(found.footprints) == len(found.periods) == len(found.ground) == 0
    assert found.sites["activity"].tolist() == ["rejected"]
    assert found.sites["confuser"].tolist() == found.alerts["confuser"].tolist() == ["farm"]


def test_ground_dug_before_the_monitor_is_dated_there_and_not_new():
    """A change in the last half year of the baseline has its own date, predates nothing, and is no new ground."""
    early = date(2022, 4, 1)
    (footprint,) = run(block(0, 0, 6, 6, first=early, confirmed=date(2022, 5, 1))).footprints.to_dict("records")
    assert (footprint["first_seen"], footprint["predates_history"]) == (early, False)
    assert footprint["area_new_ha"] == 0.0
    assert footprint["activity"] == "previously_active"
    grown = [*block(0, 0, 6, 6, first=early, confirmed=date(2022, 5, 1)), *block(6, 0, 2, 6)]
    found = run(grown)
    assert found.footprints["area_new_ha"].tolist() == pytest.approx([0.12], abs=2e-3)
    assert found.periods["activity"].iloc[0] == "expanding"
    assert found.periods["area_new_ha"].sum() == pytest.approx(found.footprints["area_new_ha"][0], abs=3e-4)


# ---------------------------------------------------------------- how much of it was dug


dug = st.lists(st.integers(36, 100), min_size=10, max_size=48)
"""Percent of bare ground and water that pixels show, all enough to be dug ground."""


def shown(percents, **facts):
    """Pixels in rows of six that show so much, a third of it water."""
    facts = {"turbid": 10, **facts}
    return [
        Px(COL + k % 6, ROW + k // 6, bare=each - each // 3, water=each // 3, **facts)
        for k, each in enumerate(percents)
    ]


@given(percents=st.lists(st.integers(20, 100), min_size=10, max_size=48))
def test_an_outline_holds_what_was_dug_by_a_quarter_or_the_unit_of_what_was_dug_most(percents):
    """Every pixel dug by a quarter is drawn; others only up to the minimum mapping unit, the most dug first."""
    pixels = gather(tiled(shown(percents)))
    index = np.arange(len(pixels))
    drawn = outlined(pixels, index, at_least_m2=MMU_M2)
    share, area = dug_share(pixels, index), pixels.area_m2
    left = np.setdiff1d(index, drawn)
    assert len(drawn) + len(left) == len(index)
    assert (np.diff(drawn) > 0).all()
    assert share[drawn].min() >= share[left].max(initial=0.0)
    assert (share[left] < QUARTER).all()
    assert float(area[drawn].sum()) >= min(MMU_M2, float(area.sum())) * (1 - 2e-6)
    if (share[drawn] < QUARTER).any():
        assert float(area[drawn].sum() - area[drawn].max()) < MMU_M2


@settings(max_examples=20)
@given(percents=dug)
def test_the_area_of_a_footprint_is_the_ground_dug(percents):
    """It is the sum of dug shares, not the outline's area, and so is the sum of its ground by day; bounds hold it."""
    rows = [{"first": date(2022, 8 + k % 4, 1), "confirmed": date(2023, 1, 1)} for k in range(len(percents))]
    pixels = [px for k, each in enumerate(percents) for px in shown([0] * k + [each], **rows[k])[k:]]
    table = gather(tiled(pixels))
    wanted = float((table.area_m2 * dug_share(table, np.arange(len(table)))).sum())
    found = run(pixels)
    assert found.sites["area_ha"].sum() * 1e4 == pytest.approx(wanted, rel=2e-3, abs=1)
    for footprint in found.footprints.to_dict("records"):
        assert footprint["area_low_ha"] <= footprint["area_ha"] <= footprint["area_high_ha"]
        assert footprint["outline_ha"] * 1e4 == pytest.approx(areas_m2(found.footprints.geometry)[0], abs=1)
        ground = found.ground.query("zone_id == ''")
        for column, bound in (("area_m2", "area_ha"), ("low_m2", "area_low_ha"), ("high_m2", "area_high_ha")):
            assert ground[column].sum() == pytest.approx(1e4 * footprint[bound], rel=2e-3, abs=1)


@settings(max_examples=20)
@given(width=st.integers(3, 12), height=st.integers(4, 12), percent=st.integers(80, 100))
def test_the_outline_of_full_pixels_is_the_ground_dug(width, height, percent):
    """Where every pixel was dug whole both areas are equal, to a tenth and less; old ground beside is in both."""
    bare = percent - percent // 3
    pixels = block(0, 0, width, height, bare=bare, water=percent // 3)
    pixels += block(width, 0, 2, height, alert=AlertStatus.NONE, was=(60, 30, 0), last=date(2023, 12, 1))
    (footprint,) = run(pixels).footprints.to_dict("records")
    assert footprint["area_ha"] == pytest.approx(0.01 * (width + 2) * height, rel=5e-3)
    assert footprint["outline_ha"] >= 0.9 * footprint["area_ha"]
    assert footprint["outline_ha"] == pytest.approx(footprint["area_ha"], rel=5e-3)


def test_a_mixed_rim_belongs_to_the_object_but_not_to_its_outline():
    """Faint pixels around dug ground add what was dug of them; they draw no outline of their own."""
    core = block(1, 1, 5, 5, bare=60, water=40)
    rim = [
        px
        for px in block(0, 0, 7, 7, bare=25, water=4, turbid=0)
        if (px.col, px.row) not in {(each.col, each.row) for each in core}
    ]
    (footprint,) = run([*core, *rim]).footprints.to_dict("records")
    of_rim = 24 * 0.01 * (0.29 - NONE_SHOWN) / (ALL_SHOWN - NONE_SHOWN)
    assert footprint["area_ha"] == pytest.approx(0.25 + of_rim, rel=5e-3)
    assert footprint["outline_ha"] == pytest.approx(0.25, rel=5e-3)
    table = gather(tiled([*core, *rim]))
    (found,) = confirmed_objects(table, Mesh(table))
    assert (len(found.index), len(found.rim), len(found.ground)) == (25, 24, 49)
    assert found.lasting
    assert not found.standing


@given(count=st.integers(10, 80), percent=st.integers(36, 100))
def test_more_pixels_of_a_kind_are_known_better(count, percent):
    """One more pixel dug as much makes the interval narrower; it never falls below that of the whole site."""
    pixels = gather(tiled(shown([percent] * (count + 1))))
    few, more = (relative_error(pixels, np.arange(n)) for n in (count, count + 1))
    assert NINETY_FIVE * SITE_ERROR < more <= few <= 0.95
    assert more < few or few == 0.95


def test_ground_of_which_little_was_dug_is_known_worse():
    """At equal pixels, the less was dug of them the wider the interval is in proportion, up to 0.95."""
    errors = [relative_error(gather(tiled(shown([each] * 20))), np.arange(20)) for each in (100, 60, 40, 26)]
    assert errors == sorted(errors)
    assert errors[-1] == 0.95


def test_confirmed_on_is_the_day_a_connected_part_reached_the_unit_and_not_before():
    """Two parts of 6 pixels are confirmed early, apart; the pixel that joins them comes later."""
    early, late = date(2022, 10, 1), date(2023, 3, 5)
    pixels = [*block(0, 0, 3, 2, confirmed=early), *block(4, 0, 3, 2, confirmed=early)]
    pixels += [*block(3, 0, 1, 2, confirmed=late, first=date(2022, 8, 1))]
    found = run(pixels)
    assert found.sites["confirmed_on"].tolist() == [late]


def test_identity_is_that_of_the_part_which_reached_the_unit_first():
    """Ground seen earlier, confirmed later, moves neither id nor the site's first_seen; the footprint's tells it."""
    first = run(block(0, 0, 4, 3))
    pixels = [*block(0, 0, 4, 3), *block(4, 0, 4, 3, first=date(2022, 8, 1), confirmed=date(2023, 5, 1))]
    pixels += block(5, 5, 1, 1)
    later = run(pixels)
    assert later.sites["site_id"].tolist() == first.sites["site_id"].tolist()
    assert later.sites["first_seen"].tolist() == [date(2022, 9, 1)]
    assert later.footprints["first_seen"].tolist() == [date(2022, 8, 1)]


@pytest.mark.parametrize(("count", "kept"), [(9, 0), (10, 1)])
def test_ten_pixels_make_the_minimum_mapping_unit(count, kept):
    """0.1 ha is an object, less is a point."""
    found = run(block(0, 0, count, 1))
    assert len(found.sites) == kept
    assert len(found.sub_mmu) == 1 - kept


def test_pixels_that_touch_at_a_corner_are_one_valid_object():
    """Eight neighbours: two parts of one MultiPolygon."""
    found = run([*block(0, 0, 4, 3), *block(4, 3, 4, 3)])
    (shape,) = found.sites.geometry
    assert shape.geom_type == "MultiPolygon"
    assert shape.is_valid
    assert found.sites["area_ha"].tolist() == pytest.approx([0.24], rel=2e-3)


def test_holes_are_kept():
    """Ground that was not dug is not in the outline, even where two holes touch at a corner."""
    ring = [px for px in block(0, 0, 5, 5) if (px.col, px.row) not in {(COL + 2, ROW + 2), (COL + 3, ROW + 3)}]
    (shape,) = run(ring).sites.geometry
    assert shape.is_valid
    assert areas_m2([shape])[0] == pytest.approx(23 * 100, rel=2e-3)


def test_outlines_are_right_handed_and_have_at_most_seven_decimals():
    """RFC 7946 holds before any writer is asked."""
    ring = [px for px in block(0, 0, 6, 5) if px.col != COL + 2 or px.row != ROW + 2]
    (shape,) = run(ring).sites.geometry
    assert shape.exterior.is_ccw
    assert not shape.interiors[0].is_ccw
    at = shapely.get_coordinates(shape)
    assert np.array_equal(at, at.round(7))


def test_outlines_are_clipped_to_the_area_of_interest_and_areas_follow():
    """Bounds and dug ground are those of the clipped outline."""
    found = run(MINE, aoi=window(2.5, -10, 100, 100))
    (footprint,) = found.footprints.to_dict("records")
    assert footprint["area_ha"] == pytest.approx(0.28 - 0.1, rel=2e-2)
    assert footprint["area_low_ha"] <= footprint["area_ha"] <= footprint["area_high_ha"]
    assert found.ground.query("zone_id == ''")["area_m2"].sum() == pytest.approx(footprint["area_ha"] * 1e4, rel=1e-3)


@pytest.mark.parametrize("cut", [1, 2, 3.5, 6, 7])
def test_the_area_of_interest_scales_the_ground_dug_by_the_outline_inside(cut):
    """Area, bounds, new ground and the rows of periods shrink by the share of the outline that is left, no pixel's."""
    half = [*block(0, 0, 7, 4, bare=30, water=22)]
    whole, part = run(half), run(half, aoi=window(-10, -10, 10 + cut, 100))
    share = part.footprints["outline_ha"][0] / whole.footprints["outline_ha"][0]
    assert share == pytest.approx(cut / 7, rel=2e-2)
    for column in ("area_ha", "area_low_ha", "area_high_ha", "area_new_ha"):
        assert part.footprints[column][0] == pytest.approx(share * whole.footprints[column][0], rel=5e-3)
    assert part.periods["area_ha"].iloc[-1] == pytest.approx(part.footprints["area_ha"][0], abs=2e-4)
    assert part.ground["area_m2"].sum() == pytest.approx(1e4 * part.footprints["area_ha"][0], rel=5e-3)


def test_alerts_climb_the_ladder():
    """Each status has its region, each region one status; every status is written somewhere."""
    status = AlertStatus
    found = run(
        [
            *block(0, 0, 5, 4),
            *block(20, 0, 4, 3, alert=status.PROVISIONAL),
            *block(24, 0, 1, 3, alert=status.CANDIDATE),
            *block(40, 0, 2, 3, alert=status.PROVISIONAL),
            *block(42, 0, 2, 3, alert=status.CANDIDATE),
            *block(60, 0, 4, 3, alert=status.UNRESOLVED),
            *block(80, 0, 1, 2, alert=status.CANDIDATE),
            *block(90, 0, 4, 4, alert=status.DROPPED),
        ]
    )
    assert sorted(found.alerts["status"]) == ["candidate", "confirmed", "provisional", "unresolved"]
    assert sorted(found.sub_mmu["status"]) == ["candidate", "candidate"]
    assert found.dropped["status"].tolist() == ["dropped"]
    for table in (found.alerts, found.sub_mmu, found.dropped):
        assert table["alert_id"].is_unique
    seen = {*found.alerts["status"], *found.dropped["status"]}
    assert seen == {one.label for one in status if one != status.NONE}


def test_a_point_lies_on_its_region():
    """The mean of a U of pixels lies outside it."""
    found = run([*block(0, 0, 1, 3, alert=AlertStatus.CANDIDATE), *block(1, 2, 1, 1, alert=AlertStatus.CANDIDATE)])
    (point,) = found.sub_mmu.geometry
    assert window(0, 0, 1, 3).union(window(1, 2, 1, 1)).contains(point)


def scene(scene_id, day, *, outline=((14.0, 3.0), (18.0, 3.0), (18.0, 7.0), (14.0, 7.0), (14.0, 3.0))):
    when = datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC)
    return Scene(scene_id, "sentinel-2", when, "EPSG:32633", {}, outline, scene_id, "05.09", scene_id)


def test_scenes_are_those_of_the_proof_days_that_touch_the_object_most_support_first():
    """Scenes of other days or other ground prove nothing."""
    far = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0))
    scenes = [scene("first", date(2022, 9, 1)), scene("proof", date(2022, 10, 1))]
    scenes += [scene("elsewhere", date(2022, 10, 1), outline=far), scene("other day", date(2022, 10, 3))]
    (row,) = run(MINE, scenes=scenes).footprints.to_dict("records")
    assert row["scenes"] == ["proof", "first"]
    assert row["sensors"] == ["sentinel-2"]


def activity(pixels, **facts):
    found = run(pixels, **facts)
    return dict(zip(found.periods["period_start"], found.periods["activity"], strict=True)), found


def test_activity_follows_fresh_ground_by_quarter():
    """New, much more, a little more twice, then quiet though seen."""
    pixels = [
        *block(0, 0, 5, 4, first=date(2022, 8, 1)),
        *block(5, 0, 1, 4, first=date(2022, 11, 5)),
        *block(6, 0, 1, 2, first=date(2023, 2, 1)),
        *block(6, 2, 1, 2, first=date(2023, 5, 1)),
    ]
    got, found = activity(pixels)
    assert list(got.values()) == [
        "new",
        "expanding",
        "persistent",
        "persistent",
        "previously_active",
        "previously_active",
    ]
    assert found.footprints["activity"].tolist() == ["previously_active"]
    assert found.periods["area_new_ha"].sum() == pytest.approx(found.footprints["area_ha"][0], abs=3e-4)
    assert found.periods["area_ha"].iloc[-1] == found.footprints["area_ha"][0]


def test_active_is_a_little_fresh_ground_after_a_quiet_period():
    """Persistent needs two periods in a row."""
    pixels = [*block(0, 0, 6, 6, first=date(2022, 8, 1)), *block(6, 0, 1, 2, first=date(2023, 2, 1))]
    got, _ = activity(pixels)
    assert got[date(2023, 1, 1)] == "active"


def test_an_unseen_period_is_not_observed_and_one_look_is_too_few_for_quiet():
    """No data is never no activity."""
    seen_once = (0, 1, 2, 7, 9, 10)
    got, found = activity(
        [*block(0, 0, 5, 4, seen=seen_once), *block(5, 0, 2, 4, first=date(2022, 9, 20), seen=seen_once)]
    )
    assert list(got.values()) == ["new", "not_observed", "not_observed", "previously_active", *["not_observed"] * 2]
    assert found.periods["observed_share"].tolist() == [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert found.footprints["activity"].tolist() == ["not_observed"]


@settings(max_examples=20)
@given(ends=st.lists(st.sampled_from([None, 3, 6, 9, 12]), min_size=20, max_size=20), cut=st.sampled_from([2, 50]))
def test_regrown_ground_is_a_share_that_never_falls(ends, cut):
    """Of each period's ground from none to all greened over, as much as did by then, whatever the area of interest."""
    pixels = [
        Px(
            COL + k % 5,
            ROW + k // 5,
            dug=date(2023, 2, 20),
            gone=None if end is None else date(2023, end, 28),
            bare=30 + k,
        )
        for k, end in enumerate(ends)
    ]
    found = run(pixels, aoi=window(-10, -10, 10 + cut, 100)).periods
    assert found["regrown_share"].between(0.0, 1.0).all()
    assert found["regrown_share"].is_monotonic_increasing
    weight = np.array([30 + k + 30 - 100 * NONE_SHOWN for k in range(20)]).clip(max=100 * (ALL_SHOWN - NONE_SHOWN))
    gone = np.array([end is not None for end in ends])
    assert found["regrown_share"].iloc[-1] == pytest.approx(weight[gone].sum() / weight.sum(), abs=2e-3)


def test_the_first_kind_of_period_names_the_activity():
    """The footprint's activity is that of the last period of the first kind."""
    kinds = (PeriodKind.YEAR, PeriodKind.MONTH)
    found = run(MINE, kinds=kinds)
    assert found.footprints["activity"].tolist() == ["previously_active"]
    assert set(found.periods["period_kind"]) == {"year", "month"}
    short = run(MINE, kinds=kinds, monitor=Period(MONITOR.start, date(2022, 12, 15)))
    assert short.footprints["activity"].tolist() == ["new"]


def test_the_zone_of_a_footprint_is_the_one_that_holds_most_of_it():
    """Its ground is split, it is counted once; without a zone it is null."""
    west, east = zone("west", window(-100, -100, 102, 200)), zone("east", window(2, -100, 100, 200))
    found = run(MINE, zones=(west, east))
    assert found.footprints["zone_id"].tolist() == ["east"]
    parts = found.ground.groupby("zone_id")["area_m2"].sum()
    assert parts["west"] + parts["east"] == pytest.approx(parts[""])
    assert run(MINE, zones=(zone("far", window(200, 200, 5, 5)),)).footprints["zone_id"].tolist() == [None]


def test_a_mine_on_a_utm_seam_is_one_object_with_all_its_ground():
    """18 E, zone 33 to the west, 34 to the east: one object, and little of its ground is drawn twice."""
    area = shapely.box(17.99, 4.99, 18.01, 5.01)
    pit = shapely.box(17.9992, 4.9992, 18.0008, 5.0008)
    other = Scene(
        **{name: getattr(scene("b", date(2022, 9, 1)), name) for name in Scene.__slots__} | {"crs": "EPSG:32634"}
    )
    tiles = plan_grid(area, [scene("a", date(2022, 9, 1)), other], tile_px=64)
    made = []
    for tile in tiles:
        held = np.argwhere(inside(tile, area) & inside(tile, pit))
        made.append((tile, layers(tile, [Px(tile.col + int(c), tile.row + int(r)) for r, c in held])))
    pixels = gather(made)
    found = delineate(pixels, context(area))
    assert len(pixels.lattices) == 2
    assert len(found.sites) == 1
    assert found.sites.geometry[0].is_valid
    assert found.sites["area_ha"][0] * 1e4 == pytest.approx(pixels.area_m2.sum(), rel=1 / 17)
    assert pixels.area_m2.sum() == pytest.approx(areas_m2([pit])[0], rel=0.09)


def test_two_objects_either_side_of_a_seam_stay_apart_when_ground_lies_between():
    """Pixels more than a pixel and a half from those of the other zone are not joined."""
    area = shapely.box(17.99, 4.99, 18.01, 5.01)
    pits = shapely.MultiPolygon(
        [shapely.box(17.9982, 4.9995, 17.9996, 5.0005), shapely.box(18.0004, 4.9995, 18.0018, 5.0005)]
    )
    other = Scene(
        **{name: getattr(scene("b", date(2022, 9, 1)), name) for name in Scene.__slots__} | {"crs": "EPSG:32634"}
    )
    made = []
    for tile in plan_grid(area, [scene("a", date(2022, 9, 1)), other], tile_px=64):
        held = np.argwhere(inside(tile, area) & inside(tile, pits))
        made.append((tile, layers(tile, [Px(tile.col + int(c), tile.row + int(r)) for r, c in held])))
    assert len(delineate(gather(made), context(area)).sites) == 2


def test_a_pixel_in_two_tiles_is_refused():
    """Ground is counted once or not at all."""
    tile = Tile(LATTICE, COL, ROW, 8, 8, 8)
    other = Tile(LATTICE, COL + 4, ROW, 8, 8, 8)
    held = block(0, 0, 8, 8)
    with pytest.raises(GridMismatch, match="in two"):
        gather([(tile, layers(tile, held)), (other, layers(other, held))])


def test_a_layer_of_another_shape_is_refused():
    """A layer that does not fit its tile is not guessed at."""
    tile = Tile(LATTICE, COL, ROW, 8, 8, 8)
    with pytest.raises(GridMismatch, match="shape"):
        gather([(tile, layers(Tile(LATTICE, COL, ROW, 7, 8, 8), block(0, 0, 5, 4)))])


STATUSES = [s for s in AlertStatus if s != AlertStatus.NONE]
pixel_sets = st.dictionaries(
    st.tuples(st.integers(0, 14), st.integers(0, 14)),
    st.tuples(st.sampled_from([*STATUSES, *[AlertStatus.CONFIRMED] * 6]), st.integers(1, 5), st.integers(0, 3)),
    max_size=120,
)


def made(cells):
    return [
        Px(COL + c, ROW + r, alert=alert, first=date(2022, 7 + first, 1), confirmed=date(2022, 12, 1 + later))
        for (c, r), (alert, first, later) in cells.items()
    ]


def same(a, b):
    for name in TABLES.values():
        left, right = getattr(a, name), getattr(b, name)
        assert left.drop(columns="geometry", errors="ignore").equals(right.drop(columns="geometry", errors="ignore")), (
            name
        )
        if hasattr(left, "crs"):
            assert left.geometry.to_wkb().tolist() == right.geometry.to_wkb().tolist()


@settings(max_examples=30)
@given(cells=pixel_sets, size=st.sampled_from([3, 5, 7, 16, 64]), seed=st.integers(0, 99))
def test_results_do_not_depend_on_the_tiling_or_the_order_of_tiles(cells, size, seed):
    """Any cut of the same pixels gives equal tables, to the byte of each outline."""
    pixels = made(cells)
    parts = tiled(pixels, size=size)
    np.random.default_rng(seed).shuffle(parts)
    same(delineate(gather(parts), context()), run(pixels, size=128))


@settings(max_examples=30)
@given(cells=pixel_sets)
def test_outlines_hold_exactly_the_area_of_their_pixels_and_are_valid(cells):
    """Nothing is lost or drawn twice, whatever the shape."""
    pixels = made(cells)
    found = run(pixels)
    for table in (found.alerts, found.sites, found.dropped):
        assert table.geometry.is_valid.all()
    assert found.periods["regrown_share"].between(0.0, 1.0).all()
    for table in (found.footprints, found.sites):
        assert (table["area_low_ha"] <= table["area_ha"]).all()
        assert (table["area_ha"] <= table["area_high_ha"]).all()
    assert (found.ground["low_m2"] <= found.ground["area_m2"]).all()
    assert (found.ground["area_m2"] <= found.ground["high_m2"]).all()
    dropped = [px for px in pixels if px.alert == AlertStatus.DROPPED]
    one = float(pixel_area_m2(LATTICE, np.array([COL]), np.array([ROW]))[0])
    assert areas_m2(found.dropped.geometry).sum() == pytest.approx(len(dropped) * one, rel=1e-3, abs=0.5)
    live = sum(px.alert != AlertStatus.DROPPED for px in pixels)
    assert areas_m2(found.alerts.geometry).sum() + found.sub_mmu["area_ha"].sum() * 1e4 == pytest.approx(
        live * one, rel=2e-3, abs=5
    )


@settings(max_examples=20)
@given(cells=pixel_sets)
def test_what_was_confirmed_by_a_day_keeps_its_id_and_dates_when_more_is_confirmed(cells):
    """Knowledge only grows: an object with a date up to the cut stood then, with the same id and dates."""
    pixels = [px for px in made(cells) if px.alert == AlertStatus.CONFIRMED]
    table = gather(tiled(pixels))
    objects = confirmed_objects(table, Mesh(table))
    for cut in (date(2022, 12, 2), date(2022, 12, 3)):
        known = gather(tiled([px for px in pixels if px.confirmed <= cut]))
        before = {(o.token, o.founded, o.confirmed_on) for o in confirmed_objects(known, Mesh(known))}
        for one in objects:
            if one.confirmed_on <= (cut - date(1970, 1, 1)).days:
                assert (one.token, one.founded, one.confirmed_on) in before
