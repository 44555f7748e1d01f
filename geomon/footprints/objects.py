"""Objects among the changed pixels: confirmed ones with their dates and identity, and the alerts around them.

In: the pixel table. Out: regions of at least the minimum mapping unit, the day on which each confirmed one reached it,
a token that follows from its founding pixel alone, and how much of each pixel was dug. No table is made here and no
period is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geomon.footprints.pixels import UNKNOWN, ChangePixels, Floats, Ints, Mesh
from geomon.model import AlertStatus, digest

MMU_M2: Final = 1000.0
"""Minimum mapping unit, 0.1 ha (design, section 4, item 4)."""

PASSING_DAYS: Final = 270
"""A change that later looks undid within this time was passing, not dug: burns recover in weeks, farms green within a
season (domain.md 1), pits stay open for years. Nine months, since a dry season of five months cannot tell straw from
bare.
"""

LASTING_SHARE: Final = 0.5
LASTING_LOOKS: Final = 6
"""Dug ground shows on half of its clear looks or more, asked once there are this many. Mined pixels of the simulated
landscapes show on 0.9 of theirs, burns on 0.3, fields on 0.5; mined savanna of a second simulator shows on half, since
a dry look cannot tell straw from bare ground.
"""

DUG_SHARE: Final = 0.35
"""A pixel belongs to dug ground if it shows this much of bare ground or water: a quarter of it was dug then (see
NONE_SHOWN), the smallest share that counts as dug here.
"""

REGION_PX: Final = 64
REGION_DAYS: Final = 45
REGION_SHARE: Final = 0.08
REGION_TURBID: Final = 10
STAND_OUT: Final = 0.15
"""Where 8 % of a block of 640 m changed within 45 days either way and holds no turbid water (10 percent, as
`kernels.attribute.TURBID_PIXEL`), the year did it: late rains bare the soil of whole savannas. Dug ground stands out by
0.15 of a pixel against what the others show, or shows as fully dug. 3 ha newly dug in three months is more
than any site of 77 workers (domain.md 1) and what mechanised ones show stands out. The block is one of the lattice, not
of a tile. Set on landscapes of a second simulator with other physics, half of whose savanna changed in one such year.
"""

NONE_SHOWN: Final = 0.24
ALL_SHOWN: Final = 0.8
"""What a pixel shows when none of it and when all of it was dug, linear between. The evidence tests for 0.2 and more
(`evidence.MIN_FRACTION`), so undug ground beside a pit shows as 0.2-0.3; damp or darker ground than the endmembers
shows as less than all. Of pixels that show 0.25, 0.35 ... 0.85 the simulator dug 0.11, 0.23, 0.37, 0.55, 0.75, 0.88,
0.97 in the mean (seeds 11; forest, mosaic and dike agree within 0.06).
"""

_ROUNDING: Final = 1e-6  # ten pixels of 100 m2 may add up to a hair less than 0.1 ha
_TOKEN_DIGITS: Final = 10

LADDER: Final = (AlertStatus.CANDIDATE, AlertStatus.PROVISIONAL, AlertStatus.CONFIRMED)


@dataclass(frozen=True, slots=True)
class ConfirmedObject:
    """One confirmed object: its pixels (rows of the table), identity, founding day and the day it reached the MMU.

    `lasting` objects are made of ground that stayed changed; what passed (fire, flood, crop) is kept apart from it.
    `rim` are mixed pixels around it, `old` is open ground that is older than the history, `standing` an object that is
    made of nothing else.
    """

    index: Ints
    token: str
    founded: int
    confirmed_on: int
    lasting: bool = True
    standing: bool = False
    rim: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    old: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def ground(self) -> Ints:
        """All rows that hold some of its ground, ascending."""
        return np.sort(np.concatenate([self.index, self.rim, self.old]))


@dataclass(frozen=True, slots=True)
class Region:
    """One alert region: its pixels, identity and status."""

    index: Ints
    token: str
    status: AlertStatus


def confirmed_objects(pixels: ChangePixels, mesh: Mesh) -> list[ConfirmedObject]:
    """Eight-connected regions of confirmed pixels of at least the MMU: of dug ground first, then of what is left.

    Faint pixels that touch dug ground are its rim: mixed pixels of which less than DUG_SHARE shows.
    """
    confirmed = pixels.alert == AlertStatus.CONFIRMED
    lasting = is_lasting(pixels)
    ground = confirmed & lasting & ~is_regional(pixels)
    dug = [r for r in mesh.regions(np.flatnonzero(ground & ~is_faint(pixels))) if reaches(pixels, r)]
    rims = _rims(pixels, dug, ground)
    confirmed[np.concatenate([*dug, *rims, np.zeros(0, np.int64)])] = False
    left = [r for r in mesh.regions(np.flatnonzero(confirmed)) if reaches(pixels, r)]
    return [
        *(
            replace(confirmed_object(pixels, mesh, region), rim=around)
            for region, around in zip(dug, rims, strict=True)
        ),
        *(
            replace(confirmed_object(pixels, mesh, region), lasting=bool(lasting[region].mean() >= 0.5))
            for region in left
        ),
    ]


def founded_object(pixels: ChangePixels, index: Ints) -> ConfirmedObject:
    """A region of ground that is older than the history, confirmed when its pixels were."""
    founding = _founding(pixels, index)
    day = int(pixels.confirmed_on[index].max())
    return ConfirmedObject(index, _token(pixels, founding), int(pixels.first_seen[founding]), day, standing=True)


def _rims(pixels: ChangePixels, regions: Sequence[Ints], eligible: NDArray[np.bool_]) -> list[Ints]:
    """For each region the eligible pixels outside all regions that touch it by a side or a corner, each given once."""
    wide = int(pixels.col.max(initial=0)) - int(pixels.col.min(initial=0)) + 3
    key = (pixels.lattice << 48) + pixels.row * wide + pixels.col
    inside = np.concatenate([*regions, np.zeros(0, np.int64)])
    owner = np.repeat(np.arange(len(regions)), [len(region) for region in regions])
    order = np.argsort(key[inside])
    known, owner = key[inside][order], owner[order]
    outside = eligible.copy()
    outside[inside] = False
    rows = np.flatnonzero(outside)
    found = np.full(len(rows), len(regions), np.int64)
    for step in (row * wide + col for row in (-1, 0, 1) for col in (-1, 0, 1)):
        at = np.minimum(np.searchsorted(known, key[rows] + step), max(len(known) - 1, 0))
        touching = known[at] == key[rows] + step if len(known) else np.zeros(len(rows), bool)
        found[touching] = np.minimum(found[touching], owner[at[touching]])
    return [rows[found == number] for number in range(len(regions))]


def is_lasting(pixels: ChangePixels) -> NDArray[np.bool_]:
    """Which pixels stayed changed: dug for good, or so far neither undone nor seen on too few clear looks since."""
    undone = (pixels.gone_on > 0) & (pixels.gone_on - pixels.first_seen <= PASSING_DAYS)
    told = pixels.n_after >= LASTING_LOOKS
    seldom = told & (pixels.n_hits < LASTING_SHARE * pixels.n_after) & (pixels.gone_on == 0)
    return np.asarray((pixels.dug_on > 0) | (~undone & ~seldom))


def is_faint(pixels: ChangePixels) -> NDArray[np.bool_]:
    """Too little of the pixel is bare or water to be dug; never so where the detector tells no shares."""
    little = _shown_share(pixels, np.arange(len(pixels))) < DUG_SHARE
    return np.asarray((pixels.bare != UNKNOWN) & (pixels.dug_on == 0) & little)


def is_regional(pixels: ChangePixels) -> NDArray[np.bool_]:
    """Dry pixels that show no more than all the dry land around them that changed when they did."""
    shown = _shown_share(pixels, np.arange(len(pixels)))
    dry = (pixels.alert == AlertStatus.CONFIRMED) & (pixels.turbid < REGION_TURBID) & (pixels.bare != UNKNOWN)
    found = np.zeros(len(pixels), bool)
    rows = np.flatnonzero(dry)
    col, row = pixels.col[rows] // REGION_PX, pixels.row[rows] // REGION_PX
    order = np.lexsort((pixels.first_seen[rows], col, row, pixels.lattice[rows]))
    rows, block = rows[order], np.stack([pixels.lattice[rows], row, col])[:, order]
    starts = np.flatnonzero((np.diff(block, axis=1) != 0).any(axis=0)) + 1
    for held in np.split(rows, starts):
        first = pixels.first_seen[held]
        low = np.searchsorted(first, first - REGION_DAYS, "left")
        high = np.searchsorted(first, first + REGION_DAYS, "right")
        wide = high - low >= REGION_SHARE * REGION_PX**2
        for window in np.unique(np.stack([low[wide], high[wide]], axis=1), axis=0).tolist():
            here = held[(low == window[0]) & (high == window[1])]
            others = float(np.median(shown[held[window[0] : window[1]]]))
            found[here] = shown[here] < min(others + STAND_OUT, ALL_SHOWN)
    return found


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
    dropped = mesh.regions(np.flatnonzero(free & (pixels.alert == AlertStatus.DROPPED)))
    return (
        alerts,
        [_region(pixels, index, _best(pixels, index)) for index in small],
        [_region(pixels, index, AlertStatus.DROPPED) for index in dropped],
    )


def reaches(pixels: ChangePixels, index: Ints) -> bool:
    """Whether pixels add up to the minimum mapping unit."""
    return float(pixels.area_m2[index].sum()) >= MMU_M2 * (1.0 - _ROUNDING)


def dug_share(pixels: ChangePixels, index: Ints) -> Floats:
    """Share of each pixel that was dug [0-1], by what it shows; 1 where the detector tells no shares."""
    shown = (_shown_share(pixels, index) - NONE_SHOWN) / (ALL_SHOWN - NONE_SHOWN)
    return np.where(pixels.bare[index] == UNKNOWN, 1.0, np.clip(shown, 0.0, 1.0))


def _shown_share(pixels: ChangePixels, index: Ints) -> Floats:
    """Estimated share of bare ground and water; 0 where it could not be told."""
    bare, water = known_share(pixels.bare[index]), known_share(pixels.water[index])
    return np.minimum(1.0, np.nan_to_num(bare) + np.nan_to_num(water))


def confirmed_object(pixels: ChangePixels, mesh: Mesh, index: Ints) -> ConfirmedObject:
    """The object of confirmed pixels of which a connected part reaches the MMU."""
    day, part = _first_reach(pixels, mesh, index)
    founding = _founding(pixels, part)
    return ConfirmedObject(index, _token(pixels, founding), int(pixels.first_seen[founding]), day)


def _first_reach(pixels: ChangePixels, mesh: Mesh, index: Ints) -> tuple[int, Ints]:
    """The first day on which the pixels confirmed by then held a connected part of the MMU, and that part.

    What is connected stays connected, so the days can be halved. Of two parts that reached it on one day the one
    founded first counts.
    """
    days = np.unique(pixels.confirmed_on[index])
    low, high = 0, len(days) - 1
    while low < high:
        middle = (low + high) // 2
        if reaching(pixels, mesh, index[pixels.confirmed_on[index] <= days[middle]]):
            high = middle
        else:
            low = middle + 1
    parts = reaching(pixels, mesh, index[pixels.confirmed_on[index] <= days[low]])
    return int(days[low]), min(parts, key=lambda part: _founding_key(pixels, part))


def reaching(pixels: ChangePixels, mesh: Mesh, index: Ints) -> list[Ints]:
    """The connected parts that reach the minimum mapping unit."""
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


def known_share(percent: NDArray[np.uint8]) -> Floats:
    """Percent as a share, NaN where unknown."""
    return np.where(percent == UNKNOWN, np.nan, percent / 100.0)
