"""Laws of the lattice, the tiles and the areas."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod
from shapely.geometry.base import BaseGeometry

from geomon.errors import ConfigError, GridMismatch
from geomon.grid import (
    Lattice,
    Tile,
    align,
    area_m2,
    areas_m2,
    bounds_in,
    canonical_crs,
    inside,
    pixel_area_m2,
    pixel_lonlat,
    plan_grid,
    to_wgs84,
)
from geomon.model import Asset, Scene

GEOD = Geod(ellps="WGS84")
UTM33 = Lattice("EPSG:32633", 10.0)
SEAM = shapely.Polygon([(17.96, 4.01), (18.05, 3.99), (18.03, 4.06), (17.99, 4.07)])


def make_scene(crs: str = "EPSG:32633", *, left: float = 600000.0, top: float = 500040.0, name: str = "a") -> Scene:
    """Describe a scene with a 10 m and a 20 m band; nothing is read from it."""
    assets = {
        "red": Asset("red.tif", transform=(10.0, 0.0, left, 0.0, -10.0, top), shape=(10980, 10980)),
        "scl": Asset("scl.tif", transform=(20.0, 0.0, left, 0.0, -20.0, top), shape=(5490, 5490)),
    }
    return Scene(name, "sentinel-2", datetime(2020, 1, 1, tzinfo=UTC), crs, assets, (), name, "", name)


def inside_pixels(aoi: BaseGeometry, scenes: list[Scene], tile_px: int) -> set[tuple[str, int, int]]:
    """Every inside pixel of a plan, by lattice and index; no tile may repeat one."""
    found: set[tuple[str, int, int]] = set()
    for tile in plan_grid(aoi, scenes, tile_px=tile_px):
        rows, cols = np.nonzero(inside(tile, aoi))
        pixels = {(tile.lattice.name, c, r) for c, r in zip(cols + tile.col, rows + tile.row, strict=True)}
        assert pixels, f"tile {tile.name} has no pixel of the AOI"
        assert not pixels & found, f"tile {tile.name} repeats pixels"
        found |= pixels
    return found


def test_pixel_indices_give_back_coordinates() -> None:
    """Upper-left corner, centre, bounds and transform of a tile tell the same place."""
    tile = Tile(Lattice("EPSG:3035", 10.0, 2.5, 4.25), 1024, -512, 512, 256)
    assert tile.bounds == (10242.5, 5124.25 - 2560, 15362.5, 5124.25)
    assert tile.transform @ (0, 0) == (10242.5, 5124.25)
    x, y = tile.centres()
    assert x.shape == tile.shape == (256, 512)
    assert (x[0, 0], y[0, 0]) == tuple(tile.transform @ (0.5, 0.5))
    assert tile.lattice.transform @ (tile.col, tile.row) == (10242.5, 5124.25)
    padded, _ = tile.centres(pad=16)
    assert padded.shape == (288, 544)
    assert padded[16, 16] == x[0, 0]


def test_names_are_safe_stable_and_independent_of_the_crop() -> None:
    """A name holds letters, digits and -_. only, and comes from the fixed window and the lattice."""
    assert Tile(UTM33, 512 * 78, -512 * 85, 512, 512).name == "32633-10m_c00078_r-0085"
    assert Tile(UTM33, 512 * 78 + 100, -512 * 85 + 7, 90, 80).name == "32633-10m_c00078_r-0085"
    assert Lattice("EPSG:3035", 10.0, 2.576552, 4.214915).name == "3035-10m-p258-421"
    wkt = Lattice(CRS.from_epsg(3035).to_wkt(), 2.5).name
    assert wkt.startswith("w")
    assert wkt.endswith("-2p5m")
    assert all(char.isalnum() or char in "-_." for char in wkt)


@pytest.mark.parametrize("phase", [-0.1, 10.0, math.nan])
def test_a_phase_outside_one_pixel_is_refused(phase: float) -> None:
    """A phase lies in [0, res)."""
    with pytest.raises(GridMismatch, match="phase"):
        Lattice("EPSG:32633", 10.0, phase, 0.0)


def test_tiles_fall_on_the_pixels_of_the_real_series(shared_data: Path) -> None:
    """All real scenes (EPSG:3035, an odd phase) lie on the planned lattice, 20 m bands as whole 2 x 2 pixels."""
    folder = shared_data / "romania_s2_l2a"
    items = sorted((folder / "items").glob("*/*.json"))
    scenes = [scene_of(path) for path in items[:: len(items) // 20]]
    aoi = shapely.from_geojson(json.dumps(json.loads((folder / "aoi.geojson").read_text())["features"][0]["geometry"]))
    tiles = plan_grid(aoi, scenes, tile_px=32)
    assert len(tiles) > 9
    assert sum(int(inside(tile, aoi).sum()) for tile in tiles) == pytest.approx(area_m2(aoi) / 100, rel=0.01)
    for scene in scenes[:3]:
        for name, ratio in (("red", 1), ("swir16", 2)):
            with rasterio.open(scene.assets[name].href) as dataset:
                place = align(tiles[0].lattice, dataset.transform)
                assert place is not None
                assert place.ratio == ratio
                for tile in tiles:
                    col, row = ~dataset.transform @ (tile.transform @ (0, 0))
                    assert col * ratio == pytest.approx(tile.col - place.col, abs=1e-6)
                    assert row * ratio == pytest.approx(tile.row - place.row, abs=1e-6)


def scene_of(path: Path) -> Scene:
    item = json.loads(path.read_text())
    assets = {
        key: Asset(str(path.parent / a["href"]), transform=tuple(a["proj:transform"]), shape=tuple(a["proj:shape"]))
        for key, a in item["assets"].items()
    }
    when = datetime.fromisoformat(item["properties"]["datetime"])
    return Scene(item["id"], "sentinel-2", when, "EPSG:3035", assets, (), item["id"], "", item["id"])


def test_an_aoi_across_a_utm_seam_is_covered_once() -> None:
    """18 E: two lattices, no ground twice, none left out, and their pixels' areas sum to the AOI's."""
    scenes = [make_scene("EPSG:32633"), make_scene("EPSG:32634", left=199980.0, name="b")]
    tiles = plan_grid(SEAM, scenes, tile_px=256)
    assert {tile.lattice.crs for tile in tiles} == {"EPSG:32633", "EPSG:32634"}
    total = 0.0
    for tile in tiles:
        rows, cols = np.nonzero(inside(tile, SEAM))
        lon, lat = pixel_lonlat(tile.lattice, cols + tile.col, rows + tile.row)
        assert np.all(lon < 18.0) if tile.lattice.crs == "EPSG:32633" else np.all(lon >= 18.0)
        assert shapely.contains_xy(SEAM.buffer(1e-6), lon, lat).all()
        total += float(pixel_area_m2(tile.lattice, cols + tile.col, rows + tile.row).sum())
    assert total == pytest.approx(GEOD.geometry_area_perimeter(SEAM)[0], rel=0.005)
    assert len(inside_pixels(SEAM, scenes, 256)) == pytest.approx(total / 100, rel=0.005)


def test_every_point_near_the_seam_has_one_pixel(rng: np.random.Generator) -> None:
    """A point within 50 m of 18 E is nearest to a pixel centre of its own side, within one pixel's diagonal."""
    scenes = [make_scene("EPSG:32633"), make_scene("EPSG:32634", left=199980.0, name="b")]
    lon, lat = 18 + rng.uniform(-4.5e-4, 4.5e-4, 400), rng.uniform(4.01, 4.05, 400)
    centres = [pixel_centres(tile) for tile in plan_grid(SEAM, scenes, tile_px=128)]
    tree = shapely.STRtree(shapely.points(np.concatenate(centres)))
    gaps = tree.query_nearest(shapely.points(lon, lat), return_distance=True)[1]
    assert gaps.max() * 111_000 < 15


