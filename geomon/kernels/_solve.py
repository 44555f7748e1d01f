"""Compiled block arithmetic of the masked harmonic regression; `harmonic` is its public face.

In: a whole series (bands, dates, pixels), the design and its column products. Out: coefficients and residual sums,
written into arrays of the caller. Nothing here checks shapes: `harmonic` does, before it calls.

For each pixel the normal equations are ``(X' W X) b = X' W y`` with ``W`` the 0/1 diagonal of its clear looks. All
pixels share ``X``, so the upper triangle of ``X' W X`` (row by row, ``packed``) is the product of the clear weights
with the dates' column products, and ``X' W y`` that of the masked values with the design: sums over dates of rows that
are vectors over pixels. Cholesky factors the triangle, each scalar of the textbook being a row of `LANES` pixels.

Dates are padded to a multiple of `DATE_STEP` and columns to one of `COLUMN_STEP` with zeros; a tile of 4 dates by 3
columns reads each row once for 12 multiply-adds. Sums run over dates in order, so the tiles do not change a bit.
"""

import numpy as np

from geomon.kernels._block import Design, Rule, Scratch, Sums
from geomon.kernels._jit import LANES, LARGEST, FloatArray, kernel

DATE_STEP, COLUMN_STEP = 4, 3
SINGULAR = np.float32(1e-5)  # least pivot over its diagonal that is not rounding: ten times that of a 100-date sum
MAD_TO_SIGMA = np.float32(1.4826)  # sigma of a normal variable over the median of its absolute value, 1 / 0.6745
BISECTIONS = 12  # narrow the median absolute residual to 1/2900 of the root mean square, far below its own error
SQRT2 = np.float32(1.41422)  # rounded up
ZERO, HALF, ONE, NAN = np.float32(0), np.float32(0.5), np.float32(1), np.float32(np.nan)


@kernel
def _packed(row: int, width: int) -> int:
    """Offset such that entry (row, column) of the packed triangle is ``_packed(row) + column``."""
    return row * width - row * (row - 1) // 2 - row


@kernel
def _load_date(series: FloatArray, start: int, t: int, block: Scratch) -> None:
    """Copy one date of every band, 0 where not finite; a look's weight is 1 where all bands are finite."""
    bands, _, pixels = series.shape
    clear, values = block.clear, block.values
    stop = min(start + LANES, pixels)
    for b in range(bands):
        row = series[b, t, start:stop]
        for j in range(row.size):
            v = row[j]
            finite = abs(v) <= LARGEST
            before = clear[t, j] if b > 0 else ONE
            clear[t, j] = before if finite else ZERO
            values[b, t, j] = v if finite else ZERO


@kernel
def _load(series: FloatArray, start: int, block: Scratch) -> None:
    """Fill a block's weights and values; every value of a look that does not count is 0."""
    bands, dates, pixels = series.shape
    if pixels - start < LANES:
        block.clear[:] = ZERO
        block.values[:] = ZERO
    for t in range(dates):
        _load_date(series, start, t, block)
        if bands > 1:
            for b in range(bands):
                for j in range(LANES):
                    block.values[b, t, j] *= block.clear[t, j]


@kernel
def _accumulate(source: FloatArray, weights: FloatArray, target: FloatArray) -> None:
    """Set ``target[r] = sum over t of weights[t, r] * source[t]``."""
    dates, columns = weights.shape
    target[:] = ZERO
    for t in range(0, dates, DATE_STEP):
        for r in range(0, columns, COLUMN_STEP):
            a0, a1, a2, a3 = weights[t, r], weights[t + 1, r], weights[t + 2, r], weights[t + 3, r]
            b0, b1, b2, b3 = weights[t, r + 1], weights[t + 1, r + 1], weights[t + 2, r + 1], weights[t + 3, r + 1]
            c0, c1, c2, c3 = weights[t, r + 2], weights[t + 1, r + 2], weights[t + 2, r + 2], weights[t + 3, r + 2]
            for j in range(LANES):
                s0, s1, s2, s3 = source[t, j], source[t + 1, j], source[t + 2, j], source[t + 3, j]
                target[r, j] = target[r, j] + a0 * s0 + a1 * s1 + a2 * s2 + a3 * s3
                target[r + 1, j] = target[r + 1, j] + b0 * s0 + b1 * s1 + b2 * s2 + b3 * s3
                target[r + 2, j] = target[r + 2, j] + c0 * s0 + c1 * s1 + c2 * s2 + c3 * s3


