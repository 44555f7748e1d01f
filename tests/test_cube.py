"""Laws of reading a look: right pixels, or a failed scene; never zeros."""

import contextlib
import dataclasses
import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Transformer

from geomon import cube
from geomon.grid import Lattice, Tile, inside, plan_grid
from geomon.kernels import quality as codes
from geomon.model import Asset, Look, Scene
from tests.test_grid import scene_of

LEFT, TOP, SIZE = 600000.0, 500040.0, 200
LATTICE = Lattice("EPSG:32633", 10.0)
TILE = Tile(LATTICE, 60000 + 48, -50004 + 48, 96, 80)
NONE = cube.NODATA_REFLECTANCE
BANDS = ("red", "swir16")


def write(path: Path, values: np.ndarray, *, res: float = 10.0, left: float = LEFT, crs: str = "EPSG:32633") -> Path:
    """Write a one-band COG whose upper-left corner is (left, TOP)."""
    profile = {
        "driver": "COG", "dtype": values.dtype, "count": 1, "height": values.shape[0], "width": values.shape[1],
        "crs": crs, "transform": Affine(res, 0, left, 0, -res, TOP), "blocksize": 128, "nodata": 0,
        "compress": "deflate", "overviews": "none",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values, 1)
    return path


def asset(path: Path | str, *, scale: float = 1e-4, offset: float = 0.0) -> Asset:
    return Asset(str(path), scale, offset, 0.0)


def numbers(shape: tuple[int, int] = (SIZE, SIZE), start: int = 1000) -> np.ndarray:
    """Digital numbers that all differ, in reach of uint16."""
    return (start + np.arange(shape[0] * shape[1]).reshape(shape) % 19_000).astype(np.uint16)


