import json
import time
from datetime import date
from pathlib import Path

import pytest
import shapely

from geomon.catalog import Limits, check_coverage, group_looks
from geomon.errors import CatalogUnavailable, ConfigError, DataError
from geomon.model import Period
from tests._stac import SPAN, Json, altered, find, find_items, make_item, read_one, write_catalog, write_json

# ---------------------------------------------------------------- the walk


def test_a_directory_or_a_collection_or_an_item_collection_is_a_catalogue(tmp_path: Path) -> None:
    """All static forms give the same scenes."""
    item = make_item()
    catalog = write_catalog(tmp_path, item)
    features = write_json(tmp_path / "all.json", {"type": "FeatureCollection", "features": [item, 7]})
    for asset in item["assets"]:
        (tmp_path / f"{asset}.tif").touch()
    prints = {
        find(place).scenes[0].fingerprint for place in (catalog, tmp_path, tmp_path / "collection.json", features)
    }
    assert len(prints) == 1
    assert len(find(features).refused) == 1


def test_loops_end_and_each_item_is_read_once(tmp_path: Path) -> None:
    """Catalogues that link themselves, each other and one item twice are walked once."""
    catalog = write_catalog(tmp_path, make_item())
    for name, links in {
        "catalog.json": ["catalog.json", "a/catalog.json", "collection.json"],
        "a/catalog.json": ["../catalog.json", "catalog.json", "../a/../collection.json"],
    }.items():
        children = [{"rel": "child", "href": link} for link in links]
        item = {"rel": "item", "href": str(tmp_path / "items" / "0" / "item.json")}
        write_json(tmp_path / name, {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "links": [*children, item]})
    observation = find(catalog)
    assert (len(observation.scenes), observation.searched.items_seen) == (1, 1)


def test_a_catalogue_without_end_is_data_error(tmp_path: Path) -> None:
    """A chain of catalogues deeper than the limit, and more documents than the limit, stop the run with code 65."""
    for depth in range(30):
        links = [{"rel": "child", "href": f"{depth + 1}.json"}]
        write_json(tmp_path / f"{depth}.json", {"type": "Catalog", "id": "x", "stac_version": "1.0.0", "links": links})
    with pytest.raises(DataError, match="levels deep"):
        find(tmp_path / "0.json")
    catalog = write_catalog(tmp_path / "many", *(make_item(str(n)) for n in range(8)))
    with pytest.raises(DataError, match="at most 5 documents"):
        find(catalog, limits=Limits(max_items=5))


def test_hostile_links_are_recorded(tmp_path: Path) -> None:
    """A link that leads outside is neither followed nor forgotten."""
    write_json(tmp_path / "secret.json", make_item("secret"))
    catalog = write_catalog(tmp_path / "inside", make_item())
    document = json.loads(catalog.read_text(encoding="utf-8"))
    hrefs: list[object] = ["../secret.json", "file:///etc/passwd", "javascript:1", None, ["a"], {"b": 1}, ""]
    document["links"] += [{"rel": "item", "href": href} for href in hrefs] + ["link", 7, {"rel": ["item"]}]
    observation = find(write_json(catalog, document))
    assert [scene.id for scene in observation.scenes] == ["S2A_33NXE_20200105"]
    assert len(observation.refused) == len(hrefs)


def test_other_collections_are_not_read(tmp_path: Path) -> None:
    """Only the configured collections count, and the answer says which there are."""
    write_catalog(tmp_path, altered(make_item(), "collection", "sentinel-1-grd"), make_item("b", day="2020-03-01"))
    observation = find(tmp_path)
    assert [scene.id for scene in observation.scenes] == ["b"]
    assert observation.searched.other_collection == 1
    nothing = find(tmp_path, collections=("landsat-c2-l2",))
    assert nothing.searched.items_seen == 0
    with pytest.raises(ConfigError, match=r"none at all.*sentinel-2-l2a"):
        check_coverage(nothing, baseline=SPAN, catalog="here")


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Catalog", "id": "api", "stac_version": "1.0.0", "links": [], "conformsTo": ["https://api.stacspec.org/v1.0.0/item-search"]},
        {"type": "Catalog", "id": "api", "stac_version": "1.0.0", "links": [{"rel": "search", "href": "/search"}]},
        {"type": "Collection", "id": "api", "stac_version": "1.0.0", "links": [{"rel": "items", "href": "/items"}]},
        {"type": "FeatureCollection", "features": [], "links": [{"rel": "next", "href": "?page=2"}]},
    ],
)  # fmt: skip
def test_an_api_is_told_that_static_catalogues_are_read(tmp_path: Path, document: Json) -> None:
    """An API's root, or one page of its answer, is not mistaken for a catalogue with few items."""
    with pytest.raises(ConfigError, match="this version reads static catalogues"):
        find(write_json(tmp_path / "catalog.json", document))


