import csv
import json
import sqlite3
import warnings
from contextlib import closing
from datetime import UTC, date, datetime
from hashlib import sha256
from xml.etree import ElementTree as Xml

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pystac
import pytest
import shapely

from geomon.errors import SchemaMismatch
from geomon.footprints import delineate, gather
from geomon.grid import Tile
from geomon.model import Activity, AlertStatus, Period, Scene
from geomon.schema import TABLES, columns
from geomon.sites import update
from geomon.store import products
from geomon.store.stac import CollectionInfo, TileItem, checksum, write_stac
from geomon.store.styles import qml
from geomon.tables import GEOMETRY, check_table, conform, make
from geomon.zones import ZoneCounts, ZoneFrame, table
from tests._change import END, LATTICE, MONITOR, block, context, tiled, window, zone

HOSTILE = '<script>alert("x")</script>\'); DROP TABLE sites;--\nsecond, line; é'


@pytest.fixture(params=["full", "empty"])
def tables(request):
    return full_tables() if request.param == "full" else empty_tables()


def scenes():
    days = [date(2022, 9, 1), date(2022, 10, 1)]
    when = [datetime(day.year, day.month, day.day, 9, minute, tzinfo=UTC) for day in days for minute in range(6)]
    return [Scene(f"{HOSTILE}-{at}", "sentinel-2", at, "EPSG:32633", {}, (), str(at), "1", str(at)) for at in when]


def full_tables():
    hostile = zone("z1", window(-50, -50, 200, 200), name=HOSTILE)
    pixels = [
        *block(0, 0, 5, 4),
        *[px for px in block(20, 0, 5, 5) if (px.col, px.row) not in {(60_022, -54_998)}],
        *block(24, 5, 4, 4),
        *block(40, 0, 8, 8, water=0),
        *block(60, 0, 4, 4, alert=AlertStatus.CANDIDATE),
        *block(80, 0, 1, 1, alert=AlertStatus.UNRESOLVED),
        *block(90, 0, 1, 2, alert=AlertStatus.DROPPED),
    ]
    return tables_of(pixels, (hostile,), {"z1": ZoneCounts(4e6, 1e5, (3e6,) * 6, {19_000: 3e6})})


def empty_tables():
    return tables_of([], (), {})


def tables_of(pixels, zones, counts):
    found = delineate(gather(tiled(pixels)), context(zones=zones, scenes=scenes(), aoi_name=HOSTILE))
    sites, _ = update(None, found.sites, as_of=END, run_id="0123456789ab")
    frame = ZoneFrame(MONITOR, context().kinds, "0123456789ab")
    return {
        "mining_footprints": found.footprints,
        "footprint_periods": found.periods,
        "alerts": found.alerts,
        "sites": sites,
        "sub_mmu": found.sub_mmu,
        "dropped": found.dropped,
        "zones": table(zones, counts, ground=found.ground, frame=frame),
        "ground": found.ground,
    }


def spatial(tables):
    return [name for name in tables if GEOMETRY[name] != "none"]


def test_the_tables_of_these_tests_are_not_empty():
    """Each table has a row, so that the tests below say something."""
    assert all(len(frame) for frame in full_tables().values())


def test_geojson_is_rfc_7946_and_holds_the_schemas_columns(tables, tmp_path):
    """No crs member, right-handed, at most 7 decimals, feature ids, every column, dates ISO, lists arrays."""
    for name in spatial(tables):
        path = tmp_path / f"{name}.geojson"
        products.write_geojson(tables[name], path, table=name)
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["type"] == "FeatureCollection"
        assert "crs" not in document
        assert len(document["features"]) == len(tables[name])
        for feature, row in zip(document["features"], tables[name].to_dict("records"), strict=True):
            assert list(feature["properties"]) == list(columns(name))
            assert feature["id"] == row[columns(name)[0]]
            check_feature(feature, row, name)


def check_feature(feature, row, name):
    for column in TABLES[name]:
        got, want = feature["properties"][column.name], row[column.name]
        if column.type == "date":
            assert got == (None if want is None else want.isoformat())
        elif column.name == "scenes":
            assert got == want[:8]
        elif column.type == "float":
            assert got == (None if np.isnan(want) else pytest.approx(want, abs=1e-12))
        else:
            assert got == want
    shape = shapely.geometry.shape(feature["geometry"])
    assert shape.is_valid
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            assert part.exterior.is_ccw
            assert not any(hole.is_ccw for hole in part.interiors)
    assert all(len(repr(x).partition(".")[2]) <= 7 for x in shapely.get_coordinates(shape).ravel().tolist())


