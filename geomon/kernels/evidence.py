"""How much likelier one look makes "this pixel is partly mined" than its best innocent explanation.

In: one look's reflectances, what the baseline predicts for that day, and the baseline's residual scale. Out: a clipped
log-likelihood ratio per pixel and the mixing fractions of the mined explanation. It keeps no memory: `sequential` adds
the looks up.

The model. Let mu be the predicted spectrum and r the residual. Innocent changes move a pixel along known directions:
haze and thin cloud towards white, shadow towards black, fire towards char, an early or late season along d(mu)/dt, a
wetter or drier year along the pixel's own yearly swing. Each direction d has a prior spread s, so under "innocent" r ~
N(0, V + sum s^2 d d'), V the noise. Under "mined" the pixel has mixed with bare alluvium and with turbid or standing
water: r ~ N(sum f_m (e_m - mu), same), f >= 0. Whitening by the Cholesky factor of the innocent covariance turns this
into a small non-negative least squares; the evidence is the gain of the best mixture of at most one bare and one water
endmember holding at least `MIN_FRACTION` of the pixel, less `OCCAM` for the freedom of choosing it. A direction that
innocent changes share with mining therefore carries no evidence, and a band that a sensor lacks is left out of the sum.

References: Smith et al. 1990 (spectral mixture analysis, RSE 31, 1-26) for the mixture; Zhu & Woodcock 2012 (Fmask, RSE
118, 83-94), equation 3, for the haze test; Neyman-Pearson clipping after Huber 1965 (Ann. Math. Stat. 36, 1753-1758).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import kernel
from geomon.kernels.quality import CLEAR, DOUBTFUL
from geomon.model import BANDS

UNIT: Final = 1e-4
"""Reflectance of one integer step in every int16 array."""

NODATA_REFLECTANCE: Final = -32768

_SPECTRA: Final = {
    # Surface reflectance in BANDS order: blue green red nir swir16 swir22, rounded to what the classes have in common.
    # Bare: quartz sand and lateritic soil of the ECOSTRESS library (Baldridge et al. 2009, RSE 113, 711-715).
    # Water: red reflectance 0.1-0.2 at 100-1000 FNU, near zero in the SWIR (Dogliotti et al. 2015, RSE 156, 157-168).
    # Char: Pereira 2003, IEEE TGRS 41, 1620-1628. White: optically thick cloud (Zhu & Woodcock 2012).
    "bare_bright": (0.14, 0.20, 0.26, 0.34, 0.43, 0.38),
    "bare_red": (0.06, 0.10, 0.17, 0.26, 0.36, 0.31),
    "turbid": (0.08, 0.12, 0.15, 0.10, 0.03, 0.02),
    "clear_water": (0.035, 0.045, 0.035, 0.02, 0.01, 0.01),
    "char": (0.03, 0.035, 0.04, 0.07, 0.12, 0.12),
    "white": (0.60, 0.60, 0.60, 0.62, 0.50, 0.40),
}
MINED: Final = ("bare_bright", "bare_red", "turbid", "clear_water")
_N_BARE: Final = 2

MIN_FRACTION: Final = 0.2
"""Smallest mined share tested for: a 26 m pit fills 0.2 of its outer pixels; below it S2 noise wins (domain.md 1, pixel
arithmetic).
"""
OCCAM: Final = 1.0
CLIP_LOW: Final = -2.0
CLIP_HIGH: Final = 4.0
"""One look alone must never convict: three looks at the upper clip make odds of e^12, one makes e^4."""
AS_PREDICTED_SIGMA: Final = 2.0
"""No band further out than this: nothing to explain, the pixel costs no more time."""

FLOOR: Final = (0.008, 0.008, 0.009, 0.018, 0.014, 0.014)
"""Smallest residual scale by band [reflectance]: Sentinel-2 L2A surface reflectance uncertainty 0.005-0.02 (S2 MPC L2A
data quality report).
"""
RELATIVE: Final = 0.05
"""Share of the predicted reflectance added in quadrature: illumination and BRDF, 5 % (Roy et al. 2017, RSE 199, 25-38).
"""

_SPREAD: Final = {"white": 0.20, "black": 0.15, "char": 0.35, "season_days": 12.0, "swing": 0.30}
"""Prior spread of each innocent direction: mixing shares, days, share of the yearly swing. Set by reasoning;
benchmarks/accuracy.py measures them.
"""
_DOUBTFUL_SPREAD: Final = {"white": 0.60, "black": 0.40, "char": 0.35, "season_days": 12.0, "swing": 0.30}

_N_NUISANCE: Final = 5
_MAX_BANDS: Final = len(BANDS)


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


class Evidence(NamedTuple):
    """One look's evidence: log-likelihood ratio float32 (P), NaN = not a clear look; fractions uint8 (P) percent."""

    ratio: NDArray[np.float32]
    bare: NDArray[np.uint8]
    turbid: NDArray[np.uint8]
    still: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SpectralModel:
    """The constants above, cut to the bands that are there."""

    mined: NDArray[np.float64]
    char: NDArray[np.float64]
    white: NDArray[np.float64]
    floor: NDArray[np.float64]
    blue: int
    red: int