@pytest.mark.parametrize(
    "catalog", ["no/catalog.json", "s3://bucket/catalog.json", "/vsicurl/http://x", "a\0b", "http://u:p@h/"]
)
def test_a_root_that_cannot_be_is_config_error(catalog: str) -> None:
    """A wrong address is for a person to correct."""
    with pytest.raises(ConfigError, match=r"source\.catalog"):
        find(catalog)


def test_a_root_that_is_no_stac_is_config_error_and_a_lost_collection_is_try_later(tmp_path: Path) -> None:
    """The root is the config's fault; a document further in may come back."""
    with pytest.raises(ConfigError, match="expected a STAC Catalog"):
        find(write_json(tmp_path / "a.json", [1]))
    catalog = write_catalog(tmp_path, make_item())
    (tmp_path / "collection.json").unlink()
    with pytest.raises(CatalogUnavailable) as caught:
        find(catalog)
    assert caught.value.exit_code == 75


# ---------------------------------------------------------------- area and time


def test_scenes_are_chosen_by_shared_ground_not_by_boxes(tmp_path: Path) -> None:
    """An outline whose box meets the area but whose ground does not, or only its edge does, is outside."""
    corner = {"type": "Polygon", "coordinates": [[[16.0, 4.0], [16.1, 4.0], [16.0, 4.1], [16.0, 4.0]]]}
    item = altered(make_item(), "geometry", corner)
    assert len(find_items(tmp_path, item, area=shapely.box(16.01, 4.01, 16.02, 4.02)).scenes) == 1
    for area in (shapely.box(16.08, 4.08, 16.1, 4.1), shapely.box(15.9, 4.0, 16.0, 4.1)):
        assert find_items(tmp_path, item, area=area).searched.outside_area == 1


def test_invalid_and_split_outlines_still_show_their_ground(tmp_path: Path) -> None:
    """A bow-tie is mended; of two parts the one over the area is the outline, both if both are."""
    bow_tie = {"type": "Polygon", "coordinates": [[[16.0, 4.0], [16.1, 4.1], [16.1, 4.0], [16.0, 4.1], [16.0, 4.0]]]}
    assert len(find_items(tmp_path, altered(make_item(), "geometry", bow_tie)).scenes) == 1
    far = [[x + 2, y] for x, y in make_item()["geometry"]["coordinates"][0]]
    near = make_item()["geometry"]["coordinates"][0]
    split = altered(make_item(), "geometry", {"type": "MultiPolygon", "coordinates": [[far], [near]]})
    assert find_items(tmp_path, split).scenes[0].outline == tuple((x, y) for x, y in near)
    both = find_items(tmp_path, split, area=shapely.box(16, 4, 19, 4.1)).scenes[0].outline
    assert shapely.Polygon(both).area == pytest.approx(0.21)


def test_span_and_as_of_are_inclusive_days(tmp_path: Path) -> None:
    """The first and last day count; what comes after the as-of date is hidden and counted."""
    days = ("2019-12-31", "2020-01-01", "2020-01-31", "2020-02-01", "2020-02-02")
    catalog = write_catalog(tmp_path, *(make_item(day, day=day) for day in days))
    span = Period(date(2020, 1, 1), date(2020, 2, 2))
    observation = find(catalog, span=span, as_of=date(2020, 1, 31))
    assert [scene.id for scene in observation.scenes] == ["2020-01-01", "2020-01-31"]
    counts = observation.searched
    assert (counts.outside_span, counts.after_as_of, counts.first_day, counts.last_day) == (1, 2, days[0], days[-1])


def test_times_are_utc(tmp_path: Path) -> None:
    """A time with an offset is moved to UTC, one without is UTC."""
    item = make_item(datetime="2020-01-06T01:00:00+02:00")
    assert read_one(tmp_path / "a", item).when.isoformat() == "2020-01-05T23:00:00+00:00"
    item = make_item(datetime="2020-01-06T01:00:00")
    assert read_one(tmp_path / "b", item).when.isoformat() == "2020-01-06T01:00:00+00:00"


