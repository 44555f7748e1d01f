"""Numbers of a raster at positions that are not its own pixel centres.

In: a window of a raster with a mask of its valid pixels, and positions in raster pixels (0.5 is the first centre). Out:
one number and one validity per position. Where the positions come from, and what the numbers mean, is not known here.
A position's answer depends on the raster alone, to the bit, never on the window or on the other positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Positions = NDArray[np.float64]


def nearest(
    values: FloatArray, valid: BoolArray, *, corner: tuple[int, int], row: Positions, col: Positions
) -> tuple[FloatArray, BoolArray]:
    """Number of the pixel that holds each position.

    Parameters
    ----------
    values, valid : float32 and bool, shape (m, n)
        Window of the raster.
    corner : (int, int)
        Raster row and column of the window's first pixel.
    row, col : float64, shape (h, w)
        Positions in the raster [pixels]; not finite: nowhere.

    Returns
    -------
    float32 and bool, shape (h, w)
        Number (0 where not valid) and validity; not valid outside the window.
    """
    found: tuple[FloatArray, BoolArray] = _nearest(values, valid, corner, row, col)
    return found


def bilinear(
    values: FloatArray, valid: BoolArray, *, corner: tuple[int, int], row: Positions, col: Positions
) -> tuple[FloatArray, BoolArray]:
    """Mean of the four nearest centres, weighted by nearness, over the valid ones only.

    Parameters and results as `nearest`; a position is valid when valid pixels hold at least half of its weight.
    """
    found: tuple[FloatArray, BoolArray] = _bilinear(values, valid, corner, row, col)
    return found


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # no fast-math: rounding as in numpy, so that neighbours and vector width cannot change a bit
    compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


@_jit
def _nearest(
    values: FloatArray, valid: BoolArray, corner: tuple[int, int], row: Positions, col: Positions
) -> tuple[FloatArray, BoolArray]:
    height, width = values.shape
    out, known = np.zeros(row.shape, np.float32), np.zeros(row.shape, np.bool_)
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            if not (math.isfinite(row[i, j]) and math.isfinite(col[i, j])):
                continue
            y, x = math.floor(row[i, j]) - corner[0], math.floor(col[i, j]) - corner[1]
            if 0 <= y < height and 0 <= x < width and valid[y, x]:
                out[i, j] = values[y, x]
                known[i, j] = True
    return out, known


@_jit
def _bilinear(
    values: FloatArray, valid: BoolArray, corner: tuple[int, int], row: Positions, col: Positions
) -> tuple[FloatArray, BoolArray]:
    height, width = values.shape
    out, known = np.zeros(row.shape, np.float32), np.zeros(row.shape, np.bool_)
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            if not (math.isfinite(row[i, j]) and math.isfinite(col[i, j])):
                continue
            above, before = math.floor(row[i, j] - 0.5), math.floor(col[i, j] - 0.5)
            down, right = row[i, j] - 0.5 - above, col[i, j] - 0.5 - before
            total, weight = 0.0, 0.0
            for step in range(2):
                for across in range(2):
                    y, x = above + step - corner[0], before + across - corner[1]
                    if 0 <= y < height and 0 <= x < width and valid[y, x]:
                        share = (down if step else 1 - down) * (right if across else 1 - right)
                        total += share * values[y, x]
                        weight += share
            if weight >= 0.5:
                out[i, j] = total / weight
                known[i, j] = True
    return out, known
