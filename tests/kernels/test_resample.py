"""Laws of resampling, and an obvious twin."""

import math

import numpy as np

from geomon.kernels.resample import bilinear, nearest


def make_case(rng: np.random.Generator) -> dict[str, np.ndarray]:
    row, col = rng.uniform(-3, 23, (30, 40)), rng.uniform(-3, 33, (30, 40))
    row[0, :3], col[1, :2] = (np.inf, -np.inf, np.nan), np.inf
    return {"row": row, "col": col}


def twin(values: np.ndarray, valid: np.ndarray, y: float, x: float) -> float | None:
    """Bilinear mean of one position, by the definition."""
    if not (math.isfinite(y) and math.isfinite(x)):
        return None
    total = weight = 0.0
    for r in range(values.shape[0]):
        for c in range(values.shape[1]):
            share = max(0.0, 1 - abs(y - r - 0.5)) * max(0.0, 1 - abs(x - c - 0.5))
            if valid[r, c]:
                total, weight = total + share * float(values[r, c]), weight + share
    return total / weight if weight >= 0.5 else None


def test_bilinear_equals_its_twin(rng: np.random.Generator) -> None:
    """The weighted mean over valid neighbours, as its definition gives it; nothing where half the weight is lacking."""
    values = rng.uniform(0, 1000, (20, 30)).astype(np.float32)
    valid = rng.random((20, 30)) > 0.2
    case = make_case(rng)
    found, known = bilinear(values, valid, corner=(0, 0), **case)
    for index in np.ndindex(found.shape):
        expected = twin(values, valid, case["row"][index], case["col"][index])
        assert known[index] == (expected is not None)
        assert abs(found[index] - (expected or 0.0)) < 1e-3


def test_nearest_is_the_pixel_that_holds_the_position(rng: np.random.Generator) -> None:
    """The number of the pixel around the position, nothing outside the raster or at infinity."""
    values = rng.uniform(0, 1000, (20, 30)).astype(np.float32)
    valid = rng.random((20, 30)) > 0.2
    case = make_case(rng)
    found, known = nearest(values, valid, corner=(0, 0), **case)
    for index in np.ndindex(found.shape):
        y, x = case["row"][index], case["col"][index]
        held = 0 <= y < 20 and 0 <= x < 30 and bool(valid[int(y), int(x)])
        assert known[index] == held
        assert found[index] == (values[int(y), int(x)] if held else 0)


def test_the_window_does_not_change_an_answer(rng: np.random.Generator) -> None:
    """A window with a pixel to spare answers as the whole raster, to the bit; centres give their own number."""
    values, valid = rng.uniform(0, 1000, (200, 300)).astype(np.float32), rng.random((200, 300)) > 0.1
    row, col = rng.uniform(100, 120, (9, 9)), rng.uniform(200, 220, (9, 9))
    part = np.s_[98:122, 198:222]
    for resample in (nearest, bilinear):
        whole = resample(values, valid, corner=(0, 0), row=row, col=col)
        cut = resample(
            np.ascontiguousarray(values[part]), np.ascontiguousarray(valid[part]), corner=(98, 198), row=row, col=col
        )
        assert np.array_equal(whole[0], cut[0])
        assert np.array_equal(whole[1], cut[1])
        rows, cols = np.indices(values.shape) + 0.5
        own, known = resample(values, valid, corner=(0, 0), row=rows, col=cols)
        assert np.array_equal(known, valid)
        assert np.array_equal(own[valid], values[valid])