def test_a_run_that_can_see_nothing_is_stopped_with_the_reason(tmp_path: Path) -> None:
    """Outside the area: the config's fault. Inside, but refused or at other times: the data's."""
    catalog = write_catalog(tmp_path / "a", make_item())
    baseline = Period(date(2020, 1, 1), date(2020, 6, 1))
    check_coverage(find(catalog), baseline=baseline, catalog="here")
    with pytest.raises(ConfigError, match="AOI inside the catalogue, but 1 of 1 items of here"):
        check_coverage(find(catalog, area=shapely.box(0, 0, 1, 1)), baseline=baseline, catalog="here")
    later = Period(date(2020, 2, 1), date(2020, 6, 1))
    with pytest.raises(DataError, match=r"baseline 2020-02-01\.\.2020-06-01, got none.*2020-01-05"):
        check_coverage(find(catalog), baseline=later, catalog="here")
    with pytest.raises(DataError, match=r"in the configured period, got none.*2020-01-05"):
        check_coverage(find(catalog, span=later), baseline=later, catalog="here")
    bad = find_items(tmp_path / "b", make_item(datetime=None))
    with pytest.raises(DataError, match=r"refused them all.*1 refused.*datetime"):
        check_coverage(bad, baseline=baseline, catalog="here")
    empty = find_items(tmp_path / "c")
    with pytest.raises(ConfigError, match="none at all"):
        check_coverage(empty, baseline=baseline, catalog="here")


# ---------------------------------------------------------------- duplicates and looks


def test_the_newest_processing_of_an_acquisition_wins(tmp_path: Path) -> None:
    """Baselines compare as numbers, then the time of making; the losers are named with their winner."""
    old = make_item("old", **{"s2:processing_baseline": "02.14", "s2:generation_time": "2024-01-01T00:00:00Z"})
    new = make_item("new", **{"s2:processing_baseline": "05.00", "datetime": "2020-01-05T09:30:29.9Z"})
    newer = make_item("newer", **{"s2:processing_baseline": "05.00", "s2:generation_time": "2023-01-01T00:00:00Z"})
    first = make_item("next-tile", **{"grid:code": "MGRS-33NYE"})
    other = make_item("other-platform", platform="sentinel-2b")
    observation = find_items(tmp_path, old, newer, new, first, other)
    assert [scene.id for scene in observation.scenes] == ["newer", "next-tile", "other-platform"]
    assert [(loser.id, loser.by) for loser in observation.superseded] == [("new", "newer"), ("old", "newer")]
    assert len({scene.acquisition for scene in observation.scenes}) == 3


def test_order_of_the_catalogue_does_not_matter(tmp_path: Path) -> None:
    """Ties end on the id, so that every order of links gives the same answer."""
    items = [make_item("a"), make_item("b"), make_item("c", day="2020-01-06")]
    forth, back = find_items(tmp_path / "a", *items), find_items(tmp_path / "b", *reversed(items))
    assert [s.fingerprint for s in forth.scenes] == [s.fingerprint for s in back.scenes]
    assert [(s.id, s.by) for s in forth.superseded] == [(s.id, s.by) for s in back.superseded] == [("a", "b")]


def test_the_first_named_collection_breaks_a_tie(tmp_path: Path) -> None:
    """Two catalogues' copies of one product: the order in the config says which is read."""
    items = [make_item("a"), altered(make_item("b"), "collection", "sentinel-2-c1-l2a")]
    features = write_json(tmp_path / "all.json", {"type": "FeatureCollection", "features": items})
    names = ("sentinel-2-l2a", "sentinel-2-c1-l2a")
    assert [s.id for s in find(features, collections=names).scenes] == ["a"]
    assert [s.id for s in find(features, collections=names[::-1]).scenes] == ["b"]


def test_halves_of_one_tile_are_no_duplicates(tmp_path: Path) -> None:
    """Where a datastrip ends inside a tile its two products show different ground: both stay, as one look."""
    west = [[16.0, 4.0], [16.04, 4.0], [16.04, 4.1], [16.0, 4.1], [16.0, 4.0]]
    east = [[16.03, 4.0], [16.1, 4.0], [16.1, 4.1], [16.03, 4.1], [16.03, 4.0]]
    items = [altered(make_item(name), "geometry/coordinates/0", ring) for name, ring in (("w", west), ("e", east))]
    observation = find_items(tmp_path, *items)
    assert observation.superseded == ()
    (look,) = group_looks(observation.scenes)
    assert [scene.id for scene in look.scenes] == ["e", "w"]


