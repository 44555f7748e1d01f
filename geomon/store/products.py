"""Product files that other programs read: GeoJSON, GeoPackage, GeoParquet, CSV and JSON.

In: tables as `geomon.tables` makes them. Out: files whose bytes follow from the tables alone: no clock, no library's
mood. Each table is checked at each write and read. Files are written in place: the caller writes into a staging
directory that is published whole. Texts from outside (zone names, scene ids) are data here and are escaped by the
format's own writer.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geomon.schema import TABLES
from geomon.store.styles import embed_styles
from geomon.tables import GEOMETRY, check_table, conform, to_arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from shapely.geometry.base import BaseGeometry

MAX_SCENES: Final = 8
"""Scene ids per row in GeoJSON and GeoPackage (design, section 6); the parquet has all of them."""

LIST_SEPARATOR: Final = "; "

_GEOJSON: Final = {"RFC7946": "YES", "COORDINATE_PRECISION": "7", "ID_FIELD": "id", "WRITE_NAME": "NO"}
_GEOM: Final = "geom"
_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


def write_geojson(frame: pd.DataFrame, path: Path, *, table: str) -> None:
    """Write a table as GeoJSON (RFC 7946): 7 decimals, dates as ISO text, lists as arrays, `id` = its first column."""
    import pyogrio

    check_table(frame, table)
    attributes = _short(frame, table)
    keyed = attributes.add_column(0, "id", attributes.column(0))
    pyogrio.write_arrow(
        keyed.append_column(_GEOM, _wkb(frame.geometry)),
        path,
        driver="GeoJSON",
        geometry_name=_GEOM,
        geometry_type="Unknown",
        crs="EPSG:4326",
        layer_options=_GEOJSON,
    )


def write_gpkg(frames: Mapping[str, pd.DataFrame], path: Path, *, as_of: date) -> None:
    """Write tables as the layers of one GeoPackage, with the styles that QGIS opens them in.

    Parameters
    ----------
    frames : mapping
        Table name to frame; layers in this order. Tables without geometry become attribute tables.
    as_of : date
        Stands where the format wants the time of writing, so that equal tables give equal bytes.
    """
    import pyogrio

    path.unlink(missing_ok=True)
    stamp = f"{as_of.isoformat()}T00:00:00.000Z"
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": stamp})
    try:
        for table, frame in frames.items():
            check_table(frame, table)
            _write_layer(frame, path, table=table)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
    embed_styles(path, [table for table in frames if GEOMETRY[table] != "none"], stamp=stamp)


def write_parquet(frame: pd.DataFrame, path: Path, *, table: str) -> None:
    """Write a table as Parquet (zstd), as GeoParquet 1.1 with a bbox covering where it has a geometry."""
    import pyarrow.parquet as pq

    check_table(frame, table)
    typed = to_arrow(frame, table)
    pq.write_table(typed if GEOMETRY[table] == "none" else _geo_arrow(typed, frame), path, compression="zstd")


def read_parquet(path: Path, *, table: str) -> pd.DataFrame:
    """Read a table that `write_parquet` wrote, in canonical dtypes, checked."""
    import geopandas as gpd
    import pyarrow.parquet as pq

    if GEOMETRY[table] != "none":
        return conform(gpd.read_parquet(path), table)
    frame: pd.DataFrame = pq.read_table(path).to_pandas(date_as_object=True)
    return conform(frame, table)


def write_csv(frame: pd.DataFrame, path: Path, *, table: str) -> None:
    """Write a table without geometry as CSV (RFC 4180, UTF-8): dates ISO, null = empty, lists joined by "; "."""
    check_table(frame, table)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in TABLES[table]])
        for values in zip(*(_short(frame, table).to_pydict()[c.name] for c in TABLES[table]), strict=True):
            writer.writerow([_cell(value) for value in values])


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a JSON document: UTF-8, two spaces, keys in the order given, one newline at the end."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_layer(frame: pd.DataFrame, path: Path, *, table: str) -> None:
    import pyogrio

    typed = _joined(_short(frame, table), table)
    kind = GEOMETRY[table]
    options = {"IDENTIFIER": table, "DESCRIPTION": f"geomon: {table}"}
    if kind == "none":
        pyogrio.write_arrow(typed, path, layer=table, driver="GPKG", layer_options=options)
        return
    pyogrio.write_arrow(
        typed.append_column(_GEOM, _multi(frame) if kind == "polygon" else _wkb(frame.geometry)),
        path,
        layer=table,
        driver="GPKG",
        geometry_name=_GEOM,
        geometry_type="MultiPolygon" if kind == "polygon" else "Point",
        crs="EPSG:4326",
        layer_options={"GEOMETRY_NAME": _GEOM, **options},
    )


def _geo_arrow(typed: pa.Table, frame: pd.DataFrame) -> pa.Table:
    """The table with its geometry, boxes and metadata (GeoParquet 1.1.0); no pandas metadata: types are Arrow's own."""
    import pyarrow as pa

    bounds = frame.geometry.bounds
    sides = [pa.array(bounds[old].tolist(), type=pa.float64()) for old in ("minx", "miny", "maxx", "maxy")]
    boxes = pa.StructArray.from_arrays(sides, names=list(_SIDES))
    column = {
        "encoding": "WKB",
        "crs": frame.crs.to_json_dict(),
        "geometry_types": sorted(set(frame.geometry.geom_type)),
        "orientation": "counterclockwise",
        "covering": {"bbox": {side: ["bbox", side] for side in _SIDES}},
    }
    if len(frame):
        column["bbox"] = [float(side) for side in frame.total_bounds]
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    whole = typed.append_column("geometry", _wkb(frame.geometry)).append_column("bbox", boxes)
    return whole.replace_schema_metadata({"geo": json.dumps(geo)})


def _multi(frame: pd.DataFrame) -> pa.Array:
    """A layer of a GeoPackage holds one geometry type, so polygons become multipolygons of one part."""
    import shapely

    return _wkb([s if s.geom_type == "MultiPolygon" else shapely.multipolygons([s]) for s in frame.geometry])


def _wkb(shapes: Iterable[BaseGeometry]) -> pa.Array:
    import pyarrow as pa
    import shapely

    return pa.array([shapely.to_wkb(shape) for shape in shapes], type=pa.binary())


def _short(frame: pd.DataFrame, table: str) -> pa.Table:
    """The attributes with at most `MAX_SCENES` scenes."""
    typed = to_arrow(frame, table)
    if "scenes" not in typed.column_names:
        return typed
    import pyarrow as pa

    scenes = pa.array([ids[:MAX_SCENES] for ids in typed.column("scenes").to_pylist()], type=pa.list_(pa.string()))
    return typed.set_column(typed.column_names.index("scenes"), "scenes", scenes)


def _joined(typed: pa.Table, table: str) -> pa.Table:
    import pyarrow as pa

    for number, column in enumerate(TABLES[table]):
        if column.type == "list":
            texts = [LIST_SEPARATOR.join(parts) for parts in typed.column(number).to_pylist()]
            typed = typed.set_column(number, column.name, pa.array(texts, type=pa.string()))
    return typed


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return LIST_SEPARATOR.join(map(str, value)) if isinstance(value, list) else str(value)