def make_scene(folder: Path, name: str = "a", *, scl: np.ndarray | None = None, left: float = LEFT) -> Scene:
    """Write red (10 m), swir16 and scl (20 m); clear unless told otherwise."""
    folder = folder / name
    folder.mkdir()
    scl = np.full((SIZE // 2, SIZE // 2), 4, np.uint8) if scl is None else scl
    assets = {
        "red": asset(write(folder / "red.tif", numbers(), left=left)),
        "swir16": asset(write(folder / "swir16.tif", numbers((SIZE // 2, SIZE // 2)), res=20, left=left)),
        "scl": asset(write(folder / "scl.tif", scl, res=20, left=left)),
    }
    return Scene(name, "sentinel-2", datetime(2020, 1, 2, tzinfo=UTC), "EPSG:32633", assets, (), name, "", name)


def with_asset(scene: Scene, band: str, **changes: object) -> Scene:
    return dataclasses.replace(scene, assets={**scene.assets, band: dataclasses.replace(scene.assets[band], **changes)})


def look_of(*scenes: Scene) -> Look:
    return Look(scenes[0].day, "sentinel-2", scenes)


def read(*scenes: Scene, tile: Tile = TILE, bands: tuple[str, ...] = BANDS, **options: object) -> cube.LookRead:
    return cube.read_look(look_of(*scenes), tile, bands=bands, **options)


def arrays(*scenes: Scene, tile: Tile = TILE, bands: tuple[str, ...] = BANDS, **options: object) -> cube.LookArrays:
    got = read(*scenes, tile=tile, bands=bands, **options)
    assert got.arrays is not None
    assert not got.failed, got.records
    return got.arrays


def window(values: np.ndarray, tile: Tile = TILE) -> np.ndarray:
    """Part of a full-size 10 m array that the tile covers."""
    top, left = tile.row + 50004, tile.col - 60000
    return values[top : top + tile.height, left : left + tile.width]


def assert_failed(got: cube.LookRead, *reasons: str, scene: str = "a") -> None:
    """The scene is reported, its pixels are not data, and the record says why."""
    assert got.failed == (scene,)
    assert scene not in {each.id for each in got.look.scenes}
    (bad,) = (record for record in got.records if not record.ok)
    assert bad.scene == scene
    assert any(reason in bad.error for reason in reasons), bad.error
    if got.arrays is not None:
        assert not np.any(got.arrays.reflectance == 0)


# ---------------------------------------------------------------- right pixels


def test_aligned_bands_are_read_as_they_are(tmp_path: Path) -> None:
    """10 m pixels one to one, 20 m pixels repeated, all in units of 1e-4, and the looks' own metadata kept."""
    scene = make_scene(tmp_path)
    got = read(scene)
    assert got.arrays is not None
    assert got.arrays.reflectance.dtype == np.int16
    assert got.arrays.quality.dtype == np.uint8
    assert np.array_equal(got.arrays.reflectance[0], window(numbers()))
    coarse = numbers((SIZE // 2, SIZE // 2)).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(got.arrays.reflectance[1], window(coarse))
    assert np.all(got.arrays.quality == codes.CLEAR)
    assert (got.arrays.day, got.arrays.bands, got.look.scenes) == (scene.day, BANDS, (scene,))
    assert [(record.band, record.ok, record.tries) for record in got.records] == [
        ("scl", True, 1), ("red", True, 1), ("swir16", True, 1),
    ]  # fmt: skip
    assert 0 < got.bytes_blocks < sum(Path(each.href).stat().st_size for each in scene.assets.values())


@pytest.mark.parametrize(("col", "row"), [(1, 1), (-7, 3), (170, 181), (-50, -50)])
def test_pixels_outside_the_raster_are_no_data(tmp_path: Path, col: int, row: int) -> None:
    """At any offset, odd ones too, each pixel is the raster's own or nothing."""
    tile = Tile(LATTICE, 60000 + col, -50004 + row, 64, 48)
    look = arrays(make_scene(tmp_path), tile=tile)
    canvas = np.full((SIZE + 400, SIZE + 400), NONE, np.int32)
    canvas[200 : 200 + SIZE, 200 : 200 + SIZE] = numbers()
    expected = canvas[200 + row : 200 + row + 48, 200 + col : 200 + col + 64]
    assert np.array_equal(look.reflectance[0], expected)
    assert np.array_equal(look.quality == codes.CLEAR, expected != NONE)
    assert np.array_equal(look.quality == codes.NODATA, expected == NONE)


def test_tiling_does_not_change_a_pixel(tmp_path: Path) -> None:
    """Two halves equal the whole, though clouds straddle the cut and one half is all cloud."""
    scl = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    scl[20:70, 20:52] = 9
    scl[30:33, 60:63] = 8
    scene = make_scene(tmp_path, scl=scl)
    whole = arrays(scene)
    for start, width in ((0, 48), (48, 48)):
        half = arrays(scene, tile=Tile(LATTICE, TILE.col + start, TILE.row, width, TILE.height))
        part = np.s_[..., start : start + width]
        assert np.array_equal(half.quality, whole.quality[part])
        assert np.array_equal(half.reflectance, whole.reflectance[part])
    assert {codes.CLOUDED, codes.DOUBTFUL, codes.CLEAR} <= set(np.unique(whole.quality).tolist())
    clouded = whole.quality == codes.CLOUDED
    assert np.all(whole.reflectance[:, clouded] == NONE)


def bright_scene(folder: Path, name: str, *, blue: np.ndarray, red: np.ndarray, scl: np.ndarray) -> Scene:
    """A scene of four bands whose colour is as given, at 10 m."""
    scene = make_scene(folder, name, scl=scl)
    write(Path(scene.assets["red"].href), red)
    return dataclasses.replace(scene, assets={**scene.assets, "blue": asset(write(folder / name / "blue.tif", blue))})


def cloud_patch(side_20m: int) -> np.ndarray:
    scl = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    scl[40 : 40 + side_20m, 40 : 40 + side_20m] = 9
    return scl


def test_a_wide_bright_working_is_doubtful_and_a_cloud_is_not(tmp_path: Path) -> None:
    """240 m that SCL calls cloud: sand by its own colour is judged, white is believed, in one patch pixel by pixel."""
    blue, red = np.full((2, SIZE, SIZE), 6000, np.uint16)
    blue[:, :100], red[:, :100] = 1400, 2600
    look = arrays(bright_scene(tmp_path, "a", blue=blue, red=red, scl=cloud_patch(12)), bands=("blue", "red", "swir16"))
    patch = np.zeros((SIZE, SIZE), np.bool_)
    patch[80:104, 80:104] = True
    sand = window(patch & (red == 2600))
    white = window(patch & (red == 6000))
    assert np.all(look.quality[sand] == codes.DOUBTFUL)
    assert np.all(look.reflectance[1][sand] == 2600)
    assert np.all(look.quality[white] == codes.CLOUDED)
    assert np.all(look.reflectance[:, white] == NONE)
    assert sand.any()
    assert white.any()


@pytest.mark.parametrize(("level", "bands_read"), [((6000, 6000), 2), ((1400, 2600), 3)])
def test_colour_is_read_first_where_only_contested_cloud_is_left(
    tmp_path: Path, level: tuple[int, int], bands_read: int
) -> None:
    """Nothing usable by SCL alone: blue and red decide whether the other bands are worth reading."""
    blue, red = (np.full((SIZE, SIZE), value, np.uint16) for value in level)
    inner = np.zeros(TILE.shape, np.bool_)
    inner[32:56, 32:56] = True
    got = read(
        bright_scene(tmp_path, "a", blue=blue, red=red, scl=cloud_patch(12)),
        bands=("blue", "red", "swir16"),
        inside=inner,
    )
    assert [record.band for record in got.records] == ["scl", "blue", "red", "swir16"][: 1 + bands_read]
    assert got.arrays is not None
    assert np.all(got.arrays.quality[inner] == (codes.DOUBTFUL if bands_read == 3 else codes.CLOUDED))


@pytest.mark.parametrize("band", ["blue", "swir16"])
def test_a_second_opinion_that_cannot_be_read_fails_the_scene(tmp_path: Path, band: str) -> None:
    """A lost band on the way to the second opinion is a failed scene, not a cloud."""
    blue, red = (np.full((SIZE, SIZE), value, np.uint16) for value in (1400, 2600))
    scene = bright_scene(tmp_path, "a", blue=blue, red=red, scl=cloud_patch(12))
    Path(scene.assets[band].href).unlink()
    inner = np.zeros(TILE.shape, np.bool_)
    inner[32:56, 32:56] = True
    assert_failed(read(scene, bands=("blue", "red", "swir16"), inside=inner), "AssetUnreadable")


def test_second_opinions_do_not_depend_on_the_tile(tmp_path: Path) -> None:
    """Two halves equal the whole where sand under a wide false cloud straddles the cut and fills half a tile."""
    rng = np.random.default_rng(5)
    blue, red = np.full((2, SIZE, SIZE), 6000, np.uint16)
    sand = np.kron(rng.random((SIZE // 8, SIZE // 8)) < 0.5, np.ones((8, 8), np.bool_))
    blue[sand], red[sand] = 1400, 2600
    scl = np.full((SIZE // 2, SIZE // 2), 9, np.uint8)
    scl[:, 30:34] = 4
    scene = bright_scene(tmp_path, "a", blue=blue, red=red, scl=scl)
    whole = arrays(scene, bands=("blue", "red"))
    assert {codes.CLOUDED, codes.DOUBTFUL} <= set(np.unique(whole.quality).tolist())
    for start, width in ((0, 24), (24, 40), (64, 32)):
        part = arrays(scene, tile=Tile(LATTICE, TILE.col + start, TILE.row, width, TILE.height), bands=("blue", "red"))
        columns = np.s_[..., start : start + width]
        assert np.array_equal(part.quality, whole.quality[columns])
        assert np.array_equal(part.reflectance, whole.reflectance[columns])


def test_scale_offset_and_clipping(tmp_path: Path) -> None:
    """Reflectance is dn * scale + offset; saturated and impossible numbers are clipped, not wrapped."""
    scene = make_scene(tmp_path)
    values = numbers()
    values[60, 60:63] = (65535, 1, 3001)
    write(Path(scene.assets["red"].href), values)
    scene = with_asset(scene, "red", offset=-0.1)
    red = arrays(scene).reflectance[0]
    assert red[12, 12:15].tolist() == [20000, -999, 2001]
    red = arrays(with_asset(scene, "red", scale=1e-4, offset=-5.0)).reflectance[0]
    assert red[12, 13] == -2000


def test_no_data_in_a_band_is_no_data_of_the_look(tmp_path: Path) -> None:
    """By the item's declaration or the file's; 0 by neither is a number."""
    scene = make_scene(tmp_path)
    values = numbers()
    values[60, 60], values[61, 61] = 0, 7
    write(Path(scene.assets["red"].href), values)
    look = arrays(with_asset(scene, "red", nodata=7.0))
    for index in (12, 13):
        assert look.quality[index, index] == codes.NODATA
        assert np.all(look.reflectance[:, index, index] == NONE)
    assert np.count_nonzero(look.quality == codes.NODATA) == 2


def test_a_lacking_band_is_a_plane_of_no_data(tmp_path: Path) -> None:
    """The others go on; a scene with none of the bands has no data."""
    look = arrays(make_scene(tmp_path), bands=("red", "swir22"))
    assert np.all(look.reflectance[1] == NONE)
    assert np.array_equal(look.reflectance[0], window(numbers()))
    assert np.all(look.quality == codes.CLEAR)
    other = arrays(make_scene(tmp_path, "b"), bands=("swir22",))
    assert np.all(other.quality == codes.NODATA)


def test_unknown_classes_are_no_data(tmp_path: Path) -> None:
    """A class that the sensor does not have is not taken for clear ground."""
    scl = np.full((SIZE // 2, SIZE // 2), 200, np.uint8)
    got = read(make_scene(tmp_path, scl=scl))
    assert got.arrays is not None
    assert np.all(got.arrays.quality == codes.NODATA)


def test_bands_are_left_unread_where_nothing_is_usable(tmp_path: Path) -> None:
    """Cloud everywhere, or everywhere inside: only the classification is read. Off the tile: nothing is."""
    cloudy = make_scene(tmp_path, scl=np.full((SIZE // 2, SIZE // 2), 9, np.uint8))
    got = read(cloudy)
    assert [record.band for record in got.records] == ["scl"]
    assert got.arrays is not None
    assert np.all(got.arrays.quality == codes.CLOUDED)
    assert np.all(got.arrays.reflectance == NONE)

    scl = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    scl[:, :50] = 9
    half = make_scene(tmp_path, "b", scl=scl)
    mask = np.zeros(TILE.shape, np.bool_)
    mask[:, :40] = True
    assert [record.band for record in read(half, inside=mask).records] == ["scl"]
    assert len(read(half, inside=~mask).records) == 3

    far = with_asset(half, "red", transform=(10.0, 0.0, LEFT + 90000, 0.0, -10.0, TOP), shape=(SIZE, SIZE))
    got = read(far)
    assert (got.arrays, got.records, got.failed, got.look.scenes) == (None, (), (), ())
    outlined = dataclasses.replace(half, outline=((20.0, 4.0), (21.0, 4.0), (21.0, 5.0)))
    assert cube.touching_scenes(look_of(outlined), TILE) == ()
    assert cube.estimate_bytes(look_of(outlined), TILE, BANDS) == 0


def test_estimate_needs_no_file(tmp_path: Path) -> None:
    """Two bytes a pixel, 20 m bands a quarter of it where the item tells."""
    scene = make_scene(tmp_path)
    for band in ("swir16", "scl"):
        grid = (20.0, 0.0, LEFT, 0.0, -20.0, TOP)
        scene = with_asset(scene, band, transform=grid, shape=(SIZE // 2, SIZE // 2), href="/nowhere.tif")
    assert cube.estimate_bytes(look_of(scene), TILE, BANDS) == 2 * 96 * 80 * 1.5


def test_granules_of_one_day_are_one_look(tmp_path: Path) -> None:
    """The first clear one wins, then doubtful, then anything; a clear first granule leaves the second unread."""
    scl = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    scl[:, 50:] = 0
    first = make_scene(tmp_path, "a", scl=scl)
    second = make_scene(tmp_path, "b")
    write(Path(second.assets["red"].href), numbers() + 1)
    look = arrays(first, second)
    assert np.all(look.quality == codes.CLEAR)
    assert np.array_equal(look.reflectance[0][:, :52], window(numbers())[:, :52])
    assert np.array_equal(look.reflectance[0][:, 52:], window(numbers() + 1)[:, 52:])
    got = read(second, first)
    assert {record.scene for record in got.records} == {"b"}
    assert got.look.scenes == (second, first)


def test_granules_with_different_outlines_join(tmp_path: Path) -> None:
    """A tile across the edge of two granules holds both, with no gap."""
    left = make_scene(tmp_path, "a", left=LEFT - 1000)
    right = make_scene(tmp_path, "b", left=LEFT + 1000)
    look = arrays(left, right)
    assert np.all(look.quality == codes.CLEAR)
    joined = np.hstack([numbers()[:, 148:200], numbers()[:, :44]])[48:128]
    assert np.array_equal(look.reflectance[0], joined)


def test_a_scene_in_the_next_zone_is_warped(tmp_path: Path) -> None:
    """Ground seen through EPSG:32634 stays within 0.7 px of where EPSG:32633 has it; outside there is no data."""
    move = Transformer.from_crs("EPSG:32634", "EPSG:32633", always_xy=True)
    left = 34_000.0
    size = 400
    cols, rows = np.meshgrid(np.arange(size), np.arange(size))
    x33, y33 = move.transform(left + 10 * (cols + 0.5), TOP - 10 * (rows + 0.5))
    east, north = (x33 - x33.min()) * 2 + 100, (y33 - y33.min()) * 2 + 100
    (folder := tmp_path / "w").mkdir()
    assets = {
        "red": asset(write(folder / "red.tif", np.rint(east).astype(np.uint16), left=left, crs="EPSG:32634")),
        "nir": asset(write(folder / "nir.tif", np.rint(north).astype(np.uint16), left=left, crs="EPSG:32634")),
        "scl": asset(write(folder / "scl.tif", np.full((200, 200), 4, np.uint8), res=20, left=left, crs="EPSG:32634")),
    }
    scene = Scene("w", "sentinel-2", datetime(2020, 1, 2, tzinfo=UTC), "EPSG:32634", assets, (), "w", "", "w")
    col, row = round(float(x33.mean()) / 10) - 150, -round(float(y33.mean()) / 10) - 150
    tile = Tile(LATTICE, col, row, 300, 300)
    look = arrays(scene, tile=tile, bands=("red", "nir"))
    clear = look.quality == codes.CLEAR
    assert clear.mean() > 0.9
    x, y = tile.centres()
    for plane, truth in zip(look.reflectance, ((x - x33.min()) * 2 + 100, (y - y33.min()) * 2 + 100), strict=True):
        assert np.abs(plane[clear] - truth[clear]).max() < 0.7 * 10 * 2
        assert np.all(plane[~clear] == NONE)
    half = arrays(scene, tile=Tile(LATTICE, col + 100, row + 50, 90, 70), bands=("red", "nir"))
    assert np.array_equal(half.reflectance, look.reflectance[:, 50:120, 100:190])
    far = Tile(LATTICE, col, row + 2000, 64, 64)
    assert np.all(arrays(scene, tile=far, bands=("red",)).quality == codes.NODATA)


def test_warping_spreads_no_data_by_less_than_a_pixel(tmp_path: Path) -> None:
    """A misaligned raster: known pixels keep a mean of known ones, the hole is no data."""
    scene = make_scene(tmp_path, left=LEFT + 3)
    values = np.full((SIZE, SIZE), 500, np.uint16)
    values[80:90, 80:90] = 0
    write(Path(scene.assets["red"].href), values, left=LEFT + 3)
    look = arrays(scene, bands=("red",))
    assert set(np.unique(look.reflectance[0]).tolist()) == {NONE, 500}
    assert np.count_nonzero(look.quality == codes.NODATA) == pytest.approx(100, abs=20)


def test_the_real_series_is_read_exactly(shared_data: Path) -> None:
    """Pixels of real scenes equal a plain read of the files; some of every quality is seen."""
    folder = shared_data / "romania_s2_l2a"
    scenes = [with_radiometry(scene_of(path)) for path in sorted((folder / "items").glob("*/*.json"))[20:60:4]]
    x0, y1 = scenes[0].assets["red"].transform[2::3]
    aoi = shapely.transform(
        shapely.box(x0 + 200, y1 - 800, x0 + 800, y1 - 200),
        Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True).transform,
        interleaved=False,
    )
    (tile, *_) = tiles = plan_grid(aoi, scenes, tile_px=1024)
    assert len(tiles) == 1
    mask = inside(tile, aoi)
    seen = np.zeros(5, np.int64)
    for scene in scenes:
        look = arrays(scene, tile=tile, bands=("red", "swir16", "swir22"), inside=mask)
        seen += np.bincount(look.quality.ravel(), minlength=5)
        usable = (look.quality >= codes.DOUBTFUL) & mask
        with rasterio.open(scene.assets["red"].href) as dataset:
            whole = dataset.read(1)
            col, row = (round(each) for each in ~dataset.transform @ (tile.transform @ (0, 0)))
        canvas = np.zeros((400, 400), np.uint16)
        canvas[100:200, 100:200] = whole
        plain = canvas[100 + row : 100 + row + tile.height, 100 + col : 100 + col + tile.width]
        assert np.array_equal(look.reflectance[0][usable], np.minimum(plain, 20000)[usable])
        assert np.all(look.reflectance[2] == NONE)
    assert seen[codes.CLOUDED]
    assert seen[codes.CLEAR]
    assert not seen[codes.MISSING]


def with_radiometry(scene: Scene) -> Scene:
    return dataclasses.replace(
        scene,
        assets={k: dataclasses.replace(each, scale=1e-4, nodata=0.0) for k, each in scene.assets.items()},
    )


# ---------------------------------------------------------------- broken and hostile files


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.97])
@pytest.mark.parametrize("band", ["scl", "swir16"])
def test_a_truncated_file_is_a_failed_scene(tmp_path: Path, band: str, keep: float) -> None:
    """Cut anywhere, in the header or in the last block, the scene fails; it is never part data, part zeros."""
    scene = make_scene(tmp_path)
    path = Path(scene.assets[band].href)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    got = read(scene, tile=Tile(LATTICE, 60000, -50004, SIZE, SIZE))
    assert_failed(got, "RasterioIOError")
    assert got.arrays is None


def test_what_a_failed_scene_leaves_is_missing_not_no_data(tmp_path: Path) -> None:
    """The other granule goes on; ground that only the failed one covers is MISSING."""
    left, right = make_scene(tmp_path, "a", left=LEFT - 1000), make_scene(tmp_path, "b", left=LEFT + 1000)
    Path(left.assets["swir16"].href).unlink()
    got = read(left, right)
    assert_failed(got, "AssetUnreadable")
    assert got.look.scenes == (right,)
    assert got.arrays is not None
    assert np.all(got.arrays.quality[:, :52] == codes.MISSING)
    assert np.all(got.arrays.reflectance[:, :, :52] == NONE)
    assert np.all(got.arrays.quality[:, 52:] == codes.CLEAR)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": (SIZE, SIZE + 1)}, "size"),
        ({"transform": (10.0, 0.0, LEFT + 10, 0.0, -10.0, TOP)}, "transform"),
        ({"transform": (20.0, 0.0, LEFT, 0.0, -20.0, TOP)}, "transform"),
        ({"scale": float("nan")}, "scale"),
    ],
)
def test_a_raster_that_contradicts_its_item_fails(tmp_path: Path, change: dict[str, object], said: str) -> None:
    """Size, place and radiometry must be what the item says, or the scene fails and says which."""
    got = read(with_asset(make_scene(tmp_path), "red", **change))
    assert_failed(got, f"GridMismatch: expected {said}", "GridMismatch: expected finite")


def test_another_crs_than_the_items_fails(tmp_path: Path) -> None:
    """A raster in another CRS than its item says fails, and is not asked twice."""
    scene = dataclasses.replace(make_scene(tmp_path), crs="EPSG:32634")
    got = cube.read_look(look_of(scene), Tile(Lattice("EPSG:32634", 10.0), 60048, -49956, 64, 64), bands=BANDS)
    assert_failed(got, "GridMismatch: expected CRS EPSG:32634")
    assert {record.tries for record in got.records} == {1}


VRT = """<VRTDataset rasterXSize="200" rasterYSize="200"><SRS>EPSG:32633</SRS>
<GeoTransform>600000, 10, 0, 500040, 0, -10</GeoTransform><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("source", ["{red}", "/vsicurl/http://127.0.0.1:1/x.tif", "/vsizip//etc/x.zip"])
def test_a_virtual_raster_in_disguise_is_refused(tmp_path: Path, source: str) -> None:
    """A VRT named .tif would read any file of the machine: it does not open."""
    scene = make_scene(tmp_path)
    disguised = tmp_path / "disguised.tif"
    disguised.write_text(VRT.format(source=source.format(red=scene.assets["red"].href)))
    with rasterio.open(disguised) as dataset:
        assert dataset.driver == "VRT"  # it is a working one
    assert_failed(read(with_asset(scene, "red", href=str(disguised))), "RasterioIOError")


@pytest.mark.parametrize(
    "href",
    [
        "/vsimem/x.tif", "/vsicurl/http://127.0.0.1:1/x.tif", "vrt:///x.tif", "GTIFF_DIR:1:/x.tif", "s3://bucket/x.tif",
        "file:///x.tif", VRT, "/x\0.tif", "ftp://127.0.0.1/x.tif", "zip+https://127.0.0.1/x.zip!x.tif", "", "/", ".",
    ],
)  # fmt: skip
def test_connection_strings_are_refused(tmp_path: Path, href: str) -> None:
    """Nothing but a file path or an http(s) address is handed to GDAL."""
    assert_failed(read(with_asset(make_scene(tmp_path), "scl", href=href)), "GridMismatch", "AssetUnreadable")


def test_a_scene_without_quality_layer_fails(tmp_path: Path) -> None:
    """Without a quality layer nothing can be called clear."""
    scene = make_scene(tmp_path)
    scene = dataclasses.replace(scene, assets={"red": scene.assets["red"]})
    assert_failed(read(scene), "scl")


def test_several_bands_in_one_asset_fail(tmp_path: Path) -> None:
    """Never guess by position."""
    scene = make_scene(tmp_path)
    path = tmp_path / "many.tif"
    with rasterio.open(scene.assets["red"].href) as dataset, rasterio.open(
        path, "w", driver="GTiff", count=2, dtype="uint16", height=SIZE, width=SIZE, crs="EPSG:32633",
        transform=dataset.transform,
    ) as out:  # fmt: skip
        out.write(np.stack([dataset.read(1)] * 2))
    assert_failed(read(with_asset(scene, "red", href=str(path))), "expected one band")


# ---------------------------------------------------------------- the far end fails


class Server(http.server.ThreadingHTTPServer):
    """Files with byte ranges; `fault` spoils answers for paths that hold `target`, `times` of them (-1: always)."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.fault, self.target, self.times, self.hang = folder, "", "", 0, threading.Event()

    def spoil(self, fault: str, target: str, times: int) -> None:
        self.fault, self.target, self.times = fault, target, times

    def spoils(self, path: str) -> str:
        if not self.fault or self.target not in path or self.times == 0:
            return ""
        self.times -= 1
        return self.fault


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        """Say nothing."""

    def answer(self, status: int, body: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        path = self.server.folder / self.path.partition("?")[0].lstrip("/")
        if self.server.fault in ("503", "404") and (fault := self.server.spoils(self.path)):
            self.answer(int(fault), b"")
        else:
            self.answer(200, b"", length=path.stat().st_size)

    def do_GET(self) -> None:
        data = (self.server.folder / self.path.partition("?")[0].lstrip("/")).read_bytes()
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(data)), len(data) - 1) + 1
        body, span = data[start:stop], f"bytes {start}-{stop - 1}/{len(data)}"
        match self.server.spoils(self.path):
            case "":
                self.answer(206, body, Content_Range=span)
            case "cut":
                self.close_connection = True
                self.answer(206, body[: len(body) // 2], length=len(body), Content_Range=span)
            case "hang":
                self.close_connection = True
                self.server.hang.wait(60)
            case "html":
                self.answer(200, b"<html>please log in</html>", Content_Type="text/html")
            case code:
                self.answer(int(code), b"")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running
        running.hang.set()
        running.shutdown()


def remote(scene: Scene, server: Server, folder: Path) -> Scene:
    base = f"http://127.0.0.1:{server.server_port}"
    hrefs = {k: f"{base}/{Path(each.href).relative_to(folder)}?sig=secret" for k, each in scene.assets.items()}
    return dataclasses.replace(
        scene, assets={k: dataclasses.replace(each, href=hrefs[k]) for k, each in scene.assets.items()}
    )


def test_remote_pixels_equal_local_ones(tmp_path: Path, server: Server) -> None:
    """A look read over http is the look read from disk."""
    local = make_scene(tmp_path)
    expected, look = arrays(local), arrays(remote(local, server, tmp_path))
    assert np.array_equal(look.reflectance, expected.reflectance)
    assert np.array_equal(look.quality, expected.quality)


@pytest.mark.parametrize("fault", ["503", "cut", "html"])
@pytest.mark.parametrize("band", ["scl", "red"])
def test_a_fault_that_passes_is_healed(tmp_path: Path, server: Server, fault: str, band: str) -> None:
    """One bad answer, at the open or later: the pixels are right in the end."""
    local = make_scene(tmp_path)
    server.spoil(fault, f"{band}.tif", 1)
    look = arrays(remote(local, server, tmp_path))
    assert server.times == 0, "the fault was not met"
    assert np.array_equal(look.reflectance, arrays(local).reflectance)


@pytest.mark.parametrize("fault", ["404", "503", "cut", "html", "hang"])
def test_a_fault_that_stays_is_a_failed_scene(tmp_path: Path, server: Server, fault: str) -> None:
    """In bounded time, with the reason on record, without the token of its address, and healed by the next read."""
    scene = remote(make_scene(tmp_path), server, tmp_path)
    server.spoil(fault, "red.tif", -1)
    got = read(scene, timeout_s=1)
    assert_failed(got, "Error")
    (bad,) = (record for record in got.records if not record.ok)
    assert (bad.band, bad.tries) == ("red", 2)
    assert bad.seconds < 60
    assert "secret" not in bad.error
    server.spoil("", "", 0)
    server.hang.set()
    # the process's memory of the failure must not outlive the fault
    assert np.array_equal(arrays(scene).reflectance[0], window(numbers()))


# ---------------------------------------------------------------- the cube of an analyst


def test_open_cube_is_lazy_and_equals_the_looks(tmp_path: Path) -> None:
    """Dims (time, y, x); NaN is no data; under cloud the numbers are there but not clear; a failed read is missing."""
    scl = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    scl[24:64, 24:48] = 9
    clear, cloudy, broken = make_scene(tmp_path), make_scene(tmp_path, "b", scl=scl), make_scene(tmp_path, "c")
    looks = [dataclasses.replace(look_of(each), day=18_000 + day) for day, each in enumerate((clear, cloudy, broken))]
    data = cube.open_cube(looks, TILE, BANDS)
    Path(broken.assets["red"].href).unlink()  # after opening: nothing was read yet
    assert data["red"].dims == ("time", "y", "x")
    assert data["red"].shape == (3, *TILE.shape)
    assert (data["red"].dtype, data["clear"].dtype, data["missing"].dtype) == (np.float32, np.bool_, np.bool_)
    assert str(data["time"].values[0])[:10] == "2019-04-14"
    x, y = TILE.centres()
    assert np.array_equal(data["x"], x[0])
    assert np.array_equal(data["y"], y[:, 0])
    loaded = data.compute(scheduler="synchronous")
    assert np.allclose(loaded["red"][0], window(numbers()) / 1e4, atol=1e-6)
    assert np.allclose(loaded["red"][1], window(numbers()) / 1e4, atol=1e-6)
    assert loaded["clear"].sum(("y", "x")).values.tolist()[::2] == [80 * 96, 0]
    assert 0 < loaded["clear"][1].sum() < 80 * 96
    assert bool(loaded["red"][2].isnull().all())
    assert loaded["missing"].all(("y", "x")).values.tolist() == [False, False, True]
