"""Fixed tiles of one pixel lattice over an area of interest, and every measure of area.

In: an AOI (lon/lat polygons) and the scenes that will be read. Out: tiles (windows of integer lattice indices with a
stable name), which of their pixels lie inside the AOI, coordinates of pixels, areas on the ellipsoid. Nothing is read
from disk here and no pixel value is known. Every answer about a pixel is computed from its lattice index alone, so it
is the same whatever the tiling.
"""

from geomon.grid.area import area_m2, areas_m2, pixel_area_m2, to_wgs84
from geomon.grid.lattice import Alignment, Lattice, Tile, align, bounds_in, canonical_crs, centres_in, pixel_lonlat
from geomon.grid.tiles import MAX_TILES, SNAP_PX, inside, plan_grid

__all__ = [
    "MAX_TILES",
    "SNAP_PX",
    "Alignment",
    "Lattice",
    "Tile",
    "align",
    "area_m2",
    "areas_m2",
    "bounds_in",
    "canonical_crs",
    "centres_in",
    "inside",
    "pixel_area_m2",
    "pixel_lonlat",
    "plan_grid",
    "to_wgs84",
]