def spectral_model(bands: Sequence[str]) -> SpectralModel:
    """Endmembers and floors for a subset of BANDS, in the order given; unknown bands are a KeyError of the caller."""
    at = [BANDS.index(band) for band in bands]

    def cut(values: Sequence[float]) -> NDArray[np.float64]:
        return np.array([values[i] for i in at], np.float64)

    return SpectralModel(
        mined=np.array([cut(_SPECTRA[name]) for name in MINED]),
        char=cut(_SPECTRA["char"]),
        white=cut(_SPECTRA["white"]),
        floor=cut(FLOOR),
        blue=bands.index("blue") if "blue" in bands else -1,
        red=bands.index("red") if "red" in bands else -1,
    )


def evidence(
    reflectance: NDArray[np.int16],
    quality: NDArray[np.uint8],
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
    prediction, moment, model
        Baseline, day and endmembers, all with the same B and K.
    min_looks : int
        Pixels whose baseline rests on fewer clear looks are not judged.

    Returns
    -------
    Evidence
    """
    pixels = quality.shape[0]
    out = Evidence(
        np.full(pixels, np.nan, np.float32),
        np.zeros(pixels, np.uint8),
        np.zeros(pixels, np.uint8),
        np.zeros(pixels, np.uint8),
    )
    spreads = np.array([list(_SPREAD.values()), list(_DOUBTFUL_SPREAD.values())], np.float64)
    _evidence(
        reflectance,
        quality,
        prediction,
        moment,
        _Constants(model.mined, model.char, model.white, model.floor, spreads),
        (model.blue, model.red, min_looks),
        out,
    )
    return out


def usable(reflectance: NDArray[np.int16], quality: NDArray[np.uint8], *, bands: Sequence[str]) -> NDArray[np.bool_]:
    """Where a look may enter a baseline: data in every band, clear or doubtful, and not haze by its own spectrum.

    `reflectance` is int16 (B, P) in UNIT, `quality` uint8 (P); bool (P) comes back.
    """
    good = (quality >= DOUBTFUL) & (quality <= CLEAR) & (reflectance != NODATA_REFLECTANCE).all(axis=0)
    if "blue" in bands and "red" in bands:
        blue = reflectance[bands.index("blue")].astype(np.float32)
        red = reflectance[bands.index("red")].astype(np.float32)
        good &= (blue - 0.5 * red) * np.float32(UNIT) <= 0.08
    return np.asarray(good)


class _Constants(NamedTuple):
    mined: NDArray[np.float64]
    char: NDArray[np.float64]
    white: NDArray[np.float64]
    floor: NDArray[np.float64]
    spreads: NDArray[np.float64]


@kernel
def _evidence(y: Any, quality: Any, prediction: Any, moment: Any, c: Any, numbers: Any, out: Any) -> None:
    blue, red, min_looks = numbers
    n_bands, pixels = y.shape
    spectra = np.empty((3, n_bands))  # predicted, residual, noise variance
    directions = np.empty((_N_NUISANCE, n_bands))
    factor = np.empty((n_bands, n_bands))
    for p in range(pixels):
        looked_at = DOUBTFUL <= quality[p] <= CLEAR and prediction.n[p] >= min_looks
        if not looked_at or _lacks(y, p) or (blue >= 0 and red >= 0 and _is_haze(y[blue, p], y[red, p])):
            continue
        if _expect(y, prediction, moment, c, p, spectra) < AS_PREDICTED_SIGMA * AS_PREDICTED_SIGMA:
            out.ratio[p] = CLIP_LOW
            continue
        _innocent(prediction, moment, c, p, spectra[0], directions)
        doubt = np.int64(quality[p] == DOUBTFUL)
        _whiten(spectra[2], directions, c.spreads[doubt], factor)
        _judge(factor, spectra[0], spectra[1], c.mined, out, p)
        if doubt:
            out.ratio[p] = min(out.ratio[p], 0.5 * CLIP_HIGH)


@kernel
def _lacks(y: Any, p: int) -> bool:
    lacking = False
    for b in range(y.shape[0]):
        lacking |= y[b, p] == NODATA_REFLECTANCE
    return lacking


@kernel
def _expect(y: Any, prediction: Any, moment: Any, c: Any, p: int, spectra: Any) -> float:
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
        scale = max(prediction.sigma[p, b] * UNIT, c.floor[b])
        variance = scale * scale * widen + (RELATIVE * mu) ** 2
        spectra[0, b], spectra[1, b], spectra[2, b] = mu, residual, variance
        far = max(far, residual * residual / variance)
    return far


@kernel
def _innocent(prediction: Any, moment: Any, c: Any, p: int, mu: Any, directions: Any) -> None:
    """Where haze, shadow, fire, a shifted season and another year would move this pixel."""
    for b in range(mu.shape[0]):
        slope = 0.0
        other = 0.0
        for k in range(moment.row.shape[0]):
            slope += prediction.coefficients[p, b, k] * moment.per_day[k]
            other += prediction.coefficients[p, b, k] * moment.opposite[k]
        directions[0, b] = c.white[b] - mu[b]
        directions[1, b] = -mu[b]
        directions[2, b] = c.char[b] - mu[b]
        directions[3, b] = slope * UNIT
        directions[4, b] = other * UNIT - mu[b]


@kernel
def _is_haze(blue: int, red: int) -> bool:
    """Haze-optimised test of Fmask: blue - red / 2 above 0.08 is cloud or thick haze; bare and turbid ground is redder."""
    return (blue - 0.5 * red) * UNIT - 0.08 > 0.0


@kernel
def _whiten(v: Any, directions: Any, spread: Any, factor: Any) -> None:
    """Lower Cholesky factor of diag(v) + sum s^2 d d', in place in `factor`."""
    n = v.shape[0]
    for i in range(n):
        for j in range(i + 1):
            total = v[i] if i == j else 0.0
            for d in range(_N_NUISANCE):
                total += spread[d] * spread[d] * directions[d, i] * directions[d, j]
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
def _judge(factor: Any, mu: Any, r: Any, mined: Any, out: Any, p: int) -> None:
    """Best mixture of at most one bare and one water endmember; ties go to the first."""
    n_mined, n = mined.shape
    z = r.copy()
    _solve(factor, z)
    whitened = np.empty((n_mined, n))
    for m in range(n_mined):
        whitened[m] = mined[m] - mu
        _solve(factor, whitened[m])
    best = -1e9
    share = np.zeros(n_mined)
    for i in range(n_mined):
        for j in range(-1, n_mined):
            if j < 0 or (i < _N_BARE <= j):
                f, g, gain = _mixture(whitened, z, i, j)
                if gain > best:
                    best = gain
                    share[:] = 0.0
                    share[j] = g  # with j = -1 this is a zero in the last place, which i may set again
                    share[i] = f
    out.ratio[p] = min(max(best - OCCAM, CLIP_LOW), CLIP_HIGH)
    total = max(share.sum(), 1.0)
    out.bare[p] = np.uint8(100.0 * (share[0] + share[1]) / total + 0.5)
    out.turbid[p] = np.uint8(100.0 * share[2] / total + 0.5)
    out.still[p] = np.uint8(100.0 * share[3] / total + 0.5)


@kernel
def _mixture(whitened: Any, z: Any, i: int, j: int) -> Any:
    """Fractions and log-likelihood gain of endmember i alone (j < 0) or with j, MIN_FRACTION or more in all."""
    gii = 0.0
    hi = 0.0
    for b in range(z.shape[0]):
        gii += whitened[i, b] * whitened[i, b]
        hi += whitened[i, b] * z[b]
    if j < 0:
        f = min(max(hi / gii, MIN_FRACTION), 1.2)
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
    scale = 1.0
    if f + g < MIN_FRACTION:
        scale = MIN_FRACTION / (f + g)
    elif f + g > 1.2:
        scale = 1.2 / (f + g)
    f *= scale
    g *= scale
    return f, g, f * hi + g * hj - 0.5 * (f * f * gii + 2.0 * f * g * gij + g * g * gjj)
