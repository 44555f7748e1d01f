"""Laws of the ladder, and a slow twin that climbs it in plain Python."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from itertools import dropwhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.kernels import sequential as sq
from geomon.kernels.evidence import CLIP_HIGH, CLIP_LOW, Evidence, Fractions
from geomon.model import AlertStatus

NAN = float("nan")
YES, NO, UNSURE = CLIP_HIGH, CLIP_LOW, 0.0
"""A look that shows it as clearly as one may, one that denies it as clearly, and one that says nothing."""
START = 19_000
WEEK = 7

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Seen:
    """Evidence of one look: ratios and percents of bare, turbid and still of P pixels."""

    day: int
    ratio: Sequence[float]
    shows: np.ndarray

    @property
    def look(self) -> Evidence:
        return Evidence(
            np.array(self.ratio, np.float32), Fractions(*(np.ascontiguousarray(part) for part in self.shows))
        )


def seen(day: int, *ratio: float) -> Seen:
    return Seen(day, ratio, np.tile(np.array([[60], [30], [5]], np.uint8), len(ratio)))


def advance(state: sq.Ladder, look: Seen) -> sq.Ladder:
    return sq.advance(state, look.look, day=look.day)


def climb(*ratios: float, every: int = WEEK, state: sq.Ladder | None = None, first: int = START) -> sq.Ladder:
    """One pixel after some looks."""
    looks = [seen(first + every * i, ratio) for i, ratio in enumerate(ratios)]
    return reduce(advance, looks, sq.start(1) if state is None else state)


def status(state: sq.Ladder) -> AlertStatus:
    return AlertStatus(int(state.alert[0]))


def same_bits(left: sq.Ladder, right: sq.Ladder) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def random_looks(seed: int, *, pixels: int = 40, dates: int = 40) -> list[Seen]:
    """Spells of evidence and of none, with cloud between, at uneven intervals; a hit lies at times just at the bar."""
    rng = np.random.default_rng(seed)
    days = START + np.cumsum(rng.choice([0, 1, 5, 10, 16, 70], dates, p=[0.02, 0.1, 0.4, 0.3, 0.13, 0.05]))
    mood = np.cumsum(rng.random((dates, pixels)) < 0.15, axis=0) + rng.integers(0, 2, pixels)
    sure = rng.choice([NO, -0.6, UNSURE, 0.5, np.nextafter(sq.HIT, 0), sq.HIT, 2.5, YES], (dates, pixels))
    ratio = np.where(mood % 2, np.abs(sure), sure)
    ratio = np.where(rng.random(ratio.shape) < 0.2, rng.uniform(CLIP_LOW, CLIP_HIGH, ratio.shape), ratio)
    ratio[rng.random(ratio.shape) < 0.25] = np.nan
    shows = rng.integers(0, 101, (dates, 3, pixels)).astype(np.uint8)
    return [Seen(int(day), row.tolist(), part) for day, row, part in zip(days, ratio, shows, strict=True)]


def states(looks: Sequence[Seen]) -> Iterator[tuple[Seen, sq.Ladder, sq.Ladder]]:
    """Each look with the state before and after it."""
    before = sq.start(len(looks[0].ratio))
    for look in looks:
        after = advance(before, look)
        yield look, before, after
        before = after


# ---------------------------------------------------------------- the slow twin


@dataclass
class Twin:
    """One pixel, its rules written out; score in whole SCORE_UNITs, against in AGAINST_UNITs."""

    alert: AlertStatus = AlertStatus.NONE
    score: int = 0
    against: int = 0
    clear_before: int = 0
    first_seen: int = 0
    confirmed_on: int = 0
    last_seen: int = 0
    gone_on: int = 0
    again_on: int = 0
    reopened_seen: int = 0
    reopened_on: int = 0
    dug_on: int = 0
    last_clear: int = 0
    n_clear: int = 0
    n_hits: int = 0
    n_after: int = 0
    bare: int = 0
    turbid: int = 0
    still: int = 0
    proof: list[int] = field(default_factory=lambda: [0, 0, 0])
    verdicts: list[bool] = field(default_factory=list)

    def take(self, ratio: float, shows: Sequence[int], day: int) -> None:
        """One look."""
        if np.isnan(ratio):
            return
        self.n_clear += 1
        before, self.last_clear = self.last_clear, day
        hit = ratio >= sq.HIT
        if self.alert == AlertStatus.CONFIRMED:
            self.count(ratio)
            self.hold(shows, day) if hit else self.doubt(ratio, day)
        elif self.score > 0 or hit:
            if self.score > 0 and day - self.first_seen > sq.DROP_DAYS and self.n_after >= sq.DROP_LOOKS:
                self.alert, self.score = AlertStatus.DROPPED, 0
                if not hit:
                    return
            if self.score == 0:
                self.alert, self.first_seen, self.verdicts, self.proof = AlertStatus.CANDIDATE, day, [], [0, 0, 0]
                self.clear_before = before
                self.against = self.n_hits = self.n_after = 0
            self.count(ratio)
            self.rise(hit, shows, day)

    def count(self, ratio: float) -> None:
        top = round(sq.MAX_SCORE / sq.SCORE_UNIT)
        self.score = min(max(self.score + round(ratio / sq.SCORE_UNIT), 0), top)
        self.verdicts.append(ratio >= sq.HIT)
        self.n_after += 1

    def mark(self, shows: Sequence[int], day: int) -> None:
        self.n_hits += 1
        self.last_seen = day
        if self.alert != AlertStatus.CONFIRMED:
            self.proof = [*self.proof[1:], day]
        weight = 1.0 / min(self.n_hits, 8)
        for name, now in zip(("bare", "turbid", "still"), shows, strict=True):
            held = getattr(self, name)
            setattr(self, name, int(held + weight * (int(now) - held) + 0.5))

    @property
    def proven(self) -> bool:
        """Three of the last four clear looks have evidence, and it adds up."""
        return (
            sum(self.verdicts[-sq.LAST_LOOKS :]) >= sq.CONFIRM_HITS and self.score * sq.SCORE_UNIT >= sq.CONFIRM_SCORE
        )

    def rise(self, hit: bool, shows: Sequence[int], day: int) -> None:
        """A look of a run that is not confirmed."""
        if hit:
            self.mark(shows, day)
            if self.n_hits >= 2:
                self.alert = AlertStatus.PROVISIONAL
            if self.proven:
                self.alert, self.confirmed_on = AlertStatus.CONFIRMED, day
        proven = self.alert == AlertStatus.CONFIRMED
        late = day - self.first_seen > sq.DROP_DAYS and self.n_after >= sq.DROP_LOOKS
        if not proven and (late or self.score == 0):
            self.alert, self.score = AlertStatus.DROPPED, 0
            if self.n_hits == 1:
                self.alert, self.clear_before, self.first_seen, self.last_seen = AlertStatus.NONE, 0, 0, 0
                self.n_hits = self.n_after = 0
                self.proof = [0, 0, 0]

    def hold(self, shows: Sequence[int], day: int) -> None:
        """Evidence of what is confirmed: still there, or, where it was gone, perhaps a new event."""
        before = self.last_seen
        self.mark(shows, day)
        self.against = 0
        if self.gone_on and not self.again_on:
            self.again_on, self.verdicts = day, [True]
        if self.gone_on and self.proven:
            self.proof = [self.again_on, before, day]
            self.reopened_seen, self.reopened_on, self.gone_on, self.again_on = self.again_on, day, 0, 0
            new_event = list(dropwhile(lambda hit: not hit, self.verdicts[-8:]))
            self.n_hits, self.n_after = sum(new_event), len(new_event)
        elif not self.gone_on and not self.dug_on:
            since = self.reopened_seen if self.reopened_on else self.first_seen
            often = self.n_hits >= sq.DUG_LOOKS * self.n_after
            much = self.bare + self.turbid + self.still >= sq.DUG_PERCENT
            self.dug_on = day if day - since >= sq.DUG_DAYS and often and much else 0

    def doubt(self, ratio: float, day: int) -> None:
        """No evidence of what is confirmed: perhaps it is gone."""
        self.against = min(int(self.against - min(ratio, 0.0) / sq.AGAINST_UNIT + 0.5), 255)
        if self.gone_on:
            self.again_on = self.again_on if self.score else 0
        elif self.against * sq.AGAINST_UNIT >= sq.UNDO_SCORE and not any(self.verdicts[-sq.LAST_LOOKS :]):
            self.gone_on, self.score = day, 0


@given(seed=seeds)
def test_the_ladder_is_the_plain_rules(seed: int) -> None:
    """Any sequence of looks gives the state that the rules written out give, number by number."""
    looks = random_looks(seed)
    state = reduce(advance, looks, sq.start(len(looks[0].ratio)))
    for p in range(len(looks[0].ratio)):
        twin = Twin()
        for look in looks:
            twin.take(float(np.float32(look.ratio[p])), look.shows[:, p], look.day)
        expected = {name: value for name, value in asdict(twin).items() if name != "verdicts"}
        assert {name: getattr(state, name)[p].tolist() for name in expected} == expected


# ---------------------------------------------------------------- a pixel for every status


def test_every_status_has_its_pixel() -> None:
    """One pixel a status, all driven by the same looks, stand on all rungs of the ladder as known on the last day."""
    looks = [
        #             none  candidate  provisional  confirmed  dropped  unresolved
        seen(START + 000, UNSURE, NAN, NAN, YES, YES, YES),
        seen(START + 190, NO, NAN, YES, YES, YES, NAN),
        seen(START + 200, UNSURE, YES, YES, YES, NO, NAN),
        seen(START + 210, NO, NAN, NAN, NO, NO, NAN),
        seen(START + 220, UNSURE, NAN, NAN, YES, NO, NAN),
        seen(START + 230, NO, NAN, NAN, NAN, NO, NAN),
    ]
    alert = sq.settle(reduce(advance, looks, sq.start(6)), as_of=START + 230)
    assert alert.tolist() == [int(each) for each in AlertStatus]
    assert set(alert.tolist()) == set(AlertStatus)


def test_each_look_climbs_one_rung() -> None:
    """One look with evidence makes a candidate, two are provisional, three confirmed: never in one leap."""
    rungs = [status(climb(*[YES] * n)) for n in range(5)]
    assert rungs == [*[*AlertStatus][:4], AlertStatus.CONFIRMED]


@pytest.mark.parametrize(
    ("verdicts", "confirmed_at"),
    [
        ("yyy", 2), ("yyny", 3), ("ynyy", 3), ("ynnyy", None), ("ynnyyy", 5), ("ynynynyn", None), ("nnnnyyy", 6),
        ("yy_y", 3), ("y_y____y", 7), ("yn_y_y", 5),
    ],
)  # fmt: skip
def test_three_of_the_last_four_clear_looks(verdicts: str, confirmed_at: int | None) -> None:
    """Strong evidence in three of the last four clear looks confirms, on the day of that look; cloud does not count."""
    ratios = [{"y": YES, "n": UNSURE, "_": NAN}[verdict] for verdict in verdicts]
    state = climb(*ratios)
    assert (status(state) == AlertStatus.CONFIRMED) == (confirmed_at is not None)
    assert state.confirmed_on[0] == (0 if confirmed_at is None else START + WEEK * confirmed_at)


def test_many_faint_looks_are_not_proof_until_they_add_up() -> None:
    """Three looks at the bar are provisional; the look that brings the sum to the score of proof confirms."""
    needed = int(np.ceil(sq.CONFIRM_SCORE / sq.HIT))
    assert needed > sq.CONFIRM_HITS
    assert status(climb(*[sq.HIT] * (needed - 1))) == AlertStatus.PROVISIONAL
    assert status(climb(*[sq.HIT] * needed)) == AlertStatus.CONFIRMED


def test_a_look_below_the_bar_opens_nothing() -> None:
    """Evidence under the bar begins no run, however often it is repeated."""
    assert same_bits(
        climb(*[0.99 * sq.HIT] * 30)._replace(n_clear=sq.start(1).n_clear, last_clear=sq.start(1).last_clear),
        sq.start(1),
    )


def test_one_refuted_look_leaves_no_trace() -> None:
    """One look's evidence that the next looks deny was a shadow: no alert, no dates, only the looks counted."""
    state = climb(YES, NO, NO)
    assert status(state) == AlertStatus.NONE
    dates = (state.clear_before, state.first_seen, state.confirmed_on, state.last_seen, state.proof)
    assert not any(date.any() for date in dates)
    assert state.n_clear[0] == 3


