from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.model import Period, PeriodKind
from geomon.periods import months_of, periods, year_before

days = st.dates(date(2015, 1, 1), date(2030, 12, 31))


@given(kind=st.sampled_from(PeriodKind), start=days, length=st.integers(0, 2000))
def test_periods_cover_the_span_once_and_in_order(kind, start, length):
    """Each day of the span is in exactly one period, and no period leaves it."""
    span = Period(start, start + timedelta(days=length))
    found = periods(kind, span)
    assert (found[0].start, found[-1].end) == (span.start, span.end)
    for before, after in pairwise(found):
        assert after.start == before.end + timedelta(days=1)


@given(kind=st.sampled_from(PeriodKind), start=days, length=st.integers(0, 2000))
def test_inner_bounds_are_the_calendars(kind, start, length):
    """Whatever the span, periods begin on the same days of the year."""
    starts = {"month": range(1, 13), "quarter": (1, 4, 7, 10), "half": (1, 7), "year": (1,), "season": (4, 11)}[
        kind.value
    ]
    for period in periods(kind, Period(start, start + timedelta(days=length)))[1:]:
        assert period.start.day == 1
        assert period.start.month in starts


@given(kind=st.sampled_from(PeriodKind), start=days, length=st.integers(0, 2000))
def test_months_of_all_periods_are_the_months_of_the_span(kind, start, length):
    """No month of the monitor is missed, and a calendar period owns its months alone."""
    span = Period(start, start + timedelta(days=length))
    months = [month for period in periods(kind, span) for month in months_of(period, span.start)]
    assert months == list(months_of(span, span.start))


@pytest.mark.parametrize(
    ("period", "before"),
    [
        (Period(date(2024, 2, 1), date(2024, 2, 29)), Period(date(2023, 2, 1), date(2023, 2, 28))),
        (Period(date(2025, 2, 1), date(2025, 2, 28)), Period(date(2024, 2, 1), date(2024, 2, 29))),
        (Period(date(2023, 11, 1), date(2024, 3, 31)), Period(date(2022, 11, 1), date(2023, 3, 31))),
        (Period(date(2023, 7, 1), date(2023, 8, 14)), Period(date(2022, 7, 1), date(2022, 8, 14))),
    ],
)
def test_a_year_before_is_the_same_season(period, before):
    """Whole months stay whole, a cut period keeps its days."""
    assert year_before(period) == before
