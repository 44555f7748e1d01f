import json
import os
import pickle
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.catalog import Limits
from geomon.errors import GeomonError
from tests._stac import (
    Json,
    altered,
    find,
    find_items,
    make_asset,
    make_item,
    read_one,
    write_catalog,
    write_json,
)

# ---------------------------------------------------------------- what a scene is


def test_an_item_becomes_a_scene(tmp_path: Path) -> None:
    """Every fact of the item arrives: time, projection, bands with their numbers, outline, processing."""
    scene = read_one(tmp_path, make_item())
    assert (scene.id, scene.sensor, scene.crs) == ("S2A_33NXE_20200105", "sentinel-2", "EPSG:32633")
    assert scene.when == datetime.fromisoformat("2020-01-05T09:30:00+00:00")
    assert set(scene.assets) == {"blue", "green", "red", "nir", "swir16", "swir22", "scl"}
    red, scl = scene.assets["red"], scene.assets["scl"]
    assert (red.scale, red.offset, red.nodata, red.shape) == (0.0001, -0.1, 0.0, (100, 100))
    assert red.transform == (10, 0, 500000, 0, -10, 450000)
    assert (scl.scale, scl.offset, scl.nodata) == (1.0, 0.0, 0.0)
    assert Path(red.href) == tmp_path / "items" / "0" / "red.tif"
    assert scene.outline[0] == scene.outline[-1]
    assert scene.processing == "baseline 05.10; made 2020-01-05T14:00:00+00:00; offset declared"
    assert scene.acquisition == "sentinel-2/sentinel-2a/33NXE/2020-01-05T09:30"
    assert scene.cloud_cover == 12.5
    assert pickle.loads(pickle.dumps(scene)) == scene


def test_simulated_scenes_say_so(tmp_path: Path) -> None:
    """What the simulator wrote is never taken for the real thing."""
    assert find_items(tmp_path / "a", make_item(**{"geomon:simulated": True})).simulated
    assert not find_items(tmp_path / "b", make_item()).simulated


def test_bands_are_found_by_common_name_whatever_the_key(tmp_path: Path) -> None:
    """Keys shuffled against common names lead to the right rasters; pictures and other bands are not taken."""
    item = make_item()
    assets = item["assets"]
    item["assets"] = {"a": assets["red"], "b": assets["nir"], "scl": assets["scl"]}
    item["assets"]["visual"] = make_asset("red", href="./tci.tif", roles=["visual"])
    item["assets"]["many"] = make_asset("blue", href="./many.tif") | {
        "eo:bands": [{"common_name": name} for name in ("blue", "green")]
    }
    item["assets"]["red-jp2"] = make_asset("red", href="./red.jp2")
    item["assets"]["nir08"] = make_asset("nir08")
    scene = read_one(tmp_path, item)
    assert {name: Path(asset.href).name for name, asset in scene.assets.items()} == {
        "red": "red.tif", "nir": "nir.tif", "scl": "scl.tif",
    }  # fmt: skip


def test_bands_are_found_by_key_where_nothing_is_said(tmp_path: Path) -> None:
    """Sentinel-2's own band keys are enough, and a key never beats a common name that contradicts it."""
    item = make_item()
    item["assets"] = {
        key: {"href": f"./{key}.tif"} for key in ("B02", "B04", "B8A", "B11", "SCL")
    } | {"nir": make_asset("nir08", href="./wrong.tif")}  # fmt: skip
    scene = read_one(tmp_path, item)
    assert set(scene.assets) == {"blue", "red", "swir16", "scl"}
    assert scene.assets["blue"].offset == -0.1  # by processing baseline 05.10


def test_two_rasters_of_one_common_name_are_decided_by_key(tmp_path: Path) -> None:
    """Of a 10 m and a 20 m red the one that the sensor names is taken; without such a key there is no red."""
    item = make_item()
    item["assets"]["B04_20m"] = make_asset("red", href="./red20.tif")
    assert read_one(tmp_path / "a", item).assets["red"].href.endswith("red.tif")
    item["assets"]["B04_60m"] = item["assets"].pop("red")
    assert "red" not in read_one(tmp_path / "b", item).assets


