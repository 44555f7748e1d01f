"""What an object did in each period: fresh ground, quiet, overgrown, unseen; and what later data may change."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.footprints import gather
from geomon.footprints.activity import FRESH_M2, object_periods
from geomon.footprints.history import with_history
from geomon.model import Activity, Period, PeriodKind, to_day
from geomon.periods import months_of, periods
from tests._change import BASELINE, MONITOR, block, tiled

Q3, Q4, Q1, Q2 = date(2022, 8, 1), date(2022, 11, 5), date(2023, 2, 1), date(2023, 5, 1)
WORKING = {Activity.NEW, Activity.ACTIVE, Activity.EXPANDING, Activity.PERSISTENT}


def table(pixels, **days):
    """The pixel table with day columns set for all of its rows, or row by row."""
    held = with_history(gather(tiled(pixels)), BASELINE)
    full = {name: np.broadcast_to(np.array(values, np.int64), len(held)).copy() for name, values in days.items()}
    return replace(held, **full)


def rows(held, *, kind=PeriodKind.QUARTER, monitor=MONITOR):
    index = np.arange(len(held))
    return object_periods(held, index, spans=periods(kind, monitor), monitor=monitor)


def told(held, **facts):
    return [row.activity.value for row in rows(held, **facts)]


def test_work_is_new_then_expanding_then_persistent_then_quiet():
    """Two pixels are little beside forty, but fresh; without any the ground is quiet."""
    pixels = [*block(0, 0, 5, 8, first=Q3), *block(5, 0, 1, 5, first=Q4), *block(6, 0, 1, 2, first=Q1)]
    assert told(table(pixels)) == ["new", "expanding", "persistent", *["previously_active"] * 3]


def test_one_pixel_is_no_work_two_are():
    """Edges jitter by a pixel; a pixel of 10 m holds less than FRESH_M2."""
    old = block(0, 0, 6, 6, first=Q3)
    for count, expected in ((1, "previously_active"), (2, "active")):
        found = rows(table([*old, *block(6, 0, 1, count, first=Q1)]))
        assert found[2].activity.value == expected
        assert (found[2].fresh_m2 >= FRESH_M2) == (expected == "active")


@pytest.mark.parametrize(("seen_before", "expected"), [(date(2022, 12, 28), "active"), (Q4, "previously_active")])
def test_ground_found_after_a_gap_speaks_for_a_period_by_its_part_of_the_gap(seen_before, expected):
    """Two pixels seen on 5 January, last seen undug on 28 December or in early November; still it is fresh ground."""
    seen = (0, 1, 2, 3, 4, 6, 7, 8) if seen_before == Q4 else tuple(range(9))
    pixels = [*block(0, 0, 6, 6, first=Q3, seen=seen), *block(6, 0, 1, 4, first=date(2023, 1, 5), seen=seen)]
    held = table(pixels)
    held = table(pixels, clear_before=np.where(held.first_seen == to_day(Q3), 0, to_day(seen_before)))
    found = rows(held)[2]
    assert found.activity.value == expected
    assert found.fresh_m2 > FRESH_M2
    assert (found.dated_m2 < found.fresh_m2) == (seen_before.year == 2022)


def test_ground_dug_again_is_dated_by_the_months_seen_since_its_first_event():
    """Its `clear_before` is that of the first event: a year ago, though it was seen in June since."""
    pixels = [*block(0, 0, 4, 4, first=Q3), *block(4, 0, 1, 4, first=date(2023, 8, 20), seen=(0, 11, 13, 14))]
    held = table(pixels, clear_before=to_day(date(2022, 7, 2)))
    found = rows(held)[4]
    assert found.activity == Activity.EXPANDING
    assert found.dated_m2 == pytest.approx(51 / 80 * found.fresh_m2)  # of the days after 1 June


def test_a_period_that_nobody_saw_does_not_end_persistence():
    """Work, then cloud, then work."""
    seen = (0, 1, 2, 6, 7, 8, 9, 10, 11)
    pixels = [*block(0, 0, 6, 6, first=Q3, seen=seen), *block(6, 0, 1, 2, first=Q1, seen=seen)]
    found = told(table(pixels))
    assert found == ["new", "not_observed", "persistent", "previously_active", "not_observed", "not_observed"]


def test_quiet_needs_looks_in_two_months_of_a_quarter_and_in_one_of_a_month():
    """One look is too few to say that nobody digs."""
    held = table(block(0, 0, 5, 4, first=Q3, seen=(0, 1, 3, 6, 7)))
    assert told(held) == ["new", "not_observed", "previously_active", *["not_observed"] * 3]
    assert rows(held)[1].observed_share == 1.0
    assert told(held, kind=PeriodKind.MONTH)[:4] == ["new", "not_observed", "previously_active", "not_observed"]


def test_a_first_quarter_of_one_month_is_judged_by_that_month_now_and_later():
    """Longer quarters that follow ask for more looks of themselves, not of it."""
    held = table(block(0, 0, 5, 4, first=BASELINE.start, seen=(0, 1)))
    for end, expected in ((date(2022, 9, 30), 1), (date(2022, 12, 31), 2), (date(2023, 3, 31), 3)):
        found = told(held, monitor=Period(date(2022, 9, 5), end))
        assert found == ["previously_active", "not_observed", "not_observed"][:expected]


@pytest.mark.parametrize(("rows_gone", "expected"), [(1, "previously_active"), (2, "revegetating")])
def test_ground_is_revegetating_from_the_period_in_which_half_of_it_had_greened(rows_gone, expected):
    """Not before, not where nobody looked, and not while it is dug."""
    held = table(block(0, 0, 5, 4, first=Q3, seen=tuple(range(15))))
    half = held.row < held.row.min() + rows_gone
    held = replace(held, gone_on=np.where(half, to_day(date(2023, 8, 1)), 0), dug_on=np.full(20, to_day(Q1)))
    found = rows(held)
    assert [row.activity.value for row in found][3:] == ["previously_active", expected, "not_observed"]
    assert found[4].regrown_m2 == pytest.approx(rows_gone / 4 * found[4].area_m2)
    assert found[3].regrown_m2 == 0.0


def test_what_vanished_within_half_a_year_was_no_open_ground_and_did_not_green():
    """A burn or a field that passed; pits stay open longer."""
    held = table(block(0, 0, 5, 4, first=Q3), gone_on=to_day(Q4))
    assert told(held)[1] == "previously_active"


def test_fresh_ground_beside_overgrown_ground_is_work():
    """Work wins over plants."""
    pixels = [*block(0, 0, 5, 4, first=Q3), *block(5, 0, 1, 4, first=Q2)]
    held = table(pixels)
    old = held.first_seen == to_day(Q3)
    held = replace(held, gone_on=np.where(old, to_day(Q1), 0), dug_on=np.where(old, to_day(Q4), 0))
    assert told(held)[2:5] == ["revegetating", "expanding", "revegetating"]


def test_old_ground_is_never_new():
    """Ground older than the history is there from the first period on, whatever is dug beside it."""
    pixels = [*block(0, 0, 5, 4, first=BASELINE.start), *block(5, 0, 2, 4, first=Q3)]
    assert told(table(pixels))[:2] == ["expanding", "previously_active"]
    assert told(table(pixels[:20])) == ["previously_active"] * 6


def test_faint_ground_is_reported_too():
    """Pixels of which no share shows weigh next to nothing, not nothing."""
    found = rows(table(block(0, 0, 5, 4, first=Q3, bare=5, water=0)))
    assert [row.activity.value for row in found[:2]] == ["new", "previously_active"]
    assert found[0].observed_share == 1.0


def day(low, high):
    return st.integers(to_day(low), to_day(high))


histories = st.lists(
    st.tuples(
        day(date(2022, 1, 1), MONITOR.end),
        st.integers(0, 200),
        st.integers(180, 500),
        st.booleans(),
        st.sets(st.integers(0, 17)),
        st.sampled_from([25, 50, 90]),
    ),
    min_size=1,
    max_size=40,
)


def drawn(history):
    """A strip of pixels with any dates that the ladder can give."""
    first, gap, life, gone, seen, bare = (list(column) for column in zip(*history, strict=True))
    parts = [block(k, 0, 1, 1, bare=bare[k], water=0, seen=tuple(seen[k])) for k in range(len(history))]
    held = table([px for part in parts for px in part])
    begun, life = np.array(first), np.array(life)
    ends = np.where(gone, begun + life, 0)
    known = np.where(np.array(gap) > 0, begun - np.array(gap), 0)
    return replace(held, first_seen=begun, clear_before=known, gone_on=ends, dug_on=np.where(gone, begun + 180, 0))


def as_known_on(held, cut):
    """What the table said on a day: later pixels, ends and months are not in it."""
    held = held.take(np.flatnonzero(held.first_seen <= cut))
    months = len(months_of(Period(MONITOR.start, date(1970, 1, 1) + timedelta(days=cut)), MONITOR.start))
    bits = np.unpackbits(held.seen_months, axis=1, bitorder="little")
    bits[:, months:] = 0
    days = {name: np.where(getattr(held, name) <= cut, getattr(held, name), 0) for name in ("gone_on", "dug_on")}
    return replace(held, seen_months=np.packbits(bits, axis=1, bitorder="little"), **days)


@given(history=histories, kind=st.sampled_from(list(PeriodKind)), start=day(date(2022, 7, 1), date(2022, 9, 30)))
def test_a_row_never_changes_when_later_periods_are_added(history, kind, start):
    """Whenever a run is made, its whole periods are told as every later run tells them; no run is asked."""
    monitor = Period(date(1970, 1, 1) + timedelta(days=start), MONITOR.end)
    held = drawn(history)
    whole = rows(held, kind=kind, monitor=monitor)
    for span in periods(kind, monitor)[:-1]:
        known = as_known_on(held, to_day(span.end))
        until = Period(monitor.start, span.end)
        then = rows(known, kind=kind, monitor=until) if len(known) else ()
        assert then == whole[: len(then)]
        assert all(row.period.start > span.end for row in whole[len(then) :])


@given(history=histories, kind=st.sampled_from(list(PeriodKind)))
def test_each_word_means_what_it_says(history, kind):
    """New comes first and once; work has fresh ground; quiet ground was seen; areas add up."""
    found = rows(drawn(history), kind=kind)
    for number, row in enumerate(found):
        assert row.activity != Activity.NEW or (number == 0 and row.area_m2 == row.fresh_m2)
        assert row.activity in WORKING or row.dated_m2 < FRESH_M2
        assert row.activity not in WORKING - {Activity.NEW} or row.dated_m2 >= FRESH_M2
        assert 0.0 <= row.dated_m2 <= row.fresh_m2 * (1 + 1e-9)
        assert row.regrown_m2 <= row.area_m2
        assert (row.observed_share == 0.0) <= (row.activity in {*WORKING, Activity.NOT_OBSERVED})
    assert all(b.area_m2 == pytest.approx(a.area_m2 + b.fresh_m2) for a, b in pairwise(found))
