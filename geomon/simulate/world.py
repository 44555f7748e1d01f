"""Everything that a recipe leads to, before any of it is painted.

In: a recipe. Out: `World`: the land, its weather, its mines and whatever else changes on it.
"""

from dataclasses import dataclass

import numpy as np

from geomon.simulate.clearings import Clearing, make_clearings, make_fields
from geomon.simulate.climate import Climate, make_climate
from geomon.simulate.disturbance import make_roads, make_sandbanks, make_village
from geomon.simulate.fields import BoolArray
from geomon.simulate.landscape import Landscape, make_landscape
from geomon.simulate.mining import Diggings, make_diggings, make_mines
from geomon.simulate.overlay import Overlay
from geomon.simulate.pits import Site, make_sites
from geomon.simulate.recipe import CELL_M, Recipe
from geomon.simulate.seasons import Fires, Floods, make_fires, make_floods

_KEEP_OFF_M = 25.0
"""Other disturbances keep this far from mines, so that no pixel has two truths."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a recipe led to; of the overlays later ones lie on top, mines last."""

    recipe: Recipe
    land: Landscape
    climate: Climate
    fires: Fires
    floods: Floods
    sites: tuple[Site, ...]
    diggings: Diggings
    clearings: tuple[Clearing, ...]
    overlays: tuple[Overlay, ...]


def make_world(recipe: Recipe) -> World:
    """Draw the landscape, its mines and its disturbances; no pixel is painted yet."""
    land, climate = make_landscape(recipe), make_climate(recipe)
    sites = make_sites(recipe, land)
    diggings = make_diggings(recipe, sites)
    mined = _around(recipe, diggings)
    village = make_village(recipe, land)
    occupied = mined.copy()
    occupied.reshape(-1)[village.cells] = True
    clearings = make_clearings(recipe, land, climate, occupied)
    overlays = (
        make_sandbanks(recipe, land, climate),
        make_fields(recipe, clearings),
        make_roads(recipe, mined | land.channels.water()),
        village,
        make_mines(recipe, sites, diggings),
    )
    fires, floods = make_fires(recipe), make_floods(recipe, land)
    return World(recipe, land, climate, fires, floods, sites, diggings, clearings, overlays)


def _around(recipe: Recipe, diggings: Diggings) -> BoolArray:
    """Cells within the keep-off distance of any pit."""
    near = np.zeros((recipe.cells, recipe.cells), dtype=np.bool_)
    reach = int(_KEEP_OFF_M / CELL_M)
    rows, columns = np.divmod(diggings.cells, recipe.cells)
    for down in range(-reach, reach + 1, 2):
        for right in range(-reach, reach + 1, 2):
            near[np.clip(rows + down, 0, recipe.cells - 1), np.clip(columns + right, 0, recipe.cells - 1)] = True
    return near
