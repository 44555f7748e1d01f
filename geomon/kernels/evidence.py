"""How much likelier one look makes "this pixel is partly mined" than its best innocent explanation.

In: one look's reflectances, what the baseline predicts for that day, the baseline's residual scale, and what the pixel
showed before. Out: a clipped log-likelihood ratio per pixel and the mixing fractions of the mined explanation. It keeps
no memory: `sequential` adds looks up.

The model. Let mu be the predicted spectrum and r the residual. Innocent changes move a pixel along known directions:
haze and thin cloud towards white, shadow towards black, fire towards char, curing towards straw, an early or late
season along d(mu)/dt, another year along the way to the opposite season. Each direction d has a prior spread s, so
under "innocent" r ~ N(0, V + sum s^2 d d'), V the noise. Under "mined" the pixel has mixed with bare alluvium and with
turbid or standing water: r ~ N(sum f_m (e_m - mu), same), f >= 0. Whitening by the Cholesky factor of the innocent
covariance turns this into a small non-negative least squares; the evidence is the gain of the best mixture of at most
one bare and one water endmember that holds at least `MIN_FRACTION` of the pixel, less `OCCAM` for the freedom of
choosing it. A direction that innocent changes share with mining therefore carries no evidence, and a band that a sensor
lacks is left out of the sum.

Where a pixel has shown a mixture before and this look gives no new evidence, the question is whether that mixture, at
half its strength or more, is still there: a look that could not tell (straw and bare ground at the end of the dry
season) counts for little.

References: Smith et al. 1990 (RSE 31, 1-26) for spectral mixtures; Huber 1965 (Ann. Math. Stat. 36, 1753-1758) for
clipped ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import kernel
from geomon.kernels.quality import CLEAR, DOUBTFUL
from geomon.kernels.spectra import HAZE_TEST, NODATA_REFLECTANCE, UNIT, SpectralModel

MIN_FRACTION: Final = 0.2
"""Smallest mined share tested for: below it Sentinel-2's noise wins (domain.md 1: a pit of 10 m fills 0.8 of a pixel).
"""
LARGEST_FRACTION: Final = 1.2
"""Fractions may sum to a little more than 1, since ground brighter than its endmember exists."""
OCCAM: Final = 1.0
SHADE: Final = 2.0
FAINT_BARE: Final = 0.1
"""What still water with less than this share of bare ground must gain besides: a darker pixel is more often shade, wet
soil or a smoother canopy.
"""
CLIP_LOW: Final = -2.0
CLIP_HIGH: Final = 4.0
"""One look alone must never convict: three looks at the upper clip make odds of e^12, one makes e^4."""
AS_PREDICTED_SIGMA: Final = 2.0
"""No band further out than this: nothing to explain, and unless an answer is pending the pixel costs no more time."""
WEAKEST: Final = 0.5
STRONGEST: Final = 1.5
"""How much of the mixture shown before must be there to say that it still is, and how much more may be."""

_N_NUISANCE: Final = 6
_N_BARE: Final = 2
_STILL: Final = 3


class Prediction(NamedTuple):
    """What a tile's baseline says, pixels flattened.

    coefficients : int16 (P, B, K), UNIT; sigma : uint16 (P, B), UNIT; n : uint16 (P), looks the fit rests on.
    """

    coefficients: NDArray[np.int16]
    sigma: NDArray[np.uint16]
    n: NDArray[np.uint16]


class Moment(NamedTuple):
    """Design rows (K) of the look's day: the day itself, its change per day, and half a year away (its trend held)."""

    row: NDArray[np.float64]
    per_day: NDArray[np.float64]
    opposite: NDArray[np.float64]


class Fractions(NamedTuple):
    """Mixture of bare ground, turbid and still water, each uint8 (P), percent; all zero where nothing was shown."""

    bare: NDArray[np.uint8]
    turbid: NDArray[np.uint8]
    still: NDArray[np.uint8]


