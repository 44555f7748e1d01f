"""Outlines in map and geographic coordinates, and GeoJSON text that is the same on every run.

In: a recipe, or a mask of cells. Out: RFC 7946 geometries (longitude first, outer rings counter-clockwise) and files.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import shapes
from rasterio.transform import from_origin
from shapely.geometry import MultiPolygon, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient
from shapely.ops import unary_union

from geomon.simulate.fields import BoolArray, IntArray
from geomon.simulate.recipe import CELL_M, EPSG, Recipe

_TO_DEGREES = Transformer.from_crs(EPSG, 4326, always_xy=True)
_DECIMALS = 7
"""One centimetre."""

Json = dict[str, Any]


def corner_ring(recipe: Recipe) -> list[tuple[float, float]]:
    """Return the square's corners and the points where zones meet its border, clockwise from north-west [map m]."""
    marks = [(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1)]
    return [recipe.map_xy(down * recipe.side_m, right * recipe.side_m) for right, down in marks]


def zone_rings(recipe: Recipe) -> dict[str, list[tuple[float, float]]]:
    """Split the square into a western half and two eastern quarters."""
    nw, north, ne, east, se, south, sw = corner_ring(recipe)
    centre = recipe.map_xy(0.5 * recipe.side_m, 0.5 * recipe.side_m)
    return {
        "west": [nw, north, centre, south, sw],
        "north-east": [north, ne, east, centre],
        "south-east": [centre, east, se, south],
    }


def to_degrees(geometry: BaseGeometry) -> BaseGeometry:
    """Project from the lattice to longitude and latitude, rings turned as RFC 7946 asks."""
    moved: BaseGeometry = shapely.transform(geometry, _project)
    if isinstance(moved, Polygon):
        return orient(moved)
    if isinstance(moved, MultiPolygon):
        return MultiPolygon([orient(part) for part in moved.geoms])
    return moved


def _project(map_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    longitude, latitude = _TO_DEGREES.transform(map_xy[:, 0], map_xy[:, 1])
    return np.round(np.column_stack([longitude, latitude]), _DECIMALS)


def outline(recipe: Recipe, cells: IntArray) -> BaseGeometry:
    """Return the outline of flat ground cells in degrees."""
    rows, columns = cells // recipe.cells, cells % recipe.cells
    top, left = int(rows.min()), int(columns.min())
    mask: BoolArray = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=np.bool_)
    mask[rows - top, columns - left] = True
    x, y = recipe.map_xy(top * CELL_M, left * CELL_M)
    to_map = from_origin(x, y, CELL_M, CELL_M)
    parts = [shape(g) for g, _ in shapes(mask.astype(np.uint8), mask=mask, transform=to_map)]
    return to_degrees(unary_union(parts))


def feature(geometry: BaseGeometry, properties: Mapping[str, object]) -> Json:
    """Return a GeoJSON feature."""
    return {"type": "Feature", "properties": dict(properties), "geometry": json.loads(json.dumps(mapping(geometry)))}


def write_features(path: Path, name: str, features: Iterable[Json]) -> Path:
    """Write a feature collection whose name says that it is simulated."""
    return write_json(path, {"type": "FeatureCollection", "name": f"{name} (simulated)", "features": list(features)})


def write_json(path: Path, content: Mapping[str, object] | Sequence[object]) -> Path:
    """Write JSON with keys in the order given."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path