def test_two_refuted_looks_are_dropped() -> None:
    """A provisional run that later looks deny is dropped and keeps its dates; new evidence opens a new run."""
    state = climb(YES, YES, NO, NO, NO, NO)
    assert status(state) == AlertStatus.DROPPED
    assert (state.first_seen[0], state.last_seen[0]) == (START, START + WEEK)
    again = climb(YES, state=state, first=START + 100)
    assert status(again) == AlertStatus.CANDIDATE
    assert (again.first_seen[0], again.n_hits[0], again.n_after[0]) == (START + 100, 1, 1)


def test_the_look_before_is_the_last_clear_one() -> None:
    """What was last seen clear before the evidence is kept, cloud in between or not; where nothing was, it is zero."""
    assert climb(YES).clear_before[0] == 0
    assert climb(NAN, YES, YES, YES).clear_before[0] == 0
    assert climb(UNSURE, NO, YES, YES).clear_before[0] == START + WEEK
    assert climb(NO, NAN, NAN, YES, NAN, YES, YES, NO).clear_before[0] == START


def test_the_look_before_is_forgotten_with_its_run() -> None:
    """A shadow's day before goes with the shadow; a run that was dropped keeps its own until a new one begins."""
    assert climb(NO, YES, NO, NO).clear_before[0] == 0
    dropped = climb(NO, YES, YES, NO, NO, NO, NO)
    assert (status(dropped), dropped.clear_before[0]) == (AlertStatus.DROPPED, START)
    again = climb(YES, state=dropped, first=START + 100)
    assert again.clear_before[0] == START + 6 * WEEK