class Evidence(NamedTuple):
    """One look's evidence: log-likelihood ratio float32 (P), NaN = not a clear look; the mixture that explains it."""

    ratio: NDArray[np.float32]
    shows: Fractions


def evidence(
    reflectance: NDArray[np.int16],
    quality: NDArray[np.uint8],
    shown: Fractions,
    *,
    prediction: Prediction,
    moment: Moment,
    model: SpectralModel,
    min_looks: int,
) -> Evidence:
    """Evidence of one look.

    Parameters
    ----------
    reflectance : int16, shape (B, P)
        UNIT; NODATA_REFLECTANCE where there is none.
    quality : uint8, shape (P,)
        Codes of `geomon.kernels.quality`; CLEAR and DOUBTFUL are looked at.
    shown : Fractions
        What each pixel has shown in its run of evidence, zero where none is under way: there a look that is as
        predicted is worth CLIP_LOW and costs no time.
    prediction, moment, model
        Baseline, day and endmembers, all with the same B and K.
    min_looks : int
        Pixels whose baseline rests on fewer clear looks are not judged.

    Returns
    -------
    Evidence
    """
    ratio = np.full(quality.shape[0], np.nan, np.float32)
    shows = Fractions(*(np.zeros(quality.shape[0], np.uint8) for _ in range(3)))
    _evidence(reflectance, quality, shown, (prediction, moment, model, min_looks), ratio, shows)
    return Evidence(ratio, shows)


def usable(reflectance: NDArray[np.int16], quality: NDArray[np.uint8], *, bands: Sequence[str]) -> NDArray[np.bool_]:
    """Where a look may enter a baseline: data in every band, clear or doubtful, and not haze by its own spectrum.

    `reflectance` is int16 (B, P) in UNIT, `quality` uint8 (P); bool (P) comes back.
    """
    good = (quality >= DOUBTFUL) & (quality <= CLEAR) & (reflectance != NODATA_REFLECTANCE).all(axis=0)
    if "blue" in bands and "red" in bands:
        blue = reflectance[bands.index("blue")].astype(np.float32)
        red = reflectance[bands.index("red")].astype(np.float32)
        good &= (blue - 0.5 * red) * np.float32(UNIT) <= HAZE_TEST
    return np.asarray(good)


@kernel
def _evidence(y: Any, quality: Any, shown: Any, given: Any, ratio: Any, shows: Any) -> None:
    prediction, moment, model, min_looks = given
    n_bands, pixels = y.shape
    spectra = np.empty((3, n_bands))  # predicted, residual, noise variance
    directions = np.empty((_N_NUISANCE, n_bands))
    factor = np.empty((n_bands, n_bands))
    share = np.empty(model.mined.shape[0])
    for p in range(pixels):
        looked_at = DOUBTFUL <= quality[p] <= CLEAR and prediction.n[p] >= min_looks
        if not looked_at or _is_spoilt(y, p, model):
            continue
        pending = np.int64(shown.bare[p]) + shown.turbid[p] + shown.still[p] > 0
        far = _expect(y, prediction, moment, model, p, spectra)
        if far < AS_PREDICTED_SIGMA * AS_PREDICTED_SIGMA and not pending:
            ratio[p] = CLIP_LOW
            continue
        doubtful = quality[p] == DOUBTFUL
        _innocent(prediction, moment, model, p, doubtful, spectra[0], directions)
        _factorise(spectra[2], directions, factor)
        gain = _judge(factor, spectra, model.mined, shown, p, share)
        ratio[p] = min(max(gain, CLIP_LOW), 0.5 * CLIP_HIGH if doubtful else CLIP_HIGH)
        total = max(share.sum(), 1.0)
        shows.bare[p] = np.uint8(100.0 * (share[0] + share[1]) / total + 0.5)
        shows.turbid[p] = np.uint8(100.0 * share[2] / total + 0.5)
        shows.still[p] = np.uint8(100.0 * share[3] / total + 0.5)


