"""What lies around a place: how far the nearest channel is, how high above it the place lies, how steep it is.

In: an elevation raster (GeoTIFF) and river lines or polygons (GeoJSON), each optional, and the area of interest. Out:
`Surroundings`, which answers for any points, NaN where nothing is known. Weak evidence, for attribution alone; what it
says of an object is not known here. Both files are a person's and may be anything: whatever is wrong with them is a
`ConfigError`. Nothing is read over the network: plain files only, and of rasters no format that can name others.

Everything is measured on one plane, azimuthal equidistant about the middle of the area: 300 km from there distances are
true to 0.04 %.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.features import rasterize
from rasterio.warp import reproject
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geomon.errors import ConfigError
from geomon.kernels import terrain

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MARGIN_M: Final = 3_000.0
MARGIN_CELLS: Final = 30
"""Elevations read around the area, the larger of the two: water crosses its border, and a channel needs 100 cells."""
MAX_CELLS: Final = 25_000_000
"""A larger window is read at a coarser resolution: 24 million cells take 30 s and 0.9 GB."""
MAX_SOURCE_CELLS: Final = 4_000_000_000
"""Three times 10 x 10 degrees at 30 m: more would take hours to thin out."""
MAX_BLOCK_CELLS: Final = 2**26
MAX_CELL_M: Final = 5_000.0
ELEVATION_M: Final = (-500.0, 9_000.0)
"""The shore of the Dead Sea lies at -430 m, Mount Everest at 8849 m."""
MAX_BYTES: Final = 64 * 1024 * 1024
REACH_M: Final = 50_000.0
"""Rivers of a 1:3M map lie 53 km apart in western CAR (8023 km of them in 428,000 km2): a file that has none within
50 km of the area was made for another one.
"""

_RIVERS: Final = ("LineString", "MultiLineString", "Polygon", "MultiPolygon")
_MISSHAPEN = (shapely.errors.ShapelyError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError)
_LOCAL: Final = MappingProxyType({"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"})
_FOREIGN = (RasterioError, OSError, CPLE_BaseError, CRSError, ProjError, NotGeoreferencedWarning, ValueError)


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Where n points lie: float64 (n,) each, NaN where unknown.

    `channel_m` distance to the nearest river, or to the nearest channel of the elevations where no rivers were given;
    `height_m` height above the channel that the point drains to (HAND); `slope_deg` slope of the ground.
    """

    channel_m: FloatArray
    height_m: FloatArray
    slope_deg: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Square cells of the plane: side, left and top edge, and elevations [m], NaN where unknown."""

    cell_m: float
    left: float
    top: float
    elevation: NDArray[np.float32]

    @property
    def transform(self) -> Affine:
        """Affine of the first cell: (col, row) -> (x, y)."""
        return Affine(self.cell_m, 0.0, self.left, 0.0, -self.cell_m, self.top)

    def burn(self, shapes: NDArray[Any]) -> BoolArray:
        """Cells that any shape touches, corners too: flow would slip through a thinner line on a diagonal."""
        if not len(shapes):
            return np.zeros(self.elevation.shape, np.bool_)
        burnt = rasterize(shapes, self.elevation.shape, transform=self.transform, all_touched=True, dtype="uint8")
        return np.asarray(burnt, np.bool_)

    def find(self, x: FloatArray, y: FloatArray) -> tuple[BoolArray, NDArray[np.int64], NDArray[np.int64]]:
        """Whether the ground is known at each point; row and column of its cell, 0 outside the grid."""
        height, width = self.elevation.shape
        down, right = (self.top - y) / self.cell_m, (x - self.left) / self.cell_m
        inside = (down >= 0) & (down < height) & (right >= 0) & (right < width)
        row, col = (np.where(inside, each, 0).astype(np.int64) for each in (down, right))
        return inside & np.isfinite(self.elevation[row, col]), row, col

    def centres(self, cells: BoolArray) -> NDArray[Any]:
        """Centres of the cells that are set, as shapely points."""
        row, col = np.nonzero(cells)
        return np.asarray(shapely.points(self.left + (col + 0.5) * self.cell_m, self.top - (row + 0.5) * self.cell_m))


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What is known around an area; made by `load_surroundings`.

    `dem_resolution_m` is the side of a cell of elevation as used [m], NaN without elevations: a valley narrower than a
    few cells is not in them, and heights there mean nothing.
    """

    dem_resolution_m: float
    _crs: str
    _channels: shapely.STRtree
    _rivers_given: bool
    _grid: _Grid | None
    _height: NDArray[np.float32]
    _slope: NDArray[np.float32]

    def at(self, lon: FloatArray, lat: FloatArray) -> Setting:
        """Look up points by longitude and latitude in WGS84 [degrees], float64 (n,) each."""
        x, y = _projection(self._crs).transform(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
        finite = np.isfinite(x) & np.isfinite(y)
        height, slope = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        known = np.zeros(x.shape, np.bool_)
        if self._grid is not None:
            known, row, col = self._grid.find(x, y)
            height[known], slope[known] = (each[row[known], col[known]] for each in (self._height, self._slope))
        return Setting(self._distances(x, y, finite if self._rivers_given else known), height, slope)

    def _distances(self, x: FloatArray, y: FloatArray, wanted: BoolArray) -> FloatArray:
        distance = np.full(x.shape, np.nan)
        if len(self._channels):
            points = shapely.points(x[wanted], y[wanted])
            (at, _), found = self._channels.query_nearest(points, return_distance=True, all_matches=False)
            distance[np.flatnonzero(wanted)[at]] = found
        return distance


def load_surroundings(dem: Path | None, rivers: Path | None, *, aoi: BaseGeometry) -> Surroundings | None:
    """Read what is known around an area; None when neither file is given.

    Parameters
    ----------
    dem : Path, optional
        GeoTIFF of elevations [m], any CRS and resolution.
    rivers : Path, optional
        GeoJSON of lines or polygons, lon/lat.
    aoi : polygons
        The area, lon/lat.

    Raises
    ------
    ConfigError
        A file is not there, not what it should be, or made for another area.
    """
    if dem is None and rivers is None:
        return None
    left, bottom, right, top = aoi.bounds
    crs = f"+proj=aeqd +lat_0={(bottom + top) / 2!r} +lon_0={(left + right) / 2!r} +datum=WGS84 +units=m +no_defs"
    area = _moved(np.array([aoi]), crs)[0]
    lines = np.array([], object) if rivers is None else _read_rivers(rivers, crs, area)
    if dem is None:
        nothing = np.zeros((0, 0), np.float32)
        return Surroundings(math.nan, crs, shapely.STRtree(lines), True, None, nothing, nothing)
    grid = _read_dem(dem, crs, area)
    drainage = terrain.drain(grid.elevation)
    channels = terrain.find_channels(terrain.accumulate(drainage), cell_m=grid.cell_m)
    tree = shapely.STRtree(grid.centres(channels) if rivers is None else lines)
    height = terrain.height_above(drainage, channels | grid.burn(lines))
    slope = terrain.slope(grid.elevation, cell_m=grid.cell_m)
    return Surroundings(grid.cell_m, crs, tree, rivers is not None, grid, height, slope)


def _fail(path: Path, fault: str, remedy: str) -> NoReturn:
    raise ConfigError(f"{path}: {fault}; {remedy}", path=str(path))


def _size(path: Path) -> int:
    if not path.is_file():  # an address is none either, nor a device that never ends
        _fail(path, "expected a file on this machine, got nothing there", "correct the config's context")
    return path.stat().st_size


@lru_cache(maxsize=16)
def _projection(crs: str, source: str = "EPSG:4326") -> Transformer:
    return Transformer.from_crs(source, crs, always_xy=True)


def _moved(geometries: NDArray[Any], crs: str) -> NDArray[Any]:
    def move(points: FloatArray) -> FloatArray:
        return np.column_stack(_projection(crs).transform(points[:, 0], points[:, 1]))

    return np.asarray(shapely.transform(shapely.force_2d(geometries), move))


# ---------------------------------------------------------------- rivers


def _read_rivers(path: Path, crs: str, area: BaseGeometry) -> NDArray[Any]:
    """Lines and polygons on the plane."""
    try:
        size = _size(path)
        document = json.loads(path.read_bytes() if size <= MAX_BYTES else b"{}")
    except (OSError, ValueError, RecursionError) as err:
        raise ConfigError(f"{path}: expected a GeoJSON file of rivers, got none ({err}); correct the config") from err
    if size > MAX_BYTES:
        _fail(path, f"expected at most {MAX_BYTES} bytes, got {size}", "cut the rivers to the area")
    lines = shapely.get_parts(np.array(list(_river_shapes(document, path)), object))
    if not len(lines):
        _fail(path, "expected river lines or polygons, got none", "export the rivers as lines in a FeatureCollection")
    left, bottom, right, top = shapely.total_bounds(lines)
    if not (-180 <= left <= right <= 180 and -90 <= bottom <= top <= 90):
        fault = f"expected longitudes and latitudes, got x {left:g}..{right:g}, y {bottom:g}..{top:g}"
        _fail(path, fault, "reproject the file to EPSG:4326")
    moved = _moved(lines, crs)
    distance = float(np.nanmin(shapely.distance(moved, area)))
    if not distance <= REACH_M:
        fault = f"expected rivers within {REACH_M / 1000:g} km of the area, the nearest is {distance / 1000:.0f} km off"
        _fail(path, fault, "name the file of this area, or none")
    return moved


def _river_shapes(document: object, path: Path) -> Iterator[BaseGeometry]:
    kind = document.get("type") if isinstance(document, dict) else None
    features = document.get("features") if isinstance(document, dict) and kind == "FeatureCollection" else [document]
    if kind is None or not isinstance(features, list):
        _fail(path, "expected a GeoJSON FeatureCollection, got something else", "export the rivers as GeoJSON")
    for number, feature in enumerate(features, start=1):
        geometry = feature.get("geometry", feature) if isinstance(feature, dict) else None
        if not isinstance(geometry, dict) or geometry.get("type") not in _RIVERS:
            continue  # a spring, or a river without a course
        try:
            with np.errstate(invalid="ignore"):  # NaN is refused below
                river = shape(geometry)
        except _MISSHAPEN as err:
            raise ConfigError(f"{path}: expected a line or polygon in feature {number}, got {err}; redraw it") from err
        if not np.isfinite(shapely.get_coordinates(river)).all():
            _fail(path, f"expected finite numbers in feature {number}, got others", "redraw it")
        if not river.is_empty:
            yield river


# ---------------------------------------------------------------- elevations


def _read_dem(path: Path, crs: str, area: BaseGeometry) -> _Grid:
    """Elevations around the area on the plane."""
    try:
        _size(path)
        with rasterio.Env(**_LOCAL), rasterio.open(path.absolute(), driver="GTiff") as dataset:
            grid = _warped(dataset, path, crs, area)
    except _FOREIGN as err:
        text = f"{path}: expected a readable GeoTIFF of elevations, got none ({err}); convert it with gdal_translate"
        raise ConfigError(text, path=str(path)) from err
    if not np.isfinite(grid.elevation[grid.burn(np.array([area]))]).any():
        _fail(path, "expected elevations in the area of interest, got none there", "name the file of this area")
    return grid


def _check_dem(dataset: Any, path: Path) -> None:
    expected = {
        "one band of numbers": dataset.count == 1 and np.dtype(dataset.dtypes[0]).kind in "iuf",
        f"blocks of at most {MAX_BLOCK_CELLS} cells": math.prod(dataset.block_shapes[0]) <= MAX_BLOCK_CELLS,
        "a CRS": dataset.crs is not None,
        "a place on Earth": np.isfinite(dataset.transform).all() and not dataset.transform.is_degenerate,
    }
    for what, holds in expected.items():
        if not holds:
            found = f"{dataset.count} x {dataset.dtypes[0]}, CRS {dataset.crs}, {tuple(dataset.transform)[:6]}"
            _fail(path, f"expected {what}, got {found}", "export the elevations as a GeoTIFF of one band")


def _native_m(dataset: Any, crs: str) -> float:
    """Side of a square as large as a cell in the middle of the area [m]; NaN if the dataset's CRS is not for there."""
    back = _projection(crs, dataset.crs.to_wkt()).transform(
        np.array([0.0, 100.0, 0.0]), np.array([0.0, 0.0, 100.0]), direction="INVERSE"
    )
    col, row = ~dataset.transform @ back
    with np.errstate(invalid="ignore"):
        cells = abs((col[1] - col[0]) * (row[2] - row[0]) - (col[2] - col[0]) * (row[1] - row[0]))
    return 100.0 / math.sqrt(cells) if 0 < cells < math.inf else math.nan


def _warped(dataset: Any, path: Path, crs: str, area: BaseGeometry) -> _Grid:
    """Resample to square cells of the plane, as large as the raster's own or as MAX_CELLS asks for."""
    _check_dem(dataset, path)
    native = _native_m(dataset, crs)
    if not native <= MAX_CELL_M:
        _fail(path, f"expected cells of at most {MAX_CELL_M:g} m, got {native:g} m there", "name a finer raster")
    margin = max(MARGIN_M, MARGIN_CELLS * native)
    left, bottom, right, top = np.add(area.bounds, (-margin, -margin, margin, margin)).tolist()
    extent = (right - left) * (top - bottom)
    if extent / native**2 > MAX_SOURCE_CELLS:
        fault = f"expected at most {MAX_SOURCE_CELLS:.0e} cells about the area, got {extent / native**2:.0e}"
        _fail(path, fault, "resample it to 30 m with gdalwarp")
    cell_m = max(native, math.sqrt(extent / MAX_CELLS))
    shape_yx = (math.ceil((top - bottom) / cell_m), math.ceil((right - left) / cell_m))
    grid = _Grid(cell_m, left, top, np.full(shape_yx, np.nan, np.float32))
    reproject(
        rasterio.band(dataset, 1),
        grid.elevation,
        src_nodata=_nodata(dataset),
        dst_transform=grid.transform,
        dst_crs=crs,
        dst_nodata=math.nan,
        resampling=Resampling.bilinear,
    )
    with np.errstate(all="ignore"):  # a hostile scale
        grid.elevation[...] = grid.elevation * dataset.scales[0] + dataset.offsets[0]
    lowest, highest = np.fmin.reduce(grid.elevation, None), np.fmax.reduce(grid.elevation, None)
    if lowest < ELEVATION_M[0] or highest > ELEVATION_M[1]:
        fault = f"expected elevations of {ELEVATION_M[0]:g} to {ELEVATION_M[1]:g} m, got {lowest:g} to {highest:g}"
        _fail(path, fault, "give metres, and declare the number that stands for no data (gdal_translate -a_nodata)")
    return grid


def _nodata(dataset: Any) -> float:
    """Give the number that stands for no data: what the raster says, or the one that no elevation can be."""
    if dataset.nodata is not None:
        return float(dataset.nodata)
    dtype = np.dtype(dataset.dtypes[0])
    return math.nan if dtype.kind == "f" else float(np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max)
