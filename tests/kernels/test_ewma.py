import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.kernels import ewma, harmonic
from geomon.kernels._jit import LANES

LAM, LIMIT, SIGMA = 0.3, 3.0, 0.02
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=15, deadline=None)


def scene(seed, *, dates=13, pixels=60, drop=0.0):
    """New dates of an index with holes, its design, days and baseline; from the fourth date `drop` lower."""
    rng = np.random.default_rng(seed)
    days = 19000 + np.cumsum(rng.integers(1, 9, dates))
    design = harmonic.design_matrix(days, reference_day=18500, span_days=1000, trend=True)
    coefficients = rng.normal(0, 0.1, (design.shape[1], pixels)).astype(np.float32)
    series = design @ coefficients + rng.normal(0, SIGMA, (dates, pixels))
    series[3:] -= drop
    series[rng.random(series.shape) < 0.35] = np.nan
    return series.astype(np.float32), design, days, ewma.Baseline(coefficients, np.full(pixels, SIGMA, np.float32))


def update(series, design, days, baseline, *, state=None, lam=LAM, limit=LIMIT):
    state = ewma.EwmaState.at_rest(series.shape[1]) if state is None else state
    return ewma.ewma_update(series, design, days=days, baseline=baseline, state=state, lam=lam, limit=limit)


def slow_chart(looks, design, days, coefficients, sigma, lam=LAM, limit=LIMIT):
    """One pixel: the chart look by look; also how close its value came to the boundary."""
    value, crossed_on, beyond, margin = 0.0, 0, 0, np.inf
    boundary = limit * sigma * (lam / (2 - lam)) ** 0.5
    most = (1 + 1e-6) * limit * sigma / (lam * (2 - lam)) ** 0.5
    for look, row, day in zip(looks, design, days, strict=True):
        if np.isnan(look):
            continue
        residual = look - row @ coefficients
        value = (1 - lam) * value + lam * min(max(residual, -most), most)
        side = int(value > boundary) - int(value < -boundary)
        if side and side == beyond and not crossed_on:
            crossed_on = day
        beyond = side
        if abs(abs(value) / boundary - 1 - 1e-6) > 1e-9:  # else a held look from rest, meant to end there
            margin = min(margin, abs(abs(value) / boundary - 1))
    return value, crossed_on, margin


def same_bits(left, right):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(left, right, strict=True))


@few
@given(
    seed=seeds,
    drop=st.sampled_from([0.0, 0.05, 0.4]),
    lam=st.sampled_from([0.1, 0.3, 1.0]),
    limit=st.sampled_from([1.0, 3.0]),
)
def test_chart_is_the_plain_loop(seed, drop, lam, limit):
    """Values equal those of a loop over looks to 1e-5, and so do the dates of confirmed crossings."""
    series, design, days, baseline = scene(seed, drop=drop)
    found = update(series, design, days, baseline, lam=lam, limit=limit)
    for p in range(series.shape[1]):
        value, crossed_on, margin = slow_chart(
            series[:, p], design, days, baseline.coefficients[:, p], SIGMA, lam, limit
        )
        assert np.isclose(found.value[p], value, atol=1e-5)
        if margin > 1e-4:  # else rounding may rightly tell otherwise
            assert found.crossed_on[p] == crossed_on


@few
@given(seed=seeds, cut=st.integers(0, 13))
def test_two_batches_equal_one(seed, cut):
    """Taking dates in two calls gives the state of taking them in one, to the bit."""
    series, design, days, baseline = scene(seed, drop=0.1)
    state = update(series[:cut], design[:cut], days[:cut], baseline)
    later = update(series[cut:], design[cut:], days[cut:], baseline, state=state)
    assert same_bits(later, update(series, design, days, baseline))