# ---------------------------------------------------------------- waiting


def waiting(*later: tuple[int, float]) -> sq.Ladder:
    """Two looks with evidence, then looks so many days after the first."""
    return reduce(advance, [seen(START + age, ratio) for age, ratio in later], climb(YES, YES))


def test_dropped_after_180_days_and_four_clear_looks() -> None:
    """What is not confirmed is dropped at the first clear look more than 180 days on, if it is the fourth or later."""
    assert status(waiting((90, UNSURE), (sq.DROP_DAYS, UNSURE))) == AlertStatus.PROVISIONAL
    assert status(waiting((90, UNSURE), (sq.DROP_DAYS + 1, UNSURE))) == AlertStatus.DROPPED
    assert status(waiting((sq.DROP_DAYS + 1, UNSURE))) == AlertStatus.PROVISIONAL
    assert status(waiting((sq.DROP_DAYS + 1, UNSURE), (sq.DROP_DAYS + 9, UNSURE))) == AlertStatus.DROPPED


def test_cloud_neither_drops_nor_confirms() -> None:
    """Under cloud a run waits for years as it stands."""
    state = waiting(*((30 * i, NAN) for i in range(1, 30)))
    assert same_bits(state, climb(YES, YES))


def test_unresolved_while_clear_looks_lack() -> None:
    """Past 180 days with fewer than four clear looks a run is unresolved, on no earlier day; its state is not."""
    state = climb(YES, YES)
    codes = [sq.settle(state, as_of=START + age)[0] for age in (0, sq.DROP_DAYS, sq.DROP_DAYS + 1, 1000)]
    assert codes == [AlertStatus.PROVISIONAL] * 2 + [AlertStatus.UNRESOLVED] * 2
    assert status(state) == AlertStatus.PROVISIONAL
    assert status(climb(YES, state=state, first=START + 900)) == AlertStatus.CONFIRMED


