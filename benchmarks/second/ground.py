"""The lie of the land and what grows on it, on the cells of the background (5 m).

In: a recipe and the generator of the land. Out: `Terrain` (streams, height above them, slope), `Cover` (trees, grass,
soil, texture) and the patches that burn. It does not decide when leaves are green, nor how anything looks. All numbers
are chosen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from second import spectra
from second.outlines import noise, walk
from second.recipe import HALF_M, Doubles, Floats, Ints, Recipe, Rng, day_of

TRIBUTARIES = {"forest": 6, "mosaic": 5, "dike": 2}
RELIEF_M = {"forest": (55, 14), "mosaic": (32, 9), "dike": (12, 6)}
GALLERY_M = {"forest": 180, "mosaic": 95, "dike": 38}
FOREST_FROM = {"forest": -1.35, "mosaic": 0.35, "dike": 1.7}
SAVANNA_TREES = {"forest": 0.25, "mosaic": 0.16, "dike": 0.22}
GRASS_LEAVES = {"forest": 2.3, "mosaic": 2.2, "dike": 1.8}
YEARLY_FIRE = {"forest": 0.4, "mosaic": 0.5, "dike": 0.6}
SOILS = {
    "forest": (spectra.FERRALSOL, spectra.OCHRE),
    "mosaic": (spectra.FERRALSOL, spectra.HYDROMORPHIC),
    "dike": (spectra.LATERITE, spectra.HYDROMORPHIC * 0.9 + 0.1 * spectra.SAND),
}


class Terrain(NamedTuple):
    """Streams as (line, width), the river first; layers (halves, halves); `rim` is half the width of the plain."""

    streams: list[tuple[Doubles, float]]
    rim: float
    from_water: Floats
    height: Floats
    slope: Floats
    aspect: Floats

    @property
    def river(self) -> tuple[Doubles, float]:
        """Line and width of the river."""
        return self.streams[0]


class Cover(NamedTuple):
    """Shares and textures, (halves, halves)."""

    evergreen: Floats
    deciduous: Floats
    grass: Floats
    second_soil: Floats
    texture: Floats
    soil_texture: Floats
    lag: Floats
    wet: Floats
    savanna: Floats


class Burn(NamedTuple):
    """One fire: its day, the cells it took and all that it could take, days until it fades, how black it is."""

    day: int
    cells: Ints
    patch: Ints
    fading: float
    depth: float


def make_terrain(recipe: Recipe, rng: Rng) -> Terrain:
    """Draw streams, then the land between them."""
    streams = _streams(recipe, rng)
    dry = np.ones((recipe.halves, recipe.halves), bool)
    for line, _ in streams:
        at = np.clip((line / HALF_M).astype(int), -1, recipe.halves)
        inside = ((at >= 0) & (at < recipe.halves)).all(1)
        dry[at[inside, 1], at[inside, 0]] = False
    from_water = (ndimage.distance_transform_edt(dry) * 5).astype(np.float32)
    rolling = ndimage.gaussian_filter(noise(rng, recipe.halves, 3.4, 120), 4)
    rolling /= rolling.std()
    rim = rng.uniform(30, 75)
    rise, hills = RELIEF_M[recipe.kind]
    beyond = np.maximum(from_water - rim, 0)
    height = (
        rise * (1 - np.exp(-beyond / 420))
        + hills * rolling * np.minimum(1, beyond / 250)
        + 0.03 * from_water
        + 0.35 * np.abs(noise(rng, recipe.halves, 2, 40))
    ).astype(np.float32)
    down, right = np.gradient(ndimage.gaussian_filter(height, 3), HALF_M)
    return Terrain(streams, rim, from_water, height, np.arctan(np.hypot(down, right)), np.arctan2(right, -down))


def _streams(recipe: Recipe, rng: Rng) -> list[tuple[Doubles, float]]:
    side, dike = recipe.side_m, recipe.kind == "dike"
    direction = rng.uniform(0, math.pi)
    widths = {"forest": rng.uniform(18, 34), "mosaic": rng.uniform(12, 26), "dike": rng.uniform(4, 8)}
    width = widths[recipe.kind]
    centre = np.array([rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)]) * side
    if dike:
        centre[0] = side * rng.choice([0.12, 0.88])
        direction = math.pi / 2 + rng.normal(0, 0.25)
    wave = rng.uniform(14, 22) * max(width, 14)
    start = centre - 0.85 * side * np.array([math.cos(direction), math.sin(direction)])
    river = ndimage.gaussian_filter1d(walk(rng, (*start, direction), 1.8 * side, 0.05, wave), 2, axis=0)
    streams = [(river, width)]
    inside = [k for k, at in enumerate(river) if (at > 0.05 * side).all() and (at < 0.95 * side).all()]
    for _ in range(TRIBUTARIES[recipe.kind] if inside else 0):
        mouth = river[rng.choice(inside)]
        bank = rng.choice([-1, 1])
        start = (*mouth, direction + bank * rng.uniform(0.6, 1.6))
        line = walk(rng, start, rng.uniform(600, 1900), 0.09, rng.uniform(120, 260))
        streams.append((ndimage.gaussian_filter1d(line, 1.5, axis=0), rng.uniform(2, 5)))
    return streams


def make_cover(recipe: Recipe, terrain: Terrain, rng: Rng) -> Cover:
    """Draw forest along the water and on the uplands, wet meadows, savanna between."""
    kind, side, from_water = recipe.kind, recipe.halves, terrain.from_water
    broad, medium = noise(rng, side, 2.6, 160), noise(rng, side, 2.2, 60)
    fine = rng.standard_normal((side, side)).astype(np.float32)
    crown = ndimage.gaussian_filter(fine, 0.9)
    crown /= crown.std()
    inside = (GALLERY_M[kind] * np.exp(0.35 * medium) - from_water).clip(-400, 400)
    gallery = 1 / (1 + np.exp(-inside / 14))
    upland = 1 / (1 + np.exp(-(broad - FOREST_FROM[kind]) * 6))
    closed = np.clip(np.maximum(gallery, upland) * (0.93 + 0.05 * crown), 0, 0.99).astype(np.float32)
    trees = np.clip(SAVANNA_TREES[kind] * np.exp(0.55 * medium + 0.5 * crown), 0, 0.75)
    meadow = np.clip((terrain.rim + 15 - from_water) / 30, 0, 1) * (medium > 0.3) * (kind != "forest")
    grass = np.exp(0.28 * medium + 0.18 * crown + 0.15 * broad) * GRASS_LEAVES[kind]
    return Cover(
        evergreen=closed * (1 - 0.8 * meadow).astype(np.float32),
        deciduous=((1 - closed) * trees).astype(np.float32),
        grass=np.clip(grass, 0.25, 4).astype(np.float32),
        second_soil=np.clip(0.5 + 0.35 * noise(rng, side, 2.4, 100) + 0.25 * broad, 0, 1).astype(np.float32),
        texture=np.clip(1 + 0.11 * crown + 0.05 * medium, 0.6, 1.5).astype(np.float32),
        soil_texture=np.clip(1 + 0.08 * fine + 0.08 * medium, 0.65, 1.4).astype(np.float32),
        lag=np.clip(0.5 + 0.35 * noise(rng, side, 2.5, 80), 0, 1).astype(np.float32),
        wet=np.clip(meadow + 0.6 * np.clip(1 - from_water / 50, 0, 1), 0, 1).astype(np.float32),
        savanna=1 - closed,
    )


def make_burns(recipe: Recipe, cover: Cover, rng: Rng) -> list[Burn]:
    """Connected patches of savanna, some of which burn in some years."""
    side = recipe.halves
    open_ground = (cover.savanna > 0.6) & (noise(rng, side, 2.8, 70) > -0.2) & (cover.wet < 0.5)
    labels, count = ndimage.label(open_ground)
    areas = np.bincount(labels.ravel()) * 25
    burns = []
    for number in range(1, count + 1):
        if areas[number] <= 8000:
            continue
        for patch in _fire_blocks(np.flatnonzero(labels.ravel() == number), areas[number], side, rng):
            burns += _fires(patch, YEARLY_FIRE[recipe.kind], rng)
    return burns


def _fire_blocks(cells: Ints, area: float, side: int, rng: Rng) -> list[Ints]:
    """Fire does not take a large patch whole: split it between the nearest of twelve points."""
    if area <= 25e4:
        return [cells]
    centres = rng.integers(0, side, (12, 2))
    rows, columns = np.unravel_index(cells, (side, side))
    nearest = np.argmin((rows[:, None] - centres[:, 0]) ** 2 + (columns[:, None] - centres[:, 1]) ** 2, 1)
    return [cells[nearest == one] for one in range(12) if (nearest == one).sum() > 300]


def _fires(patch: Ints, chance: float, rng: Rng) -> list[Burn]:
    fires = []
    for year in (2020, 2021, 2022, 2023):
        if rng.random() < chance:
            day = day_of(year, 12, 15) + int(rng.normal(20, 25))
            taken = rng.random(len(patch)) < rng.uniform(0.75, 0.98)
            cells = patch[taken].astype(np.int32)
            fires.append(Burn(day, cells, patch, rng.uniform(18, 40), rng.uniform(0.55, 0.95)))
    return fires
