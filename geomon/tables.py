"""Product tables in memory: made, checked and brought back to the types of `geomon.schema`.

In: plain rows, or a frame that was read from a file. Out: a (Geo)DataFrame with exactly the columns of the schema, in
its order and in one canonical dtype each, EPSG:4326. It reads and writes no file, and it never repairs a value: what
does not fit is a `SchemaMismatch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from geomon.errors import SchemaMismatch
from geomon.schema import TABLES, Column, columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GeometryKind = Literal["polygon", "point", "none"]

GEOMETRY: Final[Mapping[str, GeometryKind]] = {
    "mining_footprints": "polygon",
    "alerts": "polygon",
    "sites": "polygon",
    "dropped": "polygon",
    "sub_mmu": "point",
    "footprint_periods": "none",
    "ground": "none",
    "zones": "none",
}

_ALLOWED: Final = {"polygon": {"Polygon", "MultiPolygon"}, "point": {"Point"}}
_DIGITS: Final = {"ha": 4, "share": 4, "probability": 4}
"""Decimals of a unit: 1 m2 of a hectare, a hundredth of a percent of a share. Finer digits would only say which machine
computed them.
"""


def make(table: str, rows: Iterable[Mapping[str, object]], geometry: Sequence[object] | None = None) -> pd.DataFrame:
    """Build a table from rows of plain values.

    Parameters
    ----------
    table : str
        Name in `schema.TABLES`.
    rows : iterable of mappings
        Column name to value; None is null. A missing column is a `SchemaMismatch`.
    geometry : sequence of shapely geometries, optional
        One per row, EPSG:4326, for the tables that have one.

    Returns
    -------
    DataFrame or GeoDataFrame
        Row order as given, a fresh 0.. index.
    """
    import pandas as pd

    held = list(rows)
    missing = [name for name in columns(table) for row in held[:1] if name not in row]
    if missing:
        _refuse(table, f"a value for each column, got none for {missing}")
    data = {c.name: _series(c, [_rounded(c, row[c.name]) for row in held]) for c in TABLES[table]}
    frame = pd.DataFrame(data, columns=list(columns(table)), index=pd.RangeIndex(len(held)))
    return _with_geometry(frame, table, geometry)


def conform(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Bring a table that was read from a file back to canonical column order and dtypes, then check it."""
    _check_names(frame, table)
    rows = [
        {c.name: _plain(c, value) for c, value in zip(TABLES[table], values, strict=True)}
        for values in zip(*(frame[name].tolist() for name in columns(table)), strict=True)
    ]
    kind = GEOMETRY[table]
    return check_table(make(table, rows, None if kind == "none" else list(_geometry(frame, table))), table)


def check_table(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Refuse a table whose columns, types, nulls, CRS or geometry types differ from the schema; return it otherwise.

    Raises
    ------
    SchemaMismatch
        Naming the table, the column and what was found.
    """
    _check_names(frame, table)
    for column in TABLES[table]:
        _check_column(frame[column.name], column, table)
    if GEOMETRY[table] != "none":
        _check_geometry(frame, table)
    return frame


def to_arrow(frame: pd.DataFrame, table: str) -> pa.Table:
    """The attribute columns as an Arrow table with declared types, so that an all-null column keeps its type."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "list": pa.list_(pa.string()),
    }
    arrays = {
        c.name: pa.array([_plain(c, value) for value in frame[c.name].tolist()], type=types[c.type])
        for c in TABLES[table]
    }
    return pa.table(arrays)


def _series(column: Column, values: list[object]) -> pd.Series[Any]:
    import pandas as pd

    dtype = {"float": "float64", "bool": "bool", "int": "Int64" if column.nullable else "int64"}.get(
        column.type, "object"
    )
    if dtype == "object":
        series = pd.Series(values, dtype="object")
        return series.where(series.notna(), None) if values and column.type != "list" else series
    return pd.Series([float("nan") if v is None and dtype == "float64" else v for v in values], dtype=dtype)


def _rounded(column: Column, value: object) -> object:
    digits = _DIGITS.get(column.unit)
    return value if digits is None or not isinstance(value, int | float) else round(float(value), digits)


def _plain(column: Column, value: Any) -> object:
    """The Python value behind a pandas, numpy or Arrow one; None for every kind of null."""
    if column.type == "list":
        return [] if value is None else [str(part) for part in value]
    if value is None or str(value) in {"NaT", "<NA>"} or value != value:
        return None
    if column.type == "date":
        return value if type(value) is date else date(value.year, value.month, value.day)
    return {"text": str, "int": int, "float": float, "bool": bool}[column.type](value)


def _with_geometry(frame: pd.DataFrame, table: str, geometry: Sequence[object] | None) -> pd.DataFrame:
    if (geometry is None) != (GEOMETRY[table] == "none"):
        _refuse(table, f"geometry of kind {GEOMETRY[table]}")
    if geometry is None:
        return frame
    import geopandas as gpd

    made: pd.DataFrame = gpd.GeoDataFrame(
        frame, geometry=gpd.GeoSeries(list(geometry), index=frame.index, crs="EPSG:4326")
    )
    return made


def _check_names(frame: pd.DataFrame, table: str) -> None:
    names = [str(name) for name in frame.columns if name != "geometry" or GEOMETRY[table] == "none"]
    missing = [name for name in columns(table) if name not in names]
    extra = [name for name in names if name not in columns(table)]
    if missing or extra or len(set(names)) != len(names):
        found = f"missing {missing}, extra {extra}, {len(names)} columns in all"
        _refuse(table, f"exactly its {len(columns(table))} columns, got {found}")


def _check_column(series: pd.Series[Any], column: Column, table: str) -> None:
    wanted = {"int": ("int64", "Int64"), "float": ("float64",), "bool": ("bool",)}.get(column.type, ("object",))
    if str(series.dtype) not in wanted:
        _refuse(table, f"{column.name} as {wanted[0]}, got {series.dtype}", column=column.name)
    if wanted == ("object",):
        kind = {"text": str, "date": date, "list": list}[column.type]
        bad = next((value for value in series if value is not None and not _is_a(value, kind)), None)
        if bad is not None:
            _refuse(table, f"{column.name} as {column.type}, got {bad!r}", column=column.name)
    if not column.nullable and series.isna().any():
        row = int(series.isna().to_numpy().argmax())
        _refuse(table, f"{column.name} in every row, got null in row {row}", column=column.name)


def _is_a(value: object, kind: type) -> bool:
    return type(value) is kind and (not isinstance(value, list) or all(type(part) is str for part in value))


def _check_geometry(frame: pd.DataFrame, table: str) -> None:
    shapes = _geometry(frame, table)
    if shapes.crs is None or shapes.crs.to_epsg() != 4326:
        _refuse(table, f"coordinates in EPSG:4326, got {shapes.crs}")
    bad = set(shapes.geom_type.dropna()) - _ALLOWED[GEOMETRY[table]]
    if bad or shapes.isna().any() or shapes.is_empty.any():
        _refuse(table, f"{GEOMETRY[table]}s only, got {sorted(bad) or 'an empty geometry'}")


def _geometry(frame: pd.DataFrame, table: str) -> Any:
    shapes = getattr(frame, "geometry", None)
    if shapes is None:
        _refuse(table, "a geometry column, got none")
    return shapes


def _refuse(table: str, expected: str, **fields: str) -> NoReturn:
    message = f"table {table}: expected {expected}; use geomon.tables.make, or a file of this version of geomon"
    raise SchemaMismatch(message, table=table, **fields)