def test_looks_are_days_of_a_sensor(tmp_path: Path) -> None:
    """Scenes of one day are one look whatever their order; days are sorted."""
    items = [
        make_item("c", day="2020-01-07"), make_item("b", **{"grid:code": "MGRS-33NYE"}), make_item("a"),
    ]  # fmt: skip
    scenes = find_items(tmp_path, *items).scenes
    looks = group_looks(scenes)
    assert [[scene.id for scene in look.scenes] for look in looks] == [["a", "b"], ["c"]]
    assert looks == group_looks(scenes[::-1])
    assert looks[0].day + 2 == looks[1].day


# ---------------------------------------------------------------- real data


def test_the_real_series_reads_whole_and_fast(shared_data: Path) -> None:
    """140 scenes in EPSG:3035 without platform, grid code or swir22, in well under the time of a coffee."""
    area = shapely.from_geojson((shared_data / "romania_s2_l2a" / "aoi.geojson").read_text(encoding="utf-8"))
    start = time.process_time()
    observation = find(shared_data / "romania_s2_l2a" / "catalog.json", area=area)
    assert time.process_time() - start < 3
    assert (len(observation.scenes), observation.refused, observation.superseded) == (140, (), ())
    assert {scene.crs for scene in observation.scenes} == {"EPSG:3035"}
    assert {frozenset(s.assets) for s in observation.scenes} == {
        frozenset({"blue", "green", "red", "nir", "swir16", "scl"})
    }
    assert {scene.assets["red"].offset for scene in observation.scenes} == {0.0}
    assert len(group_looks(observation.scenes)) == 140


def real_items(folder: Path, target: Path, *collections: str) -> Path:
    """Put real items, with assets on the network, into one item collection."""
    paths = [path for name in collections for path in sorted((folder / name).glob("*.json"))]
    features = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return write_json(target / "items.json", {"type": "FeatureCollection", "features": features})


WORLD = shapely.box(-180, -90, 180, 90)
S2 = ("sentinel-2-l2a", "sentinel-2-c1-l2a")


def test_real_earth_search_duplicates_are_resolved(shared_data: Path, tmp_path: Path) -> None:
    """Three granules of 2025-07-31 lie in both collections: one of each stays, with the offset that its pixels have."""
    catalog = real_items(shared_data / "stac" / "earth-search", tmp_path, *S2)
    l2a, c1 = find(catalog, area=WORLD, collections=S2), find(catalog, area=WORLD, collections=S2[::-1])
    assert l2a.refused == c1.refused == ()
    assert (len(l2a.scenes), len(l2a.superseded)) == (len(c1.scenes), len(c1.superseded)) == (4, 3)
    bands = {"blue", "green", "red", "nir", "swir16", "swir22"}
    for observation, offset in ((l2a, 0.0), (c1, -0.1)):
        scenes = [scene for scene in observation.scenes if scene.when.year == 2025]
        assert {scene.assets[band].offset for scene in scenes for band in bands} == {offset}
        assert all(set(scene.assets) == {*bands, "scl"} for scene in scenes)
        assert all(Path(scene.assets["nir"].href).name == "B08.tif" for scene in scenes)
    assert {s.acquisition for s in l2a.scenes} == {s.acquisition for s in c1.scenes}
    assert len(group_looks(l2a.scenes)) == 2


def test_real_planetary_computer_items_get_their_offset_by_baseline(shared_data: Path, tmp_path: Path) -> None:
    """Nothing is declared there: 02.12 has no offset, 05.11 has one."""
    catalog = real_items(shared_data / "stac" / "planetary-computer", tmp_path, "sentinel-2-l2a")
    observation = find(catalog, area=WORLD)
    assert observation.refused == ()
    offsets = {scene.processing.split(";")[0]: scene.assets["red"].offset for scene in observation.scenes}
    assert offsets == {"baseline 02.12": 0.0, "baseline 05.11": -0.1}
    assert all("B08_10m" in scene.assets["nir"].href for scene in observation.scenes)


def test_real_items_of_other_sensors_are_refused_by_name(shared_data: Path, tmp_path: Path) -> None:
    """Radar, Landsat and elevation items are refused with a reason, whatever they look like."""
    names = ("sentinel-1-rtc", "landsat-c2-l2", "cop-dem-glo-30", "sentinel-1-grd")
    observation = find(
        real_items(shared_data / "stac" / "planetary-computer", tmp_path, *names), area=WORLD, collections=()
    )
    assert observation.scenes == ()
    assert len(observation.refused) == observation.searched.items_seen - observation.searched.outside_area > 10
    assert all("known sensor" in refusal.reason for refusal in observation.refused)
