"""Roads, the pits dug for them and for bricks, villages; and ground that is bare by nature.

In: the land. Out: events and logged polygons on it; the roads come before what lies along them. All numbers are chosen.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from second.land import Land
from second.outlines import HALF_TURN, blob, cells_along, rectangle, walk
from second.recipe import BASELINE, CELL_M, Doubles, Floats, day_of
from second.spectra import (
    CHAR,
    FERRALSOL,
    GRANITE,
    IRON_ROOF,
    LATERITE,
    OCHRE,
    RUST_ROOF,
    SLURRY,
    SWEPT,
    THATCH,
    canopy,
    water,
)

Road = tuple[Doubles, int | None]


def add_roads(land: Land) -> list[Road]:
    """Laterite roads from a border, built along their way; the first may be old."""
    rng, weather, side = land.rng, land.weather, land.recipe.side_m
    roads: list[Road] = []

    def look(day):
        return canopy(LATERITE * 1.08, 0.7 * weather.moisture(day)), 0.88

    for number in range(max(1, land.number(2.2))):
        border, along = rng.integers(0, 4), rng.uniform(0.1, 0.9) * side
        x, y, inward = [(along, 0, 1.57), (along, side, -1.57), (0, along, 0), (side, along, 3.14)][border]
        start = (x, y, inward + rng.normal(0, 0.3))
        line = ndimage.gaussian_filter1d(walk(rng, start, side * rng.uniform(0.5, 1.3), 0.03), 4, axis=0)
        cells = cells_along(line, rng.uniform(5, 11), land.recipe.cells)
        old = number == 0 and rng.random() < 0.5
        built = None if old else land.any_day()
        if not len(cells):
            continue
        days = None
        if built is not None:
            places = np.c_[cells % land.recipe.cells, cells // land.recipe.cells] * CELL_M
            days = built + (cKDTree(line).query(places)[1] * 10 / rng.uniform(15, 60)).astype(int)
        roads.append((line, built))
        land.add("laterite_road", built, cells, look, cell_days=days)
        land.hold(cells)
    return roads


def _near_road(land: Land, roads: list[Road], distance: float) -> tuple[Doubles | None, int | None]:
    """Draw a place near a road; None beyond the border."""
    rng = land.rng
    line, built = roads[rng.integers(len(roads))]
    place = line[rng.integers(len(line))] + rng.normal(0, distance, 2)
    if (place > 50).all() and (place < land.recipe.side_m - 50).all():
        return place, built
    return None, None


class Pit:
    """Look of a pit that is no mine: its lower parts under water at high lake level, weeds on the higher ones.

    `floor`, the rank of each cell in depth, is drawn by `surface` when the pit first comes into sight.
    """

    def __init__(self, land: Land, dug: int, material: Floats, *, dry: float, tsm: float, **growth: float) -> None:
        self.weather, self.dug, self.material, self.dry, self.tsm = land.weather, dug, material, dry, tsm
        self.leaves, self.growing, self.low = growth["leaves"], growth["growing"], growth.get("low", 0.0)
        self.floor: Floats = np.zeros(0, np.float32)

    def __call__(self, day: int):
        """Spectrum and share on a day."""
        moisture = self.weather.moisture(day)
        level = self.weather.lake(day) * 0.8 + self.low
        pond = (self.floor > self.dry + 1 - level).astype(np.float32)[:, None]
        age = max(0, day - (self.dug or BASELINE - 900))
        season = 0.4 + 0.6 * self.weather.grass(day)[0]
        green = self.leaves * (1 - math.exp(-age / self.growing)) * season * (1 - self.floor)
        ground = canopy(self.material, max(moisture, 0.12), green)
        return pond * water(self.tsm * (0.4 + 0.6 * moisture) + 15, 4, 1.5) + (1 - pond) * ground, 0.97


def add_borrow_pits(land: Land, roads: list[Road]) -> None:
    """Pits dug for a road, about when it is built."""
    rng = land.rng
    for _ in range(land.number(3)):
        centre, built = _near_road(land, roads, 60)
        if centre is None:
            continue
        dug = int((built or land.any_day()) + rng.uniform(-20, 60))
        ring = blob(rng, centre, rng.uniform(600, 4500), rng.uniform(1, 2))
        material = LATERITE * 0.7 + FERRALSOL * 0.3
        land.stamp("borrow_pit", dug, ring, Pit(land, dug, material, dry=0.35, tsm=90, leaves=1.2, growing=900))


def add_brick_pits(land: Land) -> None:
    """Clay pits near water, a kiln beside each."""
    rng, from_water = land.rng, land.terrain.from_water

    def kiln(_day):
        return RUST_ROOF * 0.6 + CHAR * 0.4, 1.0

    for _ in range(land.number(2)):
        centre = land.spot(lambda row, column: 30 < from_water[row, column] < 220)
        if centre is None:
            continue
        dug = land.dry_day(-20, 110)
        ring = blob(rng, centre, rng.uniform(300, 2000), rng.uniform(1, 2))
        clay = OCHRE * 0.75 + SLURRY * 0.25
        land.stamp("brick_pit", dug, ring, Pit(land, dug, clay, dry=0.1, tsm=200, leaves=1.8, growing=300, low=0.1))
        land.add("_kiln", dug + 40, land.inside(rectangle(rng, centre + 25, (8, 12), 0.5)), kiln)


def add_villages(land: Land, roads: list[Road]) -> None:
    """A village by a road, or two where nobody mines, each with a new quarter."""
    rng, weather = land.rng, land.weather

    def old_ground(day):
        return canopy(SWEPT, 0.6 * weather.moisture(day), 0.5 * weather.grass(day)[0]), 0.6

    for _ in range(2 if land.recipe.mines == "none" else 1):
        centre = _near_road(land, roads, 120)[0]
        if centre is None:
            centre = land.spot(land.upland, free=False)
        if centre is None:
            continue
        houses = int(rng.uniform(15, 55))
        cells = land.inside(blob(rng, centre, houses * 260, rng.uniform(1, 2.5)))
        land.add("old_village", None, cells, old_ground, roughness=0.15)
        land.hold(cells)
        for new in (False, True):
            middle = centre + int(new) * rng.normal(0, 70, 2)
            began = land.any_day()
            if new:
                _new_ground(land, middle, houses, began)
            _roofs(land, middle, houses, began, new=new)


def _new_ground(land: Land, middle: Doubles, houses: int, began: int) -> None:
    weather, ring = land.weather, blob(land.rng, middle, houses * 140)

    def look(day):
        ground = canopy(SWEPT * 0.6 + FERRALSOL * 0.4, weather.moisture(day), 0.4 * weather.grass(day)[0])
        return ground, 0.75 * min(1, (day - began) / 90)

    land.stamp("village_growth", began, ring, look)


def _roofs(land: Land, middle: Doubles, houses: int, began: int, *, new: bool) -> None:
    rng = land.rng
    roofs, days = [], []
    for _ in range(houses // 3 if new else houses):
        place = middle + rng.normal(0, math.sqrt(houses) * 8, 2)
        sides = rng.uniform(6, 11), rng.uniform(5, 8)
        roofs.append(land.inside(rectangle(rng, place, sides, rng.uniform(0, HALF_TURN))))
        days.append(np.full(len(roofs[-1]), began + rng.integers(0, 300) if new else 0))
    cells, first = np.unique(np.concatenate(roofs), return_index=True)
    sort = np.repeat(rng.random(len(roofs)), [len(roof) for roof in roofs])[first][:, None]
    if not len(cells):
        return
    metal = rng.uniform(0.3, 0.8)
    spectrum = np.where(sort < metal * 0.5, IRON_ROOF, np.where(sort < metal, RUST_ROOF, THATCH)).astype(np.float32)

    def look(_day):
        return spectrum, 1.0

    cell_days = np.concatenate(days)[first] if new else None
    land.add("_roofs", began if new else None, cells, look, cell_days=cell_days, tag="roof")


def add_slides(land: Land) -> None:
    """Landslides in the forest, gullies elsewhere, down steep slopes in the rains."""
    rng, weather, terrain, kind = land.rng, land.weather, land.terrain, land.recipe.kind
    steep = np.quantile(terrain.slope, 0.8)
    for _ in range(land.number(0.7 if kind == "dike" else 1.5)):
        centre = land.spot(lambda row, column: terrain.slope[row, column] > steep, free=False)
        if centre is None:
            continue
        aspect = terrain.aspect[int(centre[1] / 5), int(centre[0] / 5)]
        angle = math.atan2(-np.cos(aspect), np.sin(aspect))
        began = day_of(int(rng.choice([2021, 2022, 2023])), int(rng.integers(6, 11)), 12)
        ring = blob(rng, centre, rng.uniform(400, 4000), rng.uniform(3, 6), angle, 0.2)

        def look(day, began=began):
            green = 1.8 * weather.grass(day)[0] * (1 - math.exp(-(day - began) / 400))
            return canopy(land.soils[0] * 1.1, weather.moisture(day), green), 0.9

        name = "landslide" if kind == "forest" else "erosion_gully"
        land.stamp(name, began, ring, look, roughness=0.12)


def add_rocks(land: Land) -> None:
    """Bare granite, more of it where nobody mines."""
    rng, weather = land.rng, land.weather

    def look(day):
        return canopy(GRANITE, 0.6 * weather.moisture(day), 0.35 * weather.grass(day)[0], 0.1), 0.92

    for _ in range(land.number(1.0) + (2 if land.recipe.mines == "none" else 0)):
        centre = land.spot(land.upland)
        if centre is None:
            continue
        ring = blob(rng, centre, rng.uniform(800, 25000), rng.uniform(1, 2))
        land.stamp("bare_rock", None, ring, look, roughness=0.14)
