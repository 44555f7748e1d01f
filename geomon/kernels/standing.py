"""What a surface was made of before the monitor began: bare ground and water that no season greens.

In: what a baseline predicts for every month of a year. Out: the shares of bare ground, turbid and still water that are
left at the greenest time of the pixel's year. A working that is older than the history shows no change; it is known by
ground that stays open when everything around it grows. So are rivers, roads and villages: what tells those apart is
decided over objects, not here.

The model is a linear mixture of green leaf, straw, two kinds of bare ground and turbid water, fractions not negative,
bands weighted by their noise; of five endmembers every subset is tried, so the solution is exact. What the sum
lacks of one is shade among plants, and still water where next to no plant is left. Spectra are those of `spectra`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import kernel
from geomon.kernels.evidence import Fractions, Prediction
from geomon.kernels.spectra import UNIT, SpectralModel

UNKNOWN: Final = 255
GREENEST_MONTHS: Final = 3
"""Months of the year that are averaged, the greenest ones: a single month rests on few looks in a cloudy season."""
BARREN: Final = 0.25
"""Plant share below which darkness is still water and not shade between crowns; set by reasoning."""
_ENDMEMBERS: Final = 5


def standing(prediction: Prediction, months: NDArray[np.float64], model: SpectralModel, *, min_looks: int) -> Fractions:
    """Shares of bare ground, turbid and still water at the greenest time of the year, before any change.

    Parameters
    ----------
    prediction : Prediction
        Baseline of P pixels.
    months : float64, (M, K)
        Design rows spread evenly over one year, trend held.
    model : SpectralModel
        Needs red and nir: without them all is UNKNOWN.
    min_looks : int
        Pixels whose baseline rests on fewer clear looks are UNKNOWN.

    Returns
    -------
    Fractions
        uint8 (P) each, percent.
    """
    found = Fractions(*(np.full(prediction.n.shape[0], UNKNOWN, np.uint8) for _ in range(3)))
    if model.red >= 0 and model.nir >= 0:
        _standing(prediction, months, model, min_looks, found)
    return found


@kernel
def _standing(prediction: Any, months: Any, model: Any, min_looks: int, found: Any) -> None:
    n_bands = model.floor.shape[0]
    basis = np.empty((_ENDMEMBERS, n_bands))  # leaf, straw, two kinds of bare ground, turbid water
    for b in range(n_bands):
        basis[0, b] = model.leaf[b] / model.floor[b]
        basis[1, b] = model.straw[b] / model.floor[b]
        for m in range(3):
            basis[2 + m, b] = model.mined[m, b] / model.floor[b]
    inverses = _inverses(basis @ basis.T)
    year = np.empty((months.shape[0], n_bands))
    green = np.empty(months.shape[0])
    for p in range(prediction.n.shape[0]):
        if prediction.n[p] < min_looks:
            continue
        _predict(prediction, months, model, p, year, green)
        share = _unmix(basis, inverses, _greenest(year, green, model.floor))
        plants, bare, turbid = share[0] + share[1], share[2] + share[3], share[4]
        still = max(0.0, 1.0 - share.sum()) if plants < BARREN else 0.0
        total = max(plants + bare + turbid + still, 1.0)
        found.bare[p] = np.uint8(100.0 * bare / total + 0.5)
        found.turbid[p] = np.uint8(100.0 * turbid / total + 0.5)
        found.still[p] = np.uint8(100.0 * still / total + 0.5)


@kernel
def _predict(prediction: Any, months: Any, model: Any, p: int, year: Any, green: Any) -> None:
    """Fill the spectra of a year and how green each is."""
    for m in range(year.shape[0]):
        for b in range(year.shape[1]):
            total = 0.0
            for k in range(months.shape[1]):
                total += prediction.coefficients[p, b, k] * months[m, k]
            year[m, b] = max(total * UNIT, 0.0)
        red, nir = year[m, model.red], year[m, model.nir]
        green[m] = (nir - red) / max(nir + red, 0.02)


@kernel
def _greenest(year: Any, green: Any, floor: Any) -> Any:
    """Mean spectrum of the greenest months, in noise units."""
    left = green.copy()
    mean = np.zeros(year.shape[1])
    for _ in range(GREENEST_MONTHS):
        best = np.argmax(left)
        left[best] = -9.0
        for b in range(year.shape[1]):
            mean[b] += year[best, b] / (GREENEST_MONTHS * floor[b])
    return mean


@kernel
def _inverses(gram: Any) -> Any:
    """Inverse of the Gram matrix of every subset of endmembers, by bit mask; zero rows where one is left out."""
    n = gram.shape[0]
    found = np.zeros((1 << n, n, n))
    for mask in range(1, 1 << n):
        members = np.array([i for i in range(n) if mask >> i & 1])
        part = np.empty((len(members), len(members)))
        for i in range(len(members)):
            for j in range(len(members)):
                part[i, j] = gram[members[i], members[j]]
        inverse = np.linalg.inv(part)
        for i in range(len(members)):
            for j in range(len(members)):
                found[mask, members[i], members[j]] = inverse[i, j]
    return found


@kernel
def _unmix(basis: Any, inverses: Any, spectrum: Any) -> Any:
    """Fractions, none negative, that come nearest to a spectrum: the best subset whose least squares are feasible."""
    n = basis.shape[0]
    target = basis @ spectrum
    best = np.zeros(n)
    most = 0.0
    share = np.empty(n)
    for mask in range(1, 1 << n):
        gain = 0.0
        feasible = True
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += inverses[mask, i, j] * target[j]
            share[i] = total
            feasible &= total >= 0.0
            gain += total * target[i]
        if feasible and gain > most:
            most = gain
            best[:] = share
    return best
