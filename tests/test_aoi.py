import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.aoi import read_aoi, read_zones
from geomon.errors import ConfigError, GeomonError
from geomon.model import ZoneRole

SQUARE = [[16.0, 4.0], [16.1, 4.0], [16.1, 4.1], [16.0, 4.1], [16.0, 4.0]]
BOW_TIE = [[16.0, 4.0], [16.1, 4.1], [16.1, 4.0], [16.0, 4.1], [16.0, 4.0]]


def shift(ring: list[list[float]], by: float) -> list[list[float]]:
    return [[x + by, y] for x, y in ring]


def feature(ring: object = SQUARE, *, kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": [ring]}}


def write(folder: Path, *features: object, **members: object) -> Path:
    path = folder / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)} | members), encoding="utf-8")
    return path


def test_features_become_zones_and_their_union_the_area(tmp_path: Path) -> None:
    """Ids, names, roles and status come from the properties; overlapping features count their ground once."""
    path = write(
        tmp_path,
        feature(id="a", name="Berbérati", role="comparison", status="suspended"),
        feature(shift(SQUARE, 0.05), id="b"),
    )
    aoi = read_aoi(path)
    first, second = aoi.features
    assert (first.id, first.name, first.role, first.status) == ("a", "Berbérati", ZoneRole.COMPARISON, "suspended")
    assert (second.id, second.name, second.role, second.status) == ("b", "b", ZoneRole.ZONE, "unknown")
    assert aoi.name == "area"
    assert aoi.geometry.geom_type == "Polygon"
    assert aoi.geometry.area == pytest.approx(0.015)


def test_ids_come_from_the_feature_or_its_number(tmp_path: Path) -> None:
    """Without an id property the feature's own id is taken, else the file's name and the feature's number."""
    path = write(tmp_path, feature() | {"id": 7}, feature(shift(SQUARE, 1)))
    assert [zone.id for zone in read_zones(path)] == ["7", "area-2"]


@pytest.mark.parametrize("document", [feature(), feature()["geometry"]], ids=["feature", "geometry"])
def test_a_single_feature_or_geometry_is_an_area(tmp_path: Path, document: object) -> None:
    """A lone feature or polygon reads as an area of one zone."""
    path = tmp_path / "one.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert [zone.id for zone in read_aoi(path).features] == ["one-1"]


def test_holes_and_parts_and_heights_survive(tmp_path: Path) -> None:
    """A multipolygon with a hole keeps it; heights are dropped."""
    hole = [[16.04, 4.04, 9], [16.06, 4.04, 9], [16.06, 4.06, 9], [16.04, 4.06, 9], [16.04, 4.04, 9]]
    outer = [[x, y, 9] for x, y in SQUARE]
    geometry = {"type": "MultiPolygon", "coordinates": [[outer, hole], [shift(SQUARE, 1)]]}
    (zone,) = read_zones(write(tmp_path, {"type": "Feature", "properties": None, "geometry": geometry}))
    assert zone.geometry.area == pytest.approx(0.02 - 0.0004)
    assert not zone.geometry.has_z


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326"])
def test_old_crs_member_may_say_wgs84(tmp_path: Path, name: str) -> None:
    """GDAL before RFC 7946 wrote a crs member; one that means WGS84 is no fault."""
    read_aoi(write(tmp_path, feature(), crs={"type": "name", "properties": {"name": name}}))


UTM = [[x * 1e5, y * 1e5] for x, y in SQUARE]
FAULTS: dict[str, tuple[list[object], dict[str, object], str]] = {
    "no features": ([], {}, "at least one polygon"),
    "features no list": ([], {"features": 3}, "FeatureCollection"),
    "a number as feature": ([3], {}, "feature 1 to be an object"),
    "point": (
        [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [16, 4]}}],
        {},
        "Point",
    ),
    "no geometry": ([{"type": "Feature", "properties": {}, "geometry": None}], {}, "Polygon or MultiPolygon"),
    "bow-tie": ([feature(BOW_TIE, id="west")], {}, "feature west is none (Self-intersection"),
    "projected": ([feature(UTM)], {}, "looks projected"),
    "crs": ([feature()], {"crs": {"properties": {"name": "EPSG:32633"}}}, "EPSG:32633"),
    "empty": ([feature([])], {}, "rings of positions"),
    "two positions": ([feature(SQUARE[:2])], {}, "4 positions"),
    "no area": ([feature([SQUARE[0]] * 4)], {}, "Too few points"),
    "text as number": ([feature([["x", "y"]] * 4)], {}, "finite numbers"),
    "NaN": ([feature([[float("nan"), 4.0], *SQUARE[1:]])], {}, "finite numbers"),
    "ragged": ([feature([[16.0], *SQUARE[1:]])], {}, "redraw it"),
    "equal ids": ([feature(id="a"), feature(id="a")], {}, "repeats 'a'"),
    "line break in id": ([feature(id="a\nb")], {}, "printable"),
    "long name": ([feature(name="n" * 201)], {}, "printable"),
    "id is a list": ([feature(id=[1])], {}, "printable"),
    "role": ([feature(role="owner")], {}, "zone, comparison, border, watch"),
    "properties": ([feature() | {"properties": [1]}], {}, "properties of feature 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_file_is_a_config_error_that_names_it(tmp_path: Path, fault: str) -> None:
    """Every fault stops the run with exit code 78, the path, what came and what to do."""
    features, members, text = FAULTS[fault]
    path = write(tmp_path, *features, **members)
    with pytest.raises(ConfigError) as caught:
        read_aoi(path)
    assert caught.value.exit_code == 78
    assert str(path) in str(caught.value)
    assert text in str(caught.value)
    assert ";" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"{", b"[" * 100_000, b"<kml/>"])
def test_what_is_no_geojson_is_a_config_error(tmp_path: Path, content: bytes) -> None:
    """Other formats, broken text and endless nesting are told as such."""
    path = tmp_path / "area.geojson"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="GeoJSON"):
        read_aoi(path)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    """A path that leads nowhere names the path, and so does a directory."""
    with pytest.raises(ConfigError, match=r"no\.geojson"):
        read_aoi(tmp_path / "no.geojson")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_aoi(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    geometry=st.one_of(
        JSON,
        st.builds(lambda kind, c: {"type": kind, "coordinates": c}, st.sampled_from(["Polygon", "MultiPolygon"]), JSON),
    ),
    properties=st.one_of(JSON, st.fixed_dictionaries({"id": JSON, "name": JSON, "role": JSON, "status": JSON})),
)
def test_no_document_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, geometry: object, properties: object
) -> None:
    """Whatever a file holds, it reads or it is one of geomon's own errors."""
    path = tmp_path_factory.getbasetemp() / "any.geojson"
    document = {"type": "Feature", "geometry": geometry, "properties": properties}
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        read_aoi(path)
    except GeomonError:
        return


def test_real_boundaries_read(shared_data: Path) -> None:
    """The sub-prefectures of western CAR and the Romanian square are valid areas."""
    assert len(read_zones(shared_data / "vector" / "car_subprefectures_west_fullres.geojson")) == 25
    assert read_aoi(shared_data / "romania_s2_l2a" / "aoi.geojson").features[0].id == "romania-1km"
