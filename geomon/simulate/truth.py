"""What really happened: the layers and tables that a detector is scored against.

In: the landscape, its diggings and its disturbances. Out: the files of `truth/`. Areas are counted in ground cells on
the lattice (6.25 m2 each, true to 0.1 %): truth needs no geodesy, products take theirs from `geomon.grid`.
"""

from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from geomon.model import from_day
from geomon.simulate.fields import BoolArray, FloatArray, IntArray, block_mean
from geomon.simulate.files import outline, write_cog, write_features, write_json
from geomon.simulate.landscape import Cover, Landscape
from geomon.simulate.mining import Diggings, first_dug
from geomon.simulate.overlay import Disturbed
from geomon.simulate.recipe import CELL_M, OVERSAMPLE, Recipe
from geomon.simulate.world import World

DUG_FROM = 0.25
"""Share of a pixel from which it counts as dug."""
MEANINGS: Final = {
    "fraction_new": "share of pixel dug since the monitor start",
    "fraction_all": "share of pixel ever dug",
    "dug_on": "days since 1970-01-01 when the share ever dug reached 0.25; 0 never",
    "new_dug_on": "days since 1970-01-01 when the share dug in the monitor period reached 0.25; 0 never",
}


def dug_layers(recipe: Recipe, diggings: Diggings) -> dict[str, NDArray[Any]]:
    """Count dug cells per pixel, and find the day a quarter of a pixel was dug: the layers of `MEANINGS`.

    Returns
    -------
    dict of (rows, columns)
        Shares are float32 [0-1], days int32.
    """
    cells, days, _ = first_dug(diggings)
    fresh = days >= recipe.days[1]
    pixel = _pixel_of(recipe, cells)
    return {
        "fraction_new": _share(recipe, pixel[fresh]),
        "fraction_all": _share(recipe, pixel),
        "dug_on": _reached(recipe, pixel, days),
        "new_dug_on": _reached(recipe, pixel[fresh], days[fresh]),
    }


def write_truth(folder: Path, world: World) -> None:
    """Write all of `truth/`: the layers of `MEANINGS`, `cover`, `disturbance`, `sites` and `parameters`."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = world.recipe
    dug = dug_layers(recipe, world.diggings)
    for name, meaning in MEANINGS.items():
        write_cog(folder / f"{name}.tif", dug[name], recipe, nodata=None, tags={"MEANING": meaning})
    shares = np.stack([block_mean(world.land.cover == code, OVERSAMPLE) for code in Cover])
    cover = np.array(list(Cover), dtype=np.uint8)[shares.argmax(axis=0)]
    write_cog(folder / "cover.tif", cover, recipe, tags=_names(Cover))
    write_cog(folder / "disturbance.tif", disturbed(world), recipe, nodata=None, tags=_names(Disturbed))
    _write_sites(folder / "sites.geojson", world)
    options = asdict(recipe)
    for span in ("baseline", "monitor"):
        options[span] = [day.isoformat() for day in options[span]]
    realised = {
        "dates": len(recipe.dates),
        "new_share": round(float(dug["fraction_new"].mean()), 6),
        "dug_share": round(float(dug["fraction_all"].mean()), 6),
        "sites": len(world.sites),
        "clearings": len(world.clearings),
    }
    write_json(folder / "parameters.json", {"simulated": True, "recipe": options, "realised": realised})


def disturbed(world: World) -> NDArray[np.uint8]:
    """Return the `Disturbed` code of each pixel."""
    recipe = world.recipe
    _, start, end = recipe.days
    highest = max((world.climate.at(day) for day in range(start, end + 1, 3)), key=lambda weather: weather.stage)
    codes = np.zeros((recipe.size_px, recipe.size_px), dtype=np.uint8)
    savanna = _has(world.land, Cover.GRASS, Cover.WOODY, Cover.FLOODPLAIN)
    codes[world.fires.burnt(start, end) & savanna] = Disturbed.BURN
    codes[(world.floods.share(highest) > 0.2) & _has(world.land, Cover.FLOODPLAIN)] = Disturbed.FLOOD
    for code in list(Disturbed)[Disturbed.SANDBANK :]:
        touched = [overlay.cells[overlay.truth == code] for overlay in world.overlays]
        codes[_share(recipe, _pixel_of(recipe, np.concatenate(touched))) >= DUG_FROM] = code
    return codes


def _pixel_of(recipe: Recipe, cells: IntArray) -> IntArray:
    rows, columns = cells // recipe.cells // OVERSAMPLE, cells % recipe.cells // OVERSAMPLE
    return np.asarray(rows * recipe.size_px + columns, dtype=np.int64)


def _share(recipe: Recipe, pixel: IntArray) -> FloatArray:
    count = np.bincount(pixel, minlength=recipe.size_px**2)
    return (count.reshape(recipe.size_px, recipe.size_px) / OVERSAMPLE**2).astype(np.float32)


def _reached(recipe: Recipe, pixel: IntArray, days: IntArray) -> NDArray[np.int32]:
    """Day of the k-th cell of each pixel, k cells being the share that counts as dug."""
    order = np.lexsort((days, pixel))
    pixel, days = pixel[order], days[order]
    first = np.searchsorted(pixel, pixel)  # where each pixel's run begins
    kth = np.arange(pixel.size) - first == int(np.ceil(DUG_FROM * OVERSAMPLE**2)) - 1
    out = np.zeros(recipe.size_px**2, dtype=np.int32)
    out[pixel[kth]] = days[kth]
    return out.reshape(recipe.size_px, recipe.size_px)


def _has(land: Landscape, *covers: Cover) -> BoolArray:
    return np.asarray(block_mean(np.isin(land.cover, covers), OVERSAMPLE) >= 0.5)


def _names(codes: type[IntEnum]) -> dict[str, str]:
    return {f"CLASS_{code.value}": code.name.lower() for code in codes}


def _write_sites(path: Path, world: World) -> None:
    recipe = world.recipe
    cells, days, owner = first_dug(world.diggings)
    rows, outlines = [], []
    for index, site in enumerate(world.sites):
        mine = owner == index
        if not mine.any():
            continue
        fresh = mine & (days >= recipe.days[1])
        rows.append(
            {
                "id": f"site-{site.number:03d}",
                "life": site.life,
                "first_dug": from_day(site.first_dug).isoformat(),
                "last_active": from_day(site.last_dug).isoformat(),
                "area_ha": round(float(mine.sum()) * CELL_M**2 / 1e4, 4),
                "area_new_ha": round(float(fresh.sum()) * CELL_M**2 / 1e4, 4),
                "predates_baseline": site.first_dug < recipe.days[0],
                "pits": site.pits.size,
            }
        )
        outlines.append(outline(recipe, cells[mine]))
    write_features(path, rows, outlines)
