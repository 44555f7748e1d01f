"""Which tiles cover an area of interest, and which of their pixels are inside it.

In: the AOI in lon/lat and the scenes. Out: tiles cut from fixed windows of one lattice (that of most scenes, or one per
UTM zone where they straddle zones), and a mask per tile. No pixel is in two tiles, none whose centre is in the AOI is
left out, and a pixel's answer never depends on the tile it is asked through.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geomon.errors import ConfigError
from geomon.grid.area import moved, polygons
from geomon.grid.lattice import WGS84, Lattice, Tile, canonical_crs, pixel_lonlat
from geomon.model import Scene

BoolArray = NDArray[np.bool_]

MAX_TILES: Final = 100_000
"""More is taken for a mistaken AOI: 100,000 tiles of 512 px are 2.6 million km2, four times the CAR."""

SNAP_PX: Final = 16
"""Tiles are cropped in steps of 16 px, so that 20 m and 40 m pixels stay whole; also the blocks `inside` works by."""

MAX_TILE_PX: Final = 8192

ZONE_SHARE: Final = 0.1
"""A UTM zone with a tenth of the leading zone's scenes gets a lattice of its own; fewer are strays, and resampled."""

_UTM_RES_M = 10.0
_UTM = re.compile(r"EPSG:32[67]\d\d")
_EDGE_DEG = (
    0.01  # AOI edges are straight in lon/lat (RFC 7946, 3.1.1); at this step they sag < 3 cm in UTM below 50 deg
)
_SEAM_DEG = 0.05  # a lattice keeps this much AOI beyond its 6-degree band, so that the pixels' longitude alone decides


def plan_grid(aoi: BaseGeometry, scenes: Sequence[Scene], *, tile_px: int) -> tuple[Tile, ...]:
    """Tiles that together hold every pixel whose centre lies in the AOI, each once.

    Parameters
    ----------
    aoi : shapely geometry
        Valid (Multi)Polygon, lon/lat WGS84.
    scenes : sequence of Scene
        Decide the lattice: that of most of them, or one per UTM zone of the AOI where they straddle zones.
    tile_px : int
        Side of the fixed windows [pixels], a multiple of 16; windows are aligned to the lattice's pixel (0, 0).

    Returns
    -------
    tuple of Tile
        Sorted by lattice, row, column; cropped to the AOI's bounding box; none without an AOI pixel.
    """
    if not (SNAP_PX <= tile_px <= MAX_TILE_PX and tile_px % SNAP_PX == 0):
        expected = f"a tile size that is a multiple of {SNAP_PX} px from {SNAP_PX} to {MAX_TILE_PX}"
        raise ConfigError(f"expected {expected}, got {tile_px}; choose 512 or 1024")
    if aoi.is_empty or aoi.geom_type not in ("Polygon", "MultiPolygon"):
        what = "an empty one" if aoi.is_empty else aoi.geom_type
        raise ConfigError(f"expected an AOI of polygons in lon/lat, got {what}; give at least one polygon")
    shared = _shared_lattice(scenes)
    lattices = (shared,) if shared else _utm_lattices(aoi)
    candidates: list[Tile] = []
    for lattice in lattices:
        candidates += _candidates(lattice, aoi, tile_px)
        if len(candidates) > MAX_TILES:
            raise _too_large(len(candidates), tile_px)
    tiles = [tile for tile in candidates if inside(tile, aoi).any()]
    if not tiles:
        message = "expected an AOI that holds at least one pixel centre, got one smaller than a pixel"
        raise ConfigError(f"{message}; draw a larger AOI")
    return tuple(sorted(tiles, key=lambda tile: (tile.lattice.name, tile.row, tile.col)))


