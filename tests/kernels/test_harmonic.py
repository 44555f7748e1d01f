import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.kernels import harmonic
from geomon.kernels._jit import LANES

FLOOR = np.array([0.004, 0.006, 0.005], np.float32)
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=15, deadline=None)


def landscape(seed, *, bands=3, dates=60, pixels=40, clear=0.65, trend=True):
    """Series (B, T, P) of a season with noise, holes at the same looks in all bands, and its design."""
    rng = np.random.default_rng(seed)
    days = 18000 + np.sort(rng.choice(1400, dates, replace=False))
    design = harmonic.design_matrix(days, reference_day=18700, span_days=1400, trend=trend)
    truth = rng.normal(0, 0.1, (bands, design.shape[1], pixels))
    truth[:, 0] += 0.4
    series = np.einsum("tk,bkp->btp", design, truth) + rng.normal(0, 0.02, (bands, dates, pixels))
    series[:, rng.random((dates, pixels)) > clear] = np.nan
    return series.astype(np.float32), design


def slow_fit(looks, design, ridge=0.0):
    """One pixel, one band: lstsq on its clear looks, the ridge as further rows."""
    clear = np.isfinite(looks)
    penalty = np.sqrt(ridge) * np.eye(design.shape[1])[1:]
    X = np.vstack([design[clear], penalty])
    y = np.concatenate([looks[clear].astype(np.float64), np.zeros(len(penalty))])
    coefficients = np.linalg.lstsq(X, y, rcond=None)[0]
    return coefficients, np.sum((looks[clear] - design[clear] @ coefficients) ** 2)


def slow_robust(pixel, design, floor, ridge, limit=3.0):
    """One pixel, all bands: the rule of `fit_robust` in its own words; also how close any look came to the limit."""
    clear = np.isfinite(pixel).all(axis=0)
    keep, width, margin = clear, design.shape[1], np.inf

    def fit(band, looks):
        return slow_fit(np.where(looks, band, np.nan), design, ridge)[0]

    for _ in range(2):
        kept = clear.copy()
        for band, least in zip(pixel, floor, strict=True):
            residual = np.abs(band - design @ fit(band, keep))
            median = np.sort(residual[clear])[(clear.sum() + 1) // 2 - 1]
            scale = 1.4826 * median * np.sqrt(clear.sum() / max(clear.sum() - width, 1))
            edge = limit * max(scale, least)
            margin = min(margin, np.min(np.abs(residual[clear] / edge - 1)))
            kept &= residual <= edge
        keep = kept if kept.sum() >= clear.sum() / 2 and kept.sum() > width else clear
    coefficients = np.array([fit(band, keep) for band in pixel])
    residual = (pixel - coefficients @ design.T)[:, keep]
    sigma = np.maximum(np.sqrt(np.sum(residual**2, axis=1) / (keep.sum() - width)), floor)
    return coefficients, sigma, keep.sum(), margin


def same_bits(left, right):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(left, right, strict=True))


def at_pixels(result, pixels):
    return type(result)(*(layer[..., pixels] for layer in result))


def fits(series, design):
    """The three public fits, each as a function of a (B, T, P) series."""
    yield harmonic.fit(series[0], design)
    yield harmonic.fit_bands(series, design, ridge=0.5)
    yield harmonic.fit_robust(series, design, floor=FLOOR, ridge=0.5)


@pytest.mark.parametrize(("trend", "columns"), [(False, 5), (True, 6)])
def test_design_depends_on_date_and_references_only(trend, columns):
    """A date's row is the same alone as among others, and stays what it was when later dates are asked for."""
    options = {"reference_day": 18500.0, "span_days": 1100.0, "trend": trend}
    days = np.arange(18000, 21000, 37)
    together = harmonic.design_matrix(days, **options)
    alone = np.vstack([harmonic.design_matrix(days[i : i + 1], **options) for i in range(len(days))])
    assert together.shape == (len(days), columns)
    assert np.array_equal(together, alone)


def test_design_columns_are_the_harmonics_of_a_julian_year():
    """Four Julian years apart the season repeats; the trend runs from -1 to 1 over the span."""
    X = harmonic.design_matrix(np.array([18000, 19461]), reference_day=18730.5, span_days=1461.0, trend=True)
    assert np.allclose(X[0, :5], X[1, :5], atol=1e-12)
    assert X[:, 5].tolist() == [-1.0, 1.0]


@few
@given(seed=seeds, trend=st.booleans(), ridge=st.sampled_from([0.0, 0.5, 10.0]), dates=st.integers(30, 61))
def test_fit_agrees_with_lstsq(seed, trend, ridge, dates):
    """Coefficients and residual sums equal those of lstsq on each pixel's clear looks, to 1e-5."""
    series, design = landscape(seed, bands=1, dates=dates, trend=trend)
    found = harmonic.fit(series[0], design, ridge=ridge)
    for p in range(series.shape[2]):
        coefficients, rss = slow_fit(series[0, :, p], design, ridge)
        if found.n[p] >= 2 * design.shape[1]:
            assert np.allclose(found.coefficients[:, p], coefficients, atol=1e-5, rtol=0)
            assert np.isclose(found.rss[p], rss, rtol=1e-4)
        assert found.n[p] == np.isfinite(series[0, :, p]).sum()


