"""95 % intervals: of a share, of a rate, and by resampling of anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
DRAWS = 2_000
"""Resamples; the limits of a 95 % interval are then good to about a hundredth of its width."""


class Estimate(NamedTuple):
    """A figure with its interval; nan where there is nothing to go by."""

    value: float
    low: float
    high: float


NOTHING = Estimate(np.nan, np.nan, np.nan)


def wilson(hits: int, trials: int) -> Estimate:
    """Share with Wilson's interval (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    if trials == 0:
        return NOTHING
    held = stats.binomtest(hits, trials).proportion_ci(LEVEL, method="wilson")
    return Estimate(hits / trials, held.low, held.high)


def poisson(events: int, exposure: float) -> Estimate:
    """Rate with the exact interval (Garwood 1936, Biometrika 28:437)."""
    tail = (1 - LEVEL) / 2
    low = stats.chi2.ppf(tail, 2 * events) / 2 if events else 0.0
    return Estimate(*(float(count) / exposure for count in (events, low, stats.chi2.isf(tail, 2 * events + 2) / 2)))


def bootstrap(records: ArrayLike, measure: Callable[[NDArray[np.float64]], float]) -> Estimate:
    """Figure with the percentile interval of resampled records.

    Parameters
    ----------
    records : (n, columns) or (n,)
    measure : callable
        Takes records, gives the figure; nan where it is not defined.
    """
    table = np.asarray(records, dtype=np.float64)
    if len(table) == 0:
        return NOTHING
    rng = np.random.default_rng(len(table))
    drawn = [measure(table[rng.integers(0, len(table), len(table))]) for _ in range(DRAWS)]
    known = [one for one in drawn if np.isfinite(one)]
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if known else (np.nan, np.nan)
    return Estimate(measure(table), float(low), float(high))


def ratio(over: float, under: float) -> float:
    """Quotient, nan for none."""
    return float(over / under) if under else float("nan")
