"""A landscape as files: a static STAC catalogue of scenes, an area, a job for geomon, the truth.

In: a recipe and a folder. Out: `catalog.json`, `sentinel-2-l2a/`, `aoi.geojson`, `config.yaml`, `truth/`. Everything
says that it is simulated. Items before 2022-01-25 carry processing baseline 03.00 and no offset, later ones -0.1, as
Sentinel-2 does (ESA, S2 processing baseline 04.00).
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from second.place import CRS, Place, write_json
from second.recipe import Recipe, to_date
from second.sensor import Camera, Scene
from second.spectra import BANDS
from second.truth import write_truth

COLLECTION = "sentinel-2-l2a"
OFFSET_FROM = date(2022, 1, 25)
_EXTENSIONS = ("projection/v2.0.0", "eo/v1.1.0", "raster/v1.1.0")
_CONFIG = """\
# SIMULATED landscape; truth in truth/
name: {name}
aoi: aoi.geojson
source:
  catalog: ./catalog.json
  collections: [sentinel-2-l2a]
period:
  baseline: [2021-01-01, 2022-06-30]
  monitor: [2022-07-01, 2023-12-31]
store: ./store
"""
_PERIOD = ["2021-01-01T00:00:00Z", "2023-12-31T23:59:59Z"]


def write_landscape(folder: Path, recipe: Recipe) -> Path:
    """Simulate a landscape into a folder; its `config.yaml`, written last."""
    collection = folder / COLLECTION
    collection.mkdir(parents=True, exist_ok=True)
    camera, place = Camera(recipe), Place.of(recipe)
    items = [
        _write_item(collection, camera.take(number, day), (number, day), place)
        for number, day in recipe.delivered()
        if number % recipe.every == 0
    ]
    _write_catalogue(folder, recipe, place, items)
    shares = write_truth(folder / "truth", camera.land, camera.mines, place)
    write_json(folder / "truth" / "parameters.json", {**asdict(recipe), "simulated": True, **shares})
    config = folder / "config.yaml"
    config.write_text(_CONFIG.format(name=recipe.name), encoding="utf-8")
    return config


def _write_catalogue(folder: Path, recipe: Recipe, place: Place, items: list[str]) -> None:
    area = {"id": recipe.name, "name": f"Simulated {recipe.name}"}
    write_json(folder / "aoi.geojson", place.collection([(place.box, area)]))
    links = [_link("root", "../catalog.json"), _link("parent", "../catalog.json")]
    links += [_link("item", f"./{name}/{name}.json", "application/geo+json") for name in items]
    collection = {
        "type": "Collection",
        "id": COLLECTION,
        "stac_version": "1.0.0",
        "description": "SIMULATED scenes, no satellite saw them",
        "license": "proprietary",
        "extent": {"spatial": {"bbox": [place.bounds]}, "temporal": {"interval": [_PERIOD]}},
        "links": links,
    }
    write_json(folder / COLLECTION / "collection.json", collection)
    catalogue = {
        "type": "Catalog",
        "id": recipe.name,
        "stac_version": "1.0.0",
        "description": "SIMULATED landscape",
        "links": [_link("root", "./catalog.json"), _link("child", f"./{COLLECTION}/collection.json")],
    }
    write_json(folder / "catalog.json", catalogue)


def _write_item(collection: Path, scene: Scene, look: tuple[int, int], place: Place) -> str:
    """Write the rasters of a date and its item; the item's name."""
    number, when = look[0], to_date(look[1])
    name = f"SECOND_S2{'AB'[number % 2]}_33NXE_{when:%Y%m%d}_0_L2A"
    folder = collection / name
    folder.mkdir(exist_ok=True)
    offset = -0.1 if when >= OFFSET_FROM else 0.0
    assets = {}
    for band, values in zip(BANDS, scene.bands, strict=True):
        counts = np.clip(np.rint((values - offset) * 1e4), 1, 65535).astype(np.uint16)
        if scene.valid is not None:
            counts[~_on(scene.valid, len(counts))] = 0
        assets[band] = _write_asset(folder, band, counts, place)
        assets[band]["raster:bands"][0] |= {"scale": 0.0001, "offset": offset}
        assets[band]["eo:bands"] = [{"name": band, "common_name": band}]
        assets[band]["roles"].append("reflectance")
    assets["scl"] = _write_asset(folder, "scl", scene.classes, place)
    properties = _properties(number, when) | {"eo:cloud_cover": round(scene.cloud_cover, 2)}
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [f"https://stac-extensions.github.io/{one}/schema.json" for one in _EXTENSIONS],
        "id": name,
        "geometry": place.outline,
        "bbox": place.bounds,
        "properties": properties,
        "links": [
            _link("root", "../../catalog.json"),
            _link("parent", "../collection.json"),
            _link("collection", "../collection.json"),
        ],
        "assets": assets,
        "collection": COLLECTION,
    }
    write_json(folder / f"{name}.json", item)
    return name


def _on(valid: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Valid pixels on a grid of 10 or 20 m; a coarse one is valid if all its parts are."""
    return valid if len(valid) == side else valid.reshape(side, 2, side, 2).all((1, 3))


def _write_asset(folder: Path, name: str, values: NDArray[Any], place: Place) -> dict[str, Any]:
    """Write one raster; its asset."""
    side = len(values)
    pixel_m = 10 * place.size // side
    transform = place.transform(pixel_m)
    packed = {"compress": "deflate", "zlevel": 1} if name == "scl" else {}
    with rasterio.open(
        folder / f"{name}.tif",
        "w",
        driver="GTiff",
        count=1,
        crs=place.crs,
        width=side,
        height=side,
        dtype=values.dtype,
        nodata=0,
        transform=transform,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        **packed,
    ) as target:
        target.write(values, 1)
    return {
        "href": f"./{name}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "proj:shape": [side, side],
        "proj:transform": list(transform)[:6],
        "raster:bands": [{"nodata": 0, "data_type": str(values.dtype), "spatial_resolution": pixel_m}],
        "roles": ["data"],
    }


def _properties(number: int, when: date) -> dict[str, Any]:
    baseline = "03.00"
    if when >= OFFSET_FROM:
        baseline = "05.09" if when.year > 2022 else "04.00"
    return {
        "datetime": f"{when}T09:3{number % 7}:1{number % 10}Z",
        "platform": f"sentinel-2{'ab'[number % 2]}",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "s2:processing_baseline": baseline,
        "proj:code": CRS,
        "grid:code": "MGRS-33NXE",
        "geomon:simulated": True,
        "description": "SIMULATED landscape, no satellite saw it",
    }


def _link(relation: str, href: str, media: str = "application/json") -> dict[str, str]:
    return {"rel": relation, "href": href, "type": media}
