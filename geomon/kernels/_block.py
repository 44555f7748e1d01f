"""What `harmonic` hands to its compiled code, and what that code passes around: plain tuples of arrays.

B bands, T dates, K columns, P pixels, L lanes of a block. T and K are padded with zeros to the steps of `_solve`.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import LANES, FloatArray, aligned_zeros


class Design(NamedTuple):
    """What all pixels share: padded design and products, true number of columns, ridge in looks."""

    columns: FloatArray
    products: FloatArray
    width: int
    ridge: np.float32


class Rule(NamedTuple):
    """When a look is left out: residual beyond `limit` times the scale, and the least scale per band."""

    limit: np.float32
    floor: FloatArray
    refits: int


class Sums(NamedTuple):
    """Where `fit_all` writes: coefficients (B, K, P), residual sum of squares or sigma (B, P), looks (P)."""

    coefficients: FloatArray
    spread: FloatArray
    n: NDArray[np.int32]


class Scratch(NamedTuple):
    """One block of `LANES` pixels: 0/1 weights (T, L), values (B, T, L), sums, and three rows for passing things on."""

    clear: FloatArray
    keep: FloatArray
    values: FloatArray
    rows: FloatArray
    gram: FloatArray
    moment: FloatArray
    error: FloatArray
    lanes: FloatArray

    @classmethod
    def allocate(cls, bands: int, design: Design) -> Self:
        """Make room for one block; zeros, because padding dates and columns are never written."""
        dates, columns = design.columns.shape
        rows = (dates, dates, dates, design.products.shape[1], columns, 3)
        clear, keep, residuals, gram, error, lanes = (aligned_zeros((n, LANES)) for n in rows)
        values = aligned_zeros((bands, dates, LANES))
        moment = aligned_zeros((bands, columns, LANES))
        return cls(clear, keep, values, residuals, gram, moment, error, lanes)
