"""Random fields and generators: the only source of chance in the simulator.

In: a seed and a key. Out: generators that do not depend on the order of calls, and standard normal fields with a stated
correlation length. Fields are periodic: what leaves at one border comes in at the other.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Rng = np.random.Generator

CLIMATE, TERRAIN, COVER, TEXTURE, MINES, FARMS, FIRES, ROADS, VILLAGE, BARS, DATES = range(11)
"""Streams: adding a draw to one never moves another."""


def rng_of(seed: int, *key: int) -> Rng:
    """Return the generator of one stream, e.g. `rng_of(seed, DATES, day)`."""
    return np.random.default_rng(np.random.SeedSequence([seed, *key]))


def smooth_field(rng: Rng, shape: tuple[int, int], *, length: float) -> FloatArray:
    """Gaussian random field of mean 0 and sd 1 whose correlation falls to 1/e at about `length` cells.

    Parameters
    ----------
    rng : Generator
    shape : (rows, columns)
    length : float
        Correlation length in cells of the grid.

    Returns
    -------
    float32, shape
    """
    return _filtered(rng, shape, _gauss_filter(shape, length))


def rough_field(rng: Rng, shape: tuple[int, int], *, slope: float, outer: float) -> FloatArray:
    """Fractal field of sd 1: power falls as wavenumber to the -`slope`, flat beyond `outer` cells.

    Its mean over the grid is not 0 when `outer` is wider than the grid: a small scene may well be all cloud.
    """
    return _filtered(rng, shape, _power_filter(shape, slope, outer))


def _filtered(rng: Rng, shape: tuple[int, int], gain: FloatArray) -> FloatArray:
    noise = rng.standard_normal(shape, dtype=np.float32)
    field: FloatArray = fft.irfft2(fft.rfft2(noise) * gain, s=shape)
    return field.astype(np.float32, copy=False)


def _squared_wavenumber(shape: tuple[int, int]) -> NDArray[np.float64]:
    rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    squared: NDArray[np.float64] = np.square(rows) + np.square(columns)
    return squared


@lru_cache(maxsize=64)
def _gauss_filter(shape: tuple[int, int], length: float) -> FloatArray:
    # exp(-d^2 / length^2) is the covariance of white noise smoothed by a Gaussian of sd length / 2
    return _unit_power(np.exp(-2 * (np.pi * length / 2) ** 2 * _squared_wavenumber(shape)), shape)


@lru_cache(maxsize=16)
def _power_filter(shape: tuple[int, int], slope: float, outer: float) -> FloatArray:
    return _unit_power((_squared_wavenumber(shape) + outer**-2.0) ** (-slope / 4), shape)


def _unit_power(gain: NDArray[np.float64], shape: tuple[int, int]) -> FloatArray:
    # rfft keeps half of the columns: count the mirrored ones twice
    twice = np.full(gain.shape[1], 2.0)
    twice[0] = 1.0
    if shape[1] % 2 == 0:
        twice[-1] = 1.0
    power = float(np.sum(np.square(gain) * twice)) / (shape[0] * shape[1])
    return np.asarray(gain / np.sqrt(power), dtype=np.float32)


def sigmoid(x: NDArray[np.floating[Any]] | float) -> FloatArray:
    """Logistic function, safe from overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(x))), dtype=np.float32)


def block_mean(fine: NDArray[np.generic], factor: int) -> FloatArray:
    """Average square blocks of the last two axes."""
    rows, columns = fine.shape[-2] // factor, fine.shape[-1] // factor
    blocks = fine.reshape(*fine.shape[:-2], rows, factor, columns, factor)
    return np.asarray(blocks.mean(axis=(-3, -1), dtype=np.float32), dtype=np.float32)


def tones(rng: Rng, count: int, spread: float) -> FloatArray:
    """Brightness factors of single cells, log-normal."""
    return np.exp(rng.normal(0, spread, count)).astype(np.float32)


def block_noise(rng: Rng, size: int, side: int) -> NDArray[np.float64]:
    """Uniform noise that is the same inside blocks of `side` cells, (size, size)."""
    count = -(-size // side)
    return np.asarray(np.kron(rng.random((count, count)), np.ones((side, side)))[:size, :size], dtype=np.float64)
