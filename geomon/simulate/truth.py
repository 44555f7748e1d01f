"""What really happened: the layers and tables that a detector is scored against.

In: the landscape, its diggings and its disturbances. Out: the files of `truth/`. Areas are counted in ground cells on
the lattice (6.25 m2 each, true to 0.1 %): truth needs no geodesy, products take theirs from `geomon.grid`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Point

from geomon.simulate.clearings import Fields
from geomon.simulate.climate import Climate
from geomon.simulate.disturbance import Roads, Sandbanks, Village
from geomon.simulate.fields import BoolArray, FloatArray, IntArray, block_mean
from geomon.simulate.landscape import Cover, Landscape
from geomon.simulate.mining import Diggings, first_dug
from geomon.simulate.pits import Site
from geomon.simulate.places import Json, feature, outline, to_degrees, write_features, write_json
from geomon.simulate.raster import write_cog
from geomon.simulate.recipe import CELL_M, OVERSAMPLE, Recipe, date_of
from geomon.simulate.seasons import Fires, Floods

DUG_FROM = 0.25
"""Share of a pixel from which it counts as dug."""


class Disturbed(IntEnum):
    """Changes in the monitor period that are not mining; the codes of `truth/disturbance.tif`, later ones on top."""

    NONE = 0
    BURN = 1
    FLOOD = 2
    SANDBANK = 3
    FARM_BEFORE = 4
    FARM = 5
    GAP = 6
    SETTLEMENT = 7
    ROAD = 8


@dataclass(frozen=True, slots=True)
class World:
    """Everything a recipe led to."""

    recipe: Recipe
    land: Landscape
    climate: Climate
    sites: tuple[Site, ...]
    diggings: Diggings
    fields: Fields
    roads: Roads
    village: Village
    sandbanks: Sandbanks
    fires: Fires
    floods: Floods


@dataclass(frozen=True, slots=True)
class Dug:
    """Layers of dug ground: shares float32 [0-1], days int32 since 1970-01-01 (0 = never), each (rows, columns)."""

    fraction_new: FloatArray
    fraction_all: FloatArray
    dug_on: NDArray[np.int32]
    new_dug_on: NDArray[np.int32]


def dug_layers(recipe: Recipe, diggings: Diggings) -> Dug:
    """Count dug cells per pixel, and find the day a quarter of a pixel was dug.

    Returns
    -------
    Dug
        `dug_on` counts all digging, `new_dug_on` only what was dug since the monitor start.
    """
    cells, days, _ = first_dug(diggings)
    fresh = days >= recipe.days[1]
    pixel = _pixel_of(recipe, cells)
    return Dug(
        fraction_new=_share(recipe, pixel[fresh]),
        fraction_all=_share(recipe, pixel),
        dug_on=_reached(recipe, pixel, days),
        new_dug_on=_reached(recipe, pixel[fresh], days[fresh]),
    )


def write_truth(root: Path, world: World) -> dict[str, Path]:
    """Write all of `truth/` and return its files by name."""
    folder = root / "truth"
    folder.mkdir(parents=True, exist_ok=True)
    recipe = world.recipe
    dug = dug_layers(recipe, world.diggings)
    written = {
        name: write_cog(folder / f"{name}.tif", getattr(dug, name), recipe, nodata=None, tags=tags)
        for name, tags in {
            "fraction_new": {"MEANING": "share of pixel dug since the monitor start"},
            "fraction_all": {"MEANING": "share of pixel ever dug"},
            "dug_on": {"MEANING": "days since 1970-01-01 when the share ever dug reached 0.25; 0 never"},
            "new_dug_on": {"MEANING": "days since 1970-01-01 when the share dug in the monitor period reached 0.25"},
        }.items()
    }
    cover = _majority(world.land.cover)
    written["cover"] = write_cog(folder / "cover.tif", cover, recipe, tags=_names(Cover))
    written["disturbance"] = write_cog(
        folder / "disturbance.tif", disturbed(world), recipe, nodata=None, tags=_names(Disturbed)
    )
    written["sites"] = write_features(folder / "sites.geojson", "sites", _site_features(world))
    written["pits"] = write_features(folder / "pits.geojson", "pits", _pit_features(world))
    written["disturbances"] = write_features(folder / "disturbances.geojson", "disturbances", _field_features(world))
    written["parameters"] = write_json(folder / "parameters.json", _parameters(world, dug))
    return written


def disturbed(world: World) -> NDArray[np.uint8]:
    """Return the `Disturbed` code of each pixel."""
    recipe = world.recipe
    _, start, end = recipe.days
    codes = np.zeros((recipe.size_px, recipe.size_px), dtype=np.uint8)
    codes[world.fires.burnt(start, end) & _has(world.land, Cover.GRASS, Cover.WOODY, Cover.FLOODPLAIN)] = Disturbed.BURN
    weather = [world.climate.at(day) for day in range(start, end + 1, 3)]
    highest, lowest = max(weather, key=lambda w: w.stage), min(weather, key=lambda w: w.stage)
    codes[(world.floods.share(highest) > 0.2) & _has(world.land, Cover.FLOODPLAIN)] = Disturbed.FLOOD
    banks = world.sandbanks
    codes[_touched(recipe, banks.cells[banks.exposed(lowest) > 0.5])] = Disturbed.SANDBANK
    cut = np.array([c.cleared_on for c in world.fields.clearings], dtype=np.int64)[world.fields.owner]
    gap = np.array([c.kind == "gap" for c in world.fields.clearings], dtype=np.bool_)[world.fields.owner]
    for code, rows in (
        (Disturbed.FARM_BEFORE, (cut < start) & ~gap),
        (Disturbed.FARM, (cut >= start) & ~gap),
        (Disturbed.GAP, gap),
    ):
        codes[_touched(recipe, world.fields.cells[rows])] = code
    codes[_touched(recipe, world.village.cells[world.village.built_on >= start])] = Disturbed.SETTLEMENT
    codes[_touched(recipe, world.roads.cells)] = Disturbed.ROAD
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


def _touched(recipe: Recipe, cells: IntArray) -> BoolArray:
    return np.asarray(_share(recipe, _pixel_of(recipe, cells)) >= DUG_FROM)


def _has(land: Landscape, *covers: Cover) -> BoolArray:
    return np.asarray(block_mean(np.isin(land.cover, covers), OVERSAMPLE) >= 0.5)


def _majority(cover: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shares = np.stack([block_mean(cover == code, OVERSAMPLE) for code in Cover])
    codes: NDArray[np.uint8] = np.array(list(Cover), dtype=np.uint8)
    return np.asarray(codes[shares.argmax(axis=0)])


def _names(codes: type[IntEnum]) -> dict[str, str]:
    return {f"CLASS_{code.value}": code.name.lower() for code in codes}


def _iso(day: int) -> str:
    return date_of(day).isoformat()


def _site_features(world: World) -> Iterator[Json]:
    recipe = world.recipe
    cells, days, owner = first_dug(world.diggings)
    for index, site in enumerate(world.sites):
        mine = owner == index
        if not mine.any():
            continue
        fresh = mine & (days >= recipe.days[1])
        yield feature(
            outline(recipe, cells[mine]),
            {
                "id": f"site-{site.number:03d}",
                "life": site.life,
                "first_dug": _iso(site.first_dug),
                "last_active": _iso(site.last_dug),
                "area_ha": round(float(mine.sum()) * CELL_M**2 / 1e4, 4),
                "area_new_ha": round(float(fresh.sum()) * CELL_M**2 / 1e4, 4),
                "predates_baseline": site.first_dug < recipe.days[0],
                "pits": len(site.pits),
                "simulated": True,
            },
        )


def _pit_features(world: World) -> Iterator[Json]:
    for site in world.sites:
        for pit in site.pits:
            where = to_degrees(Point(world.recipe.map_xy(pit.down_m, pit.right_m)))
            facts = {"site": f"site-{site.number:03d}", "dug_on": _iso(pit.dug_on), "radius_m": round(pit.radius_m, 2)}
            yield feature(where, {**facts, "pond_share": round(pit.pond_share, 3)})


def _field_features(world: World) -> Iterator[Json]:
    for number, clearing in enumerate(world.fields.clearings, start=1):
        facts = {"id": f"{clearing.kind}-{number:03d}", "kind": clearing.kind, "cleared_on": _iso(clearing.cleared_on)}
        area_ha = round(clearing.cells.size * CELL_M**2 / 1e4, 4)
        yield feature(outline(world.recipe, clearing.cells), {**facts, "crop": clearing.crop, "area_ha": area_ha})
    if world.roads.cells.size:
        opened = _iso(int(world.roads.opened_on.min()))
        yield feature(outline(world.recipe, world.roads.cells), {"id": "roads", "kind": "road", "cleared_on": opened})
    yield feature(outline(world.recipe, world.village.cells), {"id": "village", "kind": "settlement"})


def _parameters(world: World, dug: Dug) -> Mapping[str, object]:
    recipe = world.recipe
    options = asdict(recipe)
    for span in ("baseline", "monitor"):
        options[span] = [day.isoformat() for day in options[span]]
    return {
        "simulated": True,
        "recipe": options,
        "realised": {
            "dates": len(recipe.dates),
            "new_share": round(float(dug.fraction_new.mean()), 6),
            "dug_share": round(float(dug.fraction_all.mean()), 6),
            "sites": len(world.sites),
            "clearings": len(world.fields.clearings),
        },
        "sites": [_site_life(site) for site in world.sites],
        "clearings": [
            {
                "kind": c.kind,
                "crop": c.crop,
                "cleared_on": _iso(c.cleared_on),
                "burnt_on": _iso(c.burnt_on) if c.burnt_on > 0 else None,
                "planted_on": _iso(c.planted_on),
            }
            for c in world.fields.clearings
        ],
    }


def _site_life(site: Site) -> Json:
    return {
        "id": f"site-{site.number:03d}",
        "life": site.life,
        "first_dug": _iso(site.first_dug),
        "last_active": _iso(site.last_dug),
        "pits": len(site.pits),
        "bare": [round(float(v), 4) for v in site.bare],
        "turbid": [round(float(v), 4) for v in site.turbid],
    }