def test_gdal_opens_every_file_without_a_warning(tables, tmp_path):
    """Warnings are errors here: GeoJSON, GeoPackage and their layers open and count as they should."""
    products.write_gpkg(tables, tmp_path / "geomon.gpkg", as_of=END)
    layers = dict(pyogrio.list_layers(tmp_path / "geomon.gpkg"))
    assert set(layers) == {*tables, "layer_styles"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, frame in tables.items():
            info = pyogrio.read_info(tmp_path / "geomon.gpkg", layer=name)
            assert info["features"] == len(frame)
            assert info["fields"].tolist() == list(columns(name))
            pyogrio.read_dataframe(tmp_path / "geomon.gpkg", layer=name)
        for name in spatial(tables):
            products.write_geojson(tables[name], tmp_path / f"{name}.geojson", table=name)
            read = pyogrio.read_dataframe(tmp_path / f"{name}.geojson")
            assert len(read) == len(tables[name])
            assert read.crs.to_epsg() == 4326


def test_the_scenes_of_a_row_are_cut_to_eight_but_not_in_the_parquet(tmp_path):
    """Twelve scenes confirm the mine; GeoPackage and GeoJSON name eight."""
    frame = full_tables()["mining_footprints"]
    products.write_gpkg({"mining_footprints": frame}, tmp_path / "a.gpkg", as_of=END)
    products.write_parquet(frame, tmp_path / "a.parquet", table="mining_footprints")
    read = pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="mining_footprints")
    assert read["scenes"].str.count("<script>").tolist()[0] == 8
    assert len(products.read_parquet(tmp_path / "a.parquet", table="mining_footprints")["scenes"][0]) == 12


def test_hostile_texts_stay_data(tmp_path):
    """Quotes, tags, line ends and SQL in names come back as they went in, from every format."""
    tables = full_tables()
    products.write_gpkg(tables, tmp_path / "a.gpkg", as_of=END)
    products.write_csv(tables["zones"], tmp_path / "zones.csv", table="zones")
    products.write_parquet(tables["zones"], tmp_path / "zones.parquet", table="zones")
    with (tmp_path / "zones.csv").open(encoding="utf-8", newline="") as file:
        assert {row["zone_name"] for row in csv.DictReader(file)} == {HOSTILE}
    assert set(pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="zones")["zone_name"]) == {HOSTILE}
    assert set(pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="sites")["aoi"]) == {HOSTILE}
    assert set(products.read_parquet(tmp_path / "zones.parquet", table="zones")["zone_name"]) == {HOSTILE}


def test_parquet_gives_back_the_table(tables, tmp_path):
    """Written and read, each table is the same, types and nulls included."""
    for name, frame in tables.items():
        products.write_parquet(frame, tmp_path / f"{name}.parquet", table=name)
        read = products.read_parquet(tmp_path / f"{name}.parquet", table=name)
        assert read.drop(columns="geometry", errors="ignore").equals(frame.drop(columns="geometry", errors="ignore"))
        if name in spatial(tables):
            assert read.geometry.to_wkb().tolist() == frame.geometry.to_wkb().tolist()


