"""Which objects are mines: objects of changed pixels, their verdicts, and the old ground that belongs to mines.

In: the pixel table and perhaps the lie of the land. Out: every confirmed object with its verdict, mines with the open
ground beside them that is older than the history, and mines that are older than it altogether. Other old open ground
(rivers, roads, villages) is nothing to report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from shapely import get_x, get_y

from geomon.footprints.features import all_features
from geomon.footprints.history import standing_objects, with_old_ground
from geomon.footprints.objects import ConfirmedObject, confirmed_object, confirmed_objects, reaching
from geomon.footprints.outlines import points, thick
from geomon.footprints.pixels import ChangePixels, Ints, Mesh
from geomon.kernels.attribute import Verdict, attribute
from geomon.model import Confuser
from geomon.surroundings import Setting, Surroundings

PLAIN: Final = 0.9
"""A part of a line is a mine only if that is plain: junctions and lay-bys of roads are thick too. At 0.5 the tuning
landscapes gave six false mines more, and two true ones."""


def judge(
    pixels: ChangePixels, mesh: Mesh, surroundings: Surroundings | None
) -> tuple[list[ConfirmedObject], list[Verdict]]:
    """Objects and their verdicts, in one order: confirmed ones as `confirmed_objects` has them, then standing mines."""
    objects = confirmed_objects(pixels, mesh)
    verdicts = _verdicts(pixels, mesh, objects, surroundings)
    for k in [k for k, verdict in enumerate(verdicts) if verdict.confuser is Confuser.ROAD and objects[k].lasting]:
        beside = _mines_on(pixels, mesh, objects[k], surroundings)
        objects += [one for one, _ in beside]
        verdicts += [verdict for _, verdict in beside]
        objects[k] = _without(pixels, mesh, objects[k], ground_of([one for one, _ in beside]))
    verdicts = [verdict for one, verdict in zip(objects, verdicts, strict=True) if len(one.index)]
    objects = [one for one in objects if len(one.index)]
    mines = [k for k, verdict in enumerate(verdicts) if verdict.mining]
    for k, whole in zip(mines, with_old_ground(pixels, mesh, [objects[k] for k in mines]), strict=True):
        objects[k] = whole
    standing = standing_objects(pixels, mesh, taken=ground_of(objects))
    told = zip(standing, _verdicts(pixels, mesh, standing, surroundings), strict=True)
    older = [(one, verdict) for one, verdict in told if verdict.mining]
    return [*objects, *(one for one, _ in older)], [*verdicts, *(verdict for _, verdict in older)]


def _mines_on(
    pixels: ChangePixels, mesh: Mesh, line: ConfirmedObject, surroundings: Surroundings | None
) -> list[tuple[ConfirmedObject, Verdict]]:
    """Mines among the thick parts of a line: roads lead to workings, and both are dug at the same time."""
    parts = [confirmed_object(pixels, mesh, part) for part in reaching(pixels, mesh, thick(pixels, line.index))]
    told = zip(parts, _verdicts(pixels, mesh, parts, surroundings), strict=True)
    return [(part, verdict) for part, verdict in told if verdict.probability >= PLAIN]


def _without(pixels: ChangePixels, mesh: Mesh, line: ConfirmedObject, taken: Ints) -> ConfirmedObject:
    """The line less some of its ground, under an identity of its own; empty where less than the MMU is left."""
    if not len(taken):
        return line
    left = np.setdiff1d(line.index, taken)
    if not reaching(pixels, mesh, left):
        return replace(line, index=left[:0])
    return replace(confirmed_object(pixels, mesh, left), rim=line.rim)


def ground_of(objects: Sequence[ConfirmedObject]) -> Ints:
    """Rows of all ground of the objects, object by object."""
    return np.concatenate([*(one.ground for one in objects), np.zeros(0, np.int64)])


def _verdicts(
    pixels: ChangePixels, mesh: Mesh, objects: Sequence[ConfirmedObject], surroundings: Surroundings | None
) -> list[Verdict]:
    place = _place(pixels, [one.index for one in objects], surroundings)
    return [attribute(one) for one in all_features(pixels, mesh, objects, place=place)]


def _place(pixels: ChangePixels, regions: Sequence[Ints], surroundings: Surroundings | None) -> Setting:
    """Where the middle of each region lies; NaN where nothing is known."""
    if surroundings is None or not regions:
        unknown: NDArray[np.float64] = np.full(len(regions), np.nan)
        return Setting(unknown, unknown, unknown)
    middle = points(pixels, regions)
    return surroundings.at(get_x(middle), get_y(middle))
