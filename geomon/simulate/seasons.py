"""Fires and floods: what comes every year, per pixel.

In: a recipe and its landscape. Out: `Fires`, with the day on which each pixel burnt in each dry season, and `Floods`,
with the stage at which the valley floor is under water. Both fade on their own; neither is a change that lasts.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from geomon.model import from_day, to_day
from geomon.simulate import fields
from geomon.simulate.climate import Weather
from geomon.simulate.fields import BoolArray, FloatArray, rough_field, sigmoid, smooth_field
from geomon.simulate.landscape import Landscape
from geomon.simulate.recipe import OVERSAMPLE, Recipe

_BURNT_SHARE = (0.35, 0.75)
"""Share of savanna that burns in a dry season; most moist savanna burns every one to two years; chosen."""


@dataclass(frozen=True, slots=True)
class Fires:
    """`burnt_on` float32 (seasons, rows, columns): day number, +inf where a season left the pixel alone."""

    burnt_on: FloatArray

    def char(self, day: int) -> FloatArray:
        """Share of char on the ground: fresh it is 0.9, ash blows off within weeks."""
        age = self._age(day)
        return np.asarray(0.9 * np.exp(-age / 20) * (age >= 0), dtype=np.float32)

    def flush(self, day: int) -> FloatArray:
        """Extra greenness after a fire [0-1]: grass resprouts in four to eight weeks, rain or not."""
        age = self._age(day)
        return np.asarray(0.35 * sigmoid((age - 35) / 6) * np.exp(-np.maximum(age - 35, 0) / 50), dtype=np.float32)

    def burnt(self, first: int, last: int) -> BoolArray:
        """Pixels that burnt in the given days."""
        return np.asarray(((self.burnt_on >= first) & (self.burnt_on <= last)).any(axis=0))

    def _age(self, day: int) -> FloatArray:
        past = np.where(self.burnt_on <= day, self.burnt_on, -1e6)
        return np.asarray(day - past.max(axis=0), dtype=np.float32)


def make_fires(recipe: Recipe) -> Fires:
    """Burn patches of every dry season between December and mid February; where and when differs by year."""
    rng = fields.rng_of(recipe.seed, fields.FIRES)
    shape = (recipe.size_px, recipe.size_px)
    first, last = from_day(recipe.days[0]).year - 1, from_day(recipe.days[2]).year
    seasons = []
    for year in range(first, last + 1):
        where = rough_field(rng, shape, slope=3.0, outer=60.0)
        when = smooth_field(rng, shape, length=28.0)
        threshold = float(np.quantile(where, 1 - rng.uniform(*_BURNT_SHARE)))
        # a front passes in a day: whole patches share a date
        start = to_day(date(year, 12, 22)) + rng.normal(0, 8)
        burnt = np.round((start + 20 * when) / 6) * 6
        seasons.append(np.where(where > threshold, burnt, np.inf))
    return Fires(np.array(seasons, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Floods:
    """`level` float32 (rows, columns): stage at which half of a floodplain pixel is under water."""

    level: FloatArray

    def share(self, weather: Weather) -> FloatArray:
        """Share of open water between the grass."""
        return np.asarray(0.7 * sigmoid((np.float32(weather.stage) - self.level) / 0.05), dtype=np.float32)


def make_floods(recipe: Recipe, land: Landscape) -> Floods:
    """Set the level from the height above the river and from hollows in the floodplain."""
    hollow = rough_field(fields.rng_of(recipe.seed, fields.BARS, 1), (recipe.size_px,) * 2, slope=2.8, outer=25.0)
    height = fields.block_mean(land.height_m, OVERSAMPLE)
    return Floods(np.asarray(0.85 + 0.09 * height - 0.16 * hollow, dtype=np.float32))