@few
@given(seed=seeds, start=st.integers(0, 90), pixels=st.integers(1, 2 * LANES))
def test_order_and_chunks_of_pixels_do_not_matter(seed, start, pixels):
    """Permuting pixels permutes the state, and a run of pixels by itself gives the bits it gives within the whole."""
    series, design, days, baseline = scene(seed, pixels=2 * LANES + 91, drop=0.1)
    whole = update(series, design, days, baseline)
    order = np.random.default_rng(seed).permutation(series.shape[1])
    for pick in (order, order[:pixels], np.arange(start, start + pixels)):
        chosen = ewma.Baseline(baseline.coefficients[:, pick], baseline.sigma[pick])
        part = update(np.ascontiguousarray(series[:, pick]), design, days, chosen)
        assert same_bits(part, (whole.value[pick], whole.crossed_on[pick]))


def test_nothing_clear_changes_nothing():
    """Cloud never becomes a crossing: without a clear look, and without a date, the state stays."""
    series, design, days, baseline = scene(1, drop=0.1)
    state = update(series, design, days, baseline)
    assert same_bits(update(np.full_like(series, np.nan), design, days, baseline, state=state), state)
    assert same_bits(update(series[:0], design[:0], days[:0], baseline, state=state), state)


def test_the_largest_clearing_is_seen():
    """A drop by 50 sigma that stays is dated at its second clear look; no look is dropped for being far out."""
    series, design, days, baseline = scene(2, drop=1.0)
    found = update(series, design, days, baseline)
    for p in range(series.shape[1]):
        after = days[3:][np.isfinite(series[3:, p])]
        assert found.crossed_on[p] in after[1:3]


def test_one_look_convicts_nobody():
    """A single missed cloud, however bright, takes a chart at rest to its boundary and leaves no date."""
    series, design, days, baseline = scene(3)
    series[:] = design @ baseline.coefficients
    series[5] += np.float32(0.9)
    assert not update(series, design, days, baseline).crossed_on.any()


def test_crossing_is_dated_once():
    """The day of the first confirmed crossing stays while the chart goes on and comes back."""
    series, design, days, baseline = scene(4, drop=0.3)
    first = update(series, design, days, baseline)
    calm = (design @ baseline.coefficients).astype(np.float32)
    later = update(calm, design, days + 200, baseline, state=first)
    assert first.crossed_on.any()
    assert np.array_equal(later.crossed_on[first.crossed_on > 0], first.crossed_on[first.crossed_on > 0])
    assert np.abs(later.value).max() < 0.1 * np.abs(first.value).max()


@pytest.mark.parametrize("sigma", [np.nan, 0.0])
def test_pixel_without_scale_is_not_watched(sigma):
    """Where the baseline has no scale the chart rests, and NaN does not enter the state."""
    series, design, days, baseline = scene(5, drop=0.5)
    baseline.sigma[0], baseline.coefficients[0, 1] = sigma, np.nan
    found = update(series, design, days, baseline)
    assert (found.value[:2] == 0).all()
    assert (found.crossed_on[:2] == 0).all()


def test_arguments_are_left_alone():
    """The last state, the series and the baseline are read, not written."""
    series, design, days, baseline = scene(6, drop=0.2)
    state = ewma.EwmaState.at_rest(series.shape[1])
    for array in (series, design, days, *baseline, *state):
        array.flags.writeable = False
    assert update(series, design, days, baseline, state=state).crossed_on.any()
    assert not state.value.any()


def test_false_alarms_are_few_at_three_sigma():
    """Fifty dates of pure noise: under 4 % of pixels are dated at L = 3, a rate that is stated, not hoped for."""
    series, design, days, baseline = scene(7, dates=50, pixels=4000)
    assert np.mean(update(series, design, days, baseline).crossed_on > 0) < 0.04


def test_arguments_that_do_not_fit_are_refused():
    """Compiled code checks no bounds, so the wrong shape or day never gets there."""
    series, design, days, baseline = scene(8)
    with pytest.raises(ValueError, match="shapes"):
        update(series, design[1:], days, baseline)
    with pytest.raises(ValueError, match="shapes"):
        update(series, design, days, baseline, state=ewma.EwmaState.at_rest(3))
    with pytest.raises(ValueError, match="days since"):
        update(series, design, days + 60000, baseline)
    with pytest.raises(ValueError, match="0 < lam <= 1"):
        update(series, design, days, baseline, lam=0.0)