@kernel
def _is_spoilt(y: Any, p: int, model: Any) -> bool:
    """No data in some band, or haze by the look's own spectrum."""
    spoilt = False
    for b in range(y.shape[0]):
        spoilt |= y[b, p] == NODATA_REFLECTANCE
    if model.blue >= 0 and model.red >= 0:
        spoilt |= (y[model.blue, p] - 0.5 * y[model.red, p]) * UNIT > model.spread.haze_test
    return spoilt


@kernel
def _expect(y: Any, prediction: Any, moment: Any, model: Any, p: int, spectra: Any) -> float:
    """Fill predicted, residual and noise variance; return the largest squared residual in variances."""
    k_terms = moment.row.shape[0]
    widen = 1.0 + k_terms / prediction.n[p]
    far = 0.0
    for b in range(y.shape[0]):
        total = 0.0
        for k in range(k_terms):
            total += prediction.coefficients[p, b, k] * moment.row[k]
        mu = total * UNIT
        residual = y[b, p] * UNIT - mu
        scale = max(prediction.sigma[p, b] * UNIT, model.floor[b])
        variance = scale * scale * widen + (model.spread.relative * mu) ** 2
        spectra[0, b], spectra[1, b], spectra[2, b] = mu, residual, variance
        far = max(far, residual * residual / variance)
    return far


@kernel
def _innocent(prediction: Any, moment: Any, model: Any, p: int, doubtful: bool, mu: Any, directions: Any) -> None:
    """Where innocent changes would move this pixel, each direction times its spread."""
    swing = _curing(prediction, model, p, mu)
    spread = model.spread
    white = spread.haze[np.int64(doubtful)]
    black = spread.shadow[np.int64(doubtful)]
    for b in range(mu.shape[0]):
        slope = 0.0
        other = 0.0
        for k in range(moment.row.shape[0]):
            slope += prediction.coefficients[p, b, k] * moment.per_day[k]
            other += prediction.coefficients[p, b, k] * moment.opposite[k]
        directions[0, b] = white * (model.white[b] - mu[b])
        directions[1, b] = black * -mu[b]
        directions[2, b] = (spread.fire[0] + spread.fire[1] * swing) * (model.char[b] - mu[b])
        directions[3, b] = (spread.straw[0] + spread.straw[1] * swing) * (model.straw[b] - mu[b])
        directions[4, b] = spread.season_days * slope * UNIT
        directions[5, b] = spread.swing * (other * UNIT - mu[b])


@kernel
def _curing(prediction: Any, model: Any, p: int, mu: Any) -> float:
    """How readily this pixel cures or burns today.

    The yearly amplitude of NIR less red as a share of the mean NIR, times how far into its dry season the pixel is
    (from GREENEST at its greenest to 1 at its driest): grass does not cure at the height of the rains.
    """
    if model.red < 0 or model.nir < 0:
        return float(model.spread.largest_swing)
    power = 0.0
    for k in range(1, 5):
        nir = np.float64(prediction.coefficients[p, model.nir, k])
        power += (nir - np.float64(prediction.coefficients[p, model.red, k])) ** 2
    nir = np.float64(prediction.coefficients[p, model.nir, 0])
    amplitude = np.sqrt(power) + 1.0
    middle = nir - np.float64(prediction.coefficients[p, model.red, 0])
    dryness = 0.5 * (middle + amplitude - (mu[model.nir] - mu[model.red]) / UNIT) / amplitude
    season = model.spread.greenest + (1.0 - model.spread.greenest) * min(max(dryness, 0.0), 1.0)
    return float(min(amplitude / max(nir, 500.0), model.spread.largest_swing) * season)


