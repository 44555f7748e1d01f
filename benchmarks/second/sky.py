"""Sun and sky of one date: clouds, their shadows, cirrus, haze.

In: the season and the generator of a date. Out: `Sky`, on the 10 m pixels of the landscape. It does not decide what the
sensor or the scene classification make of it. All numbers are chosen; clouds follow the rain of the month.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from second.land import Land
from second.outlines import TURN, noise
from second.recipe import Doubles, Floats, Rng, to_date

FIELD = 1024
"""Pixels of a periodic field of clouds."""
BORDER = 100
"""Pixels around the landscape from which clouds may throw a shadow on it."""
CUMULUS = 3
LATITUDE = 4.3


class Sky(NamedTuple):
    """Optical depth of clouds over a pixel and towards the sun, cirrus and haze as reflectance, (size, size)."""

    depth: Floats
    shadow: Floats
    cirrus: Floats
    haze: Floats


def sun_at(day: int) -> tuple[float, float]:
    """Zenith and azimuth [radians] at the overpass, an hour and a half before noon."""
    of_year = to_date(day).timetuple().tm_yday
    declination = math.radians(23.44) * math.sin(2 * math.pi * (of_year - 81) / 365)
    hour, latitude = math.radians(-22.5), math.radians(LATITUDE)
    zenith = math.acos(
        math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(hour)
    )
    north = math.sin(declination) - math.sin(latitude) * math.cos(zenith)
    east = -math.cos(declination) * math.sin(hour) * math.cos(latitude)
    return zenith, math.atan2(east, north)


def cloud_fields(rng: Rng) -> list[Floats]:
    """Fields that the dates cut their clouds from: broken, small, stratus, cumulus."""
    fields = [noise(rng, FIELD, slope, outer) for slope, outer in ((3.3, 90), (2.6, 30), (3.8, 260))]
    heaps = np.zeros((FIELD, FIELD), np.float32)
    for _ in range(900):
        _add_cumulus(heaps, rng)
    return [*fields, np.where(heaps > 0, heaps + 0.22 * noise(rng, FIELD, 2.0, 25), 0)]


def _add_cumulus(heaps: Floats, rng: Rng) -> None:
    """A ragged disc; radii follow a power law."""
    radius = min(2.2 * (1 - rng.random()) ** (-1 / 2.2), 45)
    row, column = rng.integers(0, FIELD, 2)
    reach = int(radius * 1.5) + 2
    around = np.arange(-reach, reach + 1)
    angle = np.arctan2(around[:, None], around)
    ragged = sum(0.28 / q * rng.normal() * np.cos(q * angle + rng.uniform(0, TURN)) for q in (2, 3, 4, 5))
    distance = np.hypot(around[:, None] * rng.uniform(0.7, 1.4), around) / radius
    disc = np.clip(1.2 + ragged - distance, -1, 0.9) * min(1.5, 0.4 + radius / 10)
    where = np.ix_((row + around) % FIELD, (column + around) % FIELD)
    heaps[where] = np.maximum(heaps[where], disc)


def draw_sky(land: Land, fields: list[Floats], day: int, sun: tuple[float, float], rng: Rng) -> Sky:
    """Draw the sky of a date."""
    size, weather = land.recipe.size, land.weather
    rainy = np.clip(np.interp(day, weather.days, weather.climate) / 200, 0, 1)
    depth = _clouds(land, fields, rainy, rng)
    high = rng.uniform(600, 2600) / 10
    right = -high * math.tan(sun[0]) * math.sin(sun[1])
    down = high * math.tan(sun[0]) * math.cos(sun[1])
    right, down = (int(np.clip(round(shift), -BORDER, BORDER)) for shift in (right, down))
    over = slice(BORDER, BORDER + size)
    shadow = depth[BORDER - down : BORDER - down + size, BORDER - right : BORDER - right + size]
    cirrus = np.zeros((size, size), np.float32)
    if rng.random() < 0.22 + 0.2 * rainy:
        row, column = rng.integers(0, FIELD - min(size, FIELD - 1), 2)
        cut = np.tile(fields[2], (2, 2))[row : row + size, column : column + size]
        cirrus = np.clip(cut + rng.normal(0, 0.8), 0, 3) * rng.uniform(0.004, 0.028)
    dusty = land.recipe.kind != "forest" and to_date(day).month in (1, 2)
    return Sky(depth[over, over], shadow, cirrus, _haze(fields[2], size, rng, dusty=dusty))


def _haze(texture: Floats, size: int, rng: Rng, *, dusty: bool) -> Floats:
    """Error of the aerosol correction: an offset, a plane, a texture, and dust of the harmattan."""
    down, right = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    haze = rng.normal(0, 0.0055) + 0.006 * (rng.normal() * right + rng.normal() * down)
    haze = haze + (rng.uniform(0.005, 0.03) if dusty and rng.random() < 0.5 else 0)
    return haze + (0.003 * texture[:size, :size] if size <= FIELD else 0)


def _clouds(land: Land, fields: list[Floats], rainy: float, rng: Rng) -> Floats:
    """Optical depth on the landscape and its border."""
    side = land.recipe.size + 2 * BORDER
    cover = _cloud_cover(land.recipe.clouds, rainy, rng)
    sort = rng.choice(4, p=[0.25, 0.2, 0.2, 0.35] if cover < 0.6 else [0.4, 0.1, 0.5, 0])
    field = fields[sort]
    while field.shape[0] < side + 2:
        field = np.tile(field, (2, 2))
    row, column = rng.integers(0, field.shape[0] - side, 2)
    field = np.rot90(field[row : row + side, column : column + side], rng.integers(4))
    if rng.random() < 0.5:
        field = field[:, ::-1]
    if cover < 0.02:
        return np.zeros((side, side), np.float32)
    if sort == CUMULUS:
        above = field - np.quantile(field, 1 - cover) if cover > 0.05 else field - 0.5
        depth: Doubles = np.clip(above, 0, None) * rng.uniform(3, 10) * (field > 0)
    else:
        depth = np.clip(field - np.quantile(field, 1 - cover), 0, None) * rng.uniform(2, 12)
    return depth.astype(np.float32)


def _cloud_cover(clouds: str, rainy: float, rng: Rng) -> float:
    if clouds == "usual":
        mean, spread = 0.16 + 0.56 * rainy, 1.1
    else:
        mean = 0.2 + 0.2 * rainy + 0.55 * rainy**0.7 if rainy > 0.3 else 0.25 + 0.5 * rainy
        spread = 2.2
    mean = min(mean, 0.96)
    return rng.beta(mean * spread, (1 - mean) * spread)
