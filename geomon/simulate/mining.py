"""How pits look through their lives: stripped, worked, abandoned, grown over.

In: sites and the weather of a day. Out: `Diggings`, an overlay that paints the ground cells of all pits. Ponds are
turbid while gravel is washed and clear within months; spoil stays bare until plants return after one to two years.
"""

from dataclasses import dataclass

import numpy as np

from geomon.simulate import spectra
from geomon.simulate.climate import Weather
from geomon.simulate.fields import MINES, BoolArray, FloatArray, IntArray, rng_of, sigmoid
from geomon.simulate.pits import PIT, Pits, Site, pit_cells
from geomon.simulate.recipe import Recipe

_FRINGE_M = 4.0
"""Trampled and half-cleared rim around a pit; not dug ground, so not in the truth."""


@dataclass(frozen=True, slots=True)
class Diggings:
    """All pits of a landscape as an overlay.

    `record`, `pit`, `pond` and `trample` have one row per pit and cell, oldest pit first, for a later pit may dig a
    cell again: `record` indexes `cells`, `pit` the table `pits`; `pond` marks cells that hold water once the pit is
    open; `trample` is 1 in the pit and below 1 on its fringe. `site` and `shallow` (depth of the pond) are by pit,
    `bare` and `turbid` by site.
    """

    cells: IntArray
    record: IntArray
    pit: IntArray
    pond: BoolArray
    trample: FloatArray
    pits: Pits
    site: IntArray
    shallow: FloatArray
    bare: FloatArray
    turbid: FloatArray
    tone: FloatArray

    @property
    def dug_on(self) -> IntArray:
        """Day of each record."""
        return np.asarray(self.pits["dug_on"][self.pit], dtype=np.int64)

    def paint(self, under: FloatArray, weather: Weather) -> FloatArray:
        """Return the reflectance of `cells` [6, n] given what lies under them."""
        known = int(np.searchsorted(self.dug_on, weather.day, side="right"))
        latest = np.full(self.cells.size, -1, dtype=np.int64)
        latest[self.record[:known]] = np.arange(known)  # numpy keeps the last of repeated indices
        touched = np.flatnonzero(latest >= 0)
        row = latest[touched]
        trample, age = self.trample[row], (weather.day - self.dug_on[row]).astype(np.float32)
        alpha = np.where(trample < 1, trample * np.exp(-age / 220), trample).astype(np.float32)
        painted = under.copy()
        painted[:, touched] += alpha * (self._ground(row, touched, weather) - under[:, touched])
        return painted

    def _ground(self, row: IntArray, cell: IntArray, weather: Weather) -> FloatArray:
        pit = self.pit[row]
        strip, work, clear, regrow, dug_on = (
            self.pits[name][pit].astype(np.float32)
            for name in ("strip_days", "work_days", "clear_days", "regrow_days", "dug_on")
        )
        bare, turbid = (tone[:, self.site[pit]] for tone in (self.bare, self.turbid))
        age = np.float32(weather.day) - dug_on
        idle = age - strip - work
        opened = sigmoid((age - strip) / 4)
        stripped = 0.55 * bare + 0.45 * spectra.RED_SPOIL[:, None]
        dry = (stripped + opened * (bare - stripped)) * self.tone[cell] * spectra.soaked(weather.wetness)[:, None]
        washing = np.exp(-np.maximum(idle, 0) / clear)
        pond = washing * turbid + (1 - washing) * spectra.STANDING[:, None]
        # abandoned ponds sink with the water table
        low = (1 - washing) * self.shallow[pit] * sigmoid((0.22 - weather.stage) / 0.04)
        filled = self.pond[row] * opened * (1 - low)
        open_ground = dry + filled * (pond - dry)
        plants = 0.92 * sigmoid((idle - regrow) / (0.2 * regrow)) * (1 - 0.65 * filled)
        green = np.float32(0.25 + 0.75 * weather.greenness)
        herbs = (green * spectra.FALLOW + (1 - green) * spectra.FALLOW_DRY)[:, None]
        return np.asarray(open_ground + plants * (herbs - open_ground), dtype=np.float32)


def make_diggings(recipe: Recipe, sites: tuple[Site, ...]) -> Diggings:
    """Lay out all pits of all sites on the ground cells."""
    pits = np.concatenate([np.zeros(0, dtype=PIT), *(site.pits for site in sites)])
    order = np.argsort(pits["dug_on"], kind="stable")
    pits, site = pits[order], np.repeat(np.arange(len(sites)), [site.pits.size for site in sites])[order]
    found = [pit_cells(pit, recipe.cells, margin_m=_FRINGE_M) for pit in pits]
    where = np.concatenate([np.zeros(0, np.int64), *(flat for flat, _ in found)])
    reach = np.concatenate([np.zeros(0, np.float32), *(out for _, out in found)])
    pit = np.repeat(np.arange(pits.size), [flat.size for flat, _ in found]).astype(np.int64)
    dug = reach <= 1
    first = np.full(recipe.cells**2, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, where[dug], pits["dug_on"][pit[dug]])
    kept = dug | (first[where] > pits["dug_on"][pit])  # a fringe never covers a pit
    cells, record = np.unique(where[kept], return_inverse=True)
    rng = rng_of(recipe.seed, MINES, 1)
    none = np.zeros((6, 0), dtype=np.float32)
    return Diggings(
        cells=cells,
        record=record.astype(np.int64),
        pit=pit[kept],
        pond=(reach < np.sqrt(pits["pond_share"][pit]))[kept],
        trample=np.where(dug, 1.0, 0.45)[kept].astype(np.float32),
        pits=pits,
        site=site.astype(np.int64),
        shallow=rng.beta(1.2, 1.5, pits.size).astype(np.float32),
        bare=np.column_stack([none, *(site.bare for site in sites)]),
        turbid=np.column_stack([none, *(site.turbid for site in sites)]),
        tone=np.exp(rng.normal(0, 0.14, cells.size)).astype(np.float32),
    )


def first_dug(diggings: Diggings) -> tuple[IntArray, IntArray, IntArray]:
    """Return the flat cells that lie in a pit, the day each was first dug, and the index of the site that did."""
    inside = np.flatnonzero(diggings.trample == 1)
    cell, where = np.unique(diggings.record[inside], return_index=True)
    row = inside[where]  # rows are in order of date, so the first one is the oldest
    return diggings.cells[cell], diggings.dug_on[row], diggings.site[diggings.pit[row]]
