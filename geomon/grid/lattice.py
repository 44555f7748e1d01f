"""The lattice, its windows, and where their pixels lie in any CRS.

In: integer lattice indices. Out: coordinates of corners and centres, in the lattice's CRS or another, and whether a
raster's pixels are whole lattice pixels. What an AOI is, and what a pixel holds, is not known here.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import shapely
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from geomon.errors import GridMismatch

FloatArray = NDArray[np.float64]

WGS84: Final = "EPSG:4326"
SAME_PX: Final = 0.01
"""Two grids are one lattice when they agree to a hundredth of a pixel: items round their origins to millimetres."""

_EDGE_STEPS = 32  # points per tile edge when bounds are carried to another CRS


@dataclass(frozen=True, slots=True)
class Lattice:
    """An unbounded grid of square pixels in one CRS: upper-left corners at `x0 + col * res_m`, `y0 - row * res_m`.

    Parameters
    ----------
    crs : str
        "EPSG:n" or WKT.
    res_m : float
        Pixel side in units of the CRS (metres but for geographic CRSs).
    x0, y0 : float
        Phase: upper-left corner of pixel (0, 0), each in [0, res_m). Rows grow southwards: negative in the north.
    lon_range : (float, float), optional
        The lattice owns only pixels whose centre's longitude lies in [low, high).
    """

    crs: str
    res_m: float
    x0: float = 0.0
    y0: float = 0.0
    lon_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        sane = math.isfinite(self.res_m) and 0 <= self.x0 < self.res_m and 0 <= self.y0 < self.res_m
        if not sane:
            message = f"expected a pixel side > 0 and a phase within it, got {self.res_m}, {self.x0}, {self.y0}"
            raise GridMismatch(f"{message}; check proj:transform of the items")

    @property
    def name(self) -> str:
        """File-safe name, e.g. "32633-10m"; the phase follows in thousandths of a pixel where it is not zero."""
        epsg = re.fullmatch(r"EPSG:(\d{1,9})", self.crs)
        where = epsg[1] if epsg else "w" + hashlib.sha256(self.crs.encode()).hexdigest()[:8]
        side = f"{self.res_m:g}".replace(".", "p").replace("+", "")
        phase = [round(1000 * offset / self.res_m) for offset in (self.x0, self.y0)]
        return f"{where}-{side}m" + (f"-p{phase[0]:03d}-{phase[1]:03d}" if any(phase) else "")

    @property
    def transform(self) -> Affine:
        """Affine of the pixel (0, 0): (col, row) -> (x, y)."""
        return Affine(self.res_m, 0.0, self.x0, 0.0, -self.res_m, self.y0)

    def centres(self, cols: ArrayLike, rows: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """CRS coordinates of pixel centres."""
        x = self.x0 + (np.asarray(cols, np.float64) + 0.5) * self.res_m
        y = self.y0 - (np.asarray(rows, np.float64) + 0.5) * self.res_m
        return x, y


@dataclass(frozen=True, slots=True)
class Tile:
    """A window of a lattice: upper-left pixel and size; `size_px` is the side of the fixed window it is cut from."""

    lattice: Lattice
    col: int
    row: int
    width: int
    height: int
    size_px: int = 512

    @property
    def name(self) -> str:
        """Stable file-safe name by the fixed window's index (never by the crop), e.g. "32633-10m_c00078_r-0085"."""
        return f"{self.lattice.name}_c{self.col // self.size_px:05d}_r{self.row // self.size_px:05d}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def transform(self) -> Affine:
        """Affine of the tile's upper-left pixel."""
        left, _, _, top = self.bounds
        return Affine(self.lattice.res_m, 0.0, left, 0.0, -self.lattice.res_m, top)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """CRS coordinates (left, bottom, right, top)."""
        grid = self.lattice
        left, right = (grid.x0 + col * grid.res_m for col in (self.col, self.col + self.width))
        top, bottom = (grid.y0 - row * grid.res_m for row in (self.row, self.row + self.height))
        return left, bottom, right, top

    def centres(self, pad: int = 0) -> tuple[FloatArray, FloatArray]:
        """CRS coordinates of the centres of all pixels and of `pad` pixels around, each (h + 2 pad, w + 2 pad)."""
        cols = np.arange(self.col - pad, self.col + self.width + pad)
        rows = np.arange(self.row - pad, self.row + self.height + pad)
        mesh_row, mesh_col = np.meshgrid(rows, cols, indexing="ij")
        return self.lattice.centres(mesh_col, mesh_row)


@dataclass(frozen=True, slots=True)
class Alignment:
    """A raster whose pixels are `ratio` x `ratio` lattice pixels; `col`, `row`: index of its upper-left corner."""

    ratio: int
    col: int
    row: int


def align(lattice: Lattice, transform: Affine) -> Alignment | None:
    """Where a raster (in the lattice's CRS) lies on the lattice; None if its pixels are not whole lattice pixels."""
    if transform.b or transform.d or not 0 < transform.a == -transform.e:
        return None
    ratio = transform.a / lattice.res_m
    col = (transform.c - lattice.x0) / lattice.res_m
    row = (lattice.y0 - transform.f) / lattice.res_m
    off = max(abs(col - round(col)), abs(row - round(row)))
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 or off > SAME_PX:
        return None
    return Alignment(round(ratio), round(col), round(row))


@lru_cache(maxsize=256)
def canonical_crs(crs: str) -> str:
    """One spelling per CRS: "EPSG:n" where it is one, else WKT."""
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as err:
        message = f"expected a CRS (EPSG code or WKT), got {crs[:80]!r}; correct the item's projection"
        raise GridMismatch(message) from err
    code = parsed.to_epsg(min_confidence=100)
    return f"EPSG:{code}" if code else str(parsed.to_wkt())


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Transformer:
    """Transform from one CRS to another, x before y in both; one per thread inside (pyproj sees to it)."""
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=4096)
def bounds_in(tile: Tile, crs: str) -> tuple[float, float, float, float] | None:
    """Bounds of the tile in another CRS (its edges sampled), or None where that CRS cannot hold it."""
    if canonical_crs(crs) == canonical_crs(tile.lattice.crs):
        return tile.bounds
    step = max(tile.shape) * tile.lattice.res_m / _EDGE_STEPS
    edge = shapely.get_coordinates(shapely.segmentize(shapely.box(*tile.bounds), step))
    x, y = transformer(tile.lattice.crs, crs).transform(edge[:, 0], edge[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


@lru_cache(maxsize=4)
def centres_in(tile: Tile, crs: str, pad: int) -> tuple[FloatArray, FloatArray]:
    """Centres of the tile's pixels and of `pad` around in another CRS, inf where there are none.

    Kept for the next look at the same tile, so the arrays are read-only.
    """
    x, y = tile.centres(pad)
    if canonical_crs(crs) != canonical_crs(tile.lattice.crs):
        x, y = transformer(tile.lattice.crs, crs).transform(x, y)
    for axis in (x, y):
        axis.flags.writeable = False
    return x, y


def pixel_lonlat(lattice: Lattice, cols: ArrayLike, rows: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude [degrees, WGS84] of pixel centres."""
    lon, lat = transformer(lattice.crs, WGS84).transform(*lattice.centres(cols, rows))
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)
