"""Weather of the landscape, day by day: rain, and what follows from it.

In: a recipe. Out: `Climate`, whose `at(day)` gives greenness of grass, wetness of the topsoil, stage and turbidity of
the river, and expected cloud. Years differ: drier or wetter, with an early or late onset. The clouds of a date are
drawn in `atmosphere`.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from geomon.model import from_day, to_day
from geomon.simulate.fields import CLIMATE, Rng, rng_of
from geomon.simulate.recipe import Recipe

MONTHLY_RAIN_MM = (10.0, 22.0, 95.0, 130.0, 160.0, 185.0, 145.0, 185.0, 215.0, 235.0, 75.0, 13.0)
"""About 1,470 mm a year, peaks in June and October, December-February 3 %: domain notes, seasons (Berberati)."""
CLOUD_SHARE = {"usual": (0.22, 0.62), "bad_wet": (0.28, 0.86), "none": (0.0, 0.0)}
"""Mean cover at the driest and the wettest time; chosen (domain notes: wet season cloudy, dry season open)."""
_SPIN_UP_DAYS = 730


class Weather(NamedTuple):
    """State of the air and the ground on one day; all shares in 0-1."""

    day: int
    greenness: float
    wetness: float
    stage: float
    turbidity: float
    cloud_share: float


@dataclass(frozen=True, slots=True)
class Climate:
    """Daily series from `first_day` on: the fields of `Weather` after `day`, float64 (5, days)."""

    first_day: int
    series: NDArray[np.float64]

    @property
    def greenness(self) -> NDArray[np.float64]:
        """That of the grass."""
        return np.asarray(self.series[0])

    def at(self, day: int) -> Weather:
        """Return the weather of one day."""
        return Weather(day, *map(float, self.series[:, day - self.first_day]))

    def green_on(self, days: NDArray[np.float32]) -> NDArray[np.float32]:
        """Interpolate greenness on fractional days, as a place that lags or leads its neighbours needs."""
        at = np.clip(days - self.first_day, 0, len(self.greenness) - 1)
        return np.interp(at, np.arange(len(self.greenness)), self.greenness).astype(np.float32)


def make_climate(recipe: Recipe) -> Climate:
    """Draw the weather from two years before the baseline to the monitor's end."""
    rng = rng_of(recipe.seed, CLIMATE)
    first, last = recipe.days[0] - _SPIN_UP_DAYS, recipe.days[2] + 40
    days = np.arange(first, last + 1)
    expected = _expected_rain(rng, days)
    rain = _storms(rng, expected)
    soil = _memory(rain, 35.0) / 4.0
    flow = _memory(rain, 25.0) / 6.5
    driest, wettest = CLOUD_SHARE[recipe.clouds]
    damp = np.clip(_memory(expected, 12.0) / 6.0, 0, 1)
    series = (
        1 / (1 + np.exp(-(soil - 0.48) / 0.12)),
        np.clip(_memory(rain, 3.0) / 8.0, 0, 1),
        np.clip(flow + 0.12 * _memory(rain, 4.0) / 6.0, 0, 1.5),
        np.clip(_memory(rain, 6.0) / 9.0, 0, 1),
        driest + (wettest - driest) * damp,
    )
    return Climate(int(first), np.stack(series))


def _expected_rain(rng: Rng, days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Monthly climatology warped per year: amount +-13 %, start and end of the rains each shifted by some ten days."""
    years = range(from_day(days[0]).year - 1, from_day(days[-1]).year + 2)
    # knots at the two turns of the year; between them the shift is interpolated
    knots = [to_day(date(y, m, 1)) for y in years for m in (3, 11)]
    shift = np.interp(days, knots, rng.normal(0.0, 10.0, len(knots)))
    amounts = np.exp(rng.normal(0.0, 0.13, len(years)))
    mids = [to_day(date(y, m, 15)) for y in years for m in range(1, 13)]
    normal = np.interp(days + shift, mids, np.tile(np.array(MONTHLY_RAIN_MM) / 30.4, len(years)))
    centres = [to_day(date(y, 7, 1)) for y in years]
    return np.asarray(normal * np.interp(days, centres, amounts))


def _storms(rng: Rng, expected: NDArray[np.float64]) -> NDArray[np.float64]:
    wet_day = np.clip(0.04 + 0.085 * expected, 0.02, 0.75)
    falls = rng.random(expected.shape) < wet_day
    return np.asarray(falls * rng.exponential(1.0, expected.shape) * expected / wet_day)


def _memory(rain: NDArray[np.float64], days: float) -> NDArray[np.float64]:
    """Exponential memory with the given time scale, in the unit of its input."""
    keep = np.exp(-1 / days)
    return np.asarray(lfilter([1 - keep], [1, -keep], rain))