@pytest.mark.parametrize(
    ("properties", "bands", "expected", "rule"),
    [
        ({}, {"raster:bands": [{"scale": 0.0001, "offset": 0}]}, 0.0, "declared"),
        ({}, {"raster:bands": [{"scale": 0.0001}]}, 0.0, "declared"),
        ({}, {"raster:bands": [{"nodata": 0}]}, -0.1, "by processing baseline"),
        ({}, {"raster:bands": ...}, -0.1, "by processing baseline"),
        ({"s2:processing_baseline": "02.12"}, {"raster:bands": ...}, 0.0, "by processing baseline"),
        ({"s2:processing_baseline": None}, {"raster:bands": ...}, 0.0, "assumed none"),
        ({"s2:processing_baseline": "late"}, {"raster:bands": ...}, 0.0, "assumed none"),
        (
            {"s2:processing_baseline": None, "processing:version": "05.00"},
            {"raster:bands": ...},
            -0.1,
            "by processing baseline",
        ),
        ({}, {"raster:bands": ..., "raster:scale": 0.0001, "raster:offset": -0.2}, -0.2, "declared"),
        (
            {},
            {
                "raster:bands": ...,
                "eo:bands": ...,
                "bands": [{"eo:common_name": "red", "raster:scale": 1e-4, "raster:offset": 0.3}],
            },
            0.3,
            "declared",
        ),
        ({"earthsearch:boa_offset_applied": True}, {}, 0.0, "applied by the catalogue"),
        ({"earthsearch:boa_offset_applied": False}, {}, -0.1, "declared"),
        ({"earthsearch:boa_offset_applied": "true"}, {}, -0.1, "declared"),
    ],
)  # fmt: skip
def test_offset_rules(tmp_path: Path, properties: Json, bands: Json, expected: float, rule: str) -> None:
    """Each rule that decides the offset, and that the scene says which one did."""
    item = make_item(**properties)
    asset = item["assets"]["red"] | bands
    item["assets"] = {"red": {k: v for k, v in asset.items() if v is not ...}, "scl": item["assets"]["scl"]}
    scene = read_one(tmp_path, item)
    assert scene.assets["red"].offset == expected
    assert scene.assets["red"].scale == 0.0001
    assert scene.processing.endswith(f"offset {rule}")


@pytest.mark.parametrize(
    "fields",
    [
        {"proj:epsg": 32633},
        {"proj:code": "EPSG:32633"},
        {"proj:wkt2": pyproj.CRS.from_epsg(32633).to_wkt()},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_projection_is_found_on_item_or_assets(tmp_path: Path, fields: Json) -> None:
    """All spellings of a projection, on the item or on its rasters, mean the same."""
    assert read_one(tmp_path / "item", make_item(**({"proj:epsg": None} | fields))).crs == "EPSG:32633"
    item = make_item(**{"proj:epsg": None})
    for asset in item["assets"].values():
        asset.update(fields)
    assert read_one(tmp_path / "assets", item).crs == "EPSG:32633"


def test_what_names_the_processing_is_the_fingerprint_and_nothing_else(tmp_path: Path) -> None:
    """A moved catalogue keeps its fingerprints; another baseline, checksum, scale or file name changes them."""
    item = make_item()
    base = read_one(tmp_path / "a", item).fingerprint
    assert read_one(tmp_path / "b" / "c", item).fingerprint == base
    assert read_one(tmp_path / "d", altered(item, "properties/eo:cloud_cover", 1)).fingerprint == base
    changes: list[tuple[str, object]] = [
        ("properties/s2:processing_baseline", "05.11"),
        ("properties/s2:generation_time", "2021-01-01T00:00:00Z"),
        ("assets/red/raster:bands/0/scale", 0.0002),
        ("assets/red/raster:bands/0/nodata", 1),
        ("assets/red/href", "./red_v2.tif"),
        ("assets/red/file:checksum", "1220" + "ab" * 32),
    ]
    prints = [read_one(tmp_path / f"x{n}", altered(item, *change)).fingerprint for n, change in enumerate(changes)]
    assert len({base, *prints}) == len(changes) + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"proj:code": "+init=epsg:32633"},
        {"proj:code": "EPSG:32633\n"},
        {"proj:code": ["EPSG:32633"]},
        {"proj:wkt2": "UTM"},
        {"proj:wkt2": "x" * 30_000},
        {"proj:wkt2": 'GEOGCRS["x"]'},
    ],
    ids=range(6),
)
def test_a_projection_in_other_words_is_refused(tmp_path: Path, fields: Json) -> None:
    """Only codes and WKT are read: nothing that PROJ would look up in files or on the network."""
    (refusal,) = find_items(tmp_path, make_item(**({"proj:epsg": None} | fields))).refused
    assert "proj:" in refusal.reason or "reference system" in refusal.reason


