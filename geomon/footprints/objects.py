"""Objects among the changed pixels: confirmed ones with their dates and identity, and the alerts around them.

In: the pixel table. Out: regions of at least the minimum mapping unit, the day on which each confirmed one reached it,
a token that follows from its founding pixel alone, and the numbers attribution asks for. No table is made here and no
period is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geomon.footprints.outlines import length_m, width_m
from geomon.footprints.pixels import ChangePixels, Floats, Ints, Mesh
from geomon.kernels.attribute import TURBID_PIXEL, WET_PIXEL, ObjectFeatures
from geomon.model import AlertStatus, digest

MMU_M2: Final = 1000.0
"""Minimum mapping unit, 0.1 ha (design, section 4, item 4)."""

PASSING_DAYS: Final = 270
"""A change that later looks undid within this time was passing, not dug: burns recover in weeks, farms green within a
season (domain.md 1), pits stay open for years. Nine months, since a dry season of five months cannot tell straw from
bare.
"""

LASTING_SHARE: Final = 0.7
LASTING_LOOKS: Final = 6
"""Dug ground shows on most clear looks: at least this share of them, asked once there are this many. Set by reasoning:
mined pixels of the simulated landscapes show on 0.9 of theirs, burns on 0.3, fields on 0.5 (benchmarks/accuracy.py).
"""

DUG_SHARE: Final = 0.3
"""Dug ground is bare or water by at least this estimated share. True shares of a quarter are estimated at 0.36 or more,
and undug pixels beside a pit at 0.39 in the mean: of the pixels mapped on the demo landscape this keeps all true
ones and drops half of the false (0.3: precision 0.94; without: 0.87).
"""

BURST_DAYS: Final = 12
"""What begins within this many days (two or three revisits of five days) began at once."""

_ROUNDING: Final = 1e-6  # ten pixels of 100 m2 may add up to a hair less than 0.1 ha
_TOKEN_DIGITS: Final = 10
_UNKNOWN: Final = 255

LADDER: Final = (AlertStatus.CANDIDATE, AlertStatus.PROVISIONAL, AlertStatus.CONFIRMED)


@dataclass(frozen=True, slots=True)
class ConfirmedObject:
    """One confirmed object: its pixels (rows of the table), identity, founding day and the day it reached the MMU.

    `lasting` objects are made of ground that stayed changed; what passed (fire, flood, crop) is kept apart from it.
    """

    index: Ints
    token: str
    founded: int
    confirmed_on: int
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Region:
    """One alert region: its pixels, identity and status."""

    index: Ints
    token: str
    status: AlertStatus


def confirmed_objects(pixels: ChangePixels, mesh: Mesh) -> list[ConfirmedObject]:
    """Eight-connected regions of confirmed pixels of at least the MMU: of dug ground first, then of what is left.

    Faint pixels that touch dug ground are its rim: mixed pixels of which less than DUG_SHARE is dug. They belong to no
    object, and `taken` keeps them from being reported beside it.
    """
    confirmed = pixels.alert == AlertStatus.CONFIRMED
    lasting = is_lasting(pixels)
    dug = [r for r in mesh.regions(np.flatnonzero(confirmed & lasting & ~_is_faint(pixels))) if reaches(pixels, r)]
    inside = np.concatenate([*dug, np.zeros(0, np.int64)])
    confirmed[inside] = False
    confirmed[rim(pixels, inside)] = False
    left = [r for r in mesh.regions(np.flatnonzero(confirmed)) if reaches(pixels, r)]
    return [
        *(_confirmed(pixels, mesh, region, lasting=True) for region in dug),
        *(_confirmed(pixels, mesh, region, lasting=bool(lasting[region].mean() >= 0.5)) for region in left),
    ]


def rim(pixels: ChangePixels, inside: Ints) -> Ints:
    """Confirmed lasting pixels outside `inside` that touch it by a side or a corner."""
    outside = (pixels.alert == AlertStatus.CONFIRMED) & is_lasting(pixels)
    outside[inside] = False
    wide = int(pixels.col.max(initial=0)) - int(pixels.col.min(initial=0)) + 3
    key = (pixels.lattice << 48) + pixels.row * wide + pixels.col
    steps = np.array([row * wide + col for row in (-1, 0, 1) for col in (-1, 0, 1)])
    near = (key[inside][:, np.newaxis] + steps).ravel()
    return np.flatnonzero(outside & np.isin(key, near))


def is_lasting(pixels: ChangePixels) -> NDArray[np.bool_]:
    """Which pixels stayed changed: dug for good, or so far neither undone nor seen on too few clear looks since."""
    undone = (pixels.gone_on > 0) & (pixels.gone_on - pixels.first_seen <= PASSING_DAYS)
    told = pixels.n_after >= LASTING_LOOKS
    seldom = told & (pixels.n_hits < LASTING_SHARE * pixels.n_after) & (pixels.gone_on == 0)
    return np.asarray((pixels.dug_on > 0) | (~undone & ~seldom))


def _is_faint(pixels: ChangePixels) -> NDArray[np.bool_]:
    """Less than DUG_SHARE of the pixel is bare or water; never so where the detector tells no shares."""
    known = (pixels.bare != _UNKNOWN) & (pixels.dug_on == 0)
    return np.asarray(known & (dug_share(pixels, np.arange(len(pixels))) < DUG_SHARE))


def other_regions(pixels: ChangePixels, mesh: Mesh, *, taken: Ints) -> tuple[list[Region], list[Region], list[Region]]:
    """What is left beside the confirmed objects: alerts of at least the MMU, smaller regions, and dropped regions.

    Provisional regions are made of provisional pixels or better, candidate ones of what then remains of the ladder; a
    region of unresolved pixels holds nothing else.
    """
    free = np.ones(len(pixels), bool)
    free[taken] = False
    alerts: list[Region] = []
    for status, statuses in (
        (AlertStatus.PROVISIONAL, LADDER[1:]),
        (AlertStatus.CANDIDATE, LADDER),
        (AlertStatus.UNRESOLVED, (AlertStatus.UNRESOLVED,)),
    ):
        for index in mesh.regions(np.flatnonzero(free & np.isin(pixels.alert, statuses))):
            if reaches(pixels, index):
                alerts.append(_region(pixels, index, status))
                free[index] = False
    small = mesh.regions(np.flatnonzero(free & np.isin(pixels.alert, (*LADDER, AlertStatus.UNRESOLVED))))
    dropped = mesh.regions(np.flatnonzero(pixels.alert == AlertStatus.DROPPED))
    return (
        alerts,
        [_region(pixels, index, _best(pixels, index)) for index in small],
        [_region(pixels, index, AlertStatus.DROPPED) for index in dropped],
    )


def reaches(pixels: ChangePixels, index: Ints) -> bool:
    """Whether pixels add up to the minimum mapping unit."""
    return float(pixels.area_m2[index].sum()) >= MMU_M2 * (1.0 - _ROUNDING)


def features(pixels: ChangePixels, found: ConfirmedObject, *, shape: BaseGeometry, area_ha: float) -> ObjectFeatures:
    """What attribution asks of one object (`kernels.attribute.ObjectFeatures` says what each number is)."""
    index = found.index
    first = np.sort(pixels.first_seen[index])
    low, high = np.percentile(first, (10, 90))
    water, turbid = _share(pixels.water[index]), _share(pixels.turbid[index])
    after = max(int(pixels.n_after[index].sum()), 1)
    gone, clear = pixels.gone_on[index], pixels.last_clear[index]
    life = np.where(gone > 0, gone, clear) - pixels.first_seen[index]
    burst = np.searchsorted(first, first + BURST_DAYS, "right") - np.arange(len(first))
    return ObjectFeatures(
        area_ha=area_ha,
        bare=_mean(_share(pixels.bare[index])),
        water=_mean(water),
        turbid=_mean(turbid),
        wet_share=float((water >= WET_PIXEL).mean()),
        turbid_share=float((turbid >= TURBID_PIXEL).mean()),
        growth_days=float(high - low),
        burst_share=float(burst.max() / len(first)),
        persistence=min(1.0, float(pixels.n_hits[index].sum()) / after),
        passing=not found.lasting,
        life_days=float(np.median(life)),
        width_m=width_m(pixels, index),
        length_m=length_m(shape),
    )


def dug_share(pixels: ChangePixels, index: Ints) -> Floats:
    """Share of each pixel that is bare or water after the change; 0 where it could not be told."""
    bare, water = _share(pixels.bare[index]), _share(pixels.water[index])
    return np.minimum(1.0, np.nan_to_num(bare) + np.nan_to_num(water))


def _confirmed(pixels: ChangePixels, mesh: Mesh, index: Ints, *, lasting: bool) -> ConfirmedObject:
    day, part = _first_reach(pixels, mesh, index)
    founding = _founding(pixels, part)
    return ConfirmedObject(index, _token(pixels, founding), int(pixels.first_seen[founding]), day, lasting)


def _first_reach(pixels: ChangePixels, mesh: Mesh, index: Ints) -> tuple[int, Ints]:
    """The first day on which the pixels confirmed by then held a connected part of the MMU, and that part.

    What is connected stays connected, so the days can be halved. Of two parts that reached it on one day the one
    founded first counts.
    """
    days = np.unique(pixels.confirmed_on[index])
    low, high = 0, len(days) - 1
    while low < high:
        middle = (low + high) // 2
        if _parts(pixels, mesh, index[pixels.confirmed_on[index] <= days[middle]]):
            high = middle
        else:
            low = middle + 1
    parts = _parts(pixels, mesh, index[pixels.confirmed_on[index] <= days[low]])
    return int(days[low]), min(parts, key=lambda part: _founding_key(pixels, part))


def _parts(pixels: ChangePixels, mesh: Mesh, index: Ints) -> list[Ints]:
    if not reaches(pixels, index):
        return []
    return [part for part in mesh.regions(index) if reaches(pixels, part)]


def _region(pixels: ChangePixels, index: Ints, status: AlertStatus) -> Region:
    return Region(index, _token(pixels, _founding(pixels, index)), status)


def _founding_key(pixels: ChangePixels, index: Ints) -> tuple[int, int]:
    founding = _founding(pixels, index)
    return int(pixels.first_seen[founding]), founding


def _founding(pixels: ChangePixels, index: Ints) -> int:
    """The pixel seen first; of several the first by lattice, row and column (the order of the table)."""
    return int(index[np.argmin(pixels.first_seen[index])])


def _token(pixels: ChangePixels, founding: int) -> str:
    where = pixels.lattices[int(pixels.lattice[founding])].name
    parts = [where, int(pixels.col[founding]), int(pixels.row[founding]), int(pixels.first_seen[founding])]
    return digest(parts)[:_TOKEN_DIGITS]


def _best(pixels: ChangePixels, index: Ints) -> AlertStatus:
    held = set(pixels.alert[index].tolist())
    return next((status for status in reversed(LADDER) if status in held), AlertStatus.UNRESOLVED)


def _share(percent: NDArray[np.uint8]) -> Floats:
    return np.where(percent == _UNKNOWN, np.nan, percent / 100.0)


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


def all_of(objects: Sequence[ConfirmedObject]) -> Ints:
    """Rows of all objects' pixels, object by object."""
    return np.concatenate([*(o.index for o in objects), np.zeros(0, np.int64)])