@few
@given(seed=seeds)
def test_fit_agrees_with_lstsq_under_a_cloudy_season(seed):
    """Half a year nearly without looks makes the equations ill-conditioned, and the agreement holds."""
    series, design = landscape(seed, bands=1, dates=90)
    rng = np.random.default_rng(seed)
    cloudy = (design[:, 1] > 0)[:, None] & (rng.random(series.shape[1:]) < 0.9)
    series[0, cloudy] = np.nan
    found = harmonic.fit(series[0], design)
    for p in np.flatnonzero(found.n >= 15):
        X = design[np.isfinite(series[0, :, p])]
        if np.linalg.cond(X.T @ X) < 1e3:
            assert np.allclose(found.coefficients[:, p], slow_fit(series[0, :, p], design)[0], atol=1e-5, rtol=0)


@few
@given(seed=seeds)
def test_bands_together_equal_bands_alone(seed):
    """Bands that share their clear looks are fitted as each would be alone, to the bit."""
    series, design = landscape(seed)
    together = harmonic.fit_bands(series, design, ridge=0.5)
    for b, band in enumerate(series):
        alone = harmonic.fit(band, design, ridge=0.5)
        assert same_bits((together.coefficients[b], together.rss[b], together.n), alone)


def test_a_look_counts_where_all_bands_are_finite():
    """A look that one band lacks is no look for any band, and infinity is no value."""
    series, design = landscape(1)
    holed, masked = series.copy(), series.copy()
    holed[1, 7], holed[0, 8], masked[:, 7:9] = np.nan, np.inf, np.nan
    assert same_bits(harmonic.fit_bands(holed, design), harmonic.fit_bands(masked, design))


@few
@given(seed=seeds, clear=st.sampled_from([0.1, 0.3, 0.7]))
def test_robust_fit_follows_its_rule(seed, clear):
    """Coefficients, sigma and looks used are those of the rule written out pixel by pixel."""
    series, design = landscape(seed, pixels=12, clear=clear)
    rng = np.random.default_rng(seed)
    series[:, rng.random(series.shape[1:]) < 0.08] += np.float32(0.4)
    found = harmonic.fit_robust(series, design, floor=FLOOR, ridge=0.5)
    for p in np.flatnonzero(np.isfinite(series[0]).sum(axis=0) > design.shape[1]):
        coefficients, sigma, n_used, margin = slow_robust(series[:, :, p], design, FLOOR, 0.5)
        if margin > 5e-3:  # else the bisected median (good to 2e-3 and a refit) may tell otherwise of one look
            assert found.n_used[p] == n_used
            assert np.allclose(found.coefficients[:, :, p], coefficients, atol=1e-5, rtol=0)
            assert np.allclose(found.sigma[:, p], sigma, rtol=1e-3)


def test_missed_clouds_do_not_move_the_baseline():
    """One look in ten is bright by 0.3 in all bands; they are left out, and sigma is that of the noise."""
    clean, design = landscape(4, pixels=300, dates=90)
    clouded = clean.copy()
    clouded[:, np.random.default_rng(4).random(clean.shape[1:]) < 0.1] += np.float32(0.3)
    truth = harmonic.fit_bands(clean, design).coefficients
    robust = harmonic.fit_robust(clouded, design, floor=FLOOR)
    plain = harmonic.fit_bands(clouded, design)
    wrong = np.sqrt(np.mean((robust.coefficients - truth) ** 2))
    assert wrong < 0.3 * np.sqrt(np.mean((plain.coefficients - truth) ** 2))
    assert 0.018 < np.median(robust.sigma) < 0.022


@pytest.mark.parametrize("pixels", [1, 7, LANES - 1, LANES, LANES + 1, 2 * LANES + 13])
def test_chunks_do_not_matter(pixels):
    """Any run of pixels fitted by itself gives the bits it gives within the whole."""
    series, design = landscape(5, pixels=2 * LANES + 40)
    for start in (0, 1, 27):
        part = slice(start, start + pixels)
        chunk = np.ascontiguousarray(series[:, :, part])
        for whole, alone in zip(fits(series, design), fits(chunk, design), strict=True):
            assert same_bits(at_pixels(whole, part), alone)


@few
@given(seed=seeds)
def test_permuting_pixels_permutes_results(seed):
    """The order of pixels is of no matter, to the bit."""
    series, design = landscape(seed, pixels=LANES + 77, dates=23)
    order = np.random.default_rng(seed).permutation(series.shape[2])
    shuffled = np.ascontiguousarray(series[:, :, order])
    for straight, mixed in zip(fits(series, design), fits(shuffled, design), strict=True):
        assert same_bits(at_pixels(straight, order), mixed)