# ---------------------------------------------------------------- what is refused

HOSTILE_HREFS = [
    "../../../secret.tif",
    "/etc/passwd.tif",
    "file:///etc/passwd.tif",
    "/vsicurl/http://x/a.tif",
    "/VSIZIP/a.zip/a.tif",
    "./vsizip/a.tif",
    "%2e%2e/%2e%2e/%2e%2e/a.tif",
    "%2Fvsicurl%2Fhttp://x/a.tif",
    "javascript:alert(1)//.tif",
    "GDAL:SUBDATASET:1.tif",
    "GTIFF_DIR:1:a.tif",
    "NETCDF:a.nc:b.tif",
    "s3://bucket/a.tif",
    "ftp://host/a.tif",
    "<VRTDataset>a.tif",
    "a\\..\\b.tif",
    "a\n.tif",
    "a\0.tif",
    " a.tif",
    "http://user:pw@host/a.tif",
    "http:///a.tif",
    "http://[::1/a.tif",
    "http://host:port/a.tif",
    "x" * 5000 + ".tif",
    "x" * 400 + ".tif/../../../../y.tif",
    "//host/a.tif",
    "link/a.tif",
    "loop/a.tif",
]


@pytest.mark.parametrize("href", HOSTILE_HREFS, ids=range(len(HOSTILE_HREFS)))
def test_hostile_asset_hrefs_refuse_the_item(tmp_path: Path, href: str) -> None:
    """No href reaches a file outside the catalogue, a GDAL virtual file or another scheme; the rest goes on."""
    folder = tmp_path / "catalog" / "items" / "0"
    folder.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder / "loop")
    bad = altered(make_item("bad"), "assets/red/href", href)
    observation = find_items(tmp_path / "catalog", bad, make_item("good", day="2020-02-01"))
    assert [scene.id for scene in observation.scenes] == ["good"]
    (refusal,) = observation.refused
    assert (refusal.id, refusal.href) == ("bad", "items/0/item.json")
    assert refusal.reason.isprintable()
    assert refusal.reason.startswith("expected")


def test_hrefs_inside_the_catalogue_are_followed(tmp_path: Path) -> None:
    """Absolute and file:// hrefs, blanks, escapes and dots are fine as long as they stay inside; http(s) always is."""
    item = make_item()
    inside = tmp_path / "items" / "my rasters"
    inside.mkdir(parents=True)
    (inside / "green.tif").touch()
    hrefs = {
        "blue": str(inside / "blue.tif"), "red": f"file://{inside}/red.tif", "green": "../my%20rasters/green.tif",
        "nir": "../my rasters/./nir.tif", "swir16": "HTTPS://host.example/a%20b.tif?sig=1&x=2#part",
    }  # fmt: skip
    for band, href in hrefs.items():
        item["assets"][band]["href"] = href
    found = {band: asset.href for band, asset in read_one(tmp_path, item).assets.items()}
    assert found["swir16"] == "https://host.example/a%20b.tif?sig=1&x=2"
    assert {Path(found[band]).parent for band in ("blue", "red", "green", "nir")} == {inside}


