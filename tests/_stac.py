"""Small builders: STAC items and static catalogues as plain JSON, no rasters; and a search with short waits."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import shapely

from geomon.catalog import CatalogSource, Limits, Observation, search
from geomon.model import Period, Scene

Json = dict[str, Any]

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
SQUARE = [[16.0, 4.0], [16.1, 4.0], [16.1, 4.1], [16.0, 4.1], [16.0, 4.0]]


def make_asset(band: str, **fields: Any) -> Json:
    """Give one band's asset as Earth Search writes it."""
    return {
        "href": f"./{band}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "roles": ["data", "reflectance"],
        "eo:bands": [{"name": band, "common_name": band}],
        "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}],
        "proj:shape": [100, 100],
        "proj:transform": [10, 0, 500000, 0, -10, 450000],
    } | fields


def make_item(identifier: str = "S2A_33NXE_20200105", *, day: str = "2020-01-05", **properties: Any) -> Json:
    """Give a whole item; keyword arguments are further properties, None takes one away."""
    assets = {band: make_asset(band) for band in BANDS}
    assets["scl"] = {
        "href": "./scl.tif",
        "roles": ["data"],
        "proj:shape": [50, 50],
        "proj:transform": [20, 0, 500000, 0, -20, 450000],
    }
    merged = {
        "datetime": f"{day}T09:30:00Z",
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "proj:epsg": 32633,
        "grid:code": "MGRS-33NXE",
        "s2:processing_baseline": "05.10",
        "s2:generation_time": f"{day}T14:00:00Z",
        "eo:cloud_cover": 12.5,
    } | properties
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ],
        "id": identifier,
        "collection": "sentinel-2-l2a",
        "geometry": {"type": "Polygon", "coordinates": [copy.deepcopy(SQUARE)]},
        "bbox": [16.0, 4.0, 16.1, 4.1],
        "properties": {name: value for name, value in merged.items() if value is not None},
        "links": [],
        "assets": assets,
    }


def write_json(path: Path, document: object) -> Path:
    """Write a document, with its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_catalog(root: Path, *items: object, collection: str = "sentinel-2-l2a") -> Path:
    """Write a catalogue of one collection, item n at items/n/item.json; return the path of catalog.json."""
    links = []
    for number, item in enumerate(items):
        write_json(root / "items" / str(number) / "item.json", item)
        links.append({"rel": "item", "href": f"./items/{number}/item.json"})
    write_json(
        root / "collection.json",
        {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": collection,
            "description": "test",
            "license": "other",
            "extent": {"spatial": {"bbox": [[16, 4, 17, 5]]}, "temporal": {"interval": [[None, None]]}},
            "links": [{"rel": "root", "href": "./catalog.json"}, {"rel": "parent", "href": "./catalog.json"}, *links],
        },
    )
    return write_json(
        root / "catalog.json",
        {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "test",
            "description": "test",
            "links": [
                {"rel": "root", "href": "./catalog.json"},
                {"rel": "self", "href": "./catalog.json"},
                {"rel": "child", "href": "./collection.json"},
            ],
        },
    )


AREA = shapely.box(16.02, 4.02, 16.05, 4.05)
SPAN = Period(date(2015, 1, 1), date(2026, 12, 31))
AS_OF = date(2026, 11, 1)
QUICK = Limits(timeout_s=0.5, total_s=3.0, tries=3, wait_s=0.01)


def find(
    catalog: object, *, area: Any = AREA, collections: tuple[str, ...] = ("sentinel-2-l2a",), **options: Any
) -> Observation:
    arguments: dict[str, Any] = {"span": SPAN, "as_of": AS_OF, "limits": QUICK} | options
    return search(CatalogSource(str(catalog), collections), area=area, **arguments)


def find_items(folder: Path, *items: object, **options: Any) -> Observation:
    return find(write_catalog(folder, *items), **options)


def read_one(folder: Path, item: object) -> Scene:
    observation = find_items(folder, item)
    assert observation.refused == ()
    (scene,) = observation.scenes
    return scene


def altered(item: Json, path: str, value: object) -> Json:
    """Give a copy with one member, named `a/b/c`, replaced (or taken away by `...`)."""
    result = copy.deepcopy(item)
    *parents, last = path.split("/")
    target: Any = result
    for part in parents:
        target = target[int(part) if isinstance(target, list) else part]
    if value is ...:
        del target[last]
    else:
        target[int(last) if isinstance(target, list) else last] = value
    return result
