"""One date as the sensor and its processing leave it: six bands, their grids, and every error between ground and file.

In: the ground, the sky, the generator of a date. Out: `Scene`. It does not decide what the classification says; that is
`classes`. All numbers are chosen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr

from second.classes import classify
from second.confusers import add_confusers
from second.land import Land
from second.mines import add_mines
from second.outlines import halved
from second.recipe import HALF_M, Bools, Floats, Ints, Recipe, Rng
from second.sky import Sky, cloud_fields, draw_sky, sun_at
from second.spectra import CENTRES_NM, of_bands
from second.surface import Surface

GROUPS = ((10, (0, 1, 2, 3), 6.0), (20, (4, 5), 14.0))
"""Pixel [m], bands, width of the point spread [m]."""
DIFFUSE = of_bands(0.46, 0.41, 0.36, 0.28, 0.2, 0.16)
"""Share of light that reaches ground in shadow."""
CLOUD = of_bands(0.56, 0.57, 0.58, 0.62, 0.46, 0.34)
CIRRUS = of_bands(1, 1, 1, 0.95, 0.55, 0.4)
SCATTERING = ((CENTRES_NM / 492) ** -1.4).astype(np.float32)
ADJACENCY_PX = 32.0


class Scene(NamedTuple):
    """Reflectance by band, classification, valid pixels (None: all), share of it that is told cloudy [%]."""

    bands: list[Floats]
    classes: Ints
    valid: Bools | None
    cloud_cover: float


class Camera:
    """Takes the scenes of one landscape; a date does not depend on the others."""

    def __init__(self, recipe: Recipe) -> None:
        self.land = Land(recipe)
        add_confusers(self.land)
        self.mines = add_mines(self.land)
        self.surface = Surface(self.land, self.mines)
        self.fields = cloud_fields(self.land.rng)
        self.surface.draw_pit_floors()
        self.around = _neighbourhood(recipe.size)

    def take(self, number: int, day: int) -> Scene:
        """Take the scene of a date."""
        recipe = self.land.recipe
        rng = np.random.default_rng([recipe.seed, 31, number])
        sun = sun_at(day)
        ground = self.surface.on(day, sun)
        sky = draw_sky(self.land, self.fields, day, sun, rng)
        off = rng.normal(0, 1, 2)
        off *= min(0.4, abs(rng.normal(0, 0.2))) * 10 / (np.hypot(*off) + 1e-9)
        bands: list[Floats] = []
        for pixel_m, numbers, width_m in GROUPS:
            down = sampling(recipe, pixel_m, width_m, off[1] + rng.normal(0, 0.4))
            right = sampling(recipe, pixel_m, width_m, off[0] + rng.normal(0, 0.4))
            look = _Look.of(sky, self.around, pixel_m, sun[0], rng)
            for band in numbers:
                seen = np.ascontiguousarray((down @ ground.reflectance[band]).T)
                bands.append(look.through(np.ascontiguousarray((right @ seen).T), band, rng))
        classes = classify(bands, sky, ground, rng)
        valid = None
        if rng.random() < 0.03:
            valid = ~_wedge(recipe.size, rng)
            classes[halved((~valid).astype(np.float32)) > 0] = 0
        return Scene(bands, classes, valid, float(np.isin(classes, (8, 9, 10)).mean() * 100))


class _Look(NamedTuple):
    """What lies between the ground and one group of bands, on its pixels."""

    passing: Floats
    lit: Floats
    thick: Floats
    cirrus: Floats
    haze: Floats
    around: Floats
    adjacency: float
    brightness: float
    stripes: Floats

    @classmethod
    def of(cls, sky: Sky, around: Floats, pixel_m: int, zenith: float, rng: Rng) -> _Look:
        layers = (
            np.exp(-sky.depth * 0.9),
            np.exp(-sky.shadow * 0.8),
            np.clip(sky.depth / 3, 0, 1),
            sky.cirrus,
            sky.haze,
        )
        if pixel_m == 20:
            layers = tuple(halved(layer) for layer in layers)
            half = len(around) // 2
            around = around.reshape(half, 2, half, 2).sum(3).mean(1)
        adjacency = rng.uniform(0.03, 0.12)
        brightness = (math.cos(zenith) / 0.85) ** rng.normal(0.12, 0.04)
        return cls(*layers, around, adjacency, brightness, _stripes(len(around), pixel_m, rng))

    def through(self, ground: Floats, band: int, rng: Rng) -> Floats:
        """What is measured of the ground in a band, noise included."""
        blurred = self.adjacency * SCATTERING[band]
        seen = (1 - blurred) * ground + blurred * (self.around @ ground @ self.around.T)
        seen = seen * (DIFFUSE[band] + (1 - DIFFUSE[band]) * self.lit) * self.brightness * self.stripes
        cloud = CLOUD[band] * (0.55 + 0.55 * self.thick)
        seen = seen * self.passing + cloud * (1 - self.passing)
        haze = self.haze * SCATTERING[band] * (0.85 - seen)
        seen = seen * (1 - 1.5 * self.cirrus) + self.cirrus * CIRRUS[band] + haze
        seen = seen * (1 + rng.normal(0, 0.012)) + rng.normal(0, 0.0012)
        return seen + rng.standard_normal(seen.shape).astype(np.float32) * (0.0012 + 0.008 * np.abs(seen))


def sampling(recipe: Recipe, pixel_m: int, width_m: float, off_m: float) -> csr_array:
    """Weights of background cells in each pixel along one axis: its box, blurred by a gaussian, a little off.

    Returns
    -------
    float32 sparse, (pixels, halves)
    """
    count = int(recipe.side_m / pixel_m)
    centre = (np.arange(count) + 0.5) * pixel_m + off_m
    sigma = width_m / 2.355
    reach = int((pixel_m + 5 * sigma) / HALF_M) + 2
    first = np.floor((centre - pixel_m / 2 - 2.5 * sigma) / HALF_M).astype(int)
    cell = first[:, None] + np.arange(reach)
    distance = (cell + 0.5) * HALF_M - centre[:, None]
    weight = ndtr((distance + pixel_m / 2) / sigma) - ndtr((distance - pixel_m / 2) / sigma)
    weight *= (cell >= 0) & (cell < recipe.halves)
    weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    cell = np.clip(cell, 0, recipe.halves - 1)
    rows = np.arange(0, count * reach + 1, reach)
    return csr_array((weight.ravel(), cell.ravel(), rows), shape=(count, recipe.halves))


def _neighbourhood(size: int) -> Floats:
    """Weights of the pixels whose light is scattered into each, along one axis, (size, size)."""
    pixel = np.arange(size)
    weight = np.exp(-0.5 * ((pixel[:, None] - pixel) / ADJACENCY_PX) ** 2)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def _stripes(side: int, pixel_m: int, rng: Rng) -> Floats:
    """Gain across the swath: a wave, and a step between detectors."""
    along = np.arange(side, dtype=np.float32) * pixel_m
    across = along[None] + 0.2 * along[:, None]
    return 1 + 0.008 * np.sin(2 * np.pi * across / rng.uniform(700, 900)) + 0.006 * (across % 500 > 250)


def _wedge(size: int, rng: Rng) -> Bools:
    """Pixels beyond the edge of the swath."""
    pixel = np.arange(size)
    return (pixel[None] + 0.22 * pixel[:, None]) < rng.uniform(0.1, 0.7) * size