@kernel
def _factorise(variance: Any, directions: Any, factor: Any) -> None:
    """Lower Cholesky factor of diag(variance) + sum d d', in place."""
    for i in range(variance.shape[0]):
        for j in range(i + 1):
            total = variance[i] if i == j else 0.0
            for d in range(_N_NUISANCE):
                total += directions[d, i] * directions[d, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = np.sqrt(total) if i == j else total / factor[j, j]


@kernel
def _solve(factor: Any, values: Any) -> None:
    for i in range(values.shape[0]):
        total = values[i]
        for k in range(i):
            total -= factor[i, k] * values[k]
        values[i] = total / factor[i, i]


@kernel
def _judge(factor: Any, spectra: Any, mined: Any, shown: Any, p: int, share: Any) -> float:
    """Log-likelihood ratio of the best mixture (into `share`), or of the one shown before where that says less."""
    n_mined, n = mined.shape
    z = spectra[1].copy()
    _solve(factor, z)
    whitened = np.empty((n_mined, n))
    for m in range(n_mined):
        whitened[m] = mined[m] - spectra[0]
        _solve(factor, whitened[m])
    best = -1e9
    for i in range(n_mined):
        for j in range(-1, n_mined):
            if j < 0 or (i < _N_BARE <= j):
                f, g, gain = _mixture(whitened, z, i, j)
                gain -= SHADE if _is_dark(i, j, f) else 0.0
                if gain > best:
                    best = gain
                    share[:] = 0.0
                    share[j] = g  # with j = -1 this is a zero in the last place, which i may set again
                    share[i] = f
    if best > 2.0 * OCCAM:
        return best - OCCAM
    if np.int64(shown.bare[p]) + shown.turbid[p] + shown.still[p] == 0:
        return min(best, 0.0)
    water = shown.turbid[p] * whitened[2] + shown.still[p] * whitened[3]
    bright = _still_there((shown.bare[p] * whitened[0] + water) / 100.0, z)
    red = _still_there((shown.bare[p] * whitened[1] + water) / 100.0, z)
    return min(max(bright, red), OCCAM)


@kernel
def _is_dark(i: int, j: int, f: float) -> bool:
    """Whether a mixture is still water with next to no bare ground (the last endmember is still water)."""
    return bool(i == _STILL or (j == _STILL and f < FAINT_BARE))


@kernel
def _still_there(direction: Any, z: Any) -> float:
    """Log-likelihood ratio of a known mixture at WEAKEST to STRONGEST of its strength."""
    gram = 1e-12
    fit = 0.0
    for b in range(z.shape[0]):
        gram += direction[b] * direction[b]
        fit += direction[b] * z[b]
    strength = min(max(fit / gram, WEAKEST), STRONGEST)
    return float(strength * fit - 0.5 * strength * strength * gram)


@kernel
def _mixture(whitened: Any, z: Any, i: int, j: int) -> Any:
    """Fractions and gain of endmember i alone (j < 0) or with j, holding MIN_FRACTION of the pixel or more in all."""
    gii = 0.0
    hi = 0.0
    for b in range(z.shape[0]):
        gii += whitened[i, b] * whitened[i, b]
        hi += whitened[i, b] * z[b]
    if j < 0:
        f = min(max(hi / gii, MIN_FRACTION), LARGEST_FRACTION)
        return f, 0.0, f * hi - 0.5 * f * f * gii
    gij = 0.0
    gjj = 0.0
    hj = 0.0
    for b in range(z.shape[0]):
        gij += whitened[i, b] * whitened[j, b]
        gjj += whitened[j, b] * whitened[j, b]
        hj += whitened[j, b] * z[b]
    det = gii * gjj - gij * gij
    if det <= 1e-9 * gii * gjj:
        return 0.0, 0.0, -1e9
    f = (hi * gjj - hj * gij) / det
    g = (hj * gii - hi * gij) / det
    if f <= 0.0 or g <= 0.0:
        return 0.0, 0.0, -1e9
    scale = min(max(1.0, MIN_FRACTION / (f + g)), LARGEST_FRACTION / (f + g))
    f *= scale
    g *= scale
    return f, g, f * hi + g * hj - 0.5 * (f * f * gii + 2.0 * f * g * gij + g * g * gjj)