def pixel_centres(tile: Tile) -> np.ndarray:
    rows, cols = np.nonzero(inside(tile, SEAM))
    return np.column_stack(pixel_lonlat(tile.lattice, cols + tile.col, rows + tile.row))


@settings(max_examples=15)
@given(
    points=st.lists(st.tuples(st.floats(17.98, 18.02), st.floats(3.99, 4.01)), min_size=3, max_size=7, unique=True),
    tile_px=st.sampled_from([16, 48, 112, 256, 1024]),
    seam=st.booleans(),
)
def test_tile_size_does_not_change_the_inside_pixels(
    points: list[tuple[float, float]], tile_px: int, seam: bool
) -> None:
    """The set of inside pixels belongs to the AOI and the lattice, not to the tiling."""
    aoi = shapely.MultiPoint(points).convex_hull.buffer(0.0003)
    scenes = [make_scene(), make_scene("EPSG:32634", name="b")] if seam else [make_scene()]
    assert inside_pixels(aoi, scenes, tile_px) == inside_pixels(aoi, scenes, 512)


def test_inside_is_the_pixel_centre_rule() -> None:
    """Each pixel answers as its own centre does, holes and all."""
    aoi = SEAM.difference(shapely.Point(17.995, 4.03).buffer(0.01))
    (tile, *_) = plan_grid(aoi, [make_scene()], tile_px=512)
    rows, cols = np.indices(tile.shape)
    lon, lat = pixel_lonlat(tile.lattice, cols + tile.col, rows + tile.row)
    expected = shapely.contains_xy(aoi, lon, lat)
    assert np.count_nonzero(inside(tile, aoi) != expected) <= expected.size * 1e-4  # edges bend by centimetres