def test_inputs_are_left_alone():
    """No argument is written to, read-only arrays are welcome, and the same call gives the same bits."""
    series, design = landscape(6)
    before = series.copy()
    first = list(fits(series, design))
    series.flags.writeable = design.flags.writeable = False
    assert all(same_bits(a, b) for a, b in zip(first, fits(series, design), strict=True))
    assert np.array_equal(series, before, equal_nan=True)


def test_never_seen_pixel_is_nan():
    """Without a clear look there is no surface: NaN coefficients and sigma, 0 looks, and the neighbours do not mind."""
    series, design = landscape(7)
    lone = np.ascontiguousarray(series[:, :, 1:])
    series[:, :, 0] = np.nan
    plain, robust = harmonic.fit_bands(series, design), harmonic.fit_robust(series, design, floor=FLOOR)
    assert np.isnan(plain.coefficients[:, :, 0]).all()
    assert (plain.n[0], robust.n_used[0], plain.rss[0, 0]) == (0, 0, 0.0)
    assert np.isnan(robust.coefficients[:, :, 0]).all()
    assert np.isnan(robust.sigma[:, 0]).all()
    assert same_bits(at_pixels(plain, slice(1, None)), harmonic.fit_bands(lone, design))


@pytest.mark.parametrize("looks", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_fewer_looks_than_columns_stay_finite(looks, ridge):
    """Coefficients are finite and of the order of the data; sigma says that residuals say nothing."""
    series, design = landscape(8, clear=1.0)
    series[:, looks:] = np.nan
    found = harmonic.fit_robust(series, design, floor=FLOOR, ridge=ridge)
    assert np.isfinite(found.coefficients).all()
    assert np.isnan(found.sigma).all()
    assert (found.n_used == looks).all()
    if ridge:
        assert np.abs(found.coefficients).max() < 2 * np.nanmax(np.abs(series))


def test_single_look_is_the_intercept():
    """One look and no ridge: a flat year at its value."""
    series, design = landscape(9, clear=1.0)
    series[:, 1:] = np.nan
    found = harmonic.fit_bands(series, design)
    assert np.allclose(found.coefficients[:, 0], series[:, 0], rtol=1e-6)
    assert not found.coefficients[:, 1:].any()


def test_constant_series_is_flat_with_sigma_at_the_floor():
    """A surface that never changes has no season, no trend and no residual; its scale is the floor, not 0."""
    series, design = landscape(10)
    flat = np.where(np.isnan(series), series, np.float32(0.3))
    found = harmonic.fit_robust(flat, design, floor=FLOOR)
    assert np.allclose(found.coefficients[:, 0], 0.3, atol=1e-6)
    assert np.allclose(found.coefficients[:, 1:], 0, atol=1e-6)
    assert (found.sigma == FLOOR[:, None]).all()


def test_ridge_shrinks_the_season_but_not_the_level():
    """More ridge, less season; the mean of the surface stays."""
    series, design = landscape(11, trend=False)
    weak, strong = (harmonic.fit_bands(series, design, ridge=r).coefficients for r in (1.0, 1e4))
    assert np.all(np.sum(strong[:, 1:] ** 2, axis=1) < np.sum(weak[:, 1:] ** 2, axis=1))
    assert np.allclose(strong[:, 0], np.nanmean(series, axis=1), atol=0.01)


@few
@given(seed=seeds)
def test_predict_is_the_product_with_the_row(seed):
    """A prediction is design row times coefficients, NaN where they are, whatever the chunk, to the bit."""
    series, design = landscape(seed, pixels=LANES + 19)
    series[:, :, 3] = np.nan
    coefficients = harmonic.fit_bands(series, design).coefficients
    expected = harmonic.predict(coefficients, design[5])
    assert np.allclose(expected, np.einsum("k,bkp->bp", design[5], coefficients), atol=1e-6, equal_nan=True)
    part = harmonic.predict(np.ascontiguousarray(coefficients[:, :, 2:41]), design[5])
    assert np.array_equal(part, expected[:, 2:41], equal_nan=True)


def test_shapes_that_do_not_fit_are_refused():
    """Compiled code checks no bounds, so the wrong shape never gets there."""
    series, design = landscape(12)
    with pytest.raises(ValueError, match="a row of design for each date"):
        harmonic.fit_bands(series, design[1:])
    with pytest.raises(ValueError, match="dates, pixels"):
        harmonic.fit(series, design)
    with pytest.raises(ValueError, match="one floor for each"):
        harmonic.fit_robust(series, design, floor=FLOOR[:2])
    with pytest.raises(ValueError, match="design row"):
        harmonic.predict(harmonic.fit_bands(series, design).coefficients, design[0, :2])
    with pytest.raises(ValueError, match="ridge"):
        harmonic.fit(series[0], design, ridge=-1)
    with pytest.raises(ValueError, match="some length"):
        harmonic.design_matrix(np.array([1]), reference_day=0, span_days=0, trend=True)
