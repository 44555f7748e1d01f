"""Ground that was open before the monitor began: workings older than their history, and the old part of newer ones.

In: the pixel table and what the baseline says of it. Out: regions of old open ground, and what of it belongs to an
object that grew in the monitor. Old ground has no date of its own: it carries the first day of the baseline, which
says "not later than". Whether an old region is a mine is decided by `kernels.attribute`; rivers, roads and villages
are open too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geomon.footprints.objects import ConfirmedObject, founded_object, reaches
from geomon.footprints.pixels import OPEN_PERCENT, ChangePixels, Ints, Mesh
from geomon.model import AlertStatus, Period, to_day

REACH_PX: Final = 6.0
"""How far from newly dug ground old open ground may lie to be the same working [pixels of 10 m]: crews move on by a pit
or two, 3-30 m across (domain.md 1). A longer reach would run along rivers and roads.
"""
OLD_BARE_PERCENT: Final = 40
"""Old ground that joins a newer object holds this much bare ground: open water beside a mine is the river."""


def with_history(pixels: ChangePixels, baseline: Period) -> ChangePixels:
    """The table with old ground dated: first seen on the baseline's first day, confirmed on its last.

    It is proved by its last clear look, which saw no change.

    Pixels that changed since keep their own dates; what they were before stays in `was_*`. An alert that was dropped on
    old ground is forgotten: open ground is what it is.
    """
    old = is_old(pixels)
    first, last = to_day(baseline.start), to_day(baseline.end)
    return replace(
        pixels,
        alert=np.where(old, np.uint8(AlertStatus.NONE), pixels.alert),
        first_seen=np.where(old, first, pixels.first_seen),
        confirmed_on=np.where(old, last, pixels.confirmed_on),
        last_seen=np.where(old, np.maximum(pixels.last_clear, last), pixels.last_seen),
        proof=np.where(old[:, np.newaxis], pixels.last_clear[:, np.newaxis] * np.array([0, 0, 1]), pixels.proof),
        n_hits=np.where(old, pixels.n_clear, pixels.n_hits),
        n_after=np.where(old, pixels.n_clear, pixels.n_after),
        bare=np.where(old, pixels.was_bare, pixels.bare).astype(np.uint8),
        water=np.where(old, pixels.was_water, pixels.water).astype(np.uint8),
        turbid=np.where(old, pixels.was_turbid, pixels.turbid).astype(np.uint8),
    )


def is_old(pixels: ChangePixels) -> NDArray[np.bool_]:
    """Open in the baseline, and as it was ever since."""
    was_open = pixels.was_bare.astype(np.int64) + pixels.was_water >= OPEN_PERCENT
    unchanged = (pixels.alert == AlertStatus.NONE) | (pixels.alert == AlertStatus.DROPPED)
    return np.asarray(was_open & unchanged)


def with_old_ground(pixels: ChangePixels, mesh: Mesh, mines: Sequence[ConfirmedObject]) -> list[ConfirmedObject]:
    """The mines, each with the old open ground that touches it, up to REACH_PX away; of two, the nearer has it."""
    owner = np.full(len(pixels), -1, np.int64)
    for number, one in enumerate(mines):
        owner[one.ground] = number
    ground = np.flatnonzero(owner >= 0)
    candidates = np.flatnonzero(is_old(pixels) & (owner < 0) & (pixels.was_bare >= OLD_BARE_PERCENT))
    near = _near(pixels, candidates, ground)
    if not len(near):
        return list(mines)
    taken: list[list[Ints]] = [[] for _ in mines]
    for region in mesh.regions(np.sort(np.concatenate([near, ground]))):
        old, held = region[owner[region] < 0], region[owner[region] >= 0]
        if len(old) and len(held):
            _, nearest = cKDTree(pixels.places(held)).query(pixels.places(old))
            for number in np.unique(owner[held[nearest]]).tolist():
                taken[number].append(old[owner[held[nearest]] == number])
    return [replace(one, old=np.sort(np.concatenate([*old, one.old]))) for one, old in zip(mines, taken, strict=True)]


def standing_objects(pixels: ChangePixels, mesh: Mesh, *, taken: Ints) -> list[ConfirmedObject]:
    """Regions of old open ground of at least the MMU that belong to no other object."""
    free = is_old(pixels)
    free[taken] = False
    return [founded_object(pixels, region) for region in mesh.regions(np.flatnonzero(free)) if reaches(pixels, region)]


def _near(pixels: ChangePixels, candidates: Ints, ground: Ints) -> Ints:
    """Those of the candidates that lie within REACH_PX of the ground, on one lattice."""
    if not len(candidates) or not len(ground):
        return candidates[:0]
    away, _ = cKDTree(pixels.places(ground)).query(pixels.places(candidates), distance_upper_bound=REACH_PX)
    found: Ints = candidates[np.isfinite(away)]
    return found
