"""A valley whose channel, heights and slopes are known, in several CRSs; files that are not what they should be."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from geomon import surroundings
from geomon.aoi import read_aoi
from geomon.errors import ConfigError
from geomon.surroundings import Setting, Surroundings, load_surroundings

CELL_M = 30.0
CELLS = 400
TOP, RISE, FALL = 400.0, 0.05, 0.001
MIDDLE = (600_000.0, 500_000.0)  # in UTM 33N: 15.9 E, 4.5 N
UTM = "EPSG:32633"
TO_LONLAT = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)


def valley() -> np.ndarray:
    """Slopes of 5 % on both sides of a river that runs south in the middle and falls by a metre a kilometre."""
    rows, cols = np.mgrid[:CELLS, :CELLS]
    return (TOP - FALL * CELL_M * rows + RISE * CELL_M * abs(cols - CELLS // 2)).astype(np.float32)


CORNER = Affine(CELL_M, 0, MIDDLE[0] - CELL_M * (CELLS // 2 + 0.5), 0, -CELL_M, MIDDLE[1] + CELL_M * CELLS / 2)


def write_dem(path: Path, elevation: np.ndarray, **profile: Any) -> Path:
    bands = elevation.reshape(-1, *elevation.shape[-2:])
    said = {"driver": "GTiff", "crs": UTM, "transform": CORNER} | profile
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    with rasterio.open(path, "w", **size, **said) as dataset:
        dataset.write(bands)
    return path


def write_rivers(path: Path, *geometries: object) -> Path:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def line(*metres: tuple[float, float]) -> dict[str, Any]:
    """Line by metres east and north of the middle."""
    return {"type": "LineString", "coordinates": [lonlat(x, y) for x, y in metres]}


def lonlat(east_m: float, north_m: float) -> tuple[float, float]:
    lon, lat = TO_LONLAT.transform(MIDDLE[0] + east_m, MIDDLE[1] + north_m)
    return float(lon), float(lat)


def box(half_m: float, *, east_m: float = 0.0) -> shapely.Polygon:
    corners = [(-half_m, -half_m), (half_m, -half_m), (half_m, half_m), (-half_m, half_m)]
    return shapely.Polygon([lonlat(x + east_m, y) for x, y in corners])


def load(dem: Path | None, rivers: Path | None, aoi: shapely.Polygon | None = None) -> Surroundings:
    found = load_surroundings(dem, rivers, aoi=aoi or box(2000))
    assert found is not None
    return found


def ask(known: Surroundings, *metres: tuple[float, float]) -> Setting:
    lon, lat = zip(*(lonlat(x, y) for x, y in metres), strict=True)
    return known.at(np.array(lon), np.array(lat))


SOUTH_OF_SPRING = [(-1500.0, -900.0), (-600.0, 0.0), (0.0, -300.0), (450.0, 600.0), (1800.0, -1500.0)]


def check_valley(setting: Setting, places: list[tuple[float, float]], cell_m: float) -> None:
    """See that distance, height and slope are the valley's, to a cell: heights are lost in cells of the channel."""
    east = np.abs([x for x, _ in places])
    assert np.all(np.abs(setting.channel_m - east) <= 1.5 * cell_m)
    # the way down leads across the slope or diagonally, so the channel is met up to `east` farther down
    assert np.all(setting.height_m >= RISE * east - 1.5 * RISE * cell_m)
    assert np.all(setting.height_m <= (RISE + FALL) * east + 1.5 * RISE * cell_m)
    steep = math.degrees(math.atan(math.hypot(RISE, FALL)))
    assert np.all(np.abs(setting.slope_deg[east > 3 * cell_m] - steep) < 0.1)


def test_a_valley_has_its_channel_heights_and_slopes(tmp_path: Path) -> None:
    """Without rivers the channel is where water gathers, and all three answers are those of the valley."""
    known = load(write_dem(tmp_path / "dem.tif", valley()), None)
    assert known.dem_resolution_m == pytest.approx(CELL_M, rel=0.01)
    check_valley(ask(known, *SOUTH_OF_SPRING), SOUTH_OF_SPRING, CELL_M)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32634", "EPSG:32733", "ESRI:54034"])
