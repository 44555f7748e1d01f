"""One asset of one scene, read onto one tile.

In: an asset's address and what its item says of it. Out: its numbers at the tile's pixels with a mask of the valid
ones, or the reason why not. Only plain rasters are opened (GeoTIFF, JPEG 2000), by path or http(s): no virtual formats,
no GDAL connection strings. Numbers stay digital numbers: scale and offset are applied by the caller.

Settings and retries follow measurements: GDAL has no time-out of its own, remembers a failed open for the life of the
process, and with threads drops retries (stack.md, section 3).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from geomon.errors import AssetUnreadable, DataError, GridMismatch
from geomon.grid import Alignment, Tile, align, canonical_crs, centres_in
from geomon.kernels import resample
from geomon.model import Asset, Scene

TRIES: Final = 2
PAUSE_S: Final = 0.3
MAX_BLOCK_PX: Final = 2**26
"""A raster that must be decoded in larger pieces than 8192 x 8192 px is refused: it would exhaust the memory."""

_LOCAL: Final[Mapping[str, Any]] = MappingProxyType(
    {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "GDAL_NUM_THREADS": "1"}
)
_REMOTE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **_LOCAL,
        "GDAL_HTTP_MAX_RETRY": 3,
        "GDAL_HTTP_RETRY_DELAY": 0.5,
        "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
        "GDAL_HTTP_CONNECTTIMEOUT": 5,
        "GDAL_HTTP_LOW_SPEED_LIMIT": 20000,
    }
)
_AGAIN: Final[Mapping[str, Any]] = MappingProxyType({"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/"})
FloatArray = NDArray[np.float64]
_FOREIGN = (RasterioError, OSError, CPLE_BaseError, CRSError, NotGeoreferencedWarning)


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """What became of one read: the ledger's row."""

    scene: str
    band: str
    ok: bool
    tries: int
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Digital numbers on a tile and its halo; `valid` is False where there are none, `bytes_blocks` was decoded."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    bytes_blocks: int


@dataclass(frozen=True, slots=True)
class Want:
    """What to read: the tile, `halo` pixels around it, how to resample where grids differ, how long to wait."""

    tile: Tile
    halo: int
    resampling: Literal["nearest", "bilinear"]
    timeout_s: float


def is_remote(asset: Asset) -> bool:
    """Whether the asset is read over the network."""
    return asset.href.startswith(("http://", "https://"))


def fetch(scene: Scene, band: str, want: Want) -> tuple[ReadRecord, Pixels | None]:
    """Read one band of a scene, trying twice; the record says why there are no pixels."""
    start = time.monotonic()
    asset = scene.assets[band]
    error = ""
    for attempt in range(1, TRIES + 1):
        try:
            with rasterio.Env(**_options(asset, want, attempt)):
                pixels = _read(scene, asset, want)
        except DataError as err:  # what the raster is will not change by asking again
            return ReadRecord(scene.id, band, False, attempt, time.monotonic() - start, _reason(err)), None
        except (AssetUnreadable, *_FOREIGN) as err:
            error = _reason(err)
            if attempt < TRIES and is_remote(asset):
                time.sleep(PAUSE_S)
        else:
            return ReadRecord(scene.id, band, True, attempt, time.monotonic() - start, error), pixels
    return ReadRecord(scene.id, band, False, TRIES, time.monotonic() - start, error), None


def _options(asset: Asset, want: Want, attempt: int) -> dict[str, Any]:
    if not is_remote(asset):
        return dict(_LOCAL)
    limits = {"GDAL_HTTP_TIMEOUT": math.ceil(want.timeout_s), "GDAL_HTTP_LOW_SPEED_TIME": math.ceil(want.timeout_s / 4)}
    return {**_REMOTE, **limits, **(_AGAIN if attempt > 1 else {})}


