"""Reflectance of plants and soil on one day, on the cells of the background (5 m).

In: the land's layers, the state of the season, fire, flood and light. Out: float32 (6, rows, columns). It does not
decide any event; `surface` paints those on top.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba as nb
import numpy as np

from second import spectra
from second.land import Land
from second.recipe import Floats, Ints


class Layers(NamedTuple):
    """What the kernel reads by cell, (rows, columns), and the spectra by row, (9, 6)."""

    evergreen: Floats
    deciduous: Floats
    grass: Floats
    second_soil: Floats
    texture: Floats
    soil_texture: Floats
    lag: Floats
    wet: Floats
    char: Floats
    flood: Floats
    light: Floats
    spectra: Floats


class Season(NamedTuple):
    """What the kernel reads once: leaves now and of places that lag 22 days, soil, water, shade between crowns."""

    green_now: float
    green_late: float
    dead_now: float
    dead_late: float
    green_wet: float
    leaves_now: float
    leaves_late: float
    moisture: float
    evergreen_shift: float
    water: Floats
    shade: Floats


@nb.njit(cache=True, fastmath=True)
def render(out: Floats, land: Layers, season: Season) -> None:
    """Mix grass over soil, deciduous and evergreen trees, and flood, into (6, rows, columns)."""
    rows, columns = land.evergreen.shape
    rho = land.spectra
    for i in range(rows):
        for j in range(columns):
            q = land.lag[i, j]
            h = land.wet[i, j]
            lg = ((1 - q) * season.green_now + q * season.green_late) * (1 - h) + h * season.green_wet
            ld = ((1 - q) * season.dead_now + q * season.dead_late) * (1 - 0.7 * h)
            c = land.char[i, j]
            lg = lg * land.grass[i, j] * (1 - 0.95 * c)
            ld = ld * land.grass[i, j] * (1 - c)
            de = ((1 - q) * season.leaves_now + q * season.leaves_late) * (1 - 0.4 * c)
            mm = min(1.0, season.moisture + 0.35 * h)
            fe = land.evergreen[i, j]
            fd = land.deciduous[i, j]
            sa = land.second_soil[i, j]
            t = land.texture[i, j]
            f = land.flood[i, j]
            for k in range(3):  # visible, near, short-wave infrared
                kk = 0.95 if k == 0 else (0.55 if k == 1 else 0.80)
                tl = math.exp(-kk * lg)
                td = math.exp(-0.8 * kk * ld)
                tt = math.exp(-kk * de)
                b0 = 0 if k == 0 else (3 if k == 1 else 4)
                b1 = 3 if k == 0 else (4 if k == 1 else 6)
                for b in range(b0, b1):
                    s = (rho[0, b] * (1 - sa) + rho[1, b] * sa) * land.soil_texture[i, j] * (1 - mm * rho[8, b])
                    r = rho[3, b] + (s - rho[3, b]) * td
                    r = r * (1 - c) + c * rho[5, b]
                    r = rho[2, b] + (r - rho[2, b]) * tl
                    rd = rho[6, b] + (r - rho[6, b]) * tt
                    re = (
                        rho[4, b]
                        * (1 + (t - 1) * (1.0 if b >= 3 else 0.55))
                        * (1 + season.evergreen_shift * rho[7, b])
                        * season.shade[0]
                    )
                    v = (1 - fe - fd) * r + fe * re + fd * rd * (1 + 0.6 * (t - 1)) * season.shade[0]
                    v = v * (1 - f) + f * season.water[b]
                    out[b, i, j] = v * land.light[i, j]


def background(land: Land, day: int, sun: tuple[float, float]) -> Floats:
    """Reflectance of the land on a day, sun at (zenith, azimuth), (6, halves, halves)."""
    side, weather, cover = land.recipe.halves, land.weather, land.cover
    now, late = weather.grass(day), weather.grass(day - 22)
    flooded = np.clip((weather.stage(day) - land.flood_from) / 0.1, 0, 0.85).astype(np.float32)
    layers = Layers(
        *cover[:8],
        char=_char(land, day).reshape(side, side),
        flood=flooded * (1 - 0.75 * cover.evergreen),
        light=_light(land, sun),
        spectra=_spectra(land),
    )
    season = Season(
        green_now=now[0],
        green_late=late[0],
        dead_now=now[1],
        dead_late=late[1],
        green_wet=max(0.45, 0.6 * now[0] + 0.4),
        leaves_now=2.6 * now[2],
        leaves_late=2.6 * late[2],
        moisture=weather.moisture(day),
        evergreen_shift=float(now[2] - 0.75),
        water=land.river_water(day),
        shade=np.array([1 - 0.25 * math.tan(sun[0]) * 0.6 + 0.08], np.float32),
    )
    out = np.empty((6, side, side), np.float32)
    render(out, layers, season)
    return out


def _char(land: Land, day: int) -> Floats:
    """Charred share of each cell; time and rain wash it off, (cells,)."""
    char = np.zeros(land.recipe.halves**2, np.float32)
    for burn in land.burns:
        cells: Ints = burn.cells
        if 0 <= day - burn.day < 150:
            washed = land.weather.rain_between(burn.day, day)
            left = burn.depth * math.exp(-(day - burn.day) / burn.fading - washed / 160)
            char[cells] = np.maximum(char[cells], left)
    return char


def _light(land: Land, sun: tuple[float, float]) -> Floats:
    """Light on slopes over that on level ground, three quarters of it left by a terrain correction."""
    zenith, azimuth = sun
    slope, aspect = land.terrain.slope, land.terrain.aspect
    cosine = np.cos(slope) * math.cos(zenith) + math.sin(zenith) * np.sin(slope) * np.cos(azimuth - aspect)
    light = (0.3 + 0.7 * np.clip(cosine / math.cos(zenith), 0.1, 2)).astype(np.float32)
    return 1 + 0.75 * (light - 1)


def _spectra(land: Land) -> Floats:
    """Spectra by the row that the kernel reads them from."""
    rows = (
        *land.soils,
        spectra.GREEN,
        spectra.LITTER,
        spectra.EVERGREEN,
        spectra.CHAR,
        spectra.DECIDUOUS,
        spectra.DRY_YEAR_SHIFT,
        spectra.WET_DARKENING,
    )
    return np.stack(rows).astype(np.float32)
