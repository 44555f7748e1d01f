"""Calendar periods of a reporting kind, and the months they touch.

In: a kind (month, quarter, half, year, season) and the span that is monitored. Out: the calendar-aligned periods inside
the span, cut at its ends, and the month numbers that the `seen_months` bits use. Nothing here knows of sites or zones,
and nothing reads a clock.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from itertools import takewhile
from typing import Final

from geomon.model import Period, PeriodKind

_MONTHS: Final = {PeriodKind.MONTH: 1, PeriodKind.QUARTER: 3, PeriodKind.HALF: 6, PeriodKind.YEAR: 12}

_DRY_START: Final = 11
_WET_START: Final = 4
"""Seasons: November-March dry, April-October wet (northern Cote d'Ivoire and western CAR; domain.md, seasons and
confusers).
"""


def periods(kind: PeriodKind, span: Period) -> tuple[Period, ...]:
    """Calendar-aligned periods of one kind that overlap a span, cut at its two ends.

    Examples
    --------
    >>> [str(p.start) for p in periods(PeriodKind.QUARTER, Period(date(2022, 2, 10), date(2022, 7, 1)))]
    ['2022-02-10', '2022-04-01', '2022-07-01']
    >>> periods(PeriodKind.SEASON, Period(date(2022, 1, 1), date(2022, 12, 31)))[0].end
    datetime.date(2022, 3, 31)
    """
    starts = list(takewhile(lambda start: start <= span.end, _starts(kind, span.start)))
    ends = [_day_before(start) for start in starts[1:]] + [span.end]
    return tuple(Period(max(start, span.start), end) for start, end in zip(starts, ends, strict=True))


def months_of(period: Period, monitor_start: date) -> tuple[int, ...]:
    """Numbers of the months that a period touches, counted from the month of the monitor start (bits of `seen_months`).

    Examples
    --------
    >>> months_of(Period(date(2022, 11, 1), date(2023, 1, 31)), date(2022, 7, 15))
    (4, 5, 6)
    """
    first = _month_number(period.start) - _month_number(monitor_start)
    last = _month_number(period.end) - _month_number(monitor_start)
    return tuple(range(max(first, 0), last + 1))


def year_before(period: Period) -> Period:
    """The same days one year earlier (29 February becomes the 28th; the last day of a February stays its last day)."""
    return Period(_minus_year(period.start), _minus_year(period.end, month_end=_is_month_end(period.end)))


def _starts(kind: PeriodKind, first: date) -> Iterator[date]:
    if kind is PeriodKind.SEASON:
        start = _season_start(first)
        while True:
            yield start
            start = (
                date(start.year, _DRY_START, 1) if start.month == _WET_START else date(start.year + 1, _WET_START, 1)
            )
    step = _MONTHS[kind]
    number = _month_number(first) // step * step
    while True:
        yield date(number // 12, number % 12 + 1, 1)
        number += step


def _season_start(when: date) -> date:
    if when.month < _WET_START:
        return date(when.year - 1, _DRY_START, 1)
    return date(when.year, _WET_START if when.month < _DRY_START else _DRY_START, 1)


def _month_number(when: date) -> int:
    return when.year * 12 + when.month - 1


def _day_before(when: date) -> date:
    return date.fromordinal(when.toordinal() - 1)


def _is_month_end(when: date) -> bool:
    return when.day == monthrange(when.year, when.month)[1]


def _minus_year(when: date, *, month_end: bool = False) -> date:
    days = monthrange(when.year - 1, when.month)[1]
    return date(when.year - 1, when.month, days if month_end else min(when.day, days))
