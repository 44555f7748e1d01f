"""EWMA control chart on the residuals of one index: a quick, well-known monitor to measure our own detector against.

In: new dates of an index (dates, pixels), NaN where not clear, the baseline's coefficients and scale, and the chart's
state. Out: the next state. The state is all the memory there is: taking dates in two calls equals taking them in one,
to the bit, and so does any order or split of the pixels. No input is changed.

Two things differ from the chart as published, because one look may be a missed cloud. A look moves the chart by no
more than what takes it from rest to its boundary, but it always counts: `nrt` drops residuals beyond 10 sigma for good
and so never sees the largest clearings. And a crossing is dated only when a second clear look in a row leaves the
chart beyond the boundary on the same side; the date is that look's, so it was known on that day.

References
----------
Roberts (1959), Technometrics 1(3), 239-250: the chart.
Brooks et al. (2014), IEEE Trans. Geosci. Remote Sensing 52(6), 3316-3332: on harmonic residuals of Landsat series.
Lucas & Saccucci (1990), Technometrics 32(1), 1-12: choice of lambda and L; two in a row against outliers.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import LANES, LARGEST, FloatArray, frozen, kernel

DATE_STEP = 4
JUST_BEYOND = 1 + 1e-6  # float32 rounding must not decide on which side of the boundary a held look ends
ZERO, NAN = np.float32(0), np.float32(np.nan)


class EwmaState(NamedTuple):
    """What the chart remembers.

    Attributes
    ----------
    value : float32, (P,)
        Weighted mean of the residuals, in the index's unit.
    crossed_on : uint16, (P,)
        Day of the first confirmed crossing, since 1970-01-01; 0 = never. Set once; the chart itself goes on.
    """

    value: FloatArray
    crossed_on: NDArray[np.uint16]

    @classmethod
    def at_rest(cls, pixels: int) -> Self:
        """State before the first look."""
        return cls(np.zeros(pixels, np.float32), np.zeros(pixels, np.uint16))


class Baseline(NamedTuple):
    """What the index is expected to do.

    Attributes
    ----------
    coefficients : float32, (K, P)
        As from `harmonic.fit`.
    sigma : float32, (P,)
        Scale of the residuals, in the index's unit. A pixel whose sigma is NaN or 0 is not watched.
    """

    coefficients: FloatArray
    sigma: FloatArray


class _Chart(NamedTuple):
    """Weight of a new look; boundary and largest counted residual in sigmas."""

    lam: np.float32
    boundary: np.float32
    largest: np.float32


class _Block(NamedTuple):
    """One block of `LANES` pixels: residuals (D, L), coefficients (K, L), value, boundary, largest residual, day."""

    residuals: FloatArray
    coefficients: FloatArray
    value: FloatArray
    boundary: FloatArray
    largest: FloatArray
    crossed_on: NDArray[np.int32]


def ewma_update(
    series: FloatArray,
    design: NDArray[np.float64],
    *,
    days: NDArray[np.int64],
    baseline: Baseline,
    state: EwmaState,
    lam: float,
    limit: float,
) -> EwmaState:
    """Take new dates of one index into the chart.

    Parameters
    ----------
    series : float32, (D, P), C-contiguous
        The index on the new dates in order of time, NaN where not clear.
    design : float64, (D, K)
        The dates' rows of `harmonic.design_matrix`.
    days : int64, (D,)
        The dates as days since 1970-01-01, 1 to 65535.
    baseline : Baseline
        Coefficients and scale of the index.
    state : EwmaState
        As the last call returned it, or `EwmaState.at_rest`.
    lam : float
        Lambda, the weight of a new look, in (0, 1].
    limit : float
        L, the boundary in standard deviations of the chart: it lies at ``L sigma sqrt(lambda / (2 - lambda))``.

    Returns
    -------
    EwmaState
        A new one.

    Notes
    -----
    For a clear look with residual e = y - x'b: ``z <- z + lambda (u - z)`` where u is e held within +-c sigma. From
    rest one look reaches lambda c sigma, so ``c = L / sqrt(lambda (2 - lambda))`` puts that on the boundary (a
    millionth beyond): two extreme looks in a row date a crossing, one followed by an ordinary look does not.

    Examples
    --------
    >>> flat = Baseline(np.zeros((1, 1), np.float32), np.full(1, 0.02, np.float32))
    >>> days, drop, X = np.array([100, 105, 110]), np.full((3, 1), -0.5, np.float32), np.ones((3, 1))
    >>> rest = EwmaState.at_rest(1)
    >>> ewma_update(drop, X, days=days, baseline=flat, state=rest, lam=0.3, limit=3.0).crossed_on.tolist()
    [105]
    """
    _check(series, design, days, baseline, state)
    if not 0 < lam <= 1 or not limit > 0:
        raise ValueError(f"Expected 0 < lam <= 1 and limit > 0, got lam={lam}, limit={limit}.")
    chart = _Chart(
        np.float32(lam),
        np.float32(limit * np.sqrt(lam / (2 - lam))),
        np.float32(JUST_BEYOND * limit / np.sqrt(lam * (2 - lam))),
    )
    shared = frozen(np.pad(design, ((0, -len(days) % DATE_STEP), (0, 0))))
    known = Baseline(frozen(baseline.coefficients), frozen(baseline.sigma))
    following = EwmaState(state.value.astype(np.float32), state.crossed_on.astype(np.uint16))
    _update_all(frozen(series), shared, frozen(days, np.int32), known, chart, following)
    return following


def _check(
    series: FloatArray, design: NDArray[np.float64], days: NDArray[np.int64], baseline: Baseline, state: EwmaState
) -> None:
    """Refuse arrays that do not fit together: the compiled code trusts their shapes."""
    dates, pixels = series.shape
    expected = ((dates, baseline.coefficients.shape[0]), (dates,), (pixels,), (pixels,), (pixels,))
    arrays = (design, days, baseline.coefficients[0], baseline.sigma, state.value)
    if tuple(np.shape(array) for array in arrays) != expected or state.crossed_on.shape != (pixels,):
        raise ValueError(
            f"Expected design, days, coefficients, sigma and state for {dates} dates and {pixels} pixels, got shapes "
            f"{design.shape}, {days.shape}, {baseline.coefficients.shape}, {baseline.sigma.shape}, {state.value.shape}."
        )
    if dates and not 0 < np.min(days) <= np.max(days) <= np.iinfo(np.uint16).max:
        raise ValueError(f"Expected days since 1970-01-01 within 1 to 65535, got {np.min(days)} to {np.max(days)}.")


@kernel
def _copy(source: FloatArray, target: FloatArray, row: int) -> None:
    for j in range(source.size):
        target[row, j] = source[j]


@kernel
def _load(series: FloatArray, start: int, baseline: Baseline, chart: _Chart, block: _Block) -> None:
    """Fill a block with the observed values and the model; padding lanes are never clear."""
    dates, pixels = series.shape
    stop = min(start + LANES, pixels)
    if stop - start < LANES:
        block.residuals[:] = NAN
    for d in range(dates):
        _copy(series[d, start:stop], block.residuals, d)
    for k in range(baseline.coefficients.shape[0]):
        _copy(baseline.coefficients[k, start:stop], block.coefficients, k)
    sigma = baseline.sigma[start:stop]
    for j in range(stop - start):
        block.boundary[j] = chart.boundary * sigma[j]
        block.largest[j] = chart.largest * sigma[j]


@kernel
def _subtract_model(design: FloatArray, block: _Block) -> None:
    """Turn observed values into residuals, four dates at a time so that each coefficient is read once for four."""
    e, b = block.residuals, block.coefficients
    dates, width = design.shape
    for d in range(0, dates, DATE_STEP):
        for k in range(width):
            x0, x1, x2, x3 = design[d, k], design[d + 1, k], design[d + 2, k], design[d + 3, k]
            for j in range(LANES):
                e[d, j] -= x0 * b[k, j]
                e[d + 1, j] -= x1 * b[k, j]
                e[d + 2, j] -= x2 * b[k, j]
                e[d + 3, j] -= x3 * b[k, j]


@kernel
def _step(block: _Block, d: int, day: int, lam: np.float32) -> None:
    """Take one date into the chart."""
    on = np.int32(day)
    for j in range(LANES):
        e, old, largest, boundary = block.residuals[d, j], block.value[j], block.largest[j], block.boundary[j]
        clear = (abs(e) <= LARGEST) & (largest > ZERO)
        held = e if e < largest else largest
        held = held if held > -largest else -largest
        new = old + lam * (held - old) if clear else old
        twice = ((old > boundary) & (new > boundary)) | ((old < -boundary) & (new < -boundary))
        first = clear & twice & (block.crossed_on[j] == 0)
        block.value[j] = new
        block.crossed_on[j] = on if first else block.crossed_on[j]


@kernel
def _update_all(
    series: FloatArray,
    design: FloatArray,
    days: NDArray[np.int32],
    baseline: Baseline,
    chart: _Chart,
    state: EwmaState,
) -> None:
    """Take all dates, block by block, writing the next state over the copy of the last one."""
    dates, pixels = series.shape
    block = _Block(
        np.full((design.shape[0], LANES), NAN),
        np.zeros((design.shape[1], LANES), np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.int32),
    )
    for start in range(0, pixels, LANES):
        stop = min(start + LANES, pixels)
        _load(series, start, baseline, chart, block)
        block.value[: stop - start] = state.value[start:stop]
        block.crossed_on[: stop - start] = state.crossed_on[start:stop]
        _subtract_model(design, block)
        for d in range(dates):
            _step(block, d, days[d], chart.lam)
        state.value[start:stop] = block.value[: stop - start]
        for j in range(stop - start):
            state.crossed_on[start + j] = np.uint16(block.crossed_on[j])