def test_tiles_are_cropped_to_the_aoi_in_steps() -> None:
    """Tiles are sorted, no larger than the AOI needs, and cut at multiples of 16 px."""
    aoi = shapely.box(15.901, 4.5, 15.91, 4.51)
    tiles = plan_grid(aoi, [make_scene()], tile_px=512)
    assert tiles == tuple(sorted(tiles, key=lambda tile: (tile.lattice.name, tile.row, tile.col)))
    for tile in tiles:
        assert all(side % 16 == 0 for side in (tile.col, tile.row, tile.width, tile.height))
        assert max(tile.shape) <= 128 + 16


def test_lattice_follows_the_scenes() -> None:
    """One CRS and phase: theirs, whatever the AOI's zone; of two phases the first by name; none: one per zone."""
    aoi = shapely.box(18.1, 4.0, 18.11, 4.01)
    assert lattices(aoi, [make_scene()]) == {UTM33}
    wkt = CRS.from_epsg(32633).to_wkt()
    assert lattices(aoi, [make_scene(), make_scene(wkt, name="b")]) == {UTM33}
    odd = [make_scene(left=600003.0), make_scene(left=600013.00000001, name="b")]
    assert lattices(aoi, odd) == {Lattice("EPSG:32633", 10.0, 3.0, 0.0)}
    assert lattices(aoi, [make_scene(), make_scene(left=600003.0, name="b")]) == {UTM33}
    assert lattices(shapely.box(18.1, -4.0, 18.11, -3.99), []) == {Lattice("EPSG:32734", 10.0, lon_range=(18.0, 24.0))}


def rescaled(scene: Scene, res: float) -> Scene:
    """Give the scene with pixels of another size in its finest band."""
    red = Asset("red.tif", transform=(res, 0.0, 600000.0, 0.0, -res, 500040.0))
    return replace(scene, assets={**scene.assets, "red": red})


@pytest.mark.parametrize(
    "odd",
    [
        rescaled(make_scene(name="odd"), 0.001),
        rescaled(make_scene(name="odd"), 5.0),
        make_scene(left=600003.0, name="odd"),
        make_scene("EPSG:32634", left=199980.0, name="odd"),
        make_scene("EPSG:3035", left=4321003.0, name="odd"),
    ],
    ids=["1 mm", "5 m", "phase", "zone", "crs"],
)
@pytest.mark.parametrize("others", [2, 5, 40])
def test_one_odd_scene_moves_nothing(odd: Scene, others: int) -> None:
    """The lattice is that of most scenes, whatever the pixel size, phase or CRS of a lone one, first or last."""
    aoi = shapely.box(15.9, 4.5, 15.91, 4.51)
    scenes = [make_scene(name=f"s{n}") for n in range(others)]
    assert lattices(aoi, [odd, *scenes]) == lattices(aoi, [*scenes, odd]) == {UTM33}


@pytest.mark.parametrize(
    ("west", "east", "zoned"), [(1, 1, True), (2, 1, False), (2, 2, True), (40, 4, True), (40, 3, False)]
)
def test_zones_keep_their_lattices_when_each_has_a_tenth(west: int, east: int, zoned: bool) -> None:
    """Over a seam each zone has its lattice from a tenth of the leading zone's scenes on; strays count for nothing."""
    scenes = [make_scene(name=f"w{n}") for n in range(west)]
    scenes += [make_scene("EPSG:32634", left=199980.0, name=f"e{n}") for n in range(east)]
    both = {Lattice("EPSG:32633", 10.0, lon_range=(12.0, 18.0)), Lattice("EPSG:32634", 10.0, lon_range=(18.0, 24.0))}
    assert lattices(SEAM, scenes) == (both if zoned else {UTM33})


def test_many_equal_zones_all_count() -> None:
    """Twelve zones of a twelfth each are no strays."""
    scenes = [make_scene(f"EPSG:326{zone}", name=f"{zone}-{n}") for zone in range(28, 40) for n in range(3)]
    assert all(lattice.lon_range for lattice in lattices(SEAM, scenes))


def lattices(aoi: BaseGeometry, scenes: list[Scene]) -> set[Lattice]:
    return {tile.lattice for tile in plan_grid(aoi, scenes, tile_px=512)}


def test_phase_never_leaves_its_pixel() -> None:
    """An origin a hair below a multiple of the pixel has phase 0, not 10."""
    (lattice,) = lattices(shapely.box(15.9, 4.5, 15.91, 4.51), [make_scene(left=599999.99999999)])
    assert lattice == UTM33


