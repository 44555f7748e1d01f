"""The static STAC catalogue: one item a date, shaped like a Sentinel-2 L2A archive and marked as simulated throughout.

In: what the sensor saw on each date. Out: COGs, items, a collection and a catalogue, written in that order, so that a
catalogue that is there is complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from shapely.geometry import Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from geomon.simulate.atmosphere import Sensed
from geomon.simulate.places import Json, corner_ring, to_degrees, write_json
from geomon.simulate.raster import write_cog
from geomon.simulate.recipe import EPSG, MGRS, PIXEL_M, Recipe
from geomon.simulate.spectra import BANDS

COLLECTION = "sentinel-2-l2a"
OFFSET_FROM = date(2022, 1, 25)
"""First sensing date of processing baseline 04.00, which adds 1000 to every number (ESA, S2 processing baseline)."""
OFFSET_DN = 1000
_COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = [
    "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/grid/v1.1.0/schema.json",
]
_NOTE = "SIMULATED: a made-up landscape with known truth, no satellite saw it"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item that was written."""

    item_id: str
    when: datetime
    path: Path


def offset_of(when: date) -> int:
    """Return the digital-number offset of a sensing date."""
    return OFFSET_DN if when >= OFFSET_FROM else 0


def sensing_time(index: int, when: date) -> datetime:
    """Return the overpass, about 09:30 UTC, moved by some seconds from date to date."""
    return datetime(when.year, when.month, when.day, 9, 30 + index % 3, (17 * index) % 60, tzinfo=UTC)


def write_item(root: Path, recipe: Recipe, *, index: int, sensed: Sensed) -> Entry:
    """Write the seven COGs and the item of the `index`-th date."""
    when = recipe.dates[index]
    platform = "sentinel-2" + "ab"[index % 2]
    item_id = f"SIM_S2{platform[-1].upper()}_{MGRS}_{when:%Y%m%d}_0_L2A"
    folder = root / "items" / item_id
    folder.mkdir(parents=True, exist_ok=True)
    layers = dict(zip(BANDS, (*sensed.fine, *sensed.coarse), strict=True))
    for band, image in layers.items():
        write_cog(folder / f"{band}.tif", image, recipe)
    write_cog(folder / "scl.tif", sensed.scl, recipe)
    moment = sensing_time(index, when)
    outline = _outline(recipe)
    item: Json = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": _EXTENSIONS,
        "id": item_id,
        "collection": COLLECTION,
        "bbox": list(outline.bounds),
        "geometry": mapping(outline),
        "properties": {
            "title": f"Simulated Sentinel-2 L2A, {when.isoformat()}",
            "description": _NOTE,
            "datetime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "platform": platform,
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "eo:cloud_cover": round(sensed.cloud_cover, 2),
            "s2:processing_baseline": "04.00" if offset_of(when) else "03.01",
            "grid:code": f"MGRS-{MGRS}",
            "proj:epsg": EPSG,
            "geomon:simulated": True,
        },
        "assets": {
            **{band: _band_asset(recipe, band, offset_of(when)) for band in BANDS},
            "scl": _scl_asset(recipe),
        },
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../../collection.json", "type": "application/json"},
        ],
    }
    return Entry(item_id, moment, write_json(folder / f"{item_id}.json", item))


def write_catalogue(root: Path, recipe: Recipe, entries: Sequence[Entry]) -> Path:
    """Write collection and catalogue over items that are complete."""
    links = [{"rel": "root", "href": "./catalog.json"}, {"rel": "parent", "href": "./catalog.json"}]
    items = [
        {"rel": "item", "href": f"./items/{e.item_id}/{e.item_id}.json", "type": "application/geo+json"}
        for e in entries
    ]
    moments = sorted(e.when for e in entries)
    interval = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (moments[0], moments[-1])]
    collection: Json = {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": COLLECTION,
        "title": "Simulated Sentinel-2 L2A",
        "description": f"{_NOTE}. Recipe {recipe.name}, {recipe.kind} landscape, seed {recipe.seed}.",
        "keywords": ["simulated"],
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [list(_outline(recipe).bounds)]},
            "temporal": {"interval": [interval]},
        },
        "links": links + items,
    }
    write_json(root / "collection.json", collection)
    catalogue: Json = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": f"geomon-simulated-{recipe.name}",
        "title": f"Simulated landscape {recipe.name}",
        "description": f"{_NOTE}.",
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            {"rel": "child", "href": "./collection.json", "type": "application/json"},
        ],
    }
    return write_json(root / "catalog.json", catalogue)


def _outline(recipe: Recipe) -> BaseGeometry:
    return to_degrees(box(*Polygon(corner_ring(recipe)).bounds))


def _grid_fields(recipe: Recipe, resolution_m: float) -> Json:
    side = int(recipe.side_m // resolution_m)
    return {"proj:shape": [side, side], "proj:transform": list(recipe.transform(resolution_m))[:6]}


def _band_asset(recipe: Recipe, band: str, offset: int) -> Json:
    resolution_m = 2 * PIXEL_M if band.startswith("swir") else PIXEL_M
    described = {
        "nodata": 0,
        "data_type": "uint16",
        "spatial_resolution": int(resolution_m),
        "scale": 0.0001,
        "offset": -offset / 10_000 if offset else 0,
    }
    return {
        "href": f"./{band}.tif",
        "type": _COG_TYPE,
        "title": f"{band} (simulated)",
        "roles": ["data", "reflectance"],
        "eo:bands": [{"name": band, "common_name": band}],
        "raster:bands": [described],
        **_grid_fields(recipe, resolution_m),
    }


def _scl_asset(recipe: Recipe) -> Json:
    return {
        "href": "./scl.tif",
        "type": _COG_TYPE,
        "title": "Scene classification (simulated)",
        "roles": ["data"],
        "raster:bands": [{"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}],
        **_grid_fields(recipe, 2 * PIXEL_M),
    }