def _reason(err: BaseException) -> str:
    """Cause in one printable line, without the query of an address (it may hold a token)."""
    text = re.sub(r"\?[^\s'\"]+", "?...", f"{type(err).__name__}: {err}")
    return "".join(char if char.isprintable() else " " for char in text)[:300]


def _read(scene: Scene, asset: Asset, want: Want) -> Pixels:
    with rasterio.open(_address(asset), driver=_driver(asset)) as dataset:
        _check(dataset, scene, asset)
        nodata = {value for value in (asset.nodata, dataset.nodata) if value is not None}
        place = None
        if canonical_crs(scene.crs) == canonical_crs(want.tile.lattice.crs):
            place = align(want.tile.lattice, dataset.transform)
        if place is not None:
            return _aligned(dataset, want, place, nodata)
        return _resampled(dataset, want, scene.crs, nodata)


def _driver(asset: Asset) -> str:
    """Name the one driver that may try the file: a file that is something else (a VRT, say) does not open."""
    return "JP2OpenJPEG" if asset.href.partition("?")[0].lower().endswith(".jp2") else "GTiff"


def _address(asset: Asset) -> str | Path:
    """Give what may be opened: an http(s) address, or a regular file as a Path, which is taken for nothing else."""
    href = asset.href
    if is_remote(asset):
        return href
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", href) or href.startswith(("/vsi", "<")) or not href.isprintable():
        raise GridMismatch(f"expected a file path or http(s) address, got {href[:80]!r}; correct the item's href")
    path = Path(href)
    if not path.is_file():
        raise AssetUnreadable(f"expected a raster file, got nothing at {href[:200]!r}; run again when it is there")
    return path


def _check(dataset: Any, scene: Scene, asset: Asset) -> None:
    """Refuse a raster that is not what its item says: it would be put in the wrong place without a word."""
    problems = {
        "one band": dataset.count == 1,
        "integer or float numbers": np.dtype(dataset.dtypes[0]).kind in "uif",
        f"blocks of at most {MAX_BLOCK_PX} px": math.prod(dataset.block_shapes[0]) <= MAX_BLOCK_PX,
        f"CRS {scene.crs[:60]}": dataset.crs is not None and _same_crs(scene.crs, dataset.crs.to_wkt()),
        f"size {asset.shape}": asset.shape is None or tuple(asset.shape) == tuple(dataset.shape),
        f"transform {asset.transform}": asset.transform is None or _same_grid(asset, dataset.transform),
        "finite scale and offset": math.isfinite(asset.scale) and math.isfinite(asset.offset),
    }
    for expected, holds in problems.items():
        if not holds:
            crs = dataset.crs.to_string()[:60] if dataset.crs else None
            found = f"{dataset.count} x {dataset.dtypes[0]}, {dataset.shape}, {crs}, {tuple(dataset.transform)[:6]}"
            raise GridMismatch(f"expected {expected}, got {found}; item and raster disagree, the scene is left out")


@lru_cache(maxsize=256)
def _same_crs(said: str, found_wkt: str) -> bool:
    found = CRS.from_wkt(found_wkt)
    expected = CRS.from_user_input(canonical_crs(said))
    return bool(expected == found) or (expected.to_epsg() is not None and expected.to_epsg() == found.to_epsg())


def _same_grid(asset: Asset, found: Affine) -> bool:
    """Whether item and raster put their corners within a tenth of a pixel of each other."""
    said = Affine(*asset.transform) if asset.transform else found
    height, width = asset.shape or (1, 1)
    corners = ((0, 0), (width, 0), (0, height), (width, height))
    off = max(abs(side) for c in corners for side in np.subtract(~found @ (said @ c), c))
    return bool(off < 0.1)