def inside(tile: Tile, aoi: BaseGeometry) -> BoolArray:
    """Pixels of the tile whose centre lies in the AOI and, on a zoned lattice, in the lattice's own longitudes."""
    if _all_inside(tile, aoi):
        return np.ones(tile.shape, np.bool_)
    shape = _on_lattice(aoi, tile.lattice)
    mask = np.zeros(tile.shape, np.bool_)
    starts = (np.arange(0, tile.height, SNAP_PX), np.arange(0, tile.width, SNAP_PX))
    top, left = (axis.ravel() for axis in np.meshgrid(*starts, indexing="ij"))
    boxes = _boxes(tile.lattice, tile.col + left, tile.row + top, SNAP_PX)
    whole = shapely.contains_properly(shape, boxes)
    for block in np.flatnonzero(whole | shapely.intersects(shape, boxes)):
        window = (slice(top[block], top[block] + SNAP_PX), slice(left[block], left[block] + SNAP_PX))
        if whole[block]:
            mask[window] = True
        else:
            row, col = np.indices(mask[window].shape)
            x, y = tile.lattice.centres(tile.col + left[block] + col, tile.row + top[block] + row)
            mask[window] = shapely.contains_xy(shape, x, y)
    return mask if _owns_all(tile) else mask & _owned(tile)


def _shared_lattice(scenes: Sequence[Scene]) -> Lattice | None:
    """Give the lattice of most scenes; None where they straddle UTM zones, or say too little.

    A scene votes with its CRS, then those of the winning CRS with pixel size and phase; ties go to the first name. What
    lies elsewhere is resampled, so one odd item moves nothing.
    """
    systems = [canonical_crs(scene.crs) for scene in scenes]
    votes = Counter(systems)
    if not votes or _straddles(votes):
        return None
    crs = _most(votes)
    own = [_own_lattice(scene, crs) for scene, system in zip(scenes, systems, strict=True) if system == crs]
    grids = Counter(lattice for lattice in own if lattice is not None)
    names: Counter[str] = Counter()
    for lattice, count in grids.items():
        names[lattice.name] += count
    if not names:
        return None
    winner = _most(names)
    return min((g for g in grids if g.name == winner), key=lambda g: (-grids[g], g.x0, g.y0))


def _most(votes: Counter[str]) -> str:
    return min(votes, key=lambda name: (-votes[name], name))


def _straddles(votes: Counter[str]) -> bool:
    """Whether the leading CRS is a UTM zone and another zone has more than stray scenes.

    Shares are of the leading zone, so that many equal zones all count; a lone scene counts only against one other.
    """
    leader = max(votes.values())
    floor = min(leader, max(2, ZONE_SHARE * leader))
    zones = [crs for crs, count in votes.items() if _UTM.fullmatch(crs) and count >= floor]
    return _UTM.fullmatch(_most(votes)) is not None and len(zones) > 1


def _own_lattice(scene: Scene, crs: str) -> Lattice | None:
    """Give the lattice of a scene's finest upright bands; where it states none, its UTM zone's own, if it has one."""
    grids = (Affine(*asset.transform) for asset in scene.assets.values() if asset.transform is not None)
    finest = min((tuple(g) for g in grids if not (g.b or g.d) and 0 < g.a == -g.e), default=None)
    if finest is None:
        return Lattice(crs, _UTM_RES_M) if _UTM.fullmatch(crs) else None
    res, _, left, _, _, top, *_ = finest
    return Lattice(crs, res, _phase(left, res), _phase(top, res))


def _phase(origin: float, res: float) -> float:
    """Remainder in [0, res), to 1e-7 px, so that float noise neither moves the lattice nor leaves the range."""
    return round(origin / res % 1, 7) % 1 * res


def _utm_lattices(aoi: BaseGeometry) -> tuple[Lattice, ...]:
    """One lattice per 6-degree band that the AOI enters, all in the hemisphere of its middle."""
    _, south, _, north = aoi.bounds
    base = 32600 if south + north >= 0 else 32700
    zones = set()
    for part in polygons(aoi):
        west, _, east, _ = part.bounds
        span = range(_zone(west), _zone(east) + 1)
        zones |= {zone for zone in span if part.intersects(shapely.box(6 * zone - 186, -90, 6 * zone - 180, 90))}
    return tuple(
        Lattice(f"EPSG:{base + z}", _UTM_RES_M, lon_range=(6.0 * z - 186, 6.0 * z - 180)) for z in sorted(zones)
    )


def _zone(lon: float) -> int:
    return min(max(math.floor((lon + 180) / 6) + 1, 1), 60)


