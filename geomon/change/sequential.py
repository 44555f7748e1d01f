"""The detector that geomon exists for: harmonic baseline, evidence of each look, the ladder.

In: a baseline and looks. Out: a state of small integers and the change layers. The arithmetic is in `geomon.kernels`;
this module lays a tile's arrays out for it and names the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from geomon.change.base import MIN_BASELINE_LOOKS, RIDGE_LOOKS, Baseline, LookArrays, Spans, State, mark_month
from geomon.kernels import evidence, harmonic, sequential, spectra, standing
from geomon.kernels.quality import CLEAR, NODATA
from geomon.model import AlertStatus, to_day
from geomon.schema import LAYERS

MIN_BANDS: Final = 4
"""A look with fewer bands than this is not judged: six innocent directions would explain anything."""

WARM_DAYS: Final = 183
"""The ladder starts this long before the monitor does [days]. A change in the last half year of the baseline hardly
moves the fit, and would pass for new ground on the monitor's first look. Set by reasoning.
"""


class Sequential:
    """Harmonic baseline, evidence of each look against its best innocent explanation, and the ladder."""

    needs: Final = ("red", "nir")

    def __init__(self, bands: Sequence[str], spans: Spans) -> None:
        self._bands = tuple(bands)
        self._spans = spans
        self._model = spectra.spectral_model(self._bands)

    def fit(self, baseline: Baseline) -> State:
        """Fit every band of every pixel; coefficients are rounded to int16 here, before their first use."""
        height, width = baseline.shape
        count, terms = len(self._bands), self._spans.design([0]).shape[1]
        coefficients = np.zeros((height * width, count, terms), np.int16)
        sigma = np.zeros((height * width, count), np.uint16)
        looks = np.zeros(height * width, np.uint16)
        if baseline.days:
            design = self._spans.design(baseline.days)
            for block in baseline.blocks():
                fitted = harmonic.fit_robust(
                    baseline.block(block.start, block.stop),
                    design,
                    floor=self._model.floor.astype(np.float32),
                    ridge=RIDGE_LOOKS,
                )
                coefficients[block] = _steps(fitted.coefficients, np.int16).transpose(2, 0, 1)
                sigma[block] = _steps(fitted.sigma, np.uint16).T
                looks[block] = np.where(np.isfinite(fitted.sigma).all(axis=0), fitted.n_used, 0)
        before = standing.standing(
            evidence.Prediction(coefficients, sigma, looks), self._year(), self._model, min_looks=MIN_BASELINE_LOOKS
        )
        state: dict[str, NDArray[Any]] = {
            "was_bare": before.bare.reshape(height, width),
            "was_turbid": before.turbid.reshape(height, width),
            "was_still": before.still.reshape(height, width),
            "coefficients": coefficients.reshape(height, width, count, terms),
            "sigma": sigma.reshape(height, width, count),
            "n_clear_baseline": looks.reshape(height, width),
            "seen_months": np.zeros((0, height, width), np.uint8),
            **_tiled(sequential.start(height * width), (height, width)),
        }
        return {**state, **_tiled(self._warmed(state, baseline), (height, width))}

    def _warmed(self, state: State, baseline: Baseline) -> sequential.Ladder:
        """The ladder after the last WARM_DAYS of the baseline: ground dug there is dated there, not called new."""
        ladder = _ladder(state)
        for number, day in enumerate(baseline.days):
            if day <= to_day(self._spans.baseline.end) - WARM_DAYS:
                continue
            seen = baseline.look(number)
            clear = (seen != spectra.NODATA_REFLECTANCE).any(axis=0)
            quality = np.where(clear, np.uint8(CLEAR), np.uint8(NODATA))
            ladder = sequential.advance(ladder, self._weigh(state, ladder, seen, quality, day=day), day=day)
        return ladder._replace(n_clear=np.zeros_like(ladder.n_clear))

    def _year(self) -> NDArray[np.float64]:
        """Design rows of twelve months of a year, a trend held at the end of the baseline."""
        end = to_day(self._spans.baseline.end)
        rows = self._spans.design([end + round(k * harmonic.YEAR_DAYS / 12) for k in range(12)])
        rows[:, 5:] = rows[0, 5:]
        return rows

    def apply(self, state: State, look: LookArrays) -> State:
        """Weigh one look and climb the ladder."""
        shape = state["alert"].shape
        held = present_bands(look)
        bands = np.ascontiguousarray(look.reflectance.reshape(len(self._bands), -1)[held])
        before = _ladder(state)
        weighed = self._weigh(state, before, bands, look.quality.reshape(-1), day=look.day, held=held)
        seen = np.isfinite(weighed.ratio).reshape(shape)
        return {
            **state,
            **_tiled(sequential.advance(before, weighed, day=look.day), shape),
            "seen_months": mark_month(state["seen_months"], seen, since=self._spans.monitor_start, day=look.day),
        }

    def _weigh(
        self,
        state: State,
        ladder: sequential.Ladder,
        reflectance: NDArray[np.int16],
        quality: NDArray[np.uint8],
        *,
        day: int,
        held: Sequence[int] | None = None,
    ) -> evidence.Evidence:
        """Evidence of one look, flattened, whose bands are the `held` ones (None: all)."""
        *_, count, terms = state["coefficients"].shape
        whole = held is None or len(held) == count
        bands = slice(None) if whole else list(held or ())
        prediction = evidence.Prediction(
            np.ascontiguousarray(state["coefficients"].reshape(-1, count, terms)[:, bands]),
            np.ascontiguousarray(state["sigma"].reshape(-1, count)[:, bands]),
            state["n_clear_baseline"].reshape(-1),
        )
        return evidence.evidence(
            reflectance,
            quality,
            sequential.shown(ladder),
            prediction=prediction,
            moment=_moment(self._spans, day),
            model=self._model if whole else spectra.spectral_model([self._bands[b] for b in held or ()]),
            min_looks=MIN_BASELINE_LOOKS,
        )

    def layers(self, state: State, *, as_of: int) -> dict[str, NDArray[Any]]:
        """Score in sigma is sqrt(2 x log-likelihood ratio) (Wilks 1938)."""
        shape = state["alert"].shape
        score = np.sqrt(2.0 * state["score"].astype(np.float32) * np.float32(sequential.SCORE_UNIT))
        judged = state["n_clear_baseline"] >= MIN_BASELINE_LOOKS
        live = state["alert"] != int(AlertStatus.NONE)
        water = np.minimum(state["turbid"].astype(np.int16) + state["still"], 100).astype(np.uint8)
        in_monitor = state["last_clear"] >= self._spans.monitor_start
        return {
            **{layer.name: state[layer.name] for layer in LAYERS if layer.name in state},
            "last_clear": np.where(in_monitor, state["last_clear"], np.uint16(0)),
            "score": np.where(judged, score, np.nan).astype(np.float32),
            "alert": sequential.settle(_ladder(state), as_of=as_of).reshape(shape),
            "bare": np.where(live, state["bare"], 255).astype(np.uint8),
            "water": np.where(live, water, 255).astype(np.uint8),
            "turbid": np.where(live, state["turbid"], 255).astype(np.uint8),
            "proof": np.moveaxis(state["proof"], -1, 0),
        }


def present_bands(look: LookArrays) -> list[int]:
    """Places of the bands that the look has anywhere; all of them where it has none, or too few to judge by."""
    held = [b for b, plane in enumerate(look.reflectance) if (plane != spectra.NODATA_REFLECTANCE).any()]
    return held if len(held) >= MIN_BANDS else list(range(len(look.reflectance)))


def _ladder(state: State) -> sequential.Ladder:
    flat = {name: state[name].reshape(-1) for name in sequential.Ladder._fields if name != "proof"}
    return sequential.Ladder(**flat, proof=state["proof"].reshape(-1, 3))


def _tiled(ladder: sequential.Ladder, shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
    return {name: array.reshape(*shape, *array.shape[1:]) for name, array in ladder._asdict().items()}


def _steps(values: NDArray[np.float32], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """Reflectance rounded to whole steps of `spectra.UNIT`; NaN becomes 0, and its look count 0."""
    limits = np.iinfo(dtype)
    steps = np.clip(np.rint(np.nan_to_num(values) / spectra.UNIT), limits.min, limits.max)
    return np.asarray(steps.astype(dtype))


def _moment(spans: Spans, day: int) -> evidence.Moment:
    """Design rows of a day, of its change per day (over ten days) and of half a year away, trend held."""
    here, before, after, opposite = spans.design([day, day - 5, day + 5, day + 183])
    opposite[5:] = here[5:]
    return evidence.Moment(here, (after - before) / 10.0, opposite)