@pytest.mark.parametrize(
    ("lattice", "cols", "rows"),
    [
        (UTM33, [20000, 50000, 83000], [-50000, -10, -600000]),
        (Lattice("EPSG:3035", 10.0, 2.576552, 4.214915), [527198, 400000], [-253300, -350000]),
        (Lattice(CRS.from_epsg(32733).to_wkt(), 20.0), [25000], [-480000]),
        (Lattice("EPSG:4326", 1e-4), [180000, 0], [-40000, 600000]),
        (Lattice("EPSG:3857", 10.0), [200000], [-600000]),
        (Lattice("EPSG:2264", 30.0), [50000], [-20000]),  # US survey feet
    ],
)
def test_pixel_area_is_geodesic(lattice: Lattice, cols: list[int], rows: list[int]) -> None:
    """To 1e-4 of the geodesic area of the pixel's outline, in any CRS."""
    areas = pixel_area_m2(lattice, cols, rows)
    for col, row, area in zip(cols, rows, areas, strict=True):
        outline = to_wgs84(shapely.box(*Tile(lattice, col, row, 1, 1).bounds), lattice.crs)
        assert area == pytest.approx(abs(GEOD.geometry_area_perimeter(outline)[0]), rel=1e-4)


def test_geometry_areas() -> None:
    """Holes are taken off whatever the rings' direction; parts add up; points, lines and nothing are 0."""
    square, hole = shapely.box(18, 4, 18.01, 4.01), shapely.box(18.002, 4.002, 18.004, 4.004)
    full, gone = (abs(GEOD.geometry_area_perimeter(each)[0]) for each in (square, hole))
    holed = shapely.Polygon(square.exterior, [hole.exterior])
    assert area_m2(holed) == pytest.approx(full - gone, rel=1e-12)
    assert area_m2(holed.reverse()) == area_m2(holed)
    both = shapely.MultiPolygon([hole, shapely.box(19, 4, 19.01, 4.01)])
    assert area_m2(shapely.GeometryCollection([both, shapely.Point(1, 1)])) == pytest.approx(full + gone, rel=1e-9)
    assert areas_m2([shapely.Point(1, 1), shapely.Polygon()]).tolist() == [0.0, 0.0]


def test_align_accepts_whole_multiples_only() -> None:
    """Only an upright raster of whole lattice pixels is aligned, from any lattice index on."""
    shared = align(UTM33, Affine(20, 0, 600010, 0, -20, 500040))
    assert shared is not None
    assert (shared.ratio, shared.col, shared.row) == (2, 60001, -50004)
    for grid in (
        Affine(10, 0, 600005, 0, -10, 500040),
        Affine(15, 0, 600000, 0, -15, 500040),
        Affine(5, 0, 600000, 0, -5, 500040),
        Affine(10, 0, 600000, 0, 10, 500040),
        Affine(10, 1, 600000, 1, -10, 500040),
    ):
        assert align(UTM33, grid) is None


def test_bounds_in_another_crs_hold_the_tile() -> None:
    """No pixel centre of the tile lies outside its bounds in another CRS."""
    tile = Tile(UTM33, 60000, -50004, 512, 512)
    west, south, east, north = bounds_in(tile, "EPSG:4326") or (0, 0, 0, 0)
    lon, lat = pixel_lonlat(UTM33, *np.meshgrid(np.arange(60000, 60512), np.arange(-50004, -49492)))
    assert west < lon.min() < lon.max() < east
    assert south < lat.min() < lat.max() < north
    assert bounds_in(tile, canonical_crs("EPSG:32633")) == tile.bounds


@pytest.mark.parametrize(
    ("aoi", "tile_px", "message"),
    [
        (shapely.box(0, 0, 60, 60), 128, "tiles"),
        (shapely.box(-180, -80, 180, 80), 512, "tiles"),
        (shapely.Polygon(), 512, "empty"),
        (shapely.Point(18, 4), 512, "Point"),
        (shapely.box(18, 4, 18.000001, 4.000001), 512, "smaller than a pixel"),
        (shapely.box(18, 4, 18.1, 4.1), 500, "tile size"),
        (shapely.box(18, 4, 18.1, 4.1), 0, "tile size"),
    ],
)
def test_hostile_areas_are_refused_with_a_message(aoi: BaseGeometry, tile_px: int, message: str) -> None:
    """An AOI that is empty, not a polygon, below a pixel or of continental size stops with a ConfigError."""
    with pytest.raises(ConfigError, match=message):
        plan_grid(aoi, [], tile_px=tile_px)


def test_a_crs_that_is_none_is_refused() -> None:
    """What pyproj cannot read as a CRS is a GridMismatch that quotes it."""
    with pytest.raises(GridMismatch, match="expected a CRS"):
        canonical_crs("EPSG:not a code")