def _candidates(lattice: Lattice, aoi: BaseGeometry, tile_px: int) -> list[Tile]:
    """Fixed windows that the AOI touches, cropped to its bounding box."""
    shape = _on_lattice(aoi, lattice)
    spans = [_index_span(lattice, part.bounds, tile_px) for part in polygons(shape)]
    count = sum((right - left) * (bottom - top) for left, top, right, bottom in spans)
    if count > 10 * MAX_TILES:
        raise _too_large(count, tile_px)
    indices = {(r, c) for left, top, right, bottom in spans for r in range(top, bottom) for c in range(left, right)}
    if not indices:
        return []
    cells = np.array(sorted(indices), np.int64) * tile_px
    touched = cells[shapely.intersects(shape, _boxes(lattice, cells[:, 1], cells[:, 0], tile_px))]
    left, top, right, bottom = (SNAP_PX * edge for edge in _index_span(lattice, shape.bounds, SNAP_PX))
    tiles = []
    for row, col in touched.tolist():
        west, north = max(col, left), max(row, top)
        width, height = min(col + tile_px, right) - west, min(row + tile_px, bottom) - north
        tiles.append(Tile(lattice, west, north, width, height, tile_px))
    return tiles


def _index_span(lattice: Lattice, bounds: Sequence[float], step: int) -> tuple[int, int, int, int]:
    """Half-open span (left, top, right, bottom) of the cells of `step` pixels that hold the bounds."""
    west, south, east, north = bounds
    side = lattice.res_m * step
    left, top = math.floor((west - lattice.x0) / side), math.floor((lattice.y0 - north) / side)
    return left, top, math.floor((east - lattice.x0) / side) + 1, math.floor((lattice.y0 - south) / side) + 1


def _too_large(count: int, tile_px: int) -> ConfigError:
    message = f"expected an AOI of at most {MAX_TILES} tiles of {tile_px} px, got {count} or more"
    return ConfigError(f"{message}; draw a smaller AOI or split the job", tiles=count)


def _boxes(lattice: Lattice, cols: NDArray[np.int64], rows: NDArray[np.int64], side_px: int) -> NDArray[Any]:
    x, y = lattice.x0 + cols * lattice.res_m, lattice.y0 - rows * lattice.res_m
    side = side_px * lattice.res_m
    return np.asarray(shapely.box(x, y - side, x + side, y))


def _all_inside(tile: Tile, aoi: BaseGeometry) -> bool:
    shape = _on_lattice(aoi, tile.lattice)
    return bool(shapely.contains_properly(shape, shapely.box(*tile.bounds))) and _owns_all(tile)


def _owns_all(tile: Tile) -> bool:
    """Whether every pixel is the lattice's own; in a UTM zone longitude grows along each row, so the edges tell."""
    if tile.lattice.lon_range is None:
        return True
    low, high = tile.lattice.lon_range
    rows = np.arange(tile.row, tile.row + tile.height)
    west, _ = pixel_lonlat(tile.lattice, np.full(rows.shape, tile.col), rows)
    east, _ = pixel_lonlat(tile.lattice, np.full(rows.shape, tile.col + tile.width - 1), rows)
    return bool(np.all((west >= low) & (west < high) & (east >= low) & (east < high)))


def _owned(tile: Tile) -> BoolArray:
    low, high = tile.lattice.lon_range or (-math.inf, math.inf)
    cols = np.arange(tile.col, tile.col + tile.width)
    rows = np.arange(tile.row, tile.row + tile.height)[:, None]
    lon, _ = pixel_lonlat(tile.lattice, *np.broadcast_arrays(cols, rows))
    return np.asarray((lon >= low) & (lon < high))


@lru_cache(maxsize=64)  # there are 60 UTM zones
def _on_lattice(aoi: BaseGeometry, lattice: Lattice) -> BaseGeometry:
    """Give the AOI in the lattice's CRS, prepared and asked once, so that threads only read it."""
    if lattice.lon_range is not None:
        low, high = lattice.lon_range
        aoi = aoi.intersection(shapely.box(low - _SEAM_DEG, -90, high + _SEAM_DEG, 90))
    shape = moved(shapely.segmentize(aoi, _EDGE_DEG), WGS84, lattice.crs)
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        message = f"expected an AOI that the scenes' CRS {lattice.crs[:60]} can hold, got one with bounds {aoi.bounds}"
        raise ConfigError(f"{message}; check the AOI and the collections")
    shapely.prepare(shape)
    shapely.intersects(shape, shapely.box(0, 0, 1, 1))
    shapely.contains_xy(shape, 0.0, 0.0)
    return shape
