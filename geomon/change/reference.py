"""A plain reference detector: an EWMA control chart on one index.

It is here so that the `Detector` protocol has two real entries and the gain of the sequential detector is measured, not
claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from geomon.change.base import MIN_BASELINE_LOOKS, RIDGE_LOOKS, Baseline, LookArrays, Spans, State, mark_month
from geomon.kernels import evidence, ewma, harmonic
from geomon.model import AlertStatus


class EwmaNdvi:
    """Exponentially weighted moving average of NDVI residuals (Roberts 1959): one crossing, no objects in mind."""

    needs: Final = ("red", "nir")

    weight: Final = 0.3
    limit_sigma: Final = 4.0
    floor: Final = 0.02

    def __init__(self, bands: Sequence[str], spans: Spans) -> None:
        self._red, self._nir = bands.index("red"), bands.index("nir")
        self._bands = tuple(bands)
        self._spans = spans

    def fit(self, baseline: Baseline) -> State:
        """Harmonic fit of the index."""
        height, width = baseline.shape
        pixels = height * width
        terms = self._spans.design([0]).shape[1]
        coefficients = np.full((terms, pixels), np.nan, np.float32)
        sigma = np.full(pixels, np.nan, np.float32)
        looks = np.zeros(pixels, np.uint16)
        if baseline.days:
            design = self._spans.design(baseline.days)
            for block in baseline.blocks():
                stack = baseline.block(block.start, block.stop)
                index = _ndvi(stack[self._red], stack[self._nir])
                fitted = harmonic.fit_robust(
                    index[np.newaxis], design, floor=np.array([self.floor], np.float32), ridge=RIDGE_LOOKS
                )
                coefficients[:, block], sigma[block] = fitted.coefficients[0], fitted.sigma[0]
                looks[block] = fitted.n_used
        enough = looks >= MIN_BASELINE_LOOKS
        return {
            "coefficients": np.where(enough, coefficients, np.float32(np.nan)).reshape(terms, height, width),
            "sigma": np.where(enough, sigma, np.float32(np.nan)).reshape(height, width),
            "n_clear_baseline": looks.reshape(height, width),
            "seen_months": np.zeros((0, height, width), np.uint8),
            "value": np.zeros((height, width), np.float32),
            "crossed_on": np.zeros((height, width), np.uint16),
            "last_clear": np.zeros((height, width), np.uint16),
            "n_clear": np.zeros((height, width), np.uint16),
        }

    def apply(self, state: State, look: LookArrays) -> State:
        """One step of the chart."""
        shape = state["sigma"].shape
        good = evidence.usable(
            look.reflectance.reshape(len(self._bands), -1), look.quality.reshape(-1), bands=self._bands
        )
        bands = np.where(good, look.reflectance.reshape(len(self._bands), -1), np.nan).astype(np.float32)
        index = _ndvi(bands[self._red], bands[self._nir])
        after = ewma.ewma_update(
            index[np.newaxis],
            self._spans.design([look.day]),
            days=np.array([look.day], np.int64),
            baseline=ewma.Baseline(state["coefficients"].reshape(-1, index.size), state["sigma"].reshape(-1)),
            state=ewma.EwmaState(state["value"].reshape(-1), state["crossed_on"].reshape(-1)),
            lam=self.weight,
            limit=self.limit_sigma,
        )
        seen = (np.isfinite(index) & np.isfinite(state["sigma"].reshape(-1))).reshape(shape)
        return {
            **state,
            "value": after.value.reshape(shape),
            "crossed_on": after.crossed_on.reshape(shape),
            "last_clear": np.where(seen, np.uint16(look.day), state["last_clear"]),
            "n_clear": state["n_clear"] + seen.astype(np.uint16),
            "seen_months": mark_month(state["seen_months"], seen, since=self._spans.monitor_start, day=look.day),
        }

    def layers(self, state: State, *, as_of: int) -> dict[str, NDArray[Any]]:
        """Every crossing is confirmed on its day; the chart knows no fractions."""
        crossed = state["crossed_on"]
        found = (crossed > 0) & (crossed <= as_of)
        zero = np.zeros_like(crossed)
        unknown = np.full(crossed.shape, 255, np.uint8)
        days = np.where(found, crossed, 0).astype(np.uint16)
        return {
            "score": np.abs(state["value"] / state["sigma"]).astype(np.float32),
            "alert": np.where(found, np.uint8(AlertStatus.CONFIRMED), np.uint8(0)).astype(np.uint8),
            "first_seen": days,
            "clear_before": zero,
            "confirmed_on": days,
            "last_seen": days,
            "gone_on": zero,
            "reopened_seen": zero,
            "reopened_on": zero,
            "dug_on": zero,
            **{name: state[name] for name in ("last_clear", "n_clear", "n_clear_baseline", "seen_months")},
            "n_hits": found.astype(np.uint16),
            "n_after": zero,
            "bare": unknown,
            "water": unknown,
            "turbid": unknown,
            **dict.fromkeys(("was_bare", "was_turbid", "was_still"), unknown),
            "proof": np.stack([zero, zero, days]),
        }


def _ndvi(red: NDArray[np.float32], nir: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised difference vegetation index, NaN where the sum is not positive."""
    total = nir + red
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, (nir - red) / total, np.nan).astype(np.float32)