@kernel
def _subtract(target: FloatArray, row: int, left: FloatArray, a: int, right: FloatArray, b: int) -> None:
    """Take the product of two rows from a third."""
    for j in range(LANES):
        target[row, j] -= left[a, j] * right[b, j]


@kernel
def _scale(target: FloatArray, row: int, factor: FloatArray, by: int) -> None:
    for j in range(LANES):
        target[row, j] *= factor[by, j]


@kernel
def _factor(gram: FloatArray, design: Design) -> None:
    """Replace the packed triangle by its Cholesky factor, diagonal inverted; 0 there for a column without information.

    A column whose pivot is lost in rounding depends on the columns before it: it gets coefficient 0, the basic
    solution, so fewer looks than columns still give a finite answer.
    """
    width = design.width
    smallest = np.empty(LANES, np.float32)
    for c in range(width):
        top = _packed(c, width)
        ridge = design.ridge if c > 0 else ZERO
        for j in range(LANES):
            gram[top + c, j] += ridge
            smallest[j] = SINGULAR * gram[top + c, j]
        for k in range(c):
            above = _packed(k, width)
            for i in range(c, width):
                _subtract(gram, top + i, gram, above + c, gram, above + i)
        for j in range(LANES):
            pivot = gram[top + c, j]
            gram[top + c, j] = ONE / np.sqrt(pivot) if pivot > smallest[j] else ZERO
        for i in range(c + 1, width):
            _scale(gram, top + i, gram, top + c)


@kernel
def _substitute(factor: FloatArray, moment: FloatArray, width: int) -> None:
    """Turn ``X' W y`` into the coefficients, in place."""
    for i in range(width):
        for k in range(i):
            _subtract(moment, i, factor, _packed(k, width) + i, moment, k)
        _scale(moment, i, factor, _packed(i, width) + i)
    for i in range(width - 1, -1, -1):
        for k in range(i + 1, width):
            _subtract(moment, i, factor, _packed(i, width) + k, moment, k)
        _scale(moment, i, factor, _packed(i, width) + i)


@kernel
def _residuals(values: FloatArray, columns: FloatArray, coefficients: FloatArray, out: FloatArray) -> None:
    """Set ``out = columns @ coefficients - values``, a block's (T, L); dates that are not clear hold the prediction."""
    dates, width = columns.shape
    for t in range(0, dates, DATE_STEP):
        for k in range(0, width, COLUMN_STEP):
            a0, a1, a2, a3 = columns[t, k], columns[t + 1, k], columns[t + 2, k], columns[t + 3, k]
            b0, b1, b2, b3 = columns[t, k + 1], columns[t + 1, k + 1], columns[t + 2, k + 1], columns[t + 3, k + 1]
            c0, c1, c2, c3 = columns[t, k + 2], columns[t + 1, k + 2], columns[t + 2, k + 2], columns[t + 3, k + 2]
            for j in range(LANES):
                x, y, z = coefficients[k, j], coefficients[k + 1, j], coefficients[k + 2, j]
                e0 = out[t, j] if k > 0 else -values[t, j]
                e1 = out[t + 1, j] if k > 0 else -values[t + 1, j]
                e2 = out[t + 2, j] if k > 0 else -values[t + 2, j]
                e3 = out[t + 3, j] if k > 0 else -values[t + 3, j]
                out[t, j] = e0 + a0 * x + b0 * y + c0 * z
                out[t + 1, j] = e1 + a1 * x + b1 * y + c1 * z
                out[t + 2, j] = e2 + a2 * x + b2 * y + c2 * z
                out[t + 3, j] = e3 + a3 * x + b3 * y + c3 * z


