"""The lie of the land before anybody touches it: terrain, channels, covers, village and dikes.

In: a recipe. Out: `Landscape`, on a 2.5 m ground grid where edges matter and on the 10 m pixel grid where they do not.
It holds no dates: seasons are in `climate` and `seasons`, mines in `pits`, what else happens in `disturbance`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geomon.simulate import fields
from geomon.simulate.channels import Channels, make_channels
from geomon.simulate.fields import FloatArray, Rng, block_mean, rng_of, rough_field, smooth_field
from geomon.simulate.recipe import CELL_M, OVERSAMPLE, Recipe


class Cover(IntEnum):
    """Land cover before any disturbance; the codes of `truth/cover.tif`."""

    FOREST = 1
    GALLERY = 2
    GRASS = 3
    WOODY = 4
    FLOODPLAIN = 5
    WATER = 6
    FALLOW = 7
    ORCHARD = 8
    CRUST = 9
    TRACK = 10


_PATCHES: Final = {
    "forest": (Cover.FOREST, ((1, 1.15, Cover.FALLOW), (0, 1.45, Cover.WOODY), (0, 1.8, Cover.GRASS))),
    "mosaic": (
        Cover.WOODY,
        ((0, 0.2, Cover.GRASS), (1, 1.6, Cover.FALLOW), (2, 1.1, Cover.FOREST), (3, 2.1, Cover.CRUST)),
    ),
    "dike": (
        Cover.WOODY,
        ((0, 0.8, Cover.GRASS), (1, 1.25, Cover.ORCHARD), (2, 1.5, Cover.FOREST), (3, 1.9, Cover.CRUST)),
    ),
}
"""Covers of the interfluves: the usual one, and those of patches where a field exceeds a threshold; fields 2 and 3 are
the negatives of 0 and 1."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """Ground that does not change.

    Attributes
    ----------
    channels : Channels
        Where each cell lies from the water.
    cover : uint8, (cells, cells)
        `Cover` codes.
    height_m : float32, (cells, cells)
        Above the nearest channel.
    elevation_m : float32, (pixels, pixels)
        Above the sea.
    village_m : (float, float)
        Centre of the village [m down, m right].
    dikes_m : float64, (n, 2)
        Points along the dikes [m down, m right], none but in the dike landscape.
    texture : dict of float32, (pixels, pixels)
        Fixed variation inside covers: `crown`, `patch` and `vigour` of sd 1, `lag_days`.
    """

    channels: Channels
    cover: NDArray[np.uint8]
    height_m: FloatArray
    elevation_m: FloatArray
    village_m: tuple[float, float]
    dikes_m: NDArray[np.float64]
    texture: dict[str, FloatArray]


def make_landscape(recipe: Recipe) -> Landscape:
    """Draw terrain, channels and covers."""
    rng = rng_of(recipe.seed, fields.TERRAIN)
    channels = make_channels(recipe, rng)
    height = _height(rng, channels)
    village = _village(recipe, channels)
    return Landscape(
        channels=channels,
        cover=_cover(recipe, channels, village),
        height_m=height,
        elevation_m=_elevation(recipe, rng, height),
        village_m=village,
        dikes_m=_dikes(recipe, rng),
        texture=_texture(recipe),
    )


def _height(rng: Rng, channels: Channels) -> FloatArray:
    """Flat valley floor, then a slope to a plateau some 30 m up."""
    beyond = np.maximum(channels.distance_m - channels.half_width_m, 0)
    floor = np.where(channels.main, 70.0, 25.0).astype(np.float32)
    rise = 30 * (1 - np.exp(-((beyond / (floor * 5)) ** 1.5)))
    rough = rough_field(rng, beyond.shape, slope=3.5, outer=400.0)
    height = rise + 0.004 * beyond + rough * np.minimum(beyond / 100, 1.2)
    return np.asarray(np.maximum(height, 0), dtype=np.float32)


def _elevation(recipe: Recipe, rng: Rng, height: FloatArray) -> FloatArray:
    fall = np.linspace(0.0012, 0.0, recipe.size_px, dtype=np.float32)[:, None] * recipe.side_m
    broad = rough_field(rng, (recipe.size_px,) * 2, slope=4.0, outer=recipe.size_px / 2.0)
    return np.asarray(480 + fall + block_mean(height, OVERSAMPLE) + 2 * broad, dtype=np.float32)


def _village(recipe: Recipe, channels: Channels) -> tuple[float, float]:
    """On the interfluve: among random places away from the border, the one farthest from water."""
    rng = rng_of(recipe.seed, fields.VILLAGE)
    places = rng.uniform(0.14, 0.86, (40, 2)) * recipe.side_m
    at = (places / CELL_M).astype(np.int64)
    best = places[int(np.argmax(channels.distance_m[at[:, 0], at[:, 1]]))]
    return float(best[0]), float(best[1])


def _cover(recipe: Recipe, channels: Channels, village: tuple[float, float]) -> NDArray[np.uint8]:
    rng = rng_of(recipe.seed, fields.COVER)
    shape = channels.distance_m.shape
    patch = rough_field(rng, shape, slope=3.2, outer=160.0)
    other = rough_field(rng, shape, slope=3.2, outer=120.0)
    edge = rough_field(rng, shape, slope=2.6, outer=60.0)
    usual, patches = _PATCHES[recipe.kind]
    cover = np.full(shape, usual, dtype=np.uint8)
    noise = (patch, other, -patch, -other)
    for field, threshold, code in patches:
        cover[noise[field] > threshold] = code
    beyond = channels.distance_m - channels.half_width_m
    wooded = np.where(channels.main, 48.0, 26.0) * np.clip(1 + 0.55 * edge, 0.25, 2.5)
    flat = channels.main & (beyond < 110 + 35 * other) & (patch < 0.1)
    if recipe.kind != "forest":
        cover[flat] = Cover.FLOODPLAIN
    cover[beyond < wooded] = Cover.GALLERY
    cover[_track(recipe, rng, village)] = Cover.TRACK
    cover[channels.water()] = Cover.WATER
    return cover


def _track(recipe: Recipe, rng: Rng, village: tuple[float, float]) -> NDArray[np.bool_]:
    """Old earth track through the village, some 5 m wide, from border to border."""
    cells = recipe.cells
    down = (np.arange(cells) + 0.5) * CELL_M
    bend = 60 * np.sin(2 * np.pi * down / rng.uniform(900, 1800) + rng.uniform(0, 6.28))
    slope = rng.uniform(-0.25, 0.25)
    right = village[1] + slope * (down - village[0]) + bend - np.interp(village[0], down, bend)
    columns = (np.arange(cells) + 0.5) * CELL_M
    return np.asarray(np.abs(columns[None, :] - right[:, None]) < 2.6)


def _dikes(recipe: Recipe, rng: Rng) -> NDArray[np.float64]:
    """Points along one or two dikes that trend N170, as around Seguela (Pouclet 2004, in the domain notes)."""
    if recipe.kind != "dike":
        return np.empty((0, 2))
    lines = []
    for centre in rng.uniform((0.3, 0.65), (0.5, 0.85)):
        down = np.arange(0.08, 0.92, 0.002) * recipe.side_m
        right = centre * recipe.side_m + np.tan(np.radians(10)) * (down - recipe.side_m / 2)
        lines.append(np.column_stack([down, right + 4 * np.sin(down / 90)]))
    points = np.vstack(lines)
    return points[(points[:, 1] > 60) & (points[:, 1] < recipe.side_m - 60)]


def _texture(recipe: Recipe) -> dict[str, FloatArray]:
    rng = rng_of(recipe.seed, fields.TEXTURE)
    shape = (recipe.size_px, recipe.size_px)
    return {
        "crown": smooth_field(rng, shape, length=1.2),
        "patch": rough_field(rng, shape, slope=3.0, outer=40.0),
        "vigour": rough_field(rng, shape, slope=3.0, outer=50.0),
        "lag_days": 8 * rough_field(rng, shape, slope=3.2, outer=60.0),
    }
