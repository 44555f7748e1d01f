"""A look at a tile: its scenes read, masked and laid over each other.

In: a look, a tile, the bands wanted. Out: `LookRead`: reflectance and quality of the tile's pixels, the scenes that
could not be read, every read's record. The scene classification is read first; where it leaves nothing usable in the
tile, the bands are not read at all, and where only clouds are left that their colour may overrule, blue and red are
read first and the others if it does. Reflectance is kept only where the quality is CLEAR or DOUBTFUL, so a pixel's
answer does not depend on what else its tile holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geomon.cube.assets import Pixels, ReadRecord, Want, fetch, is_remote
from geomon.grid import Tile, bounds_in
from geomon.kernels import quality as codes
from geomon.kernels.spectra import NODATA_REFLECTANCE, UNIT
from geomon.model import Asset, Look, Scene
from geomon.sensors import QA_BAND

REFLECTANCE_RANGE: Final = (-0.2, 2.0)
"""Beyond it a reflectance says only "very dark" or "saturated" (Sen2Cor's DN 65535 would be 6.5): clipped."""

_SCL_CLASSES = 12
_UNITS = 10_000.0
_REMOTE_THREADS = 8
_COLOUR = ("blue", "red")
"""What a second opinion on a cloud needs; without either, the scene classification is believed."""
_OUTLINE_MARGIN_DEG = 0.02  # item outlines are simplified, by up to some hundred metres
_USABLE = (codes.DOUBTFUL, codes.CLEAR)

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LookArrays:
    """A look on a tile.

    Parameters
    ----------
    day : int
        Days since 1970-01-01.
    sensor : str
    bands : tuple of str
        Band order of `reflectance`, as asked for.
    reflectance : int16, shape (len(bands), h, w)
        Units of 1e-4; `NODATA_REFLECTANCE` where the quality is neither CLEAR nor DOUBTFUL, or a band is lacking.
    quality : uint8, shape (h, w)
        Codes of `geomon.kernels.quality`; MISSING where a scene failed and no other scene has data.
    """

    day: int
    sensor: str
    bands: tuple[str, ...]
    reflectance: NDArray[np.int16]
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class LookRead:
    """What came of a look: `look` holds the scenes that touch the tile and did not fail; no arrays if none is left."""

    look: Look
    arrays: LookArrays | None
    failed: tuple[str, ...]
    records: tuple[ReadRecord, ...]
    bytes_blocks: int


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is asked of a look: bands, the pixels that matter, the quality codes that are worth their bands."""

    bands: tuple[str, ...]
    inside: BoolArray | None = None
    wanted: tuple[int, ...] = _USABLE
    threads: int | None = None
    timeout_s: float = 20.0


def read_look(
    look: Look,
    tile: Tile,
    *,
    bands: tuple[str, ...],
    inside: BoolArray | None = None,
    threads: int | None = None,
    timeout_s: float = 20.0,
) -> LookRead:
    """Read a look on a tile.

    Parameters
    ----------
    look : Look
    tile : Tile
    bands : tuple of str
        Common names; a scene that lacks one gives NODATA_REFLECTANCE for it.
    inside : bool, shape (h, w), optional
        Pixels that matter: a scene with nothing usable among them has its bands left unread.
    threads : int, optional
        Reads at once within a scene; default 1 for local files, 8 for http(s).
    timeout_s : float
        Longest wait for one answer of a server [s].

    Returns
    -------
    LookRead
        A read that fails is a record and a failed scene, never an exception and never "no data".
    """
    return read_order(look, tile, order=Order(bands, inside, threads=threads, timeout_s=timeout_s))


def read_order(look: Look, tile: Tile, *, order: Order) -> LookRead:
    """Read a look on a tile as ordered (`read_look` says how)."""
    mosaic = _Mosaic(tile, order)
    taken = tuple(scene for scene in touching_scenes(look, tile) if mosaic.add(scene))
    if mosaic.failed:
        mosaic.quality[mosaic.quality == codes.NODATA] = codes.MISSING
    arrays = LookArrays(look.day, look.sensor, order.bands, mosaic.reflectance, mosaic.quality)
    return LookRead(
        look=replace(look, scenes=taken),
        arrays=arrays if taken else None,
        failed=tuple(mosaic.failed),
        records=tuple(mosaic.records),
        bytes_blocks=mosaic.bytes_blocks,
    )


def touching_scenes(look: Look, tile: Tile) -> tuple[Scene, ...]:
    """Scenes of the look whose rasters reach into the tile, by their metadata alone."""
    return tuple(scene for scene in look.scenes if _touches(scene, tile))


def estimate_bytes(look: Look, tile: Tile, bands: Sequence[str]) -> int:
    """Most that reading a look would decode [bytes], with no I/O: two bytes a pixel of every band and the QA band."""
    total = 0.0
    for scene in touching_scenes(look, tile):
        assets = [scene.assets[band] for band in (*bands, QA_BAND) if band in scene.assets]
        total += sum(2 * tile.width * tile.height / _coarser(asset, tile) ** 2 for asset in assets)
    return round(total)


def _coarser(asset: Asset, tile: Tile) -> float:
    """How many tile pixels a pixel of the asset is wide (1 where that is not known, or finer)."""
    return max(abs(asset.transform[0]) / tile.lattice.res_m, 1.0) if asset.transform else 1.0


def _touches(scene: Scene, tile: Tile) -> bool:
    known = [asset for asset in scene.assets.values() if asset.transform and asset.shape]
    if known:
        bounds = bounds_in(tile, scene.crs)
        return bounds is not None and any(_overlap(_raster_bounds(asset), bounds) for asset in known)
    bounds = bounds_in(tile, "EPSG:4326")
    if bounds is None or not scene.outline:
        return bounds is not None
    lon, lat = ([point[axis] for point in scene.outline] for axis in (0, 1))
    margin = _OUTLINE_MARGIN_DEG
    return _overlap((min(lon) - margin, min(lat) - margin, max(lon) + margin, max(lat) + margin), bounds)


def _raster_bounds(asset: Asset) -> tuple[float, float, float, float]:
    height, width = asset.shape or (0, 0)
    grid = Affine(*asset.transform) if asset.transform else Affine.identity()
    xs, ys = zip(*(grid @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@dataclass(frozen=True, slots=True, eq=False)
class _Sky:
    """What the scene classification says: quality codes, and where the pixel's own colour may overrule a cloud."""

    quality: NDArray[np.uint8]
    contested: BoolArray


class _Mosaic:
    """The tile as seen so far: CLEAR beats DOUBTFUL beats CLOUDED beats NODATA (codes rise so); a tie, the first."""

    def __init__(self, tile: Tile, order: Order) -> None:
        self.tile = tile
        self.order = order
        self.worth = np.isin(np.arange(256), order.wanted)  # by quality code
        self.inside = np.ones(tile.shape, np.bool_) if order.inside is None else order.inside
        self.quality = np.full(tile.shape, codes.NODATA, np.uint8)
        self.reflectance = np.full((len(order.bands), *tile.shape), NODATA_REFLECTANCE, np.int16)
        self.records: list[ReadRecord] = []
        self.failed: list[str] = []
        self.bytes_blocks = 0

    def add(self, scene: Scene) -> bool:
        """Lay a scene over the tile where it is better; if one of its reads failed, keep nothing and say False."""
        if bool(np.all(self.quality[self.inside] == codes.CLEAR)):
            return True
        sky = self._sky(scene)
        planes = self._planes(scene, sky) if sky is not None else None
        if sky is None or planes is None:
            self.failed.append(scene.id)
            return False
        quality = sky.quality
        better = quality > self.quality
        self.quality[better] = quality[better]
        better &= self.worth[quality]
        for index, band in enumerate(self.order.bands):
            np.copyto(self.reflectance[index], planes.get(band, NODATA_REFLECTANCE), where=better)
        return True

    def _sky(self, scene: Scene) -> _Sky | None:
        if QA_BAND not in scene.assets:
            message = f"expected a {QA_BAND} asset to tell cloud from ground, the scene has none; leave it out"
            self.records.append(ReadRecord(scene.id, QA_BAND, False, 0, 0.0, message))
            return None
        pixels = self._fetch(scene, (QA_BAND,), Want(self.tile, codes.HALO_PX, "nearest", self.order.timeout_s))
        if pixels is None:
            return None
        scl = pixels[QA_BAND]
        known = scl.valid & (scl.values >= 0) & (scl.values < _SCL_CLASSES)
        classes = np.where(known, scl.values, 0).astype(np.uint8)
        quality = codes.quality_from_scl(classes)
        return _Sky(quality, codes.contestable(classes) & (quality == codes.CLOUDED))

    def _planes(self, scene: Scene, sky: _Sky) -> dict[str, NDArray[np.int16]] | None:
        """Reflectance by band, none where nothing is worth it; `sky.quality` is amended. None if a read failed."""
        present = tuple(band for band in self.order.bands if band in scene.assets)
        colour = _COLOUR if set(_COLOUR) <= set(present) else ()
        first: dict[str, Pixels] = {}
        if not self._promises(sky.quality):
            if not (colour and np.any(sky.contested & self.inside & (self.quality < codes.DOUBTFUL))):
                return {}
            seen = self._read(scene, colour)
            if seen is None or not self._promises(_amended(sky, scene, seen)):
                return None if seen is None else {}
            first = seen
        rest = self._read(scene, tuple(band for band in present if band not in first))
        if rest is None:
            return None
        read = {**first, **rest}
        if colour:
            sky.quality[:] = _amended(sky, scene, read)
        valid = np.full(self.tile.shape, bool(present) or not self.order.bands)
        for pixels in read.values():
            valid &= pixels.valid
        sky.quality[~valid & self.worth[sky.quality]] = codes.NODATA
        return {band: _reflectance(pixels, scene.assets[band]) for band, pixels in read.items()}

    def _promises(self, quality: NDArray[np.uint8]) -> bool:
        """Whether a scene of this quality is better than what is there, somewhere that matters, and worth its bands."""
        return bool(np.any(self.worth[quality] & self.inside & (quality > self.quality)))

    def _read(self, scene: Scene, bands: tuple[str, ...]) -> dict[str, Pixels] | None:
        return self._fetch(scene, bands, Want(self.tile, 0, "bilinear", self.order.timeout_s))

    def _fetch(self, scene: Scene, bands: tuple[str, ...], want: Want) -> dict[str, Pixels] | None:
        """Read bands of a scene, several at once if so ordered; stops at the first failure when one by one."""
        threads = self.order.threads or (_REMOTE_THREADS if any(is_remote(scene.assets[b]) for b in bands) else 1)
        found: dict[str, Pixels] = {}
        if threads > 1 and len(bands) > 1:
            with ThreadPoolExecutor(min(threads, len(bands))) as pool:
                results = list(pool.map(lambda band: fetch(scene, band, want), bands))
        else:
            results = []
            for band in bands:
                results.append(fetch(scene, band, want))
                if results[-1][1] is None:
                    break
        for record, pixels in results:
            self.records.append(record)
            if pixels is not None:
                found[record.band] = pixels
                self.bytes_blocks += pixels.bytes_blocks
        return found if len(found) == len(bands) else None


def _amended(sky: _Sky, scene: Scene, read: dict[str, Pixels]) -> NDArray[np.uint8]:
    """Quality where contested clouds that are soil or turbid water by their colour are DOUBTFUL."""
    if not sky.contested.any():
        return sky.quality
    blue, red = (_reflectance(read[band], scene.assets[band]) for band in _COLOUR)
    ground = codes.is_ground(blue, red, unit=UNIT) & read["blue"].valid & read["red"].valid
    return np.where(sky.contested & ground, np.uint8(codes.DOUBTFUL), sky.quality)


def _reflectance(pixels: Pixels, asset: Asset) -> NDArray[np.int16]:
    """Digital numbers as reflectance in units of 1e-4, clipped to what a surface can show."""
    low, high = (limit * _UNITS for limit in REFLECTANCE_RANGE)
    scaled = pixels.values.astype(np.float32)
    scaled *= np.float32(asset.scale * _UNITS)
    scaled += np.float32(asset.offset * _UNITS)
    np.clip(np.rint(scaled, out=scaled), low, high, out=scaled)
    out = np.where(pixels.valid, scaled, np.float32(NODATA_REFLECTANCE))
    return out.astype(np.int16)