def test_any_crs_tells_the_same(tmp_path: Path, crs: str) -> None:
    """The valley in lon/lat, Mercator, another zone's UTM or an equal-area CRS is the same valley."""
    from rasterio.warp import calculate_default_transform, reproject

    bounds = rasterio.transform.array_bounds(CELLS, CELLS, CORNER)
    transform, width, height = calculate_default_transform(UTM, crs, CELLS, CELLS, *bounds)
    there = np.full((height, width), -9999, np.float32)
    reproject(
        valley(), there, src_transform=CORNER, src_crs=UTM, dst_transform=transform, dst_crs=crs, dst_nodata=-9999,
        resampling=rasterio.enums.Resampling.bilinear,
    )  # fmt: skip
    known = load(write_dem(tmp_path / "dem.tif", there, crs=crs, transform=transform, nodata=-9999), None)
    assert known.dem_resolution_m == pytest.approx(CELL_M, rel=0.02)
    check_valley(ask(known, *SOUTH_OF_SPRING), SOUTH_OF_SPRING, CELL_M)


def test_scale_offset_and_turned_rasters_are_understood(tmp_path: Path) -> None:
    """Decimetres by a scale tag, and rows that run northwards, are elevations all the same."""
    path = write_dem(tmp_path / "dem.tif", np.round(valley()[::-1] * 10 + 1000).astype(np.int16),
                     transform=Affine(CELL_M, 0, CORNER.c, 0, CELL_M, CORNER.f - CELLS * CELL_M))  # fmt: skip
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.1,), (-100.0,)
    check_valley(ask(load(path, None), *SOUTH_OF_SPRING), SOUTH_OF_SPRING, CELL_M)


def test_a_large_raster_is_thinned_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit of cells the resolution falls and says so, the valley stays."""
    monkeypatch.setattr(surroundings, "MAX_CELLS", 10_000)
    known = load(write_dem(tmp_path / "dem.tif", valley()), None)
    assert 90 < known.dem_resolution_m < 110
    check_valley(ask(known, *SOUTH_OF_SPRING), SOUTH_OF_SPRING, known.dem_resolution_m)


def test_rivers_measure_the_distance_and_make_channels(tmp_path: Path) -> None:
    """Given rivers, distance is theirs to the metre, elevations or not; heights count from them as well."""
    rivers = write_rivers(tmp_path / "rivers.geojson", line((900, -9000), (900, 9000)), None)
    dem = write_dem(tmp_path / "dem.tif", valley())
    places = [(-1500.0, 0.0), (0.0, 0.0), (850.0, 500.0), (1500.0, -700.0)]
    east = np.array([x for x, _ in places])
    alone, both = ask(load(None, rivers), *places), ask(load(dem, rivers), *places)
    assert alone.channel_m == pytest.approx(np.abs(east - 900), rel=2e-3, abs=0.2)  # UTM's own scale here is 0.9997
    assert np.array_equal(alone.channel_m, both.channel_m)
    assert np.isnan(alone.height_m).all()
    assert np.isnan(alone.slope_deg).all()
    assert both.height_m == pytest.approx([75, 0, 42.5, 30], abs=2)


def test_distance_to_river_polygons_is_to_their_banks(tmp_path: Path) -> None:
    """Within a river's polygon the distance is 0, outside it counts from the bank; multi-parts are their parts."""
    ring = [lonlat(x, y) for x, y in ((-50, -500), (50, -500), (50, 500), (-50, 500), (-50, -500))]
    far = [lonlat(x, 0) for x in (1900, 2000)]
    rivers = write_rivers(
        tmp_path / "rivers.geojson",
        {"type": "MultiPolygon", "coordinates": [[ring]]},
        {"type": "MultiLineString", "coordinates": [far]},
        {"type": "Point", "coordinates": lonlat(300, 0)},
    )
    found = ask(load(None, rivers), (0, 0), (300, 0), (1500, 0)).channel_m
    assert found == pytest.approx([0, 250, 400], rel=2e-3)


