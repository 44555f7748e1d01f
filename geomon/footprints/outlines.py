"""Polygons of pixel regions, and what their shape says.

In: rows of the pixel table that form one region each. Out: for each the union of its pixel squares in lon/lat, clipped
to the area of interest, valid, right-handed and on the 1e-7 degree grid that GeoJSON is written with, so every product
holds the same coordinates; and the width and length of a region. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy.ndimage import binary_dilation, binary_opening, distance_transform_edt
from shapely.geometry.base import BaseGeometry

from geomon.footprints.pixels import METRES_PER_DEGREE, ChangePixels, Floats, Ints
from geomon.grid import to_wgs84

WIDE_CELLS: Final = 4_000_000
GRID_DEG: Final = 1e-7
"""Coordinates of all products: at most 7 decimals (RFC 7946, section 11.2), about one centimetre."""


def outlines(pixels: ChangePixels, regions: Sequence[Ints], *, aoi: BaseGeometry) -> NDArray[Any]:
    """One lon/lat (Multi)Polygon per region: its pixel squares, clipped to the AOI.

    Parts that touch at a corner only are parts of a MultiPolygon; holes are kept. Where a region spans two lattices
    the parts are united.
    """
    drawn: list[list[BaseGeometry]] = [[] for _ in regions]
    for number, lattice in enumerate(pixels.lattices):
        held = [(k, index[pixels.lattice[index] == number]) for k, index in enumerate(regions)]
        held = [(k, index) for k, index in held if len(index)]
        if not held:
            continue
        squares = shapely.geometrycollections([_squares(pixels.col[index], pixels.row[index]) for _, index in held])
        step = np.array([lattice.res_m, -lattice.res_m])
        origin = np.array([lattice.x0, lattice.y0])
        moved = to_wgs84(shapely.transform(squares, partial(_placed, origin=origin, step=step)), lattice.crs)
        for (k, _), shape in zip(held, shapely.get_parts(moved), strict=True):
            drawn[k].append(shape)
    found = np.array([parts[0] if len(parts) == 1 else shapely.union_all(parts) for parts in drawn], dtype=object)
    return _tidy(_clipped(found, aoi))


def points(pixels: ChangePixels, regions: Sequence[Ints]) -> NDArray[Any]:
    """One point per region: the centre of its middle pixel, so it lies on the region."""
    index = np.concatenate([*regions, np.zeros(0, np.int64)])
    number = np.repeat(np.arange(len(regions)), [len(one) for one in regions])
    lon, lat = pixels.take(index).lonlat()
    middle = middles(lon, lat, number)
    return cast("NDArray[Any]", shapely.set_precision(shapely.points(lon[middle], lat[middle]), GRID_DEG))


def middles(lon: Floats, lat: Floats, number: Ints) -> Ints:
    """For each region number, ascending, where its centre nearest to the mean of its centres stands."""
    if not len(number):
        return number
    count = np.maximum(np.bincount(number), 1)
    off_lon, off_lat = (axis - (np.bincount(number, weights=axis) / count)[number] for axis in (lon, lat))
    order = np.lexsort((np.arange(len(number)), np.hypot(off_lon, off_lat).round(9), number))
    first: Ints = order[np.r_[True, np.diff(number[order]) > 0]]
    return first


def width_m(pixels: ChangePixels, index: Ints) -> float:
    """Width of the band whose pixels have the region's mean distance to their edge: four times that mean.

    Of what is spread over more than WIDE_CELLS (rivers), its area over its extent: the distances would fill the memory.
    """
    spread = np.ptp(pixels.col[index]) * np.ptp(pixels.row[index])
    if spread > WIDE_CELLS:
        return float(pixels.area_m2[index].sum() / extent_m(pixels, index))
    total = 0.0
    for number in np.unique(pixels.lattice[index]):
        here = index[pixels.lattice[index] == number]
        mask, _, _ = _window(pixels.col[here], pixels.row[here])
        depth_px = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][mask.astype(bool)] - 0.5
        total += float(depth_px.sum()) * pixels.lattices[int(number)].res_m
    return 4.0 * total / len(index)


def extent_m(pixels: ChangePixels, index: Ints) -> float:
    """Diagonal of the box around the centres of some pixels, whatever their lattices."""
    lon, lat = pixels.take(index).lonlat()
    return float(np.hypot(np.ptp(lon) * np.cos(np.radians(lat.mean())), np.ptp(lat)) * METRES_PER_DEGREE)


def thick(pixels: ChangePixels, index: Ints) -> Ints:
    """The rows of a region that lie in or beside a square of three by three of its pixels, ascending."""
    kept = []
    for number in np.unique(pixels.lattice[index]):
        here = index[pixels.lattice[index] == number]
        mask, west, north = _window(pixels.col[here], pixels.row[here])
        solid = binary_dilation(binary_opening(mask, np.ones((3, 3))), np.ones((3, 3)))
        kept.append(here[solid[pixels.row[here] - north, pixels.col[here] - west]])
    return np.sort(np.concatenate(kept))


def length_m(pixels: ChangePixels, index: Ints) -> float:
    """Longest extent of a region: the longer side of the tightest rectangle around its centres, and one pixel."""
    lon, lat = pixels.take(index).lonlat()
    scale = METRES_PER_DEGREE * np.cos(np.radians(lat.mean()))
    box = shapely.oriented_envelope(shapely.multipoints(np.stack([lon * scale, lat * METRES_PER_DEGREE], axis=1)))
    corners = shapely.get_coordinates(box)
    longest = float(np.hypot(*np.diff(corners, axis=0).T).max()) if len(corners) > 1 else 0.0
    return longest + pixels.lattices[int(pixels.lattice[index[0]])].res_m


def _squares(col: Ints, row: Ints) -> BaseGeometry:
    """Union of unit squares in lattice indices; parts that meet at corners only stay apart."""
    if len(col) == 1:
        left, top = float(col[0]), float(row[0])
        return cast("BaseGeometry", shapely.box(left, top, left + 1, top + 1))
    mask, west, north = _window(col, row)
    found = shapes(mask, mask=mask, connectivity=4, transform=Affine.translation(west, north))
    return _polygonal(shapely.GeometryCollection([shapely.geometry.shape(part) for part, _ in found]))


def _placed(at: Floats, *, origin: Floats, step: Floats) -> Floats:
    return origin + at * step


def _window(col: Ints, row: Ints) -> tuple[NDArray[np.uint8], int, int]:
    left, top = int(col.min()), int(row.min())
    mask = np.zeros((int(row.max()) - top + 1, int(col.max()) - left + 1), np.uint8)
    mask[row - top, col - left] = 1
    return mask, left, top


def _clipped(found: NDArray[Any], aoi: BaseGeometry) -> NDArray[Any]:
    shapely.prepare(aoi)
    across = np.flatnonzero(~shapely.covers(aoi, found))
    for k in across:
        inside = _polygonal(shapely.intersection(shapely.make_valid(found[k]), aoi))
        found[k] = found[k] if inside.is_empty else inside
    return found


def _tidy(found: NDArray[Any]) -> NDArray[Any]:
    """Valid, on the coordinate grid, in canonical vertex order, exteriors counter-clockwise."""
    broken = np.flatnonzero(~shapely.is_valid(found))
    found[broken] = [_polygonal(shapely.make_valid(found[k], method="structure")) for k in broken]
    gridded = shapely.set_precision(found, GRID_DEG)
    kept = np.where(shapely.is_empty(gridded), found, gridded)
    return shapely.orient_polygons(shapely.normalize(kept), exterior_cw=False)


def _polygonal(shape: BaseGeometry) -> BaseGeometry:
    if shape.geom_type in {"Polygon", "MultiPolygon"}:
        return shape
    parts = [p for p in shapely.get_parts(shapely.get_parts(shape)) if p.geom_type == "Polygon"]
    return shapely.Polygon(parts[0]) if len(parts) == 1 else shapely.MultiPolygon(parts)


__all__ = ["GRID_DEG", "Floats", "length_m", "outlines", "points", "width_m"]
