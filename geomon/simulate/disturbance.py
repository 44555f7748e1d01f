"""What else changes on the ground: sandbanks, a new road, a growing village.

In: a recipe and its landscape. Out: overlays that paint ground cells. Fields are in `clearings`, fires and floods in
`seasons`, mines in `mining`.
"""

from dataclasses import dataclass

import numpy as np

from geomon.simulate import spectra
from geomon.simulate.climate import Weather
from geomon.simulate.fields import BARS, ROADS, VILLAGE, BoolArray, FloatArray, IntArray, rng_of, sigmoid, smooth_field
from geomon.simulate.landscape import Landscape
from geomon.simulate.recipe import CELL_M, Recipe, date_of

SITE_HA_A_YEAR = (0.15, 0.5)
"""Growth of the village; chosen."""


@dataclass(frozen=True, slots=True)
class Sandbanks:
    """Bed of the main river as an overlay: water, or sand where the bed stands above the stage of the day.

    `bed` holds one level per hydrological year (June to May), as bars move in each flood.
    """

    cells: IntArray
    bed: FloatArray
    first_year: int
    sand: FloatArray
    tone: FloatArray

    def paint(self, under: FloatArray, weather: Weather) -> FloatArray:
        """Return the reflectance of `cells` [6, n]; what lies under them does not matter."""
        del under
        muddy = np.float32(weather.turbidity)
        water = ((1 - muddy) * spectra.RIVER + muddy * spectra.RIVER_FLOOD)[:, None]
        soaked = 1 - 0.5 * spectra.WET_DARKENING * np.float32(weather.wetness)
        sand = (self.sand * soaked)[:, None] * self.tone
        out = self.exposed(weather)
        # sand shines through shallow water, in the visible only
        shallow = 0.22 * np.exp(-np.maximum(weather.stage - self._bed(weather.day), 0) / 0.06) * (1 - out)
        seen = np.array([1, 1, 0.8, 0.1, 0, 0], dtype=np.float32)[:, None] * shallow
        wet = water + seen * (sand - water)
        return np.asarray(wet + out * (sand - wet), dtype=np.float32)

    def exposed(self, weather: Weather) -> FloatArray:
        """Share of each cell that is dry sand."""
        return sigmoid((self._bed(weather.day) - np.float32(weather.stage)) / 0.025)

    def _bed(self, day: int) -> FloatArray:
        when = date_of(day)
        return np.asarray(self.bed[when.year - (when.month < 6) - self.first_year], dtype=np.float32)


def make_sandbanks(recipe: Recipe, land: Landscape) -> Sandbanks:
    """Lay alternate bars along the river, a little elsewhere each year."""
    rng = rng_of(recipe.seed, BARS)
    channels = land.channels
    inside = channels.water() & channels.main
    cells = np.flatnonzero(inside)
    first, last = date_of(recipe.days[0]).year - 1, date_of(recipe.days[2]).year
    shape = (recipe.cells, recipe.cells)
    steady = smooth_field(rng, shape, length=40 / CELL_M).reshape(-1)[cells]
    along = channels.along_m.reshape(-1)[cells] / rng.uniform(280, 420)
    levels = []
    for _ in range(first, last + 1):
        moved = smooth_field(rng, shape, length=35 / CELL_M).reshape(-1)[cells]
        bars = np.sin(2 * np.pi * (along + rng.normal(0, 0.06))) * channels.offset.reshape(-1)[cells]
        levels.append(np.minimum(-0.12 + 0.2 * steady + 0.1 * moved + 0.36 * bars, 0.55))
    bed = np.array(levels, dtype=np.float32).reshape(len(levels), cells.size)
    tone = np.exp(rng.normal(0, 0.08, cells.size)).astype(np.float32)
    return Sandbanks(cells, bed, first, spectra.bare_alluvium(rng), tone)


@dataclass(frozen=True, slots=True)
class Roads:
    """New laterite roads as an overlay; each cell is opened on its own day and stays bare."""

    cells: IntArray
    opened_on: IntArray
    core: FloatArray
    tone: FloatArray

    def paint(self, under: FloatArray, weather: Weather) -> FloatArray:
        """Return the reflectance of `cells` [6, n]; verges are half cleared."""
        soaked = 1 - 0.8 * spectra.WET_DARKENING * np.float32(weather.wetness)
        road = (spectra.LATERITE * soaked)[:, None] * self.tone
        share = self.core * (self.opened_on <= weather.day)
        return np.asarray(under + share * (road - under), dtype=np.float32)


