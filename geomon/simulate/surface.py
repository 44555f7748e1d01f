"""Reflectance of the ground on any day, seen without air between.

In: landscape, climate, seasons and overlays. Out: `Scenery`, whose `reflectance(day)` is float32 (6, rows, columns) on
10 m pixels. Undisturbed cover is mixed per pixel by its share; cells that an overlay may touch are painted one by one
on the 2.5 m grid and averaged, so that a pit smaller than a pixel weighs what it covers.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from geomon.simulate import spectra
from geomon.simulate.climate import Weather
from geomon.simulate.fields import FloatArray, IntArray, block_mean
from geomon.simulate.landscape import Cover
from geomon.simulate.recipe import OVERSAMPLE
from geomon.simulate.world import World


class _Look(NamedTuple):
    """How a cover swings through the year: greenness = low + (high - low) * that of the grass; sd of texture."""

    green: FloatArray
    dry: FloatArray
    low: float
    high: float
    crown_sd: float
    patch_sd: float
    burns: float = 0.0
    soil: float = 0.0


_LOOKS: Final = {
    Cover.FOREST: _Look(spectra.FOREST, spectra.FOREST_DRY, 0.55, 1.0, 0.09, 0.03),
    Cover.GALLERY: _Look(spectra.GALLERY, spectra.GALLERY_DRY, 0.45, 1.0, 0.09, 0.04),
    Cover.GRASS: _Look(spectra.GRASS, spectra.GRASS_DRY, 0.0, 1.0, 0.05, 0.07, burns=1.0, soil=0.3),
    Cover.WOODY: _Look(spectra.WOODY, spectra.WOODY_DRY, 0.05, 1.0, 0.08, 0.06, burns=0.65, soil=0.15),
    Cover.FLOODPLAIN: _Look(spectra.MEADOW, spectra.MEADOW_DRY, 0.15, 1.0, 0.05, 0.06, burns=0.5, soil=0.2),
    Cover.WATER: _Look(spectra.RIVER, spectra.RIVER, 0.0, 1.0, 0.03, 0.02),
    Cover.FALLOW: _Look(spectra.FALLOW, spectra.FALLOW_DRY, 0.15, 1.0, 0.06, 0.05),
    Cover.ORCHARD: _Look(spectra.ORCHARD, spectra.ORCHARD_DRY, 0.25, 1.0, 0.07, 0.04),
    Cover.CRUST: _Look(0.55 * spectra.GRASS + 0.45 * spectra.CRUST, spectra.CRUST, 0.0, 0.8, 0.06, 0.08, soil=0.9),
    Cover.TRACK: _Look(spectra.LATERITE, spectra.LATERITE, 0.0, 0.0, 0.05, 0.04, soil=0.7),
}


@dataclass(frozen=True, slots=True)
class Scenery:
    """Everything that decides how the ground looks; made by `make_scenery`."""

    world: World
    cells: IntArray
    pixel: IntArray
    cover: FloatArray
    slots: tuple[IntArray, ...]
    still: dict[Cover, FloatArray]

    def reflectance(self, day: int) -> FloatArray:
        """Surface reflectance of one day.

        Parameters
        ----------
        day : int
            Days since 1970-01-01.

        Returns
        -------
        float32, (6, rows, columns)
            Reflectance [0-1] in the order of `geomon.model.BANDS`.
        """
        weather = self.world.climate.at(day)
        shape = self.world.land.texture["crown"].shape
        seen = np.zeros((6, *shape), dtype=np.float32)
        ground = np.zeros((6, self.cells.size), dtype=np.float32)
        for cover, share in self.still.items():
            look = self._cover(cover, weather)
            seen += share * look
            here = np.flatnonzero(self.cover == cover)
            ground[:, here] = look.reshape(6, -1)[:, self.pixel[here]]
        for overlay, slot in zip(self.world.overlays, self.slots, strict=True):
            ground[:, slot] = overlay.paint(ground[:, slot], weather)
        size = shape[0] * shape[1]
        for band in range(6):
            moved = np.bincount(self.pixel, weights=ground[band], minlength=size) / OVERSAMPLE**2
            seen[band] += moved.reshape(shape).astype(np.float32)
        return seen

    def _cover(self, cover: Cover, weather: Weather) -> FloatArray:
        look, texture = _LOOKS[cover], self.world.land.texture
        if cover is Cover.WATER:
            return np.broadcast_to(spectra.river(weather.turbidity)[:, None, None], (6, *texture["crown"].shape))
        grass = self.world.climate.green_on(np.float32(weather.day) - texture["lag_days"])
        green = look.low + (look.high - look.low) * grass + 0.05 * texture["vigour"]
        if look.burns:
            green = green + look.burns * self.world.fires.flush(weather.day)
        green = np.clip(green, 0, 1)
        seen = look.dry[:, None, None] + green * (look.green - look.dry)[:, None, None]
        bright = 1 + look.crown_sd * texture["crown"] + look.patch_sd * texture["patch"]
        seen = seen * np.maximum(bright, 0.4)
        if look.soil:
            seen *= 1 - look.soil * np.float32(weather.wetness) * spectra.WET_DARKENING[:, None, None] * (1 - green)
        if look.burns:
            seen += look.burns * self.world.fires.char(weather.day) * (spectra.CHAR[:, None, None] - seen)
        if cover is Cover.FLOODPLAIN:
            seen += self.world.floods.share(weather) * (spectra.RIVER_FLOOD[:, None, None] - seen)
        return np.asarray(seen, dtype=np.float32)


def make_scenery(world: World) -> Scenery:
    """Split the ground into still cover, mixed once, and the cells that overlays paint."""
    recipe, cover = world.recipe, world.land.cover
    cells = np.unique(np.concatenate([overlay.cells for overlay in world.overlays]))
    touched = np.zeros(recipe.cells**2, dtype=np.bool_)
    touched[cells] = True
    untouched = ~touched.reshape(recipe.cells, recipe.cells)
    present = [code for code in Cover if (cover == code).any()]
    return Scenery(
        world=world,
        cells=cells,
        pixel=(cells // recipe.cells // OVERSAMPLE) * recipe.size_px + (cells % recipe.cells) // OVERSAMPLE,
        cover=cover.reshape(-1)[cells],
        slots=tuple(np.searchsorted(cells, overlay.cells) for overlay in world.overlays),
        still={code: block_mean((cover == code) & untouched, OVERSAMPLE) for code in present},
    )