def test_what_is_unknown_is_nan(tmp_path: Path) -> None:
    """Outside the raster, on its no-data and nowhere on Earth, nothing is known; a river's distance is, on Earth."""
    hole = valley()
    hole[150:250, 240:280] = -32768
    dem = write_dem(tmp_path / "dem.tif", hole, nodata=-32768)
    rivers = write_rivers(tmp_path / "rivers.geojson", line((0, -9000), (0, 9000)))
    lon, lat = zip(lonlat(1800, 0), lonlat(20_000, 0), lonlat(-900, 0), strict=True)
    lons, lats = np.array([*lon, np.nan, 1e300, 16.0]), np.array([*lat, 4.5, 4.5, 95.0])
    dry, wet = load(dem, None, box(5000)).at(lons, lats), load(dem, rivers, box(5000)).at(lons, lats)
    known = [False, False, True, False, False, False]
    for field in (dry.channel_m, dry.height_m, dry.slope_deg, wet.height_m, wet.slope_deg):
        assert np.isfinite(field).tolist() == known
    assert np.isfinite(wet.channel_m).tolist() == [True, True, True, False, False, False]
    nothing = load(dem, rivers, box(5000)).at(np.zeros(0), np.zeros(0))
    assert nothing.channel_m.shape == nothing.height_m.shape == nothing.slope_deg.shape == (0,)


def test_nothing_given_is_nothing_known() -> None:
    """Without either file there are no surroundings."""
    assert load_surroundings(None, None, aoi=box(2000)) is None


def test_an_area_half_off_the_raster_is_half_known(tmp_path: Path) -> None:
    """A raster that covers part of the area serves that part."""
    known = load(write_dem(tmp_path / "dem.tif", valley()), None, box(4000, east_m=6000))
    assert np.isfinite(ask(known, (4000, 0), (8000, 0)).slope_deg).tolist() == [True, False]


