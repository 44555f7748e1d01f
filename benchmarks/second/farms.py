"""Farming and forestry that bares ground: burnt fields, permanent fields, cashew, logging.

In: the land. Out: events and logged polygons on it. All numbers are chosen.
"""

from __future__ import annotations

import math

import numpy as np

from second.land import Land, Look
from second.outlines import HALF_TURN, blob, cells_along, rectangle
from second.recipe import Doubles
from second.spectra import ASH, DECIDUOUS, LATERITE, canopy

BURNT_FIELDS = {"forest": 16, "mosaic": 18, "dike": 10}
FIELDS = {"forest": 3, "mosaic": 10, "dike": 14}
CASHEW = {"forest": 0.3, "mosaic": 1.2, "dike": 3.5}


def add_burnt_fields(land: Land) -> None:
    """Slash and burn: felled, burnt some weeks later, planted with the rains, fallow or cashew after."""
    terrain = land.terrain
    for _ in range(land.number(BURNT_FIELDS[land.recipe.kind])):
        centre = land.spot(
            lambda row, column: terrain.from_water[row, column] > 15 and terrain.height[row, column] < 60
        )
        if centre is None:
            continue
        felled = land.dry_day()
        look = _burnt_field(land, felled)
        land.stamp("slash_burn_field", felled, _field_ring(land, centre), look, roughness=0.12)


def _burnt_field(land: Land, felled: int) -> Look:
    rng, weather = land.rng, land.weather
    drying, soil = int(rng.uniform(18, 70)), land.soil()
    leaves, growing, fallow = rng.uniform(1.4, 3.2), rng.uniform(30, 80), int(rng.uniform(30, 90))
    left, ashes, cashew = rng.uniform(0, 0.25), rng.uniform(0, 0.6), rng.random() < 0.5

    def look(day):
        age, moisture = day - felled, weather.moisture(day)
        if age < drying:
            return canopy(soil, moisture, 0.9 * math.exp(-age / 8), 1.1 * (1 - math.exp(-age / 6))), 1 - left
        burnt, planted = age - drying, age - drying - fallow
        green = 0
        if planted >= 0:
            green = leaves * (1 - math.exp(-planted / growing)) * (0.55 + 0.45 * weather.grass(day)[0])
        if not cashew and 150 < planted < 210:  # harvest
            green *= 0.25
        ash = ashes * math.exp(-burnt / 7)
        dead = 0.25 + 0.3 * (planted > 150)
        return (1 - ash) * canopy(soil, moisture, green, dead, math.exp(-burnt / 16) * 0.9) + ash * ASH, 1 - left

    return look


def _field_ring(land: Land, centre: Doubles) -> Doubles:
    rng, middle = land.rng, math.log(6500)
    if rng.random() < 0.6:
        return blob(rng, centre, rng.lognormal(middle, 0.6), rng.uniform(1, 1.8))
    sides = math.sqrt(rng.lognormal(middle, 0.6)), math.sqrt(rng.lognormal(middle, 0.5))
    return rectangle(rng, centre, sides, rng.uniform(0, HALF_TURN))


def add_fields(land: Land) -> None:
    """Fields that were always there, bare after harvest."""
    rng, weather = land.rng, land.weather
    for _ in range(land.number(FIELDS[land.recipe.kind])):
        centre = land.spot(land.upland)
        if centre is None:
            continue
        soil, leaves, late, straw = land.soil(), rng.uniform(1.2, 3), int(rng.uniform(0, 40)), rng.uniform(0.1, 0.5)
        sides = rng.uniform(50, 130), rng.uniform(40, 120)

        def look(day, soil=soil, leaves=leaves, late=late, straw=straw):
            green = leaves * max(0, weather.grass(day - late)[0] - 0.18) * 1.2
            return canopy(soil, weather.moisture(day), green, straw * weather.grass(day)[1]), 0.95

        land.stamp("permanent_field", None, rectangle(rng, centre, sides, rng.uniform(0, HALF_TURN)), look)


def add_cashew(land: Land) -> None:
    """Clearings for cashew: burnt, grassy between young trees."""
    rng, weather = land.rng, land.weather
    for _ in range(land.number(CASHEW[land.recipe.kind])):
        centre = land.spot(land.upland)
        if centre is None:
            continue
        cleared, soil = land.dry_day(-20, 110), land.soil()
        sides, angle = (rng.uniform(90, 230), rng.uniform(80, 200)), rng.uniform(0, HALF_TURN)

        def look(day, cleared=cleared, soil=soil):
            age = day - cleared
            trees = min(0.5, 0.0004 * age)
            green = 1.5 * weather.grass(day)[0] * (1 - math.exp(-max(0, age - 30) / 90))
            dead = 0.5 + 0.6 * math.exp(-age / 60)
            char = 0.4 * math.exp(-max(0, age - 25) / 20) * (age > 25)
            ground = canopy(soil, weather.moisture(day), green, dead, char)
            return (1 - trees) * ground + trees * DECIDUOUS, 0.9

        land.stamp("cashew_clearing", cleared, rectangle(rng, centre, sides, angle), look, roughness=0.14)


def add_logging(land: Land) -> None:
    """Gaps in closed forest, skid trails to them, and a yard; none in the north."""
    kind, evergreen = land.recipe.kind, land.cover.evergreen
    if kind == "dike":
        return
    for _ in range(land.number(1.3 if kind == "forest" else 0.5)):
        centre = land.spot(lambda row, column: evergreen[row, column] > 0.75)
        if centre is not None:
            _logging(land, centre)


def _logging(land: Land, centre: Doubles) -> None:
    rng, weather = land.rng, land.weather
    began = land.any_day()
    cells, days = _gaps_and_trails(land, centre, began)
    soil = land.soil()

    def gap(day):
        age = day - began
        grown = 3.5 * (1 - math.exp(-age / 170))
        return canopy(soil, max(0.3, weather.moisture(day)), grown, 0.9 * math.exp(-age / 120)), 0.8

    def yard(day):
        grown = 1.5 * (1 - math.exp(-max(0, day - began - 250) / 200))
        return canopy(soil * 0.8 + LATERITE * 0.2, weather.moisture(day), grown, 0.35), 0.93

    land.add("logging_gap", began, cells, gap, cell_days=days, roughness=0.15)
    ring = blob(rng, centre, rng.uniform(2000, 8000), 1.4)
    land.stamp("logging_yard", began - 15, ring, yard, roughness=0.18)


def _gaps_and_trails(land: Land, centre: Doubles, began: int):
    """Cells of all gaps and trails, each once, and the day of each."""
    rng, side = land.rng, land.recipe.side_m
    cells, days = [], []
    for _ in range(int(rng.uniform(8, 28))):
        place = np.clip(centre + rng.normal(0, 170, 2), 5, side - 5)
        gap = land.inside(blob(rng, place, rng.uniform(80, 500), rng.uniform(1, 2.5)))
        gap_days = np.full(len(gap), began + rng.integers(0, 120))
        trail = cells_along(np.linspace(centre, place, 12), 4.0, land.recipe.cells)
        cells += [gap, trail]
        days += [gap_days, np.full(len(trail), began + rng.integers(0, 100))]
    unique, first = np.unique(np.concatenate(cells), return_index=True)
    return unique, np.concatenate(days)[first]
