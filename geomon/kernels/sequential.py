"""The ladder: clear looks add up, one by one, to candidate, provisional, confirmed, dropped.

In: the evidence of one look and the tile's state. Out: the next state. Nothing older than the state is ever needed, and
every number in it is a small integer, so applying looks in two runs gives the same state as in one, to the bit, and a
saved state is the state.

Rules (domain.md 6, alert confirmation rules in use; design 4.3): candidate at the first look with evidence, provisional
at the second, confirmed when three of the last four clear looks have it and the evidence adds up; `first_seen` is where
that run of evidence began and is never rewritten once confirmed; a run that later clear looks undo, or that 180 days
and four clear looks do not confirm, is dropped.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import kernel
from geomon.kernels.evidence import Evidence, Fractions
from geomon.model import AlertStatus

SCORE_UNIT: Final = 1.0 / 256.0
"""Log-likelihood of one step of the stored score."""

HIT: Final = 1.0
"""A look has evidence when mined is e times likelier than innocent, after `OCCAM`."""
CONFIRM_SCORE: Final = 6.0
"""Odds of 400 to 1 in favour, against one mined pixel in a thousand clear ones that show any evidence at all."""
UNDO_SCORE: Final = 3.0
"""Odds of twenty to one, gathered since the last look with evidence, undo a confirmed change; stored in AGAINST_UNIT.
"""
AGAINST_UNIT: Final = 1.0 / 16.0
MAX_SCORE: Final = 10.0
"""Cap of the sum: five looks that speak against it at the lower clip undo any run, however long it was."""
LAST_LOOKS: Final = 4
CONFIRM_HITS: Final = 3
DROP_DAYS: Final = 180
DROP_LOOKS: Final = 4
DUG_DAYS: Final = 180
DUG_LOOKS: Final = 0.7
DUG_PERCENT: Final = 30
"""Dug for good: still changed after half a year, on this share of the clear looks, this much of the pixel bare or
water. Burns recover in weeks and farms green within a season (domain.md 1). Mined pixels of the simulated landscapes
show on 0.9 of their looks, burns on 0.3, fields on 0.5; true shares of a quarter are estimated at 0.36
(benchmarks/accuracy.py).
"""
_MEMORY: Final = 8.0
"""Fractions are a running mean over about the last eight looks with evidence."""

_NONE = int(AlertStatus.NONE)
_CANDIDATE = int(AlertStatus.CANDIDATE)
_PROVISIONAL = int(AlertStatus.PROVISIONAL)
_CONFIRMED = int(AlertStatus.CONFIRMED)
_DROPPED = int(AlertStatus.DROPPED)


class Ladder(NamedTuple):
    """State of P pixels: 1-D arrays, but `proof` (P, 3); the names are those of the layers in `geomon.schema`.

    `score` is int16 in SCORE_UNIT, `recent` the last eight clear looks of the run as bits (newest lowest); days count
    from 1970-01-01.
    """

    alert: NDArray[np.uint8]
    score: NDArray[np.int16]
    recent: NDArray[np.uint8]
    against: NDArray[np.uint8]
    clear_before: NDArray[np.uint16]
    first_seen: NDArray[np.uint16]
    confirmed_on: NDArray[np.uint16]
    last_seen: NDArray[np.uint16]
    gone_on: NDArray[np.uint16]
    again_on: NDArray[np.uint16]
    reopened_seen: NDArray[np.uint16]
    reopened_on: NDArray[np.uint16]
    dug_on: NDArray[np.uint16]
    last_clear: NDArray[np.uint16]
    n_clear: NDArray[np.uint16]
    n_hits: NDArray[np.uint16]
    n_after: NDArray[np.uint16]
    bare: NDArray[np.uint8]
    turbid: NDArray[np.uint8]
    still: NDArray[np.uint8]
    proof: NDArray[np.uint16]


def start(pixels: int) -> Ladder:
    """The state before the first look of the monitor."""
    wide = {
        "score": np.int16,
        "alert": np.uint8,
        "recent": np.uint8,
        "against": np.uint8,
        "bare": np.uint8,
        "turbid": np.uint8,
        "still": np.uint8,
    }
    arrays = {name: np.zeros(pixels, wide.get(name, np.uint16)) for name in Ladder._fields if name != "proof"}
    return Ladder(**arrays, proof=np.zeros((pixels, 3), np.uint16))


def advance(state: Ladder, look: Evidence, *, day: int) -> Ladder:
    """Apply one look.

    Parameters
    ----------
    state : Ladder
        State of P pixels; not changed.
    look : Evidence
        Evidence of the look, NaN where it is not clear.
    day : int
        Acquisition day, days since 1970-01-01, not before that of the look applied last.

    Returns
    -------
    Ladder
    """
    copies: Any = [array.copy() for array in state]
    after = Ladder(*copies)
    _advance(after, look, day)
    return after


def shown(state: Ladder) -> Fractions:
    """What each pixel has shown in its run of evidence so far, zero where none is under way: for `evidence`."""
    under_way = (state.alert == _CONFIRMED) | (state.score > 0)
    bare, turbid, still = (np.where(under_way, part, np.uint8(0)) for part in (state.bare, state.turbid, state.still))
    return Fractions(bare, turbid, still)


def settle(state: Ladder, *, as_of: int) -> NDArray[np.uint8]:
    """Alert codes as known on a day.

    A run that has waited 180 days is dropped if it had four clear looks in that time, and unresolved if it had not.
    """
    waiting = (state.alert == _CANDIDATE) | (state.alert == _PROVISIONAL)
    old = waiting & (as_of - state.first_seen.astype(np.int64) > DROP_DAYS)
    alert = state.alert.copy()
    alert[old] = np.where(state.n_after[old] < DROP_LOOKS, int(AlertStatus.UNRESOLVED), _DROPPED)
    return alert


@kernel
def _advance(s: Any, look: Any, day: int) -> None:
    for p in range(s.alert.shape[0]):
        ratio = look.ratio[p]
        if np.isnan(ratio):
            continue
        before = s.last_clear[p]
        s.n_clear[p] += np.uint16(1)
        s.last_clear[p] = np.uint16(day)
        hit = ratio >= HIT
        if s.alert[p] == _CONFIRMED:
            _follow(s, look, p, day)
            continue
        running = s.score[p] > 0
        if not running and not hit:
            continue
        if not running:
            _open(s, p, before, day)
        _weigh(s, look, p, before, day)


@kernel
def _open(s: Any, p: int, before: int, day: int) -> None:
    """A new run of evidence begins; what an earlier, refuted run left is forgotten."""
    s.alert[p] = np.uint8(_CANDIDATE)
    s.clear_before[p] = np.uint16(before)
    s.first_seen[p] = np.uint16(day)
    s.recent[p] = np.uint8(0)
    s.against[p] = np.uint8(0)
    s.n_hits[p] = np.uint16(0)
    s.n_after[p] = np.uint16(0)
    s.proof[p, 0] = np.uint16(0)
    s.proof[p, 1] = np.uint16(0)
    s.proof[p, 2] = np.uint16(0)


@kernel
def _weigh(s: Any, look: Any, p: int, before: int, day: int) -> None:
    """Before confirmation: climb, or be dropped. A run that had its time already is not confirmed late."""
    hit = look.ratio[p] >= HIT
    if _is_late(s, p, day):
        s.alert[p] = np.uint8(_DROPPED)
        s.score[p] = np.int16(0)
        if not hit:
            return
        _open(s, p, before, day)
    _add(s, p, look.ratio[p])
    if hit:
        _mark(s, look, p, day)
        if s.n_hits[p] >= 2:
            s.alert[p] = np.uint8(_PROVISIONAL)
    if hit and _hits(s, p) >= CONFIRM_HITS and s.score[p] >= np.int64(CONFIRM_SCORE / SCORE_UNIT):
        s.alert[p] = np.uint8(_CONFIRMED)
        s.confirmed_on[p] = np.uint16(day)
    elif _is_late(s, p, day) or s.score[p] == 0:
        s.alert[p] = np.uint8(_DROPPED)
        s.score[p] = np.int16(0)
        if s.n_hits[p] == 1:
            _forget(s, p)


@kernel
def _is_late(s: Any, p: int, day: int) -> bool:
    return bool(day - np.int64(s.first_seen[p]) > DROP_DAYS and s.n_after[p] >= DROP_LOOKS)


@kernel
def _add(s: Any, p: int, ratio: float) -> None:
    """Count a clear look: its evidence into the score, its verdict into the memory of the last looks."""
    score = s.score[p] + np.int64(np.round(ratio / SCORE_UNIT))
    s.score[p] = np.int16(min(max(score, 0), np.int64(MAX_SCORE / SCORE_UNIT)))
    s.recent[p] = np.uint8((np.int64(s.recent[p]) << 1 | np.int64(ratio >= HIT)) & 0xFF)
    s.n_after[p] += np.uint16(1)


@kernel
def _follow(s: Any, look: Any, p: int, day: int) -> None:
    """After confirmation: is it still there? What is gone may open again, as a new event with its own dates."""
    _add(s, p, look.ratio[p])
    if look.ratio[p] >= HIT:
        before = s.last_seen[p]
        _mark(s, look, p, day)
        s.against[p] = np.uint8(0)
        if s.gone_on[p] > 0:
            _reopen(s, p, before, day)
        else:
            _settle_in(s, p, day)
        return
    s.against[p] = np.uint8(min(s.against[p] - min(look.ratio[p], 0.0) / AGAINST_UNIT + 0.5, 255.0))
    if s.gone_on[p] > 0:
        s.again_on[p] = np.uint16(0) if s.score[p] == 0 else s.again_on[p]
    elif s.against[p] * AGAINST_UNIT >= UNDO_SCORE and _hits(s, p) == 0:
        s.gone_on[p] = np.uint16(day)
        s.score[p] = np.int16(0)


@kernel
def _settle_in(s: Any, p: int, day: int) -> None:
    """Ground that stayed changed for half a year was dug, and stays so whatever grows on it later."""
    since = np.int64(s.reopened_seen[p]) if s.reopened_on[p] > 0 else np.int64(s.first_seen[p])
    often = s.n_hits[p] >= DUG_LOOKS * s.n_after[p]
    much = np.int64(s.bare[p]) + s.turbid[p] + s.still[p] >= DUG_PERCENT
    if s.dug_on[p] == 0 and day - since >= DUG_DAYS and often and much:
        s.dug_on[p] = np.uint16(day)


@kernel
def _reopen(s: Any, p: int, before: int, day: int) -> None:
    """Evidence where a change was gone: a new event once it passes the same test as the first."""
    if s.again_on[p] == 0:
        s.again_on[p] = np.uint16(day)
        s.recent[p] = np.uint8(1)
    if _hits(s, p) >= CONFIRM_HITS and s.score[p] >= np.int64(CONFIRM_SCORE / SCORE_UNIT):
        s.reopened_seen[p] = s.again_on[p]
        s.reopened_on[p] = np.uint16(day)
        s.proof[p, 0], s.proof[p, 1], s.proof[p, 2] = s.again_on[p], np.uint16(before), np.uint16(day)
        s.gone_on[p] = np.uint16(0)
        s.again_on[p] = np.uint16(0)
        _recount(s, p)


@kernel
def _recount(s: Any, p: int) -> None:
    """Counts of the new event: its looks among the last eight, from the first with evidence."""
    looks = np.int64(0)
    hits = np.int64(0)
    for i in range(8):
        bit = (np.int64(s.recent[p]) >> i) & 1
        hits += bit
        if bit:
            looks = np.int64(i + 1)
    s.n_hits[p] = np.uint16(hits)
    s.n_after[p] = np.uint16(looks)


@kernel
def _hits(s: Any, p: int) -> int:
    """Looks with evidence among the last LAST_LOOKS clear ones."""
    hits = np.int64(0)
    for i in range(LAST_LOOKS):
        hits += (np.int64(s.recent[p]) >> i) & 1
    return int(hits)


@kernel
def _forget(s: Any, p: int) -> None:
    """One look's evidence that the next looks undid leaves no trace: it was a shadow or a cloud."""
    s.alert[p] = np.uint8(_NONE)
    s.first_seen[p] = np.uint16(0)
    s.clear_before[p] = np.uint16(0)
    s.last_seen[p] = np.uint16(0)
    s.n_hits[p] = np.uint16(0)
    s.n_after[p] = np.uint16(0)
    s.proof[p, 2] = np.uint16(0)


@kernel
def _mark(s: Any, look: Any, p: int, day: int) -> None:
    """Take the look's fractions into the running means."""
    s.n_hits[p] += np.uint16(1)
    s.last_seen[p] = np.uint16(day)
    if s.alert[p] != _CONFIRMED:
        s.proof[p, 0] = s.proof[p, 1]
        s.proof[p, 1] = s.proof[p, 2]
        s.proof[p, 2] = np.uint16(day)
    share = 1.0 / min(np.float64(s.n_hits[p]), _MEMORY)
    s.bare[p] = np.uint8(s.bare[p] + share * (np.float64(look.shows.bare[p]) - s.bare[p]) + 0.5)
    s.turbid[p] = np.uint8(s.turbid[p] + share * (np.float64(look.shows.turbid[p]) - s.turbid[p]) + 0.5)
    s.still[p] = np.uint8(s.still[p] + share * (np.float64(look.shows.still[p]) - s.still[p]) + 0.5)