def _aligned(dataset: Any, want: Want, place: Alignment, nodata: set[float]) -> Pixels:
    """Plain window of a raster that lies on the lattice; coarser pixels are repeated, so nothing is resampled."""
    tile, halo, ratio = want.tile, want.halo, place.ratio
    rows = _Overlap.of(tile.row - halo - place.row, tile.height + 2 * halo, dataset.height, ratio)
    cols = _Overlap.of(tile.col - halo - place.col, tile.width + 2 * halo, dataset.width, ratio)
    shape = (tile.height + 2 * halo, tile.width + 2 * halo)
    values, valid = np.zeros(shape, dataset.dtypes[0]), np.zeros(shape, np.bool_)
    if not (rows.count and cols.count):
        return Pixels(values, valid, 0)
    block = _load(dataset, (rows.first, rows.count), (cols.first, cols.count), nodata)
    target, source = (rows.target, cols.target), (rows.source, cols.source)
    values[target] = block.values.repeat(ratio, 0).repeat(ratio, 1)[source] if ratio > 1 else block.values
    valid[target] = block.valid.repeat(ratio, 0).repeat(ratio, 1)[source] if ratio > 1 else block.valid
    return Pixels(values, valid, block.bytes_blocks)


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Along one axis: the raster's pixels to read, where they go in the tile, what is cut off after repeating them."""

    first: int
    count: int
    target: slice
    source: slice

    @classmethod
    def of(cls, start: int, length: int, size: int, ratio: int) -> _Overlap:
        """Overlap of a tile that starts `start` lattice pixels after a raster of `size` pixels of `ratio` each."""
        low, high = max(start, 0), min(start + length, size * ratio)
        if high <= low:
            return cls(0, 0, slice(0), slice(0))
        first, stop = low // ratio, -(-high // ratio)
        source = slice(low - first * ratio, high - first * ratio)
        return cls(first, stop - first, slice(low - start, high - start), source)


def _resampled(dataset: Any, want: Want, crs: str, nodata: set[float]) -> Pixels:
    """Raster of another grid, at the tile's pixel centres."""
    x, y = centres_in(want.tile, crs, want.halo)
    grid = ~dataset.transform
    col, row = grid.a * x + grid.b * y + grid.c, grid.d * x + grid.e * y + grid.f
    block = _load(dataset, _span(row, dataset.height), _span(col, dataset.width), nodata)
    values = block.values.astype(np.float32)
    at = resample.nearest if want.resampling == "nearest" else resample.bilinear
    found, known = at(values, block.valid, corner=(block.top, block.left), row=row, col=col)
    return Pixels(found, known, block.bytes_blocks)


def _span(position: FloatArray, size: int) -> tuple[int, int]:
    """First raster index that positions ask for, and how many from there, with a pixel to spare on both sides."""
    there = position[np.isfinite(position)]
    if not there.size:
        return 0, 0
    first = max(math.floor(there.min()) - 1, 0)
    return first, max(min(math.floor(there.max()) + 2, size) - first, 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """A window of the raster as read; it starts at (`top`, `left`)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    top: int
    left: int
    bytes_blocks: int


def _load(dataset: Any, rows: tuple[int, int], cols: tuple[int, int], nodata: set[float]) -> _Block:
    (top, height), (left, width) = rows, cols
    if not (height and width):
        return _Block(np.zeros((1, 1), dataset.dtypes[0]), np.zeros((1, 1), np.bool_), 0, 0, 0)
    values = dataset.read(1, window=Window(left, top, width, height))
    valid = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, np.bool_)
    for value in nodata:
        if math.isfinite(value):
            valid &= values != value
    return _Block(values, valid, top, left, _bytes_blocks(dataset, rows, cols))


def _bytes_blocks(dataset: Any, rows: tuple[int, int], cols: tuple[int, int]) -> int:
    """Compressed bytes of the blocks that the window touches; decoded pixels where the format does not tell."""
    high, wide = dataset.block_shapes[0]
    down, across = (range(at // side, (at + n - 1) // side + 1) for (at, n), side in ((rows, high), (cols, wide)))
    try:
        return sum(int(dataset.block_size(1, row, col)) for row in down for col in across)
    except (RasterioError, CPLE_BaseError, TypeError):
        return rows[1] * cols[1]
