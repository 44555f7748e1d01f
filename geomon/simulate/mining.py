"""How pits look through their lives: stripped, worked, abandoned, grown over.

In: sites and the weather of a day. Out: `Diggings`, an overlay that paints the ground cells of all pits. Ponds are
turbid while gravel is washed and clear within months; spoil stays bare until plants return after one to two years.
"""

from dataclasses import dataclass

import numpy as np

from geomon.simulate import spectra
from geomon.simulate.climate import Weather
from geomon.simulate.fields import MINES, BoolArray, FloatArray, IntArray, rng_of, sigmoid
from geomon.simulate.pits import Pit, Site, pit_cells
from geomon.simulate.recipe import Recipe

_FRINGE_M = 4.0
"""Trampled and half-cleared rim around a pit; not dug ground, so not in the truth."""


@dataclass(frozen=True, slots=True)
class Records:
    """One row per pit and cell, oldest pit first; a later pit may dig a cell again.

    `cell` indexes `Diggings.cells`; `pond` marks cells that hold water once the pit is open; `trample` is 1 in the pit
    and below 1 on its fringe.
    """

    cell: IntArray
    pit: IntArray
    dug_on: IntArray
    pond: BoolArray
    trample: FloatArray


@dataclass(frozen=True, slots=True)
class _Pace:
    """Per pit: days of each stage, depth of the pond, and the site it belongs to."""

    strip: FloatArray
    work: FloatArray
    clear: FloatArray
    regrow: FloatArray
    shallow: FloatArray
    site: IntArray


@dataclass(frozen=True, slots=True)
class Diggings:
    """All pits of a landscape as an overlay."""

    cells: IntArray
    records: Records
    pace: _Pace
    bare: FloatArray
    turbid: FloatArray
    tone: FloatArray

    def paint(self, under: FloatArray, weather: Weather) -> FloatArray:
        """Return the reflectance of `cells` [6, n] given what lies under them."""
        known = int(np.searchsorted(self.records.dug_on, weather.day, side="right"))
        latest = np.full(self.cells.size, -1, dtype=np.int64)
        latest[self.records.cell[:known]] = np.arange(known)  # numpy keeps the last of repeated indices
        touched = np.flatnonzero(latest >= 0)
        row = latest[touched]
        alpha = self._trample(row, weather)
        painted = under.copy()
        painted[:, touched] += alpha * (self._ground(row, touched, weather) - under[:, touched])
        return painted

    def _trample(self, row: IntArray, weather: Weather) -> FloatArray:
        trample = self.records.trample[row]
        age = (weather.day - self.records.dug_on[row]).astype(np.float32)
        return np.where(trample < 1, trample * np.exp(-age / 220), trample).astype(np.float32)

    def _ground(self, row: IntArray, cell: IntArray, weather: Weather) -> FloatArray:
        pit = self.records.pit[row]
        site = self.pace.site[pit]
        age = (weather.day - self.records.dug_on[row]).astype(np.float32)
        idle = age - self.pace.strip[pit] - self.pace.work[pit]
        opened = sigmoid((age - self.pace.strip[pit]) / 4)
        soaked = 1 - spectra.WET_DARKENING[:, None] * np.float32(weather.wetness)
        stripped = 0.55 * self.bare[:, site] + 0.45 * spectra.RED_SPOIL[:, None]
        dry = (stripped + opened * (self.bare[:, site] - stripped)) * self.tone[cell] * soaked
        washing = np.exp(-np.maximum(idle, 0) / self.pace.clear[pit])
        pond = washing * self.turbid[:, site] + (1 - washing) * spectra.STANDING[:, None]
        filled = self.records.pond[row] * opened
        # abandoned ponds sink with the water table
        low = (1 - washing) * self.pace.shallow[pit] * sigmoid((0.22 - weather.stage) / 0.04)
        filled = filled * (1 - low)
        open_ground = dry + filled * (pond - dry)
        plants = 0.92 * sigmoid((idle - self.pace.regrow[pit]) / (0.2 * self.pace.regrow[pit]))
        plants = plants * (1 - 0.65 * filled)
        green = np.float32(0.25 + 0.75 * weather.greenness)
        herbs = (green * spectra.FALLOW + (1 - green) * spectra.FALLOW_DRY)[:, None]
        return np.asarray(open_ground + plants * (herbs - open_ground), dtype=np.float32)