def test_geoparquet_is_1_1_with_a_bbox_covering_and_declared_types(tmp_path):
    """A reader can skip by bounding box, and an all-null column still has its type."""
    sites = full_tables()["sites"]
    products.write_parquet(sites, tmp_path / "sites.parquet", table="sites")
    schema = pq.read_schema(tmp_path / "sites.parquet")
    geo = json.loads(schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert pq.ParquetFile(tmp_path / "sites.parquet").metadata.row_group(0).column(0).compression == "ZSTD"
    assert schema.field("event").type in (pa.string(), pa.large_string())
    assert schema.field("first_seen").type == pa.date32()
    assert pa.types.is_list(schema.field("lineage").type)
    west = sites.total_bounds[0]
    near = gpd.read_parquet(tmp_path / "sites.parquet", bbox=(west - 1, -90, west + 1e-6, 90))
    assert 0 < len(near) < len(sites)


def test_csv_has_the_schemas_header_iso_dates_and_empty_nulls(tables, tmp_path):
    """One line per row below the names of the columns."""
    products.write_csv(tables["zones"], tmp_path / "zones.csv", table="zones")
    with (tmp_path / "zones.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(columns("zones"))
    assert len(rows) == 1 + len(tables["zones"])
    for row in rows[1:]:
        held = dict(zip(rows[0], row, strict=True))
        assert date.fromisoformat(held["period_start"]) <= date.fromisoformat(held["period_end"])
        assert held["n_sites_new"] in {"0", "1", "2"}
    assert all(row[rows[0].index("same_season_change_ha")] == "" for row in rows[1:5])


def write_all(tables, folder):
    folder.mkdir()
    products.write_gpkg(tables, folder / "geomon.gpkg", as_of=END)
    for name, frame in tables.items():
        products.write_parquet(frame, folder / f"{name}.parquet", table=name)
        if name in spatial(tables):
            products.write_geojson(frame, folder / f"{name}.geojson", table=name)
        else:
            products.write_csv(frame, folder / f"{name}.csv", table=name)
    layer = folder / "alert.tif"
    layer.write_bytes(b"not a tiff, but bytes")
    tile = Tile(LATTICE, 0, -512, 512, 512)
    item = TileItem(
        tile.name, window(0, 0, 9, 9), "EPSG:32633", tile.shape, tuple(tile.transform)[:6], {"alert": layer}
    )
    info = CollectionInfo(
        "test", HOSTILE, "A test.", MONITOR, (15.0, 4.0, 16.0, 5.0), properties={"geomon:run_id": "r"}
    )
    write_stac(folder, info, tiles=[item], products=sorted(folder.glob("*.geojson")))


def test_equal_tables_give_equal_bytes(tables, tmp_path):
    """Every product but run records is byte-equal when made again, whatever its folder."""
    for name in ("one", "two"):
        write_all(tables, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 20
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_the_clock_of_gdal_is_given_back(tmp_path):
    """Writing leaves no option behind for other users of GDAL in this process."""
    products.write_gpkg(empty_tables(), tmp_path / "a.gpkg", as_of=END)
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as file:
        assert set(file.execute("SELECT last_change FROM gpkg_contents")) == {("2023-12-31T00:00:00.000Z",)}


def test_every_spatial_layer_has_a_default_style_of_well_formed_qml(tmp_path):
    """QGIS finds one row per layer, with a category for every status or activity."""
    tables = full_tables()
    products.write_gpkg(tables, tmp_path / "a.gpkg", as_of=END)
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as file:
        rows = file.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert {row[0] for row in rows} == set(spatial(tables))
    for name, geometry, style, default in rows:
        assert (geometry, default) == ("geom", 1)
        assert style == qml(name)
        root = Xml.fromstring(style)
        values = {category.get("value") for category in root.iter("category")}
        attribute = root.find("renderer-v2").get("attr")
        assert attribute in columns(name)
        wanted = {a.value for a in Activity} if attribute == "activity" else {s.label for s in AlertStatus if s}
        assert values == wanted


def test_stac_names_every_file_with_size_and_checksum_and_no_place(tmp_path):
    """STAC readers read it back; hrefs are relative and lead to the files."""
    write_all(full_tables(), tmp_path / "run")
    text = (tmp_path / "run" / "collection.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    collection = pystac.Collection.from_file(tmp_path / "run" / "collection.json")
    assert json.loads(text)["stac_version"] == "1.1.0"
    assert collection.title == HOSTILE
    (item,) = collection.get_items(recursive=True)
    assert item.get_collection().id == "test"
    assert item.properties["proj:code"] == "EPSG:32633"
    assert Period(item.common_metadata.start_datetime.date(), item.common_metadata.end_datetime.date()) == MONITOR
    for asset in [*collection.assets.values(), *item.assets.values()]:
        assert not asset.href.startswith("/")
        path = tmp_path / "run" / asset.get_absolute_href().removeprefix(f"{tmp_path}/run/")
        assert asset.extra_fields["file:size"] == path.stat().st_size
        assert asset.extra_fields["file:checksum"] == checksum(path) == "1220" + sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda t: t.drop(columns="area_ha"), "area_ha"),
        (lambda t: t.assign(extra=1), "extra"),
        (lambda t: t.assign(area_ha="much"), "area_ha"),
        (lambda t: t.assign(first_seen="2022-01-01"), "first_seen"),
        (lambda t: t.assign(lineage="a; b"), "lineage"),
        (lambda t: t.assign(status=None), "status"),
        (lambda t: t.set_crs(4326, allow_override=True).to_crs(32633), "EPSG:4326"),
        (lambda t: t.set_geometry(t.geometry.to_crs(32633).centroid.to_crs(4326)), "Point"),
    ],
)
def test_a_table_that_is_not_the_schemas_is_refused_by_name(spoil, named, tmp_path):
    """Missing, extra, mistyped, null, another CRS, another geometry: each is told, at writing and at reading."""
    spoilt = spoil(full_tables()["sites"])
    with pytest.raises(SchemaMismatch, match=named):
        check_table(spoilt, "sites")
    with pytest.raises(SchemaMismatch, match=named):
        products.write_geojson(spoilt, tmp_path / "a.geojson", table="sites")
    with pytest.raises(SchemaMismatch, match=named):
        products.write_parquet(spoilt, tmp_path / "a.parquet", table="sites")
    assert not list(tmp_path.iterdir())


def test_a_parquet_of_another_table_is_refused(tmp_path):
    """A read is checked as a write is."""
    products.write_parquet(full_tables()["alerts"], tmp_path / "alerts.parquet", table="alerts")
    with pytest.raises(SchemaMismatch, match="site_id"):
        products.read_parquet(tmp_path / "alerts.parquet", table="sites")


def test_a_row_without_a_column_is_refused():
    """Tables are made of whole rows."""
    with pytest.raises(SchemaMismatch, match="zone_id"):
        make("ground", [{"footprint_id": "f-1"}])
    with pytest.raises(SchemaMismatch, match="geometry"):
        make("sites", [])
    assert conform(make("ground", []), "ground").dtypes.to_dict() == make("ground", []).dtypes.to_dict()