def make_roads(recipe: Recipe, keep_off: BoolArray) -> Roads:
    """Draw one new road per some 12 km2, built in six weeks of the first half of the monitor period."""
    rng = rng_of(recipe.seed, ROADS)
    count = round(recipe.confusers * max(1.0, (recipe.side_m / 1000) ** 2 / 12))
    size = recipe.cells
    share = np.zeros((size, size), dtype=np.float32)
    opened = np.zeros((size, size), dtype=np.int64)
    _, start, end = recipe.days
    for _ in range(count):
        span = (np.arange(size) + 0.5) * CELL_M
        middle, slope = rng.uniform(0.2, 0.8) * recipe.side_m, rng.uniform(-0.45, 0.45)
        bend = rng.uniform(15, 50) * np.sin(2 * np.pi * span / rng.uniform(700, 1500) + rng.uniform(0, 6.28))
        line = middle + slope * (span - recipe.side_m / 2) + bend
        steep = np.hypot(1, np.gradient(line, CELL_M))
        away = np.abs(span[None, :] - line[:, None]) / steep[:, None]
        half_m = rng.uniform(3.5, 5.0)
        new = np.where(away < half_m, 0.95, np.where(away < half_m + 3, 0.5, 0)).astype(np.float32)
        day = rng.integers(start + 30, (start + end) // 2) + (45 * np.arange(size) / size).astype(np.int64)
        days = np.broadcast_to(day[:, None], new.shape)
        if rng.random() < 0.5:
            new, days = new.T, days.T
        opened = np.where(new > share, days, opened)
        share = np.maximum(share, new)
    cells = np.flatnonzero((share > 0) & ~keep_off)
    tone = np.exp(rng.normal(0, 0.07, cells.size)).astype(np.float32)
    return Roads(cells, opened.reshape(-1)[cells], share.reshape(-1)[cells], tone)


@dataclass(frozen=True, slots=True)
class Village:
    """Roofs, yards and trees as an overlay; cells are built from the middle outwards."""

    cells: IntArray
    built_on: IntArray
    material: FloatArray
    tree: BoolArray

    def paint(self, under: FloatArray, weather: Weather) -> FloatArray:
        """Return the reflectance of `cells` [6, n] given what lies under them."""
        soaked = 1 - 0.6 * spectra.WET_DARKENING[:, None] * np.float32(weather.wetness)
        share = (self.built_on <= weather.day).astype(np.float32) * np.where(self.tree, 0.0, 0.95).astype(np.float32)
        return np.asarray(under + share * (self.material * soaked - under), dtype=np.float32)


def make_village(recipe: Recipe, land: Landscape) -> Village:
    """Lay out a hamlet of one to two hectares that grows at its edge by a plot at a time."""
    rng = rng_of(recipe.seed, VILLAGE, 1)
    size = recipe.cells
    shape = (size, size)
    down, right = np.ogrid[:size, :size]
    away = np.hypot((down + 0.5) * CELL_M - land.village_m[0], (right + 0.5) * CELL_M - land.village_m[1])
    uneven = 1 + 0.3 * smooth_field(rng, shape, length=16.0)
    plots = np.kron(rng.random(((size + 5) // 6, (size + 5) // 6)), np.ones((6, 6)))[:size, :size]
    order = np.maximum(away * np.maximum(uneven, 0.4) + 25 * plots, 0)
    before, _, end = recipe.days
    start_ha, a_year = rng.uniform(1.0, 2.0), rng.uniform(*SITE_HA_A_YEAR)
    final_ha = start_ha + a_year * (end - before) / 365
    ranked = np.argsort(order, axis=None, kind="stable")[: int(final_ha * 1e4 / CELL_M**2)]
    built_ha = np.arange(1, ranked.size + 1) * CELL_M**2 / 1e4
    built = before + np.maximum((built_ha - start_ha) / a_year * 365, -1000)
    by_cell = np.argsort(ranked)
    cells = ranked[by_cell].astype(np.int64)
    blocks = np.kron(rng.random(((size + 2) // 3, (size + 2) // 3)), np.ones((3, 3)))[:size, :size].reshape(-1)[cells]
    kinds = np.digitize(blocks, [0.12, 0.28, 0.75])
    palette = np.column_stack([spectra.TIN_ROOF, spectra.THATCH, spectra.LATERITE, spectra.FALLOW])
    tone = np.exp(rng.normal(0, 0.08, cells.size)).astype(np.float32)
    return Village(cells, built[by_cell].astype(np.int64), palette[:, kinds] * tone, kinds == 3)