def test_a_run_that_had_its_looks_is_dropped_in_time() -> None:
    """Past 180 days with four clear looks and no proof a run is dropped, even if no look came to say so."""
    state = climb(YES, YES, NO, NO)
    assert status(state) == AlertStatus.PROVISIONAL
    codes = [sq.settle(state, as_of=START + age)[0] for age in (sq.DROP_DAYS, sq.DROP_DAYS + 1)]
    assert codes == [AlertStatus.PROVISIONAL, AlertStatus.DROPPED]


def test_ground_changed_for_half_a_year_is_dug_for_good() -> None:
    """Dug on the first look with evidence after half a year; what grows on it later does not take that back."""
    looks = [YES] * (sq.DUG_DAYS // WEEK + 2)
    state = climb(*looks)
    assert START + sq.DUG_DAYS <= state.dug_on[0] < START + sq.DUG_DAYS + WEEK
    assert climb(*[NO] * 10, state=state, first=START + 400).dug_on[0] == state.dug_on[0]
    assert climb(*looks[:-3]).dug_on[0] == 0


def test_a_run_that_had_its_time_is_not_confirmed_late() -> None:
    """Evidence after 180 days and four clear looks opens a new run: the old one is not confirmed by it."""
    state = climb(YES, YES, NO, NO)
    late = climb(YES, state=state, first=START + sq.DROP_DAYS + 1)
    assert (status(late), late.first_seen[0]) == (AlertStatus.CANDIDATE, START + sq.DROP_DAYS + 1)


def test_a_stray_look_leaves_the_proof_of_what_was_confirmed() -> None:
    """Evidence where a change was gone is no proof of the earlier event until a new one is confirmed."""
    state = climb(YES, YES, YES, NO, NO, NO, NO, NO)
    assert state.gone_on[0] > 0
    after = climb(YES, NO, state=state, first=START + 400)
    assert after.proof[0].tolist() == state.proof[0].tolist()


def test_settling_leaves_what_is_decided() -> None:
    """No alert, confirmed and dropped stay what they are, however late it is."""
    for ratios in ((), (YES, YES, YES), (YES, YES, NO, NO, NO, NO)):
        state = climb(*ratios)
        assert sq.settle(state, as_of=START + 5000)[0] == status(state)


# ---------------------------------------------------------------- after confirmation


def test_confirmed_until_looks_deny_it() -> None:
    """A confirmed change stays confirmed and is not gone while looks show it, are unsure or are clouded."""
    state = climb(*[YES] * 3, *[UNSURE, NAN, YES] * 20)
    assert status(state) == AlertStatus.CONFIRMED
    assert state.gone_on[0] == 0


def test_gone_on_is_the_look_that_undid_it() -> None:
    """Clear looks that deny a confirmed change set gone_on to the day of the last one needed; it stays confirmed."""
    needed = max(sq.LAST_LOOKS, int(np.ceil(sq.UNDO_SCORE / -NO)))
    for n in range(10):
        state = climb(YES, YES, YES, *[NO] * n)
        assert status(state) == AlertStatus.CONFIRMED
        assert state.gone_on[0] == (START + WEEK * (2 + needed) if n >= needed else 0)
        assert (state.first_seen[0], state.confirmed_on[0]) == (START, START + 2 * WEEK)


def test_a_look_with_evidence_takes_back_what_spoke_against() -> None:
    """Denials are counted since the last look with evidence: a site seen now and then is not gone."""
    assert climb(YES, YES, YES, *[NO, NO, NO, YES] * 10).gone_on[0] == 0


def test_a_new_event_has_its_own_dates() -> None:
    """Where a change was gone, three looks of evidence open a new one: first seen at the first of them."""
    gone = climb(YES, YES, YES, *[NO] * 8)
    assert gone.gone_on[0] > 0
    for n in (1, 2):
        state = climb(*[YES] * n, state=gone, first=START + 400)
        assert (state.reopened_on[0], state.gone_on[0]) == (0, gone.gone_on[0])
    state = climb(YES, YES, YES, state=gone, first=START + 400)
    assert (state.reopened_seen[0], state.reopened_on[0]) == (START + 400, START + 400 + 2 * WEEK)
    assert (state.first_seen[0], state.confirmed_on[0]) == (START, START + 2 * WEEK)
    assert (state.gone_on[0], state.again_on[0]) == (0, 0)
    assert state.proof[0].tolist() == [START + 400 + WEEK * i for i in range(3)]


@given(seed=seeds)
def test_first_seen_is_never_rewritten_once_confirmed(seed: int) -> None:
    """Confirmed is for good, and its dates move only where the change was gone and a later event is confirmed."""
    for look, before, after in states(random_looks(seed)):
        held = before.alert == AlertStatus.CONFIRMED
        assert (after.alert[held] == AlertStatus.CONFIRMED).all()
        assert (after.first_seen[held] == before.first_seen[held]).all()
        assert (after.clear_before[held] == before.clear_before[held]).all()
        assert (after.confirmed_on[held] == before.confirmed_on[held]).all()
        again = held & (before.reopened_on != after.reopened_on)
        assert (before.gone_on[again] > 0).all()
        assert (after.gone_on[again] == 0).all()
        assert (after.reopened_seen[again] >= before.gone_on[again]).all()
        assert (after.reopened_on[again] == look.day).all()


@given(seed=seeds)
def test_dates_are_in_order(seed: int) -> None:
    """Nothing is dated before it was first seen or after the look that is being taken; proof is what confirmed it."""
    for look, _, after in states(random_looks(seed)):
        confirmed = after.alert == AlertStatus.CONFIRMED
        assert (after.confirmed_on > 0).tolist() == confirmed.tolist()
        assert (after.clear_before <= after.first_seen).all()
        assert (after.first_seen <= after.last_seen).all()
        assert (after.last_seen <= after.last_clear).all()
        assert (after.last_clear <= look.day).all()
        assert (after.first_seen <= after.confirmed_on)[confirmed].all()
        there = confirmed & (after.gone_on == 0)
        newest = np.where(after.reopened_on > 0, after.reopened_on, after.confirmed_on)
        assert (after.proof[there, 2] == newest[there]).all()
        assert (np.diff(after.proof[there].astype(int), axis=1) >= 0).all()
        assert (after.proof[there, 0] >= after.first_seen[there]).all()


@given(seed=seeds)
def test_counts_are_counts(seed: int) -> None:
    """Clear looks, looks since first seen and looks with evidence are nested; no alert has none of the last two."""
    for _, before, after in states(random_looks(seed)):
        assert (after.n_hits <= after.n_after).all()
        assert (after.n_after <= after.n_clear).all()
        assert (after.n_hits[after.alert == AlertStatus.NONE] == 0).all()
        assert (after.n_clear - before.n_clear <= 1).all()


# ---------------------------------------------------------------- what was shown


def test_fractions_are_a_mean_of_what_looks_show() -> None:
    """Two looks with evidence weigh alike, and looks without leave the fractions alone."""
    state = sq.start(1)
    for day, ratio, bare in ((START, YES, 20), (START + 7, UNSURE, 99), (START + 14, YES, 60)):
        state = advance(state, Seen(day, [ratio], np.array([[bare], [10], [0]], np.uint8)))
    assert (state.bare[0], state.turbid[0], state.still[0]) == (40, 10, 0)


def test_shown_is_what_is_under_way() -> None:
    """A candidate and a confirmed pixel have something to compare with; a fresh or a dropped one has not."""
    asked = {ratios: sq.shown(climb(*ratios)).bare[0] for ratios in ((), (YES,), (YES,) * 3, (YES, YES, *[NO] * 6))}
    assert list(asked.values()) == [0, 60, 60, 0]


# ---------------------------------------------------------------- the state is all


@given(seed=seeds, cut=st.integers(0, 40))
def test_a_saved_state_goes_on_the_same(seed: int, cut: int) -> None:
    """Looks taken in two runs, with the state saved and loaded between, give the state of one run, to the bit."""
    looks = random_looks(seed)
    state = reduce(advance, looks[:cut], sq.start(len(looks[0].ratio)))
    file = io.BytesIO()
    np.savez(file, **state._asdict())
    file.seek(0)
    with np.load(file) as loaded:
        state = sq.Ladder(**{name: loaded[name] for name in sq.Ladder._fields})
    whole = reduce(advance, looks, sq.start(len(looks[0].ratio)))
    assert same_bits(reduce(advance, looks[cut:], state), whole)


@given(seed=seeds)
def test_order_of_pixels_does_not_matter(seed: int) -> None:
    """Permuting pixels permutes their states: each climbs alone."""
    looks = random_looks(seed)
    order = np.random.default_rng(seed).permutation(len(looks[0].ratio))
    mixed = [Seen(look.day, np.array(look.ratio)[order].tolist(), look.shows[:, order]) for look in looks]
    whole = reduce(advance, looks, sq.start(len(order)))
    expected = sq.Ladder(*(array[order] for array in whole))
    assert same_bits(reduce(advance, mixed, sq.start(len(order))), expected)


@given(seed=seeds)
def test_a_look_that_is_not_clear_changes_nothing(seed: int) -> None:
    """NaN everywhere leaves every number of the state as it was, the clear looks counted too."""
    looks = random_looks(seed)
    state = reduce(advance, looks, sq.start(len(looks[0].ratio)))
    blind = seen(looks[-1].day + 400, *[NAN] * len(looks[0].ratio))
    assert same_bits(advance(state, blind), state)


def test_arguments_are_left_alone() -> None:
    """The state before and the look are read, not written; settling and showing write nothing either."""
    looks = random_looks(1)
    state = reduce(advance, looks[:-1], sq.start(len(looks[0].ratio)))
    kept, last = sq.Ladder(*(array.copy() for array in state)), looks[-1].look
    given_ratio = last.ratio.copy()
    sq.advance(state, last, day=looks[-1].day)
    sq.settle(state, as_of=START + 9000)
    sq.shown(state)
    assert same_bits(state, kept)
    assert np.array_equal(last.ratio, given_ratio, equal_nan=True)