def make_diggings(recipe: Recipe, sites: tuple[Site, ...]) -> Diggings:
    """Lay out all pits of all sites on the ground cells."""
    pits = [(pit, index) for index, site in enumerate(sites) for pit in site.pits]
    pits.sort(key=lambda pair: pair[0].dug_on)
    flat, records = _records([pit for pit, _ in pits], recipe.cells)
    rng = rng_of(recipe.seed, MINES, 1)
    none = np.zeros((6, 0), dtype=np.float32)
    return Diggings(
        cells=flat,
        records=records,
        pace=_Pace(
            strip=np.array([pit.strip_days for pit, _ in pits], dtype=np.float32),
            work=np.array([pit.work_days for pit, _ in pits], dtype=np.float32),
            clear=np.array([pit.clear_days for pit, _ in pits], dtype=np.float32),
            regrow=np.array([pit.regrow_days for pit, _ in pits], dtype=np.float32),
            shallow=rng.beta(1.2, 1.5, len(pits)).astype(np.float32),
            site=np.array([index for _, index in pits], dtype=np.int64),
        ),
        bare=np.column_stack([site.bare for site in sites]) if sites else none,
        turbid=np.column_stack([site.turbid for site in sites]) if sites else none,
        tone=np.exp(rng.normal(0, 0.14, flat.size)).astype(np.float32),
    )


def _records(pits: list[Pit], cells: int) -> tuple[IntArray, Records]:
    found = [pit_cells(pit, cells, margin_m=_FRINGE_M) for pit in pits]
    none = np.zeros(0, dtype=np.int64)
    where = np.concatenate([none, *(flat for flat, _ in found)])
    reach = np.concatenate([np.zeros(0, np.float32), *(out for _, out in found)])
    pit = np.repeat(np.arange(len(pits)), [flat.size for flat, _ in found]).astype(np.int64)
    dug_on = np.array([p.dug_on for p in pits], dtype=np.int64)[pit]
    share = np.array([p.pond_share for p in pits], dtype=np.float32)[pit]
    dug = reach <= 1
    fresh = dug | ~_dug_before(where, dug, dug_on)
    unique, cell = np.unique(where[fresh], return_inverse=True)
    records = Records(
        cell=cell.reshape(-1).astype(np.int64),
        pit=pit[fresh],
        dug_on=dug_on[fresh],
        pond=(reach < np.sqrt(share))[fresh],
        trample=np.where(dug, 1.0, 0.45)[fresh].astype(np.float32),
    )
    return unique, records


def _dug_before(where: IntArray, dug: BoolArray, dug_on: IntArray) -> BoolArray:
    """Whether each record's cell is already inside a pit: a fringe never covers a pit."""
    if where.size == 0:
        return np.zeros(0, dtype=np.bool_)
    first = np.full(int(where.max()) + 1, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, where[dug], dug_on[dug])
    return np.asarray(first[where] <= dug_on)


def first_dug(diggings: Diggings) -> tuple[IntArray, IntArray, IntArray]:
    """Return the flat cells that lie in a pit, the day each was first dug, and the index of the site that did."""
    records = diggings.records
    inside = np.flatnonzero(records.trample == 1)
    cell, where = np.unique(records.cell[inside], return_index=True)
    row = inside[where]  # rows are in order of date, so the first one is the oldest
    return diggings.cells[cell], records.dug_on[row], diggings.pace.site[records.pit[row]]