FAULTS: dict[str, tuple[str, object]] = {
    "no datetime": ("properties/datetime", None),
    "datetime in words": ("properties/datetime", "yesterday"),
    "datetime is a number": ("properties/datetime", 20200101),
    "datetime before satellites": ("properties/datetime", "0001-01-01T00:00:00+14:00"),
    "no projection": ("properties/proj:epsg", ...),
    "projection injects": ("properties/proj:epsg", "32633; DROP"),
    "projection unknown": ("properties/proj:epsg", 99999),
    "projection is true": ("properties/proj:epsg", True),
    "projection in degrees": ("properties/proj:epsg", 4326),
    "projections disagree": ("properties/proj:code", "+init=epsg:32633"),
    "rasters disagree on projection": ("assets/red/proj:epsg", 32634),
    "no geometry": ("geometry", None),
    "geometry is a point": ("geometry", {"type": "Point", "coordinates": [16, 4]}),
    "geometry in metres": ("geometry/coordinates/0/1", [500000, 450000]),
    "geometry of text": ("geometry/coordinates/0/1", ["16", "4"]),
    "geometry too short": ("geometry/coordinates/0", [[16, 4], [16, 5]]),
    "geometry with NaN": ("geometry/coordinates/0/1", [float("nan"), 4]),
    "no assets": ("assets", {}),
    "assets are a list": ("assets", [{"href": "red.tif"}]),
    "too many assets": ("assets", {str(n): {"href": "a.tif"} for n in range(1000)}),
    "no quality layer": ("assets/scl", ...),
    "quality layer is a picture": ("assets/scl/href", "./scl.png"),
    "scale is text": ("assets/red/raster:bands/0/scale", "0.0001"),
    "scale is NaN": ("assets/red/raster:bands/0/scale", float("nan")),
    "scale is huge": ("assets/red/raster:bands/0/scale", 10**400),
    "scale is zero": ("assets/red/raster:bands/0/scale", 0),
    "offset is infinite": ("assets/red/raster:bands/0/offset", float("-inf")),
    "nodata is a list": ("assets/red/raster:bands/0/nodata", [0]),
    "bands are no list": ("assets/red/raster:bands", {"scale": 1}),
    "band of text": ("assets/red/raster:bands", ["red"]),
    "two raster bands": ("assets/red/raster:bands", [{"scale": 1}, {"scale": 1}]),
    "transform of NaN": ("assets/red/proj:transform/0", float("nan")),
    "transform upside down": ("assets/red/proj:transform/4", 10),
    "pixels of 1 mm": ("assets/red/proj:transform", [0.001, 0, 500000, 0, -0.001, 450000]),
    "pixels of 5 m": ("assets/red/proj:transform", [5, 0, 500000, 0, -5, 450000]),
    "pixels of degrees": ("assets/red/proj:transform", [1e-4, 0, 16, 0, -1e-4, 4.1]),
    "pixels of 10 m by 20 m": ("assets/scl/proj:transform", [10, 0, 500000, 0, -20, 450000]),
    "transform too short": ("assets/red/proj:transform", [10, 0]),
    "shape of text": ("assets/red/proj:shape", ["a", "b"]),
    "shape negative": ("assets/red/proj:shape", [-1, 5]),
    "cloud cover in words": ("properties/eo:cloud_cover", "cloudy"),
    "properties are a list": ("properties", []),
    "stac_version is a list": ("stac_version", []),
    "no item at all": ("type", "Catalog"),
    "id with a line break": ("id", "a\nb"),
    "id with markup": ("id", "<script>alert(1)</script>"),
    "id climbs": ("id", "../../etc/passwd"),
    "id with NUL": ("id", "a\0b"),
    "id is a number": ("id", 7),
    "id too long": ("id", "x" * 201),
    "id turns writing round": ("id", "a\u202eb"),
    "collection is a list": ("collection", ["sentinel-2-l2a"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_item_is_refused_and_recorded_and_the_rest_goes_on(tmp_path: Path, fault: str) -> None:
    """One bad item costs one item; the record names it by place and says what was expected, in one printable line."""
    path, value = FAULTS[fault]
    observation = find_items(tmp_path, altered(make_item("bad"), path, value), make_item("good", day="2020-02-01"))
    assert [scene.id for scene in observation.scenes] == ["good"]
    (refusal,) = observation.refused
    assert refusal.href == "items/0/item.json"
    assert refusal.id in ("bad", "")
    assert refusal.reason.startswith("expected")
    assert refusal.reason.isprintable()
    assert observation.searched.items_seen == 2
    assert json.loads(json.dumps(observation.as_record()))["refused"][0]["reason"] == refusal.reason


@pytest.mark.parametrize("code", ["EPSG:32633", "EPSG:3035"])
@pytest.mark.parametrize("side", [10, 20, 60, 10.000001, 19.999999])
def test_pixels_that_the_sensor_has_are_read(tmp_path: Path, side: float, code: str) -> None:
    """Sentinel-2's own pixel sides are good in any projection in metres and from any origin, noise of 1e-7 and all."""
    transform = [side, 0, 500002.5, 0, -side, 450004.25]
    item = altered(make_item(**{"proj:epsg": None, "proj:code": code}), "assets/red/proj:transform", transform)
    assert read_one(tmp_path, item).assets["red"].transform == tuple(transform)


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"[" * 200_000, b"7", b'{"a": NaN}', b" " * 70_000])
def test_an_item_file_that_is_missing_or_no_json_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A hole in a local catalogue is recorded; the rest goes on."""
    catalog = write_catalog(tmp_path, make_item("bad"), make_item("good", day="2020-02-01"))
    target = tmp_path / "items" / "0" / "item.json"
    target.unlink()
    if content is not None:
        target.write_bytes(content)
    observation = find(catalog, limits=Limits(max_bytes=60_000 if content and len(content) < 100_000 else 10**7))
    assert [scene.id for scene in observation.scenes] == ["good"]
    assert [refusal.href for refusal in observation.refused] == ["items/0/item.json"]


def test_an_item_that_is_a_pipe_does_not_hang(tmp_path: Path) -> None:
    """Only regular files are opened."""
    catalog = write_catalog(tmp_path, make_item("bad"))
    (tmp_path / "items" / "0" / "item.json").unlink()
    os.mkfifo(tmp_path / "items" / "0" / "item.json")
    assert "not a file" in find(catalog).refused[0].reason


def test_an_unknown_sensor_is_refused_unless_the_item_names_the_constellation(tmp_path: Path) -> None:
    """A collection of any name can be read if its items say what took them."""
    item = altered(make_item(), "collection", "our-scenes")
    catalog = write_catalog(tmp_path / "a", item, collection="our-scenes")
    assert len(find(catalog, collections=("our-scenes",)).scenes) == 1
    item["properties"]["constellation"] = "landsat"
    catalog = write_catalog(tmp_path / "b", item, collection="our-scenes")
    assert "known sensor" in find(catalog, collections=("our-scenes",)).refused[0].reason


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10)
    | st.sampled_from(["EPSG:32633", "1.0.0", "Feature", "0.6.0", "2020-01-01T00:00:00Z", "../a.tif", "a.tif"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["href", "type", "coordinates", "scale", "x"]), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


def all_paths(value: object, prefix: str = "") -> Iterator[str]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        if "/" not in str(key):
            yield f"{prefix}{key}"
            yield from all_paths(child, f"{prefix}{key}/")


@given(changes=st.lists(st.tuples(st.sampled_from(sorted(all_paths(make_item()))), JSON), min_size=1, max_size=3))
def test_no_mutated_item_raises(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, object]]) -> None:
    """Whatever members of an item are replaced by, the item is a scene, refused, or counted; nothing is raised."""
    item = make_item()
    for path, value in changes:
        try:
            item = altered(item, path, value)
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    observation = find_items(tmp_path_factory.getbasetemp() / "mutated", item)
    counts = observation.searched
    known = counts.outside_area + counts.outside_span + counts.after_as_of + counts.other_collection
    assert len(observation.scenes) + len(observation.refused) + known == 1
    json.dumps(observation.as_record())


@given(
    document=JSON
    | st.builds(lambda links: {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "links": links}, JSON)
)
def test_no_root_document_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    """Whatever the root holds, search answers or raises one of geomon's own errors."""
    try:
        find(write_json(tmp_path_factory.getbasetemp() / "root" / "catalog.json", document))
    except GeomonError:
        return
