"""Waters that are no mine: river, sandbanks, meanders that shift, fish ponds, a drying lake, the flooded plain.

In: the land. Out: events and logged polygons on it. All numbers are chosen.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from second.land import Land, Logged
from second.outlines import blob, cells_along, rectangle
from second.recipe import day_of
from second.spectra import GRAVEL, HYDROMORPHIC, MUD, OCHRE, SAND, canopy, water

ALWAYS = 10**6


def add_river(land: Land) -> None:
    """Water of one colour for the river and its tributaries; in the north the river dries out to sand."""
    rng, weather, dike = land.rng, land.weather, land.recipe.kind == "dike"
    line, width = land.terrain.river
    widths = width * (1 + 0.15 * ndimage.gaussian_filter1d(rng.standard_normal(len(line)), 6))
    cells = cells_along(line, widths, land.recipe.cells)
    least, most = rng.uniform(8, 30), rng.uniform(60, 320)
    humus = rng.uniform(0.8, 4)
    covered = 1.0 if width > 9 else 0.55

    def river_water(day):
        tsm = least + most * weather.stage(day) ** 1.5 * (1 + 0.5 * weather.moisture(day))
        return water(tsm, 2, humus)[0]

    def river(day):
        full = np.clip((weather.stage(day) - 0.06) / 0.25, 0, 1) if dike else 1.0
        bed = canopy(HYDROMORPHIC * 0.5 + SAND * 0.5, weather.moisture(day) * 0.8)
        return river_water(day) * full + (1 - full) * bed, covered

    def stream(day):
        return river_water(day), 0.25 + 0.15 * weather.stage(day)

    land.river_water, land.river_cells = river_water, cells
    land.add("_river", None, cells, river, roughness=0.03)
    land.hold(cells)
    for other, narrow in land.terrain.streams[1:]:
        land.add("_stream", None, cells_along(other, narrow, land.recipe.cells), stream, roughness=0.03)


def add_sandbanks(land: Land) -> None:
    """Banks that come out of low water, and lie elsewhere after the flood of 2022."""
    rng, (line, width) = land.rng, land.terrain.river
    for _ in range(land.number(4 if land.recipe.kind == "dike" else 7)):
        at = rng.integers(5, len(line) - 5)
        along = line[at + 3] - line[at - 3]
        angle = math.atan2(along[1], along[0])
        for moved in range(2):
            off = rng.normal(0, width * 0.35, 2)
            off = off + moved * np.array([math.cos(angle), math.sin(angle)]) * rng.uniform(8, 45)
            _sandbank(land, line[at] + off, angle, moved=bool(moved))


def _sandbank(land: Land, centre, angle: float, *, moved: bool) -> None:
    rng, weather = land.rng, land.weather
    ring = blob(rng, centre, rng.uniform(150, 1500), rng.uniform(2, 5), angle, 0.3)
    cells = land.inside(ring)
    if not len(cells):
        return
    height = rng.uniform(0.15, 0.75, 1) + 0.18 * rng.standard_normal(len(cells))
    first, last = (day_of(2022, 9, 1), ALWAYS) if moved else (0, day_of(2022, 9, int(rng.integers(1, 28))))
    sandy = rng.uniform(0.2, 1)
    material = SAND * sandy + GRAVEL * (1 - sandy)

    def look(day):
        above = height - weather.stage(day)
        wetness = np.clip(0.75 - 3 * above, weather.moisture(day) * 0.7, 1)
        seen = (first <= day < last) & (above > 0)
        return canopy(material, wetness), np.where(seen, 1.0, 0.0).astype(np.float32)

    land.add("sandbank", day_of(2022, 10, 15) if moved else None, cells, look, ring=ring)


def add_meanders(land: Land) -> None:
    """A bend that eats into one bank and leaves a bar at the other."""
    rng, weather, (line, width) = land.rng, land.weather, land.terrain.river
    for _ in range(0 if land.recipe.kind == "dike" else land.number(1.5)):
        at = rng.integers(10, len(line) - 10)
        angle = math.atan2(*(line[at + 4] - line[at - 4])[::-1])
        across = np.array([-math.sin(angle), math.cos(angle)]) * rng.choice([-1, 1])
        began = day_of(int(rng.choice([2021, 2022, 2023])), int(rng.integers(8, 11)), 10)

        def cut(day):
            return land.river_water(day), 1.0

        def bar(day, began=began):
            grown = 1 - math.exp(-max(0, day - began - 60) / 260)
            green = 1.2 * weather.grass(day)[0] * grown
            spectrum = canopy(SAND * 0.6 + GRAVEL * 0.4, max(0.2, weather.moisture(day)), green)
            return spectrum, 1.0 if weather.stage(day) < 0.8 else 0.2

        for kind, bank, look in (("meander_cut", 1, cut), ("meander_bar", -1, bar)):
            ring = blob(rng, line[at] + across * bank * width * 0.6, rng.uniform(500, 2200), 4.5, angle, 0.12)
            land.stamp(kind, began, ring, look)


def add_fish_ponds(land: Land) -> None:
    """Rows of dug ponds, turbid at first, green later."""
    rng, weather, from_water = land.rng, land.weather, land.terrain.from_water
    for _ in range(max(1, land.number(1.8))):
        centre = land.spot(lambda row, column: 15 < from_water[row, column] < 160)
        if centre is None:
            continue
        began, tsm, plants = land.any_day(), rng.uniform(20, 150), rng.choice([3, 20, 120])
        count, angle = int(rng.integers(1, 4)), rng.uniform(0, 3.1)
        sides = rng.uniform(12, 40), rng.uniform(15, 50)

        def look(day, began=began, tsm=tsm, plants=plants):
            age = day - began
            if age < 20:
                return canopy(OCHRE, max(0.4, weather.moisture(day))), 1.0
            settled = tsm * (0.35 + math.exp(-(age - 20) / 60))
            return water(settled, plants * (1 - math.exp(-age / 120)), 1.5)[0], 1.0

        for number in range(count):
            along = number * (sides[0] + 4) * np.array([math.cos(angle), math.sin(angle)])
            ring = rectangle(rng, centre + along, sides, angle)
            land.stamp("fish_pond", began, ring, look, tag="pond", roughness=0.02)


def add_drying_lake(land: Land) -> None:
    """At times one lake that falls and rises, with grass on its mud."""
    rng, weather, from_water = land.rng, land.weather, land.terrain.from_water
    if rng.random() >= {"forest": 0.35, "mosaic": 0.6, "dike": 0.9}[land.recipe.kind]:
        return
    centre = land.spot(lambda row, column: from_water[row, column] < 300, margin=150)
    if centre is None:
        return
    ring = blob(rng, centre, rng.uniform(6e3, 6e4), rng.uniform(1, 2.2), rough=0.15)
    cells = land.inside(ring)
    tsm, least = rng.uniform(15, 90), rng.uniform(0, 0.3)
    inward = land.inwardness(cells)

    def look(day):
        level = least + (1 - least) * weather.lake(day)
        depth = inward - (1 - level) * 0.95
        wet = np.clip(depth / 0.04, 0, 1)[:, None]
        soaked = np.clip(0.9 + 3 * depth, max(0.15, weather.moisture(day)), 1)
        shore = canopy(MUD, soaked, np.clip(1.4 * (-depth - 0.15), 0, 1.5))
        return wet * water(tsm, 6, 2) + (1 - wet) * shore, 1.0

    land.add("drying_lake", None, cells, look, ring=ring, roughness=0.03)
    land.hold(cells)


def add_flooded_plain(land: Land) -> None:
    """River stage from which each cell of the plain is under water; logged by yearly peak."""
    terrain, weather = land.terrain, land.weather
    plain = np.exp(-((terrain.from_water / (terrain.rim * 0.9)) ** 2)) * (terrain.height < 4)
    from_stage = 1.15 - 0.35 * plain + 0.06 * land.noise(2, 40)
    land.flood_from = np.where(plain > 0.25, from_stage, 9).astype(np.float32)
    for year in (2021, 2022, 2023):
        season = (weather.days >= day_of(year, 6, 1)) & (weather.days <= day_of(year, 12, 1))
        peak = np.argmax(np.where(season, weather.river, 0))
        cells = np.flatnonzero((land.flood_from < weather.river[peak]).ravel())
        if len(cells) > 40:
            land.logged.append(Logged("floodplain_flood", int(weather.days[peak]), half_cells=cells))