@kernel
def _sum_squares(residuals: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """Set `out` to the weighted sum of squares, and the residuals that do not count to 0."""
    out[:] = ZERO
    for t in range(0, residuals.shape[0], DATE_STEP):
        for j in range(LANES):
            e0, e1 = residuals[t, j] * weights[t, j], residuals[t + 1, j] * weights[t + 1, j]
            e2, e3 = residuals[t + 2, j] * weights[t + 2, j], residuals[t + 3, j] * weights[t + 3, j]
            residuals[t, j], residuals[t + 1, j], residuals[t + 2, j], residuals[t + 3, j] = e0, e1, e2, e3
            out[j] = out[j] + e0 * e0 + e1 * e1 + e2 * e2 + e3 * e3


@kernel
def _prepare(weights: FloatArray, design: Design, block: Scratch) -> None:
    """Sum and factor the triangle for these weights; the looks of each pixel go to ``block.lanes[0]``."""
    _accumulate(weights, design.products, block.gram)
    for j in range(LANES):
        block.lanes[0, j] = block.gram[0, j]
    _factor(block.gram, design)


@kernel
def _solve(source: FloatArray, design: Design, block: Scratch, band: int) -> None:
    """Coefficients of one band from its masked values."""
    _accumulate(source, design.columns, block.moment[band])
    _substitute(block.gram, block.moment[band], design.width)


@kernel
def _refine(weights: FloatArray, design: Design, block: Scratch, band: int) -> None:
    """Sum the squared residuals into ``block.lanes[1]`` and correct the coefficients by the fit of the residuals.

    Rounding in the sums grows with the condition number, which a cloudy season makes 100 to 1000: for values of order 1
    they were 4e-5 off before this one step of iterative refinement, and 3e-7 after. The sum of squares changes by
    the square of the step, that is, not at all.
    """
    fitted = block.moment[band]
    _residuals(block.values[band], design.columns, fitted, block.rows)
    _sum_squares(block.rows, weights, block.lanes[1])
    _accumulate(block.rows, design.columns, block.error)
    for k in range(1, design.width):
        for j in range(LANES):
            block.error[k, j] += design.ridge * fitted[k, j]
    _substitute(block.gram, block.error, design.width)
    for k in range(design.width):
        for j in range(LANES):
            fitted[k, j] -= block.error[k, j]


@kernel
def _store_coefficients(block: Scratch, start: int, sums: Sums) -> None:
    """Write a block's looks and coefficients, NaN for a pixel without a look."""
    bands, width, pixels = sums.coefficients.shape
    stop = min(start + LANES, pixels)
    for j in range(stop - start):
        sums.n[start + j] = np.int32(block.lanes[0, j])
    for b in range(bands):
        for k in range(width):
            row = sums.coefficients[b, k, start:stop]
            for j in range(stop - start):
                row[j] = block.moment[b, k, j] if block.lanes[0, j] > ZERO else NAN


@kernel
def fit_all(series: FloatArray, design: Design, block: Scratch, sums: Sums) -> None:
    """Fit every pixel and band once; ``sums.spread`` is the residual sum of squares."""
    bands, _, pixels = series.shape
    for start in range(0, pixels, LANES):
        stop = min(start + LANES, pixels)
        _load(series, start, block)
        _prepare(block.clear, design, block)
        for b in range(bands):
            _solve(block.values[b], design, block, b)
            _refine(block.clear, design, block, b)
            sums.spread[b, start:stop] = block.lanes[1, : stop - start]
        _store_coefficients(block, start, sums)


@kernel
def _median_absolute(residuals: FloatArray, weights: FloatArray, lanes: FloatArray) -> None:
    """Bisect for the lower median of ``|residuals|`` among looks of weight 1, into ``lanes[2]``.

    At least half of them lie at or above the median, so it is at most sqrt(2) times the root mean square: that starts
    the bisection. Counting vectorises over pixels, selecting does not.
    In: lanes[0] the number of looks, lanes[1] the sum of squares, overwritten.
    """
    lower = np.zeros(LANES, np.float32)
    count = np.empty(LANES, np.float32)
    upper, n, middle = lanes[2], lanes[0], lanes[1]
    for j in range(LANES):
        upper[j] = SQRT2 * np.sqrt(middle[j] / n[j]) if n[j] > ZERO else ZERO
    for _ in range(BISECTIONS):
        for j in range(LANES):
            middle[j] = HALF * (lower[j] + upper[j])
            count[j] = ZERO
        for t in range(0, residuals.shape[0], DATE_STEP):
            for j in range(LANES):
                m = middle[j]
                i0 = weights[t, j] if abs(residuals[t, j]) <= m else ZERO
                i1 = weights[t + 1, j] if abs(residuals[t + 1, j]) <= m else ZERO
                i2 = weights[t + 2, j] if abs(residuals[t + 2, j]) <= m else ZERO
                i3 = weights[t + 3, j] if abs(residuals[t + 3, j]) <= m else ZERO
                count[j] += (i0 + i1) + (i2 + i3)
        for j in range(LANES):
            enough = count[j] >= HALF * n[j]
            upper[j] = middle[j] if enough else upper[j]
            lower[j] = lower[j] if enough else middle[j]


@kernel
def _screen_band(block: Scratch, rule: Rule, band: int, width: int) -> None:
    """Take out of ``block.keep`` the looks whose residual in ``block.rows`` is beyond the limit in this band."""
    lanes = block.lanes
    _sum_squares(block.rows, block.clear, lanes[1])
    _median_absolute(block.rows, block.clear, lanes)
    for j in range(LANES):
        n = lanes[0, j]
        freedom = n - np.float32(width) if n > np.float32(width) else ONE
        scale = MAD_TO_SIGMA * lanes[2, j] * np.sqrt(n / freedom)
        lanes[2, j] = rule.limit * (scale if scale > rule.floor[band] else rule.floor[band])
    for t in range(block.rows.shape[0]):
        for j in range(LANES):
            block.keep[t, j] = block.keep[t, j] if abs(block.rows[t, j]) <= lanes[2, j] else ZERO


@kernel
def _spare_scarce(block: Scratch, width: int) -> None:
    """Give all looks back to a pixel that would keep fewer than half of them or too few for a fit and its scale."""
    kept, n = block.lanes[1], block.lanes[0]
    kept[:] = ZERO
    for t in range(block.keep.shape[0]):
        for j in range(LANES):
            kept[j] += block.keep[t, j]
    for j in range(LANES):
        enough = (kept[j] >= HALF * n[j]) & (kept[j] > np.float32(width))
        kept[j] = ONE if enough else ZERO
    for t in range(block.keep.shape[0]):
        for j in range(LANES):
            block.keep[t, j] = block.keep[t, j] if kept[j] > ZERO else block.clear[t, j]


@kernel
def _screen(design: Design, rule: Rule, looks: FloatArray, block: Scratch) -> None:
    """Judge all clear looks anew by the present fit: a look left out in one round may return in the next."""
    block.lanes[0] = looks
    block.keep[:] = block.clear
    for b in range(block.values.shape[0]):
        _residuals(block.values[b], design.columns, block.moment[b], block.rows)
        _screen_band(block, rule, b, design.width)
    _spare_scarce(block, design.width)


@kernel
def _refit(design: Design, block: Scratch) -> None:
    """Fit all bands of a block to the looks that were kept."""
    _prepare(block.keep, design, block)
    for b in range(block.values.shape[0]):
        for t in range(block.rows.shape[0]):
            for j in range(LANES):
                block.rows[t, j] = block.values[b, t, j] * block.keep[t, j]
        _solve(block.rows, design, block, b)


@kernel
def _finish(design: Design, rule: Rule, block: Scratch, start: int, spread: FloatArray) -> None:
    """Refine; write the scale of the kept looks' residuals, NaN where they do not outnumber the columns."""
    bands, pixels = spread.shape
    stop = min(start + LANES, pixels)
    for b in range(bands):
        _refine(block.keep, design, block, b)
        for j in range(LANES):
            freedom = block.lanes[0, j] - np.float32(design.width)
            sigma = np.sqrt(block.lanes[1, j] / freedom)
            sigma = sigma if sigma > rule.floor[b] else rule.floor[b]
            block.lanes[1, j] = sigma if freedom > ZERO else NAN
        spread[b, start:stop] = block.lanes[1, : stop - start]


@kernel
def fit_robust_all(series: FloatArray, design: Design, rule: Rule, block: Scratch, sums: Sums) -> None:
    """Fit, screen and refit every pixel; ``sums.spread`` is sigma and ``sums.n`` the looks kept."""
    pixels = series.shape[2]
    looks = np.empty(LANES, np.float32)
    for start in range(0, pixels, LANES):
        _load(series, start, block)
        block.keep[:] = block.clear
        _refit(design, block)
        looks[:] = block.lanes[0]
        for _ in range(rule.refits):
            _screen(design, rule, looks, block)
            _refit(design, block)
        _finish(design, rule, block, start, sums.spread)
        _store_coefficients(block, start, sums)
