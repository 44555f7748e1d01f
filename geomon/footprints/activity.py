"""What an object did in each period, from when its pixels were dug and in which months they were seen.

In: an object's pixels and the reporting periods. Out: per period the ground dug so far, the ground dug in it, the
share that was seen clear, and the activity. An unseen period is `not_observed`, never quiet. Nothing here depends on
earlier runs: only on the data of the periods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from geomon.footprints.objects import dug_share
from geomon.footprints.pixels import ChangePixels, Floats, Ints
from geomon.model import Activity, Period, to_day
from geomon.periods import months_of

GROWTH: Final = 0.10
"""Fresh ground above this share of the area before the period is an expansion (brief of the site register; hysteresis
is by data period)."""

SEEN_SHARE: Final = 0.5
"""A period in which less than half of the ground was seen is not observed."""

QUIET_MONTHS: Final = 2
"""Ground must be seen in this many months of a period (one in a monthly table) before it can be called quiet: one
look is too few."""


@dataclass(frozen=True, slots=True)
class ObjectPeriod:
    """One object in one period; areas in m2 of whole pixels."""

    period: Period
    activity: Activity
    area_m2: float
    fresh_m2: float
    observed_share: float


def object_periods(
    pixels: ChangePixels, index: Ints, *, spans: Sequence[Period], monitor: Period
) -> tuple[ObjectPeriod, ...]:
    """Rows of an object for the periods of one kind, from the one in which it was first seen.

    Parameters
    ----------
    spans : sequence of Period
        Periods of one kind, ascending.
    monitor : Period
        The monitor window; bit 0 of `seen_months` is the month of its first day.
    """
    seen = np.unpackbits(pixels.seen_months[index], axis=1, bitorder="little").astype(bool)
    area, first = pixels.area_m2[index] * dug_share(pixels, index), pixels.first_seen[index]
    rows: list[ObjectPeriod] = []
    longest = max((len(months_of(span, monitor.start)) for span in spans), default=1)
    needed = min(QUIET_MONTHS, longest)  # a period that has only begun is not called quiet on its first looks
    for span in spans:
        start, end = to_day(span.start), to_day(span.end)
        if end < int(first.min()):
            continue
        before = float(area[first < start].sum())
        fresh = float(area[(first >= start) & (first <= end)].sum())
        months = [month for month in months_of(span, monitor.start) if month < seen.shape[1]]
        looks = seen[:, months].sum(axis=1)
        activity = _activity(before, fresh, rows, quiet=_seen_share(area, looks, needed))
        rows.append(ObjectPeriod(span, activity, before + fresh, fresh, _seen_share(area, looks, 1)))
    return tuple(rows)


def _activity(before: float, fresh: float, rows: Sequence[ObjectPeriod], *, quiet: float) -> Activity:
    if fresh > 0.0:
        if before == 0.0:
            return Activity.NEW
        if fresh > GROWTH * before:
            return Activity.EXPANDING
        return Activity.PERSISTENT if rows and rows[-1].fresh_m2 > 0.0 else Activity.ACTIVE
    return Activity.PREVIOUSLY_ACTIVE if quiet >= SEEN_SHARE else Activity.NOT_OBSERVED


def _seen_share(area: Floats, looks: Ints, at_least: int) -> float:
    return float(area[looks >= max(at_least, 1)].sum() / area.sum())