DEMS: dict[str, tuple[dict[str, Any], str]] = {
    "elsewhere": ({"transform": Affine.translation(90_000, 0) @ CORNER}, "in the area"),
    "beside": ({"transform": Affine.translation(CELLS * CELL_M / 2 + 3500, 0) @ CORNER}, "in the area"),
    "no CRS": ({"crs": None}, "CRS"),
    "local CRS": ({"crs": 'LOCAL_CS["mine",UNIT["metre",1]]'}, "GeoTIFF"),
    "not georeferenced": ({"transform": None}, ""),
    "flat transform": ({"transform": Affine(0, 0, 5, 0, 0, 5)}, ""),
    "cells of a continent": ({"transform": Affine(1e6, 0, -1e8, 0, -1e6, 1e8)}, "finer"),
    "cells of an ant": ({"transform": Affine(1e-3, 0, MIDDLE[0], 0, -1e-3, MIDDLE[1])}, "at most"),
    "far planet": ({"transform": Affine(30, 0, 1e300, 0, -30, 1e300)}, ""),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("profile", DEMS)
def test_a_raster_of_another_place_is_refused(tmp_path: Path, profile: str) -> None:
    """A raster that cannot be laid on the area stops the run with the file's name and what to do."""
    said, word = DEMS[profile]
    dem = write_dem(tmp_path / "dem.tif", valley(), **said)
    with pytest.raises(ConfigError, match=rf"dem\.tif: expected .*{word}"):
        load(dem, None)


@pytest.mark.parametrize(
    ("name", "values", "word"),
    [
        ("void", np.where(valley() > 402, -9999, valley()), "no data"),
        ("feet or centimetres", valley() * 100, "metres"),
        ("infinite", np.where(valley() > 402, np.inf, valley()), "metres"),
        ("complex", valley().astype(np.complex64), "one band"),
        ("hillshade", np.stack([valley()] * 3), "one band"),
        ("all unknown", np.full_like(valley(), np.nan), "none there"),
    ],
)
def test_absurd_elevations_are_refused(tmp_path: Path, name: str, values: np.ndarray, word: str) -> None:
    """Numbers that cannot be metres above the sea stop the run; nothing is mended in silence."""
    dem = write_dem(tmp_path / "dem.tif", values)
    with pytest.raises(ConfigError, match=word):
        load(dem, None)


@pytest.mark.parametrize("nodata", [-99999, 1e300, math.nan, "text"])
def test_a_no_data_that_no_number_can_be_does_not_matter(tmp_path: Path, nodata: object) -> None:
    """A whole-number raster that declares an impossible no-data reads as one that declares none."""
    dem = write_dem(tmp_path / "dem.tif", np.round(valley()).astype(np.int16), nodata=-9999)
    dem.write_bytes(dem.read_bytes().replace(b"-9999\0", f"{nodata}"[:5].ljust(5).encode() + b"\0"))
    try:
        found = ask(load(dem, None), (600, 0)).channel_m
    except ConfigError:
        return
    assert found == pytest.approx([600], abs=2 * CELL_M)


def not_rasters() -> dict[str, bytes]:
    vrt = '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Int16" band="1"><SimpleSource>'
    vrt += "<SourceFilename>/vsicurl/http://127.0.0.1:9/x.tif</SourceFilename></SimpleSource></VRTRasterBand>"
    return {"empty": b"", "text": b"not a raster", "vrt": f"{vrt}</VRTDataset>".encode(), "cut": b"II*\0\x08\0\0\0"}


@pytest.mark.parametrize("kind", not_rasters())
def test_what_is_no_geotiff_is_refused(tmp_path: Path, kind: str) -> None:
    """No other format is tried: some can name files and addresses."""
    path = tmp_path / "dem.tif"
    path.write_bytes(not_rasters()[kind])
    with pytest.raises(ConfigError, match=r"dem\.tif: expected a readable GeoTIFF"):
        load(path, None)


def test_damaged_rasters_are_refused_or_read(tmp_path: Path, rng: np.random.Generator) -> None:
    """A raster with any bytes changed, or cut off, is read or refused, and nothing else happens."""
    whole = write_dem(tmp_path / "dem.tif", valley()[:64, :64], compress="deflate").read_bytes()
    path = tmp_path / "damaged.tif"
    refused = 0
    for _ in range(60):
        content = bytearray(whole[: int(rng.integers(8, len(whole)))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, min(len(content), 1500), 4):
            content[at] = int(rng.integers(0, 256))
        path.write_bytes(content)
        try:
            load(path, None, box(2000, east_m=-5000))
        except ConfigError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("path", ["nowhere.tif", "https://x.org/a.tif", "/vsicurl/https://x.org/a.tif", ".", "n" * 400])
def test_only_files_of_this_machine_are_opened(tmp_path: Path, path: str) -> None:
    """What is not there, a folder, an address and GDAL's own addresses are no files."""
    for given_ in ((tmp_path / path, None), (None, tmp_path / path)):
        with pytest.raises(ConfigError, match="expected a"):
            load(*given_)


def test_devices_are_no_files(tmp_path: Path) -> None:
    """A pipe or device that would never end is not read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        for given_ in ((path, None), (None, path)):
            with pytest.raises(ConfigError, match="on this machine"):
                load(*given_)


RIVERS = {
    "not JSON": ("II*", "GeoJSON"),
    "deep": ("[" * 100_000, "GeoJSON"),
    "a list": ("[]", "FeatureCollection"),
    "topology": ('{"type": "Topology"}', "got none"),
    "features a number": ('{"type": "FeatureCollection", "features": 3}', "FeatureCollection"),
    "features of anything": ('{"type": "FeatureCollection", "features": [3, null, "x", {}]}', "got none"),
    "points only": ('{"type": "Point", "coordinates": [16, 4]}', "got none"),
    "empty line": ('{"type": "LineString", "coordinates": []}', "got none"),
    "one position": ('{"type": "LineString", "coordinates": [[16, 4]]}', "feature 1"),
    "words": ('{"type": "LineString", "coordinates": [["a", "b"], ["c", "d"]]}', "feature 1"),
    "no number": ('{"type": "LineString", "coordinates": [[16, NaN], [16, 4]]}', "finite"),
    "huge number": ('{"type": "LineString", "coordinates": [[1' + "0" * 400 + ", 4], [16, 4]]}", "feature 1"),
    "metres": ('{"type": "LineString", "coordinates": [[600000, 500000], [600000, 500100]]}', "EPSG:4326"),
    "another land": ('{"type": "LineString", "coordinates": [[-6, 8], [-6.1, 8]]}', "within 50 km"),
    "the far side": ('{"type": "LineString", "coordinates": [[-164.1, -4.5], [-164, -4.4]]}', "within 50 km"),
}


@pytest.mark.parametrize("kind", RIVERS)
def test_bad_rivers_are_refused(tmp_path: Path, kind: str) -> None:
    """Each fault of a river file is named, with the file and what to do."""
    path = tmp_path / "rivers.geojson"
    path.write_text(RIVERS[kind][0], encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"(?s)rivers\.geojson: expected .*{RIVERS[kind][1]}"):
        load(None, path)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-400, 400) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "type"]), inner, max_size=2),
)


@given(kind=st.sampled_from(surroundings._RIVERS), coordinates=json_values)
def test_any_coordinates_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, coordinates: object
) -> None:
    """Whatever stands where coordinates should, rivers are read or refused, and nothing else happens."""
    path = write_rivers(tmp_path_factory.mktemp("any") / "r.geojson", {"type": kind, "coordinates": coordinates})
    with pytest.raises(ConfigError):
        load(None, path)


def test_a_huge_file_of_rivers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file above the limit is not read."""
    monkeypatch.setattr(surroundings, "MAX_BYTES", 100)
    with pytest.raises(ConfigError, match="at most 100 bytes"):
        load(None, write_rivers(tmp_path / "rivers.geojson", line((0, 0), (0, 1)), line((0, 0), (0, 1))))


def test_real_elevations_and_rivers_answer_everywhere(shared_data: Path, rng: np.random.Generator) -> None:
    """Western CAR on a 1 km grid: all is known inside the area and the same when asked again; the resolution says
    that heights of valley bottoms are not to be trusted.
    """
    area = read_aoi(Path(__file__).resolve().parent.parent / "aoi" / "car_west.geojson").geometry
    dem = shared_data / "vector" / "dem_globe30s_car_west.tif"
    rivers = shared_data / "vector" / "rivers_wdbii_car_west.geojson"
    left, bottom, right, top = area.bounds
    lon, lat = rng.uniform(left, right, 500), rng.uniform(bottom, top, 500)
    both, again, dry = load(dem, rivers, area), load(dem, rivers, area), load(dem, None, area)
    assert 850 < both.dem_resolution_m < 1000
    found, repeated, channels = both.at(lon, lat), again.at(lon, lat), dry.at(lon, lat)
    for name in ("channel_m", "height_m", "slope_deg"):
        values = getattr(found, name)
        assert np.array_equal(values, getattr(repeated, name))
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert found.slope_deg.max() < 15
    assert 10 < np.median(found.height_m) < 60
    assert np.median(channels.channel_m) < np.median(found.channel_m) < 40_000


def test_real_rivers_lie_low(shared_data: Path) -> None:
    """Points on the big rivers are at no distance from them, and lower above channels than points at random."""
    rivers = shared_data / "vector" / "rivers_wdbii_car_west.geojson"
    dem = shared_data / "vector" / "dem_globe30s_car_west.tif"
    area = shapely.box(15.5, 3.5, 17.5, 5.0)
    lines = shapely.from_geojson(rivers.read_text(encoding="utf-8"))
    on = shapely.get_coordinates(shapely.intersection(lines, area))
    known = load(dem, rivers, area)
    there = known.at(on[:, 0], on[:, 1])
    assert there.channel_m.max() < 1
    assert not there.height_m.any()  # cells of rivers are channels
    by_water = load(dem, None, area).at(on[:, 0], on[:, 1]).height_m  # the elevations alone, rivers unseen
    everywhere = load(dem, None, area).at(*np.random.default_rng(1).uniform((15.5, 3.5), (17.5, 5.0), (500, 2)).T)
    assert np.median(by_water) < np.median(everywhere.height_m)
