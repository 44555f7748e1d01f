"""Daily weather from mid-2019 on, and what it does to soil, rivers and grass.

In: a recipe and the generator of the land. Out: `Weather`, daily series with a value for any day. It does not decide
clouds; they follow the climate of the month. Rain is a Markov chain of wet days with gamma amounts, whose seasons shift
from year to year. Monthly sums [mm] are chosen: two rainy seasons, in the north one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from second.recipe import END, SPIN_UP, Doubles, Ints, Recipe, Rng, to_date

MONTHLY_MM = {
    "forest": (20, 34, 98, 130, 168, 190, 150, 180, 205, 235, 98, 24),
    "mosaic": (12, 25, 85, 120, 150, 175, 145, 185, 200, 190, 70, 14),
    "dike": (3, 12, 40, 85, 115, 130, 165, 230, 220, 95, 22, 6),
}
MONTH_DAYS = 30.4
BUCKET_MM = 180
"""What the root zone holds."""
YEARS = range(2019, 2025)


class Weather(NamedTuple):
    """Daily series since `SPIN_UP`: soil moisture, root zone, river stage and lake level as shares of full."""

    days: Ints
    rain: Doubles
    climate: Doubles
    soil: Doubles
    roots: Doubles
    river: Doubles
    lakes: Doubles
    growth: Doubles

    def moisture(self, day: float) -> np.float64:
        """Wetness of the surface."""
        return self.soil[self._index(day)]

    def stage(self, day: float) -> np.float64:
        """Water of the rivers."""
        return self.river[self._index(day)]

    def lake(self, day: float) -> np.float64:
        """Level of standing water."""
        return self.lakes[self._index(day)]

    def grass(self, day: float) -> Doubles:
        """Return green leaves, litter, and leaves of deciduous trees, (3,)."""
        return self.growth[self._index(day)]

    def rain_between(self, first: int, last: int) -> np.float64:
        """Rain of days from the first on, the last not counted."""
        return self.rain[max(0, first - SPIN_UP) : last - SPIN_UP].sum()

    def _index(self, day: float) -> int:
        return int(np.clip(day - SPIN_UP, 0, len(self.days) - 1))


def make_weather(recipe: Recipe, rng: Rng) -> Weather:
    """Draw the rain, and follow it through soil, rivers and grass."""
    days = np.arange(SPIN_UP, END + 1)
    rain, climate = _rain(recipe.kind, days, rng)
    soil, roots, river, lakes = _stores(rain, 3.9 if recipe.kind == "dike" else 4.6).T
    river, lakes = river / np.quantile(river[250:], 0.985), lakes / np.quantile(lakes[250:], 0.97)
    growth = _growth(roots)
    return Weather(days, rain, climate, soil, roots, np.clip(river, 0, 1.25), np.clip(lakes, 0, 1.1), growth)


def _rain(kind: str, days: Ints, rng: Rng) -> tuple[Doubles, Doubles]:
    late = {year: rng.normal(0, 13) for year in YEARS}
    wetter = {year: rng.lognormal(0, 0.16) for year in YEARS}
    months = MONTHLY_MM[kind]
    middle = np.array([15 + MONTH_DAYS * month for month in range(12)])
    middles = np.r_[middle[-1] - 365, middle, middle[0] + 365]
    sums = np.r_[months[-1], months, months[0]]
    rain, climate, wet = np.zeros(len(days)), np.zeros(len(days)), False
    for index, day in enumerate(days):
        when = to_date(day)
        usual = np.interp((when.timetuple().tm_yday - late[when.year]) % 365, middles, sums)
        climate[index] = usual
        drought = 0.5 if usual < 45 and wetter[when.year] < 0.95 else 1
        chance = min(0.8, usual * (wetter[when.year] * drought) / MONTH_DAYS / 10.5)
        wet = rng.random() < (min(0.95, chance * 1.3) if wet else chance * 0.8)
        rain[index] = rng.gamma(0.75, 14) if wet else 0
    return rain, climate


def _stores(rain: Doubles, thirst_mm: float) -> Doubles:
    """Surface wetness (3.5 d), root zone, river (16 d) and lakes (80 d), the last two unscaled, (days, 4)."""
    surface, roots, river, lakes = 0.0, 90, 0.0, 0.0
    states = np.zeros((len(rain), 4))
    for index, fell in enumerate(rain):
        surface = surface * math.exp(-1 / 3.5) + fell
        roots = min(BUCKET_MM, roots + 0.75 * fell)
        roots = max(0, roots - thirst_mm * min(1, roots / 110))
        river = river * math.exp(-1 / 16) + fell * (0.2 + 0.8 * roots / BUCKET_MM)
        lakes = lakes * math.exp(-1 / 80) + fell
        states[index] = 1 - math.exp(-surface / 14), roots / BUCKET_MM, river, lakes
    return states


def _growth(roots: Doubles) -> Doubles:
    """Grass grows in 20 days and dies in 32; litter rots in 130; trees follow in 28, (days, 3)."""
    green, dead, leaves = 0.0, 1.0, 0.6
    growth = np.zeros((len(roots), 3))
    for index, water in enumerate(roots):
        target = np.clip((water - 0.16) / 0.4, 0.03, 1)
        now = green + (target - green) / (20 if target > green else 32)
        dead = dead * math.exp(-1 / 130) + max(0, green - now) * 0.9 + 0.0025
        green = now
        leaves += (0.3 + 0.7 * np.clip((water - 0.08) / 0.3, 0, 1) - leaves) / 28
        growth[index] = green, dead, leaves
    return growth
