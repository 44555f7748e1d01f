"""How pits look through their lives: stripped, worked, abandoned, grown over.

In: sites and the weather of a day. Out: `Diggings`, and an overlay that paints them. Ponds are
turbid while gravel is washed and clear within months; spoil stays bare until plants return after one to two years.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from geomon.simulate import spectra
from geomon.simulate.climate import Weather
from geomon.simulate.fields import MINES, BoolArray, FloatArray, IntArray, rng_of, sigmoid, tones
from geomon.simulate.overlay import Overlay
from geomon.simulate.pits import PIT, Pits, Site, pit_cells
from geomon.simulate.recipe import Recipe

_FRINGE_M = 4.0
"""Trampled and half-cleared rim around a pit; not dug ground, so not in the truth."""


@dataclass(frozen=True, slots=True)
class Diggings:
    """All pits of a landscape, laid out on the ground cells.

    `record`, `pit`, `pond` and `trample` have one row per pit and cell, oldest pit first, for a later pit may dig a
    cell again: `record` indexes `cells`, `pit` the table `pits`; `pond` marks cells that hold water once the pit is
    open; `trample` is 1 in the pit and below 1 on its fringe. `site` is by pit.
    """

    cells: IntArray
    record: IntArray
    pit: IntArray
    pond: BoolArray
    trample: FloatArray
    pits: Pits
    site: IntArray

    @property
    def dug_on(self) -> IntArray:
        """Day of each record."""
        return np.asarray(self.pits["dug_on"][self.pit], dtype=np.int64)


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
    pond = (reach < np.sqrt(pits["pond_share"][pit]))[kept]
    trample = np.where(dug, 1.0, 0.45)[kept].astype(np.float32)
    return Diggings(cells, record.astype(np.int64), pit[kept], pond, trample, pits, site.astype(np.int64))


def first_dug(diggings: Diggings) -> tuple[IntArray, IntArray, IntArray]:
    """Return the flat cells that lie in a pit, the day each was first dug, and the index of the site that did."""
    inside = np.flatnonzero(diggings.trample == 1)
    cell, where = np.unique(diggings.record[inside], return_index=True)
    row = inside[where]  # rows are in order of date, so the first one is the oldest
    return diggings.cells[cell], diggings.dug_on[row], diggings.site[diggings.pit[row]]


def make_mines(recipe: Recipe, sites: tuple[Site, ...], diggings: Diggings) -> Overlay:
    """Paint all pits."""
    rng = rng_of(recipe.seed, MINES, 1)
    sinking = rng.beta(1.2, 1.5, diggings.pits.size).astype(np.float32)
    tone = tones(rng, diggings.cells.size, 0.14)
    none = np.zeros((6, 0), dtype=np.float32)
    bare, turbid = (np.column_stack([none, *(getattr(s, name) for s in sites)]) for name in ("bare", "turbid"))
    dug_on = diggings.dug_on

    def paint(under: FloatArray, weather: Weather) -> FloatArray:
        known = int(np.searchsorted(dug_on, weather.day, side="right"))
        latest = np.full(diggings.cells.size, -1, dtype=np.int64)
        latest[diggings.record[:known]] = np.arange(known)  # numpy keeps the last of repeated indices
        touched = np.flatnonzero(latest >= 0)
        row = latest[touched]
        pit, trample, age = diggings.pit[row], diggings.trample[row], np.float32(weather.day) - dug_on[row]
        alpha = np.where(trample < 1, trample * np.exp(-age / 220), 1).astype(np.float32)
        site = diggings.site[pit]
        look = _Look(bare[:, site], turbid[:, site], tone[touched], diggings.pond[row], sinking[pit])
        painted = under.copy()
        painted[:, touched] += alpha * (_ground(diggings.pits[pit], age, look, weather) - under[:, touched])
        return painted

    return Overlay(diggings.cells, paint, np.zeros(diggings.cells.size, dtype=np.uint8))


class _Look(NamedTuple):
    """Per cell: its site's spoil and water, its own tone, whether it holds a pond, how far that sinks."""

    bare: FloatArray
    turbid: FloatArray
    tone: FloatArray
    pond: BoolArray
    sinking: FloatArray


def _ground(pits: Pits, age: FloatArray, look: _Look, weather: Weather) -> FloatArray:
    strip, work, clear, regrow = (
        pits[name].astype(np.float32) for name in ("strip_days", "work_days", "clear_days", "regrow_days")
    )
    idle = age - strip - work
    opened = sigmoid((age - strip) / 4)
    stripped = 0.55 * look.bare + 0.45 * spectra.RED_SPOIL[:, None]
    dry = (stripped + opened * (look.bare - stripped)) * look.tone * spectra.soaked(weather.wetness)[:, None]
    washing = np.exp(-np.maximum(idle, 0) / clear)
    pond = washing * look.turbid + (1 - washing) * spectra.STANDING[:, None]
    # abandoned ponds sink with the water table
    low = (1 - washing) * look.sinking * sigmoid((0.22 - weather.stage) / 0.04)
    filled = look.pond * opened * (1 - low)
    open_ground = dry + filled * (pond - dry)
    plants = 0.92 * sigmoid((idle - regrow) / (0.2 * regrow)) * (1 - 0.65 * filled)
    green = np.float32(0.25 + 0.75 * weather.greenness)
    herbs = (green * spectra.FALLOW + (1 - green) * spectra.FALLOW_DRY)[:, None]
    return np.asarray(open_ground + plants * (herbs - open_ground), dtype=np.float32)
