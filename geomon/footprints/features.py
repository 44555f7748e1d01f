"""What attribution asks of an object, worked out from its pixels: cover, growth, fate, shape, place.

In: the pixel table, objects, and perhaps the lie of the land. Out: `ObjectFeatures`, one per object.
Each number says what was seen; what it means is decided in `kernels.attribute`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geomon.footprints.objects import ConfirmedObject, dug_share, known_share
from geomon.footprints.outlines import extent_m, length_m, width_m
from geomon.footprints.pixels import UNKNOWN, ChangePixels, Floats, Ints, Mesh
from geomon.kernels.attribute import BARE_PIXEL, SLENDER, TURBID_PIXEL, WET_PIXEL, ObjectFeatures
from geomon.model import AlertStatus
from geomon.surroundings import Setting

M2_PER_HA: Final = 10_000.0
BURST_DAYS: Final = 12
"""What begins within this many days (two or three revisits of five days) began at once."""
MIXED_REACH_PX: Final = 3.0
"""Pits, spoil and ponds lie within three pixels of each other: a pit is 3-30 m across (domain.md 1)."""
CHAIN_WIDTH_M: Final = 28.0
BARE_CHAIN: Final = 0.15
CHAIN_GAP_PX: Final = 5.0
CHAIN_DAYS: Final = 90
BLIND_DAYS: Final = 90
NEVER: Final = 9999
"""Bare pieces narrower than this or slender, with gaps of at most this many pixels, begun within this many days, make a
chain: a new road is built in one go and found in pieces. Mines in a row start when they like; where nothing was seen
for long, all begin at once.
"""


def all_features(
    pixels: ChangePixels, mesh: Mesh, objects: Sequence[ConfirmedObject], *, place: Setting
) -> list[ObjectFeatures]:
    """Features of each object, in order; `place` holds one entry per object, NaN where unknown."""
    widths = np.array([width_m(pixels, one.index) for one in objects])
    lengths = np.array([length_m(pixels, one.index) for one in objects])
    chains = _chains(pixels, mesh, objects, widths=widths, lengths=lengths)
    return [
        _features(
            pixels,
            found,
            (float(widths[k]), float(lengths[k]), float(chains[k])),
            (float(place.channel_m[k]), float(place.height_m[k]), float(place.slope_deg[k])),
        )
        for k, found in enumerate(objects)
    ]


def _features(
    pixels: ChangePixels,
    found: ConfirmedObject,
    size: tuple[float, float, float],
    place: tuple[float, float, float],
) -> ObjectFeatures:
    index = found.index
    first = np.sort(pixels.first_seen[index])
    low, high = np.percentile(first, (10, 90))
    bare, water, turbid = (known_share(values[index]) for values in (pixels.bare, pixels.water, pixels.turbid))
    after = max(int(pixels.n_after[index].sum()), 1)
    gone, clear = pixels.gone_on[index], pixels.last_clear[index]
    life = np.where(gone > 0, gone, clear) - pixels.first_seen[index]
    start, burst = _burst(first)
    return ObjectFeatures(
        area_ha=float((pixels.area_m2[found.ground] * dug_share(pixels, found.ground)).sum()) / M2_PER_HA,
        bare=_mean(bare),
        water=_mean(water),
        turbid=_mean(turbid),
        wet_share=float((water >= WET_PIXEL).mean()),
        turbid_share=float((turbid >= TURBID_PIXEL).mean()),
        mixed_share=_mixed_share(pixels, index, bare >= BARE_PIXEL, water >= WET_PIXEL),
        growth_days=float(high - low),
        burst_share=burst,
        burst_gap_days=_gap(pixels, index, start),
        persistence=min(1.0, float(pixels.n_hits[index].sum()) / after),
        passing=not found.lasting,
        standing=found.standing,
        life_days=float(np.median(life)),
        width_m=size[0],
        length_m=size[1],
        chain_m=size[2],
        channel_m=place[0],
        height_m=place[1],
        slope_deg=place[2],
    )


def _burst(first: Ints) -> tuple[int, float]:
    """First day and share of the largest part that began within BURST_DAYS; `first` ascends."""
    counts = np.searchsorted(first, first + BURST_DAYS, "right") - np.arange(len(first))
    most = int(np.argmax(counts))
    return int(first[most]), float(counts[most] / len(first))


def _gap(pixels: ChangePixels, index: Ints, start: int) -> float:
    """Median days between the last clear look before and the first evidence, of the pixels of a burst."""
    first = pixels.first_seen[index]
    return float(np.median(_unseen(pixels, index)[(first >= start) & (first <= start + BURST_DAYS)]))


def _unseen(pixels: ChangePixels, index: Ints) -> Ints:
    """Days without a clear look before the first evidence; NEVER where there was none."""
    before = pixels.clear_before[index]
    return np.where(before > 0, pixels.first_seen[index] - before, NEVER)


def _mixed_share(pixels: ChangePixels, index: Ints, bare: NDArray[np.bool_], wet: NDArray[np.bool_]) -> float:
    """Share of the pixels within MIXED_REACH_PX of which there is both bare ground and water (on one lattice)."""
    if not (bare.any() and wet.any()):
        return 0.0
    at = pixels.places(index)
    away = [cKDTree(at[kind]).query(at)[0] for kind in (bare, wet)]
    return int((np.maximum(*away) <= MIXED_REACH_PX).sum()) / len(index)


def _chains(
    pixels: ChangePixels, mesh: Mesh, objects: Sequence[ConfirmedObject], *, widths: Floats, lengths: Floats
) -> Floats:
    """Extent of the chain of thin bare pieces that each object belongs to [m]; of one that is not thin, its own."""
    chains = lengths.copy()
    thin = [k for k, one in enumerate(objects) if _is_thin(pixels, one, float(widths[k]), float(lengths[k]))]
    pieces = [objects[k].index for k in thin] + (_scraps(pixels, mesh, objects) if thin else [])
    if len(pieces) < 2:
        return chains
    begun = np.array([_begun(pixels, piece) for piece in pieces])
    rows = np.concatenate(pieces)
    owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    joined = owner[cKDTree(pixels.places(rows)).query_pairs(CHAIN_GAP_PX, output_type="ndarray")]
    joined = joined[np.abs(np.diff(begun[joined], axis=1)[:, 0]) <= CHAIN_DAYS]
    graph = coo_array((np.ones(len(joined), np.int8), (joined[:, 0], joined[:, 1])), shape=(len(pieces),) * 2)
    _, chain = connected_components(graph, directed=False)
    order = np.argsort(chain[owner], kind="stable")
    for held in np.split(order, np.flatnonzero(np.diff(chain[owner][order])) + 1):
        extent = extent_m(pixels, rows[held])
        for piece in np.unique(owner[held]).tolist():
            if piece < len(thin):
                chains[thin[piece]] = max(float(lengths[thin[piece]]), extent)
    return chains


def _begun(pixels: ChangePixels, index: Ints) -> float:
    """Median day of the first evidence; NaN, which is near no other day, where it came after BLIND_DAYS unseen."""
    first = pixels.first_seen[index]
    unseen = float(np.median(_unseen(pixels, index)))
    return float(np.median(first)) if unseen <= BLIND_DAYS else float("nan")


def _is_thin(pixels: ChangePixels, one: ConfirmedObject, width: float, length: float) -> bool:
    bare = float(known_share(pixels.bare[one.index]).mean()) >= BARE_CHAIN
    return not one.standing and bare and (width < CHAIN_WIDTH_M or length > SLENDER * width)


def _scraps(pixels: ChangePixels, mesh: Mesh, objects: Sequence[ConfirmedObject]) -> list[Ints]:
    """Regions of confirmed bare pixels that belong to none of the objects."""
    free = (pixels.alert == AlertStatus.CONFIRMED) & (pixels.bare >= 100 * BARE_CHAIN) & (pixels.bare != UNKNOWN)
    for one in objects:
        free[one.ground] = False
    return mesh.regions(np.flatnonzero(free))


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
