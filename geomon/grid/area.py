"""Areas on the ellipsoid: of lattice pixels and of lon/lat geometries. The only place that measures area.

In: pixel indices of a lattice, or shapely geometries in lon/lat. Out: square metres. Hectares are for the products.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from geomon.grid.lattice import WGS84, FloatArray, Lattice, transformer

_GEOD = Geod(ellps="WGS84")
_CORNERS = ((-1, -1), (1, 1), (-1, 1), (1, -1))


def pixel_area_m2(lattice: Lattice, cols: ArrayLike, rows: ArrayLike) -> FloatArray:
    """Area of each pixel on the ellipsoid [m2], in whatever CRS the lattice is.

    Half the cross product of the pixel's diagonals, measured with the ellipsoid's radii of curvature at its centre
    (Snyder 1987, USGS Professional Paper 1395, p. 24); true to 1e-6 for pixels of up to a kilometre.
    """
    x, y = lattice.centres(cols, rows)
    half = lattice.res_m / 2
    corners = (transformer(lattice.crs, WGS84).transform(x + i * half, y + j * half) for i, j in _CORNERS)
    (lon_sw, lat_sw), (lon_ne, lat_ne), (lon_nw, lat_nw), (lon_se, lat_se) = corners
    phi = np.radians((lat_sw + lat_ne + lat_nw + lat_se) / 4)
    bend = 1 - _GEOD.es * np.sin(phi) ** 2
    square_rad_m2 = _GEOD.a**2 * (1 - _GEOD.es) / bend**2 * np.cos(phi)  # meridian radius x radius of the parallel
    up, back = _turn(lon_ne - lon_sw), _turn(lon_nw - lon_se)
    cross = up * (lat_nw - lat_se) - back * (lat_ne - lat_sw)
    return np.asarray(np.abs(cross) / 2 * np.radians(1.0) ** 2 * square_rad_m2, np.float64)


def area_m2(geometry: BaseGeometry) -> float:
    """Geodesic area [m2] of a lon/lat geometry; holes are taken off, points and lines count 0."""
    return math.fsum(_polygon_area_m2(part) for part in polygons(geometry))


def areas_m2(geometries: Iterable[BaseGeometry]) -> FloatArray:
    """Geodesic area [m2] of each lon/lat geometry."""
    return np.array([area_m2(geometry) for geometry in geometries], np.float64)


def to_wgs84(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """Move the vertices of a geometry to lon/lat (WGS84); none is added."""
    return moved(geometry, crs, WGS84)


def moved(geometry: BaseGeometry, source: str, target: str) -> BaseGeometry:
    """Move the vertices of a geometry from one CRS to another."""
    change = transformer(source, target)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(points[:, 0], points[:, 1]))

    return shapely.transform(geometry, move)


def polygons(geometry: BaseGeometry) -> list[shapely.Polygon]:
    """Give all polygons of a geometry; collections may hold multipolygons."""
    flat = shapely.get_parts(shapely.get_parts(geometry))
    return [part for part in flat if isinstance(part, shapely.Polygon) and not part.is_empty]


def _polygon_area_m2(polygon: shapely.Polygon) -> float:
    shell, *holes = (_ring_area_m2(ring) for ring in (polygon.exterior, *polygon.interiors))
    return shell - math.fsum(holes)


def _ring_area_m2(ring: shapely.LinearRing) -> float:
    lon, lat = shapely.get_coordinates(ring).T
    return abs(float(_GEOD.polygon_area_perimeter(lon, lat)[0]))


def _turn(degrees: FloatArray) -> FloatArray:
    """Difference of longitudes in [-180, 180)."""
    return (degrees + 180) % 360 - 180
