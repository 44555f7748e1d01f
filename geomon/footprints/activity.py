"""What an object did in each period, from when its pixels were dug and in which months they were seen.

In: an object's pixels and the reporting periods. Out: per period the ground dug so far, the ground dug in it, the
share that was seen clear, and the activity. An unseen period is `not_observed`, never quiet. Nothing here depends on
earlier runs: only on the data of the periods.

Working means fresh ground. A pixel was dug after `clear_before` and by `first_seen`; it speaks for the period of
`first_seen`, with the part of that interval that lies in the period. A row never uses looks later than its period:
more data change it only where the pixel table itself rewrote an older fact, which is a pixel confirmed since, a
reopened one (it carries its newest event), a share of bare ground or water measured anew, or two objects grown into
one.

Washing without digging is not told apart from rest: of turbid water only a running mean of the newest looks is kept,
so no period but the last could be judged, and ponds stay turbid for months after work ends. Such ground is
`previously_active`, which says "no new ground", not "nobody there".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geomon.footprints.objects import dug_share
from geomon.footprints.pixels import ChangePixels, Floats, Ints
from geomon.model import DIGGING, Activity, Period, to_day
from geomon.periods import months_of

FRESH_M2: Final = 120.0
"""Dug ground that must be dated in a period before it counts as work: more than any one pixel of 10 m can hold. Of 211
quarters of the tuning landscapes (forest and mosaic, rich, usual clouds, seeds 11 and 12; `benchmarks/accuracy.py`) 190
are called right, from 100 to 150 m2 no fewer than 188, and 172 where any pixel counts; 300 m2 misses a fifth of the
working ones. Asking for a share of the object as well (2 %, 5 %) gained nothing."""

GROWTH: Final = 0.10
"""Fresh ground above this share of the area before the period is an expansion (brief of the site register; hysteresis
is by data period)."""

REGROWN_SHARE: Final = 0.5
"""Ground is revegetating once half of it has greened over: open for half a year (`dug_on`), then undug to the looks
(`gone_on`). The share is set by reasoning: pits of one working green over one by one. Of pixels that did both 40 of 47
had been dug, of all that looked undug again 85 of 162 (tuning landscapes, seeds 11 to 13). Open ground that is older
than the history is not followed, and counts as open."""

SEEN_SHARE: Final = 0.5
"""A period in which less than half of the ground was seen is not observed."""

QUIET_MONTHS: Final = 2
"""Ground must be seen in this many months of a period (one in a monthly table) before it can be called quiet: one
look is too few."""

_LEAST: Final = 1e-3  # of a pixel: ground of which no share shows still weighs something


@dataclass(frozen=True, slots=True)
class ObjectPeriod:
    """One object in one period; areas in m2 of dug ground.

    `fresh_m2` was first seen in the period; of it `dated_m2` was dug in the period too, as far as the looks tell.
    `regrown_m2` was overgrown by its end. `observed_share` is of the ground known by then.
    """

    period: Period
    activity: Activity
    area_m2: float
    fresh_m2: float
    observed_share: float
    dated_m2: float
    regrown_m2: float


@dataclass(frozen=True, slots=True)
class _Ground:
    """An object's pixels: dug area [m2], its dates and the months in which it was seen.

    The last look without evidence was on `begun`, the first with it on `first`; it was overgrown on `gone` (0: never).
    """

    dug: Floats
    begun: Ints
    first: Ints
    gone: Ints
    seen: NDArray[np.bool_]


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
    ground = _ground(pixels, index, monitor)
    rows: list[ObjectPeriod] = []
    longest = 1
    for span in spans:
        months = months_of(span, monitor.start)
        longest = max(longest, len(months))  # so far: a period that has only begun is not quiet on its first looks
        if to_day(span.end) >= int(ground.first.min()):
            rows.append(_row(ground, span, months, rows, needed=min(QUIET_MONTHS, longest)))
    return tuple(rows)


def _row(
    ground: _Ground, span: Period, months: Sequence[int], rows: Sequence[ObjectPeriod], *, needed: int
) -> ObjectPeriod:
    """One period, judged by what was known at its end."""
    start, end = to_day(span.start), to_day(span.end)
    dug, first = ground.dug, ground.first
    older, known = first < start, first <= end
    fresh = known & ~older
    dated = float((dug * _part_since(ground, start))[fresh].sum())
    regrown = float(dug[known & (ground.gone > 0) & (ground.gone <= end)].sum())
    before, so_far = float(dug[older].sum()), float(dug[known].sum())
    looks = ground.seen[known][:, [month for month in months if month < ground.seen.shape[1]]].sum(axis=1)
    if fresh.any() and not older.any():
        activity = Activity.NEW
    elif dated >= FRESH_M2:
        activity = _working(dated, before, rows)
    elif _seen_share(dug[known], looks, needed) < SEEN_SHARE:
        activity = Activity.NOT_OBSERVED
    else:
        grown = regrown >= REGROWN_SHARE * so_far
        activity = Activity.REVEGETATING if grown else Activity.PREVIOUSLY_ACTIVE
    share = _seen_share(dug[known], looks, 1)
    return ObjectPeriod(span, activity, so_far, float(dug[fresh].sum()), share, dated, regrown)


def _working(dated: float, before: float, rows: Sequence[ObjectPeriod]) -> Activity:
    """What to call work on ground that was open before; a period that nobody saw does not end persistence."""
    if dated > GROWTH * before:
        return Activity.EXPANDING
    observed = [row.activity for row in rows if row.activity != Activity.NOT_OBSERVED]
    return Activity.PERSISTENT if observed and observed[-1] in DIGGING else Activity.ACTIVE


def _ground(pixels: ChangePixels, index: Ints, monitor: Period) -> _Ground:
    seen = np.unpackbits(pixels.seen_months[index], axis=1, bitorder="little").astype(bool)
    first, before = pixels.first_seen[index], pixels.clear_before[index]
    known = np.maximum(before, _last_month_before(seen, first, monitor))
    return _Ground(
        dug=pixels.area_m2[index] * np.maximum(dug_share(pixels, index), _LEAST),
        begun=np.where(known > 0, np.minimum(known, first - 1), first - 1),  # not known: take the day itself
        first=first,
        gone=np.where(pixels.dug_on[index] > 0, pixels.gone_on[index], 0),
        seen=seen,
    )


def _last_month_before(seen: NDArray[np.bool_], first: Ints, monitor: Period) -> Ints:
    """First day of the last month seen before that of `first`, 0 for none.

    It never lies after `clear_before`, save where the pixel was dug again: that date is of its first event.
    """
    month = np.datetime64(monitor.start, "M") + np.arange(seen.shape[1])
    starts = month.astype("datetime64[D]").astype(np.int64)
    earlier = seen & (month[None, :] < first.astype("datetime64[D]").astype("datetime64[M]")[:, None])
    return np.asarray(np.where(earlier, starts[None, :], 0).max(axis=1, initial=0), np.int64)


def _part_since(ground: _Ground, start: int) -> Floats:
    """Part of the days on which each pixel may have been dug that lie on or after a day [0-1]."""
    days = ground.first - ground.begun
    return np.asarray(np.clip(ground.first - np.maximum(ground.begun, start - 1), 0, None) / days, np.float64)


def _seen_share(area: Floats, looks: Ints, at_least: int) -> float:
    return float(area[looks >= at_least].sum() / area.sum())
