"""The land while it is being furnished: what stands where, what is logged for the truth, what room is left.

In: a recipe. Out: `Land`, with the events that `surface` paints in their order. It does not decide what an event looks
like: that is a function of the day, given by whoever puts it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import rasterio.features
from numpy.typing import ArrayLike
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from second.ground import SOILS, Burn, make_burns, make_cover, make_terrain
from second.outlines import cells_in, inwardness, noise
from second.recipe import BASELINE, CELL_M, END, HALF_M, Bools, Doubles, Floats, Ints, Recipe, day_of
from second.weather import make_weather

Look = Callable[[int], tuple[Any, ArrayLike]]
"""From a day to a spectrum, (6,) or (n, 6), and the share of each cell that it covers."""


@dataclass
class Event:
    """Something on the cells of ground from a day on (None: always); `cell_days` are the days of single cells."""

    kind: str
    day: int | None
    cells: Ints
    look: Look
    cell_days: Ints | None
    tag: str | None
    texture: Floats


class Logged(NamedTuple):
    """A confuser for the truth: polygons, or cells of the background."""

    kind: str
    day: int | None
    polygons: list[BaseGeometry] | None = None
    half_cells: Ints | None = None


class Land:
    """Weather, ground and everything put on it so far; one generator, drawn from in one order."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.rng = recipe, recipe.rng()
        self.weather = make_weather(recipe, self.rng)
        self.terrain = make_terrain(recipe, self.rng)
        self.cover = make_cover(recipe, self.terrain, self.rng)
        self.soils = SOILS[recipe.kind]
        self.burns: list[Burn] = make_burns(recipe, self.cover, self.rng)
        self.events: list[Event] = []
        self.logged = [Logged("savanna_burn", burn.day, half_cells=burn.patch) for burn in self.burns]
        self.busy: Bools = np.zeros((recipe.size // 2 + 1,) * 2, bool)
        self.river_water: Callable[[int], Floats]  # set with the river
        self.river_cells: Ints = np.zeros(0, np.int64)
        self.flood_from: Floats = np.zeros(0, np.float32)

    # ------------------------------------------------------------ draws

    def number(self, mean: float) -> int:
        """Draw how many there are, given the mean on 256 pixels a side."""
        return int(self.rng.poisson(mean * self.recipe.scale))

    def any_day(self) -> int:
        """Draw a day on which something may begin."""
        return int(self.rng.integers(BASELINE - 200, END - 20))

    def dry_day(self, first: float = -20, last: float = 75) -> int:
        """Draw a day around the dry season, from 1 December."""
        year = int(self.rng.choice([2020, 2021, 2022, 2022, 2023]))
        return day_of(year, 12, 1) + int(self.rng.uniform(first, last))

    def soil(self) -> Floats:
        """Draw a mix of the two soils."""
        share = self.rng.uniform(0.1, 0.9)
        return self.soils[0] * share + self.soils[1] * (1 - share)

    def spot(
        self, suits: Callable[[int, int], bool] | None = None, *, margin: float = 60, free: bool = True
    ) -> Doubles | None:
        """Draw a place (x, y) that suits, by row and column of the background, and is free; None after 60 tries."""
        for _ in range(60):
            place = self.rng.uniform(margin, self.recipe.side_m - margin, 2)
            column, row = (place / HALF_M).astype(int)
            if free and self.busy[int(place[1] / 20), int(place[0] / 20)]:
                continue
            if suits is None or suits(row, column):
                return place
        return None

    def upland(self, row: int, column: int) -> bool:
        """Tell ground far from water."""
        return bool(self.terrain.from_water[row, column] > 150)

    # ------------------------------------------------------------ putting things down

    def inside(self, ring: Doubles) -> Ints:
        """Cells of ground in a ring."""
        return cells_in(ring, self.recipe.cells)

    def inwardness(self, cells: Ints) -> Floats:
        """How far in each cell of a patch lies, to 1."""
        return inwardness(cells, self.recipe.cells)

    def add(
        self,
        kind: str,
        day: int | None,
        cells: Ints,
        look: Look,
        **more: Any,
    ) -> Event | None:
        """Put an event on cells; logged unless its kind begins with an underscore.

        `more`: `ring` for the log (else the outline of the cells), `cell_days`, `tag`, `roughness` (sd of texture).
        """
        ring, roughness = more.pop("ring", None), more.pop("roughness", 0.08)
        if len(cells) == 0:
            return None
        texture = 1 + roughness * self.rng.standard_normal(len(cells)).astype(np.float32)
        event = Event(
            kind,
            day,
            cells,
            look,
            cell_days=more.pop("cell_days", None),
            tag=more.pop("tag", None),
            texture=np.clip(texture, 0.6, 1.5)[:, None],
        )
        if more:
            raise TypeError(f"expected ring, cell_days, tag or roughness, got {sorted(more)}")
        self.events.append(event)
        if not kind.startswith("_"):
            polygons = self._outline(cells) if ring is None else [Polygon(ring).buffer(0)]
            self.logged.append(Logged(kind, None if day is None else int(day), polygons))
        return event

    def stamp(self, kind: str, day: int | None, ring: Doubles, look: Look, **more: Any) -> None:
        """Put an event in a ring, and let nothing else come there."""
        cells = self.inside(ring)
        self.add(kind, day, cells, look, ring=ring, **more)
        self.hold(cells)

    def hold(self, cells: Ints) -> None:
        """Keep cells and 40 m around them free of what asks for free ground."""
        rows, columns = np.divmod(cells, self.recipe.cells)
        taken = np.zeros_like(self.busy)
        taken[rows // 8, columns // 8] = True
        self.busy |= ndimage.binary_dilation(taken, iterations=2)

    def noise(self, slope: float, outer: float) -> Floats:
        """Fractal field on the background."""
        return noise(self.rng, self.recipe.halves, slope, outer)

    def _outline(self, cells: Ints) -> list[BaseGeometry]:
        side = self.recipe.cells
        covered = np.zeros(side * side, np.uint8)
        covered[cells] = 1
        found = rasterio.features.shapes(covered.reshape(side, side), transform=Affine.scale(CELL_M))
        return [shape(one) for one, value in found if value]
