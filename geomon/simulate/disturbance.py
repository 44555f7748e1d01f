"""What else changes on the ground: sandbanks, a new road, a growing village.

In: a recipe and its landscape. Out: overlays that paint ground cells. Fields are in `clearings`, fires and floods in
`seasons`, mines in `mining`.
"""

import numpy as np

from geomon.model import from_day
from geomon.simulate import spectra
from geomon.simulate.climate import Climate, Weather
from geomon.simulate.fields import (
    BARS,
    ROADS,
    VILLAGE,
    BoolArray,
    FloatArray,
    block_noise,
    rng_of,
    sigmoid,
    smooth_field,
    tones,
)
from geomon.simulate.landscape import Landscape
from geomon.simulate.overlay import Disturbed, Overlay
from geomon.simulate.recipe import CELL_M, Recipe

VILLAGE_HA_A_YEAR = (0.15, 0.5)
"""Growth of the village; chosen."""


def make_sandbanks(recipe: Recipe, land: Landscape, climate: Climate) -> Overlay:
    """Lay alternate bars along the bed of the river, a little elsewhere after each flood; sand shows above water."""
    rng = rng_of(recipe.seed, BARS)
    channels, shape = land.channels, (recipe.cells, recipe.cells)
    cells = np.flatnonzero(channels.water() & channels.main)
    before, start, end = recipe.days
    first, last = from_day(before).year - 1, from_day(end).year
    steady = smooth_field(rng, shape, length=40 / CELL_M).reshape(-1)[cells]
    along = channels.along_m.reshape(-1)[cells] / rng.uniform(280, 420)
    levels = {}
    for year in range(first, last + 1):  # hydrological years, June to May
        moved = smooth_field(rng, shape, length=35 / CELL_M).reshape(-1)[cells]
        bars = np.sin(2 * np.pi * (along + rng.normal(0, 0.06))) * channels.offset.reshape(-1)[cells]
        levels[year] = np.minimum(-0.12 + 0.2 * steady + 0.1 * moved + 0.36 * bars, 0.55).astype(np.float32)
    tone, bare = tones(rng, cells.size, 0.08), spectra.bare_alluvium(rng)

    def above(weather: Weather) -> FloatArray:
        when = from_day(weather.day)
        return np.asarray(levels[when.year - (when.month < 6)] - np.float32(weather.stage))

    def paint(_: FloatArray, weather: Weather) -> FloatArray:
        water = spectra.river(weather.turbidity)[:, None]
        sand = (bare * spectra.soaked(weather.wetness, 0.5))[:, None] * tone
        dry = sigmoid(above(weather) / 0.025)
        # sand shines through shallow water, in the visible only
        shallow = 0.22 * np.exp(-np.maximum(-above(weather), 0) / 0.06) * (1 - dry)
        wet = water + np.array([1, 1, 0.8, 0.1, 0, 0], dtype=np.float32)[:, None] * shallow * (sand - water)
        return np.asarray(wet + dry * (sand - wet), dtype=np.float32)

    lowest = min((climate.at(day) for day in range(start, end + 1, 3)), key=lambda weather: weather.stage)
    return Overlay(cells, paint, np.where(above(lowest) > 0, Disturbed.SANDBANK, 0).astype(np.uint8))


def make_roads(recipe: Recipe, keep_off: BoolArray) -> Overlay:
    """Draw one new laterite road per some 12 km2, built in six weeks of the first half of the monitor period."""
    rng = rng_of(recipe.seed, ROADS)
    size = recipe.cells
    share, opened = np.zeros((size, size), dtype=np.float32), np.zeros((size, size), dtype=np.int64)
    _, start, end = recipe.days
    span = (np.arange(size) + 0.5) * CELL_M
    for _ in range(round(recipe.confusers * max(1.0, (recipe.side_m / 1000) ** 2 / 12))):
        middle, slope = rng.uniform(0.2, 0.8) * recipe.side_m, rng.uniform(-0.45, 0.45)
        bend = rng.uniform(15, 50) * np.sin(2 * np.pi * span / rng.uniform(700, 1500) + rng.uniform(0, 6.28))
        line = middle + slope * (span - recipe.side_m / 2) + bend
        away = np.abs(span[None, :] - line[:, None]) / np.hypot(1, np.gradient(line, CELL_M))[:, None]
        half_m = rng.uniform(3.5, 5.0)  # verges are half cleared
        new = np.where(away < half_m, 0.95, np.where(away < half_m + 3, 0.5, 0)).astype(np.float32)
        day = rng.integers(start + 30, (start + end) // 2) + (45 * np.arange(size) / size).astype(np.int64)
        days = np.broadcast_to(day[:, None], new.shape)
        if rng.random() < 0.5:
            new, days = new.T, days.T
        opened = np.where(new > share, days, opened)
        share = np.maximum(share, new)
    cells = np.flatnonzero((share > 0) & ~keep_off)
    core, opened_on, tone = share.reshape(-1)[cells], opened.reshape(-1)[cells], tones(rng, cells.size, 0.07)

    def paint(under: FloatArray, weather: Weather) -> FloatArray:
        road = (spectra.LATERITE * spectra.soaked(weather.wetness, 0.8))[:, None] * tone
        return np.asarray(under + core * (opened_on <= weather.day) * (road - under), dtype=np.float32)

    return Overlay(cells, paint, np.full(cells.size, Disturbed.ROAD, dtype=np.uint8))


def make_village(recipe: Recipe, land: Landscape) -> Overlay:
    """Lay out a hamlet of one to two hectares, roofs, yards and trees, that grows at its edge by a plot at a time."""
    rng = rng_of(recipe.seed, VILLAGE, 1)
    shape = (recipe.cells, recipe.cells)
    down, right = np.ogrid[: recipe.cells, : recipe.cells]
    away = np.hypot((down + 0.5) * CELL_M - land.village_m[0], (right + 0.5) * CELL_M - land.village_m[1])
    uneven = 1 + 0.3 * smooth_field(rng, shape, length=16.0)
    order = away * np.maximum(uneven, 0.4) + 25 * block_noise(rng, recipe.cells, 6)
    before, start, end = recipe.days
    start_ha, a_year = rng.uniform(1.0, 2.0), rng.uniform(*VILLAGE_HA_A_YEAR)
    final_ha = start_ha + a_year * (end - before) / 365
    cells = np.argsort(order, axis=None, kind="stable")[: int(final_ha * 1e4 / CELL_M**2)]
    built_ha = np.arange(1, cells.size + 1) * CELL_M**2 / 1e4
    built_on = before + np.maximum((built_ha - start_ha) / a_year * 365, -1000)
    kinds = np.digitize(block_noise(rng, recipe.cells, 3).reshape(-1)[cells], [0.12, 0.28, 0.75])
    palette = np.column_stack([spectra.TIN_ROOF, spectra.THATCH, spectra.LATERITE, spectra.FALLOW])
    material = palette[:, kinds] * tones(rng, cells.size, 0.08)
    cleared = np.where(kinds == 3, np.float32(0), np.float32(0.95))  # trees stay

    def paint(under: FloatArray, weather: Weather) -> FloatArray:
        built = material * spectra.soaked(weather.wetness, 0.6)[:, None]
        return np.asarray(under + cleared * (built_on <= weather.day) * (built - under), dtype=np.float32)

    return Overlay(cells, paint, np.where(built_on >= start, Disturbed.SETTLEMENT, 0).astype(np.uint8))
