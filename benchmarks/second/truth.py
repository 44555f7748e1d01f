"""The truth of a landscape: what was dug, where and when, and what else may be taken for it.

In: the land, its mines, its place on the map. Out: layers and GeoJSON in `truth/`. A pixel's share counts its 16 cells;
pits, spoil heaps and wash ponds are dug, aprons are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.features
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from second.land import Land, Logged
from second.mines import NEVER, Mines
from second.place import Place, write_json
from second.recipe import CELL_M, END, HALF_M, MONITOR, Bools, Floats, Ints, to_date

DUG_CELLS = 4
"""Of a pixel's 16 cells: from there on it counts as newly dug."""
CELL_HA = 6.25e-4


def write_truth(folder: Path, land: Land, mines: Mines, place: Place) -> dict[str, float]:
    """Write every layer and table; the shares of ground newly and ever dug."""
    folder.mkdir(parents=True, exist_ok=True)
    dug, apron = (one.reshape(land.recipe.cells, -1) for one in (mines.dug, mines.apron))
    ever = dug <= END
    new = ever & (dug >= MONITOR)
    layers = {
        "fraction_new": _shares(new),
        "fraction_all": _shares(ever),
        "new_dug_on": _dug_on(dug, new),
        "fraction_spoil_new": _shares(new & mines.spoil.reshape(dug.shape)),
        "fraction_apron_new": _shares((apron >= MONITOR) & (apron <= END)),
    }
    for name, layer in layers.items():
        _write_layer(folder / f"{name}.tif", layer, place)
    write_json(folder / "sites.geojson", place.collection(_sites(mines, ever, new)))
    write_json(folder / "cover_events.geojson", place.collection(_confusers(land, place)))
    return {"share_new": float(new.mean()), "share_all": float(ever.mean())}


def _shares(cells: Bools) -> Floats:
    size = len(cells) // 4
    return cells.reshape(size, 4, size, 4).mean((1, 3)).astype(np.float32)


def _dug_on(dug: Ints, new: Bools) -> Ints:
    """Day on which a quarter of each pixel was newly dug, 0 for never."""
    size = len(dug) // 4
    days = np.where(new, dug, NEVER).reshape(size, 4, size, 4).transpose(0, 2, 1, 3).reshape(size, size, 16)
    days.sort(axis=2)
    reached = days[:, :, DUG_CELLS - 1]
    return np.where(reached < NEVER, reached, 0).astype(np.int32)


def _write_layer(path: Path, layer: NDArray[Any], place: Place) -> None:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        crs=place.crs,
        width=place.size,
        height=place.size,
        dtype=layer.dtype,
        transform=place.transform(10),
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
    ) as target:
        target.write(layer, 1)


def _sites(mines: Mines, ever: Bools, new: Bools) -> list[tuple[BaseGeometry, dict[str, Any]]]:
    rows, site, dug = [], mines.site.reshape(ever.shape), mines.dug.reshape(ever.shape)
    for number, one in enumerate(mines.sites):
        own = (site == number) & ever
        if not own.any():
            continue
        fresh = own & new
        work_end = mines.work_end.reshape(ever.shape)[own].max()
        facts = {
            "id": f"mine-{number:03d}",
            "life": one.life,
            "first_dug": _iso(dug[own].min()),
            "last_active": _iso(END if one.life == "open" else min(END, work_end)),
            "first_new": _iso(dug[fresh].min()) if fresh.any() else None,
            "area_ha": round(own.sum() * CELL_HA, 4),
            "area_new_ha": round(fresh.sum() * CELL_HA, 4),
            "pits": one.pits,
            "materials": one.materials,
            "simulated": True,
        }
        rows.append((unary_union(_outlines(own, CELL_M)), facts))
    return rows


def _confusers(land: Land, place: Place) -> list[tuple[BaseGeometry, dict[str, Any]]]:
    rows = []
    for one in land.logged:
        ground = _ground_of(one, land.recipe.halves).intersection(place.box)
        if not ground.is_empty:
            facts = {"kind": one.kind, "date": None if one.day is None else _iso(one.day), "permanent": one.day is None}
            rows.append((ground, {**facts, "area_ha": round(ground.area / 1e4, 3)}))
    return rows


def _ground_of(one: Logged, side: int) -> BaseGeometry:
    """Polygons as they are; cells of the background without their thin parts."""
    if one.half_cells is None:
        return unary_union(one.polygons)
    covered = np.zeros(side * side, np.uint8)
    covered[one.half_cells] = 1
    whole = ndimage.binary_opening(covered.reshape(side, side), iterations=1)
    return unary_union([part.simplify(5) for part in _outlines(whole, HALF_M)])


def _outlines(covered: Bools, cell_m: float) -> list[BaseGeometry]:
    found = rasterio.features.shapes(covered.astype(np.uint8), mask=covered, transform=Affine.scale(cell_m))
    return [shape(one) for one, _ in found]


def _iso(day: int) -> str:
    return to_date(day).isoformat()
