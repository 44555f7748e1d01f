"""Rasters and outlines on the recipe's lattice, as files that are the same to the byte on every run.

In: arrays, shapes, masks of cells. Out: cloud-optimised GeoTIFFs and RFC 7946 GeoJSON. Nothing is read.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from geomon.simulate.fields import IntArray
from geomon.simulate.recipe import CELL_M, EPSG, Recipe

_BLOCK_PX = 512
_DRIVER = {"driver": "COG", "crs": f"EPSG:{EPSG}", "compress": "DEFLATE", "predictor": "YES", "num_threads": 1}
_DEGREES = 1e-7
"""One centimetre."""


def write_cog(
    path: Path,
    image: NDArray[np.generic],
    recipe: Recipe,
    *,
    nodata: float | None = 0,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Write one band (rows, columns) over the whole square; the pixel size follows from the array's shape."""
    rows, columns = image.shape
    with rasterio.open(
        path, "w", width=columns, height=rows, count=1, dtype=image.dtype.name, nodata=nodata,
        transform=recipe.transform(recipe.side_m / columns), blocksize=_BLOCK_PX, overview_resampling="NEAREST",
        overviews="AUTO" if columns > _BLOCK_PX else "NONE", **_DRIVER,
    ) as target:  # fmt: skip
        target.write(image, 1)
        target.update_tags(SIMULATED="YES", **(tags or {}))
    return path


def square(recipe: Recipe, *zone: tuple[float, float]) -> BaseGeometry:
    """Return the whole square with the points where zones meet its border, or the part inside some corners (0-1)."""
    corners = zone or ((0, 0), (0, 0.5), (0, 1), (0.5, 1), (1, 1), (1, 0.5), (1, 0))
    return shapely.Polygon(recipe.map_xy(recipe.side_m * np.array(corners)))


def outline(recipe: Recipe, cells: IntArray) -> BaseGeometry:
    """Return the outline of flat ground cells [map m]."""
    rows, columns = np.divmod(cells, recipe.cells)
    top, left = int(rows.min()), int(columns.min())
    mask = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=np.uint8)
    mask[rows - top, columns - left] = 1
    to_map = recipe.transform(CELL_M) @ Affine.translation(left, top)
    return shapely.union_all([shapely.geometry.shape(g) for g, _ in shapes(mask, mask=mask == 1, transform=to_map)])


def to_degrees(geometries: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    """Project from the lattice to longitude and latitude, rings turned as RFC 7946 asks."""
    moved = gpd.GeoSeries(list(geometries), crs=EPSG).to_crs(4326).to_numpy()
    return np.asarray(shapely.orient_polygons(shapely.set_precision(moved, _DEGREES, mode="pointwise")))


def write_features(path: Path, rows: Sequence[Mapping[str, object]], geometries: Sequence[BaseGeometry]) -> Path:
    """Write a feature collection; its name and each feature say that it is simulated."""
    features = [
        {"type": "Feature", "properties": {**row, "simulated": True}, "geometry": shapely.geometry.mapping(geometry)}
        for row, geometry in zip(rows, to_degrees(geometries), strict=True)
    ]
    return write_json(path, {"type": "FeatureCollection", "name": f"{path.stem} (simulated)", "features": features})


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write JSON with keys in the order given."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path
