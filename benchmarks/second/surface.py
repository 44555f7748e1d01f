"""The ground on one day: background, events, aprons and mines, on the half grid that the sensor samples.

In: the furnished land and its mines. Out: `Ground` by day. It does not decide what the sky or the sensor do to it.
Cells of ground (2.5 m) that hold an event are painted one by one and averaged into their cell of the background.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from second.background import background
from second.land import Land
from second.mines import Mines
from second.outlines import noise
from second.recipe import END, Doubles, Floats, Ints
from second.settlements import Pit
from second.spectra import SLURRY, canopy, water


class Ground(NamedTuple):
    """Reflectance (6, halves, halves), and shares of turbid ponds, dark ponds and roofs by 20 m pixel."""

    reflectance: Floats
    turbid: Floats
    dark: Floats
    roofs: Floats


class _Paint(NamedTuple):
    """Painted cells: reflectance (n, 6), and what the scene classification takes for cloud or shadow, (n,)."""

    cells: Floats
    turbid: Floats
    dark: Floats
    roofs: Floats


class Surface:
    """Every painted cell, with the textures of mines; one generator, drawn from after the mines."""

    def __init__(self, land: Land, mines: Mines) -> None:
        self.land, self.mines = land, mines
        side, halves = land.recipe.cells, land.recipe.halves
        self.dug = np.flatnonzero(mines.site >= 0)
        trampled = np.flatnonzero(mines.apron_site >= 0)
        self.apron = trampled[mines.site[trampled] < 0]
        used = [event.cells for event in land.events]
        painted = np.unique(np.concatenate([*used, self.dug, self.apron])).astype(np.int64)
        rows, columns = np.divmod(painted, side)
        parent = (rows // 2) * halves + columns // 2
        order = np.argsort(parent, kind="stable")
        painted, self.parent_of = painted[order], parent[order]
        self.parents, self.starts = np.unique(self.parent_of, return_index=True)
        self.counts = np.diff(np.r_[self.starts, len(painted)]).astype(np.float32)
        position = np.full(side * side, -1, np.int32)
        position[painted] = np.arange(len(painted))
        self.event_rows: list[Ints] = [position[cells] for cells in used]
        self.dug_rows, self.apron_rows = position[self.dug], position[self.apron]
        rows, columns = np.divmod(painted, side)
        self.pixel = (rows // 8) * (land.recipe.size // 2) + columns // 8
        self._draw_textures()

    def _draw_textures(self) -> None:
        rng, dug, apron = self.land.rng, len(self.dug), len(self.apron)
        self.dug_texture = np.clip(1 + 0.12 * rng.standard_normal((dug, 1)), 0.6, 1.4).astype(np.float32)
        mixing = noise(rng, self.land.recipe.cells, 2, 30).ravel()
        self.mix = np.clip(0.5 + 0.6 * mixing[self.dug], 0, 1).astype(np.float32)
        self.vigour = np.clip(rng.lognormal(-0.1, 0.5, dug), 0.1, 2).astype(np.float32)
        self.apron_texture = np.clip(1 + 0.12 * rng.standard_normal((apron, 1)), 0.6, 1.4).astype(np.float32)
        self.apron_share = rng.uniform(0.25, 0.85, apron).astype(np.float32)

    def draw_pit_floors(self) -> None:
        """Draw the floor of each pit that is no mine when it first comes into sight.

        The stream is drawn from at every delivered date for every pit in sight, used or not.
        """
        land = self.land
        pits = [event for event in land.events if isinstance(event.look, Pit)]
        for _, day in land.recipe.delivered():
            for event in pits:
                if day < event.day:
                    continue
                drawn = land.rng.random(len(event.cells)).astype(np.float32)
                if not event.look.floor.size:
                    event.look.floor = drawn * 0.5 + 0.5 * land.inwardness(event.cells)

    def on(self, day: int, sun: tuple[float, float]) -> Ground:
        """Ground on a day, sun at (zenith, azimuth)."""
        reflectance = background(self.land, day, sun)
        flat = reflectance.reshape(6, -1)
        count = len(self.parent_of)
        marks = (np.zeros(count, np.float32) for _ in range(3))
        paint = _Paint(np.ascontiguousarray(flat[:, self.parent_of].T), *marks)
        self._paint_events(paint, day)
        if len(self.apron):
            self._paint_aprons(paint, day)
        if len(self.dug):
            self._paint_mines(paint, day)
        for band in range(6):
            sums = np.add.reduceat(paint.cells[:, band], self.starts)
            flat[band, self.parents] += (sums - self.counts * flat[band, self.parents]) / 4
        return Ground(reflectance, *(self._by_pixel(mark) for mark in paint[1:]))

    def _by_pixel(self, marked: Floats) -> Floats:
        side = self.land.recipe.size // 2
        return np.bincount(self.pixel, marked, side * side).reshape(side, -1).astype(np.float32) / 64

    def _paint_events(self, paint: _Paint, day: int) -> None:
        for event, rows in zip(self.land.events, self.event_rows, strict=True):
            if event.day is not None and day < event.day:
                continue
            spectrum, covered = event.look(day)
            share = np.broadcast_to(np.asarray(covered, np.float32), (len(rows),))
            if event.cell_days is not None:
                share = share * (day >= event.cell_days)
            share = share[:, None]
            paint.cells[rows] = (1 - share) * paint.cells[rows] + share * spectrum * event.texture
            if event.tag == "roof":
                paint.roofs[rows] = share[:, 0]
            if event.tag == "pond" and day > event.day + 20:
                (paint.dark if spectrum[2] < 0.07 else paint.turbid)[rows] = 1

    def _paint_aprons(self, paint: _Paint, day: int) -> None:
        """Trampled ground: half bare from the first day, overgrown twice as fast as the pits."""
        mines, green = self.mines, self.land.weather.grass(day)[0]
        site = mines.apron_site[self.apron]
        age = day - mines.apron[self.apron]
        end = np.array([one.end for one in mines.sites])[site]
        growing = np.array([one.regrowth_days for one in mines.sites])[site] * 0.5
        leaves = 1.8 * (1 - np.exp(-np.maximum(0, day - end - 20) / growing)) * (0.4 + 0.6 * green)
        soil = np.array([one.soil for one in mines.sites])[site]
        wet = np.full(len(age), self.land.weather.moisture(day) * 0.8)
        spectrum = canopy(soil, wet, leaves + 0.15, 0.25)
        share = (self.apron_share * (age >= 0) * np.clip(age / 15, 0.3, 1))[:, None].astype(np.float32)
        rows = self.apron_rows
        paint.cells[rows] = (1 - share) * paint.cells[rows] + share * spectrum * self.apron_texture

    def _paint_mines(self, paint: _Paint, day: int) -> None:
        """Pits, ponds, spoil; cleared ground in the ten days before."""
        age = day - self.mines.dug[self.dug]
        share = (age >= -10).astype(np.float32)[:, None]
        pond, above = self._ponds(day, age)
        pool = self._pool_water(day)
        dry = self._dry_ground(day, age, slurry=~pond & above)
        spectrum = np.where(pond[:, None], pool, dry * self.dug_texture)
        rows = self.dug_rows
        paint.cells[rows] = (1 - share) * paint.cells[rows] + share * spectrum
        paint.turbid[rows] = pond & (pool[:, 2] > 0.07)
        paint.dark[rows] = pond & (pool[:, 2] <= 0.07)

    def _of_site(self, name: str) -> Floats:
        """One number or spectrum of its site for each dug cell."""
        values = [getattr(one, name) for one in self.mines.sites]
        return np.array(values, np.float32)[self.mines.site[self.dug]]

    def _ponds(self, day: int, age: Ints):
        """Cells below the water table, and cells at work so little above it that slurry stands there."""
        depth, spoil = self.mines.depth[self.dug], self.mines.spoil[self.dug]
        weather, table = self.land.weather, self._of_site("water_table")
        rain = 0.12 * np.clip(weather.moisture(day), 0, 1)
        level = table + self._of_site("table_swing") * (weather.lake(day) - 0.4) + rain
        below = depth - (1 - level)
        pond = ((below > 0) & ~spoil & (age > 6)) | (age > 6) & (depth > 0.95) & (table > 0)
        at_work = day < self.mines.work_end[self.dug]
        return pond, ~spoil & at_work & (below > -0.15) & (age > 4) & (table > 0.1)

    def _pool_water(self, day: int) -> Floats:
        """Water of the pits, turbid while they are worked, clearing and greening after."""
        work_end, tsm = self.mines.work_end[self.dug], self._of_site("tsm")
        rest = np.maximum(0, day - work_end)
        stirred = 60 * self.land.weather.moisture(day) * (rest > 0)
        settling = tsm * np.exp(-rest / self._of_site("clearing_days")) + 6 + stirred
        plants = self._of_site("chlorophyll") * (1 - np.exp(-rest / 90))
        return water(np.where(day < work_end, tsm, settling), plants, self._of_site("cdom"))

    def _dry_ground(self, day: int, age: Ints, *, slurry: Ints) -> Doubles:
        """Overburden, then alluvium, drying, overgrown at last; deeper is darker."""
        mines, moisture = self.mines, self.land.weather.moisture(day)
        spoil, depth, soil = mines.spoil[self.dug], mines.depth[self.dug], self._of_site("soil")
        mix = self.mix[:, None]
        alluvium = (1 - mix) * self._of_site("first") + mix * self._of_site("other")
        cover = (np.clip(1 - age / 14, 0, 1) * (1 - 0.4 * spoil))[:, None]
        material = cover * soil + (1 - cover) * alluvium
        fresh = 0.85 * np.exp(-np.maximum(age, 0) / np.where(spoil, 5, 16))
        wet = np.maximum(moisture, fresh)
        seeping = np.clip(0.15 + 0.5 * self._of_site("water_table"), 0.1, 0.6)
        wet = np.where(spoil, wet * 0.8, np.maximum(wet, seeping))
        leaves = self._regrowth(day)
        ground = canopy(np.where(slurry[:, None], SLURRY, material), wet, leaves, 0.15 * leaves)
        ground = ground * (1 - 0.18 * depth * (~spoil))[:, None]
        cleared = canopy(soil, np.full(len(age), max(moisture, 0.35)), 0.3, 0.8)
        return np.where((age < 0)[:, None], cleared, ground)

    def _regrowth(self, day: int) -> Doubles:
        """Leaf area on dug ground since its site was left."""
        end = np.array([one.end for one in self.mines.sites])[self.mines.site[self.dug]]
        left_on = np.minimum(end, self.mines.work_end[self.dug] + 200)
        age = np.maximum(0, day - left_on - self._of_site("fallow_days")) * (end < END + 400)
        grown = 1 - np.exp(-age / self._of_site("regrowth_days"))
        season = 0.35 + 0.65 * self.land.weather.grass(day)[0]
        return self._of_site("leaves") * self.vigour * grown * season
