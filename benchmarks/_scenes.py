"""A catalogue of any size in seconds: one simulated square of 256 px, laid side by side.

Every `repeat`-th date is simulated and written; the dates between are the same rasters under items of their own (hard
links, since a catalogue may not point outside its root). The square lies on whole 1024 px windows of the lattice, so a
side of 512 or 1024 px is one tile.
"""

import json
import os
import shutil
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from rasterio.transform import Affine

from geomon.simulate import DEMO, simulate

PIECE_PX = 256
FIRST = date(2021, 1, 1)
LEFT_M, TOP_M = 58 * 10_240.0, 47 * 10_240.0
"""A corner of the 1024 px windows near that of the simulator, in its UTM zone."""
COG = {"driver": "COG", "compress": "DEFLATE", "predictor": "YES", "blocksize": 512, "overview_resampling": "NEAREST"}


def dates(scenes, revisit_days):
    """Acquisition dates of a catalogue."""
    return [FIRST + timedelta(days=2 + revisit_days * i) for i in range(scenes)]


def write_scenes(root, *, side_px, scenes, revisit_days=5, repeat=1):
    """Write a catalogue of `scenes` dates and `aoi.geojson`, the square."""
    days = dates(scenes, revisit_days)
    half = days[scenes // 2]
    spans = {"baseline": (FIRST, half - timedelta(days=1)), "monitor": (half, days[-1])}
    simulate(replace(DEMO, name="bench", size_px=PIECE_PX, revisit_days=revisit_days * repeat, **spans), root / "piece")
    pieces = [json.loads(path.read_text()) | {"path": path} for path in (root / "piece").rglob("*.json")]
    items = sorted((item for item in pieces if "assets" in item and "datetime" in item["properties"]), key=_when)
    shape = _square(items[0], side_px)
    names = []
    for index, day in enumerate(days):
        source, again = items[index // repeat], index % repeat > 0
        item = {**source, "id": f"BENCH_{day:%Y%m%d}_L2A", "collection": "sentinel-2-l2a", "links": []}
        item |= {"geometry": shapely.geometry.mapping(shape), "bbox": list(shape.bounds)}
        item["properties"] = {**source["properties"], "datetime": f"{day}T09:30:00Z"}
        folder = root / "items" / item["id"]
        folder.mkdir(parents=True)
        first = root / "items" / names[-(index % repeat)] if again else None
        place = item.pop("path").parent
        item["assets"] = {n: _asset(a, place, folder, first, side_px) for n, a in source["assets"].items()}
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
        names.append(item["id"])
    shutil.rmtree(root / "piece")
    _write_catalogue(root, names, shape)


def _when(item):
    return item["properties"]["datetime"]


def _square(item, side_px):
    crs = (
        f"EPSG:{item['properties']['proj:epsg']}"
        if "proj:epsg" in item["properties"]
        else item["properties"]["proj:code"]
    )
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    box = shapely.box(LEFT_M, TOP_M - 10 * side_px, LEFT_M + 10 * side_px, TOP_M)
    return shapely.transform(box, lambda points: np.column_stack(to_degrees(*points.T)))


def _asset(asset, place, folder, first, side_px):
    """Lay an asset's raster side by side, or link to the one of an earlier date; the asset that describes it."""
    name = f"{(place / asset['href']).stem}.tif"
    with rasterio.open(place / asset["href"]) as source:
        res = source.transform.a
        image = np.tile(source.read(1), (side_px // PIECE_PX,) * 2) if first is None else None
        profile = {"dtype": source.dtypes[0], "nodata": source.nodata, "crs": source.crs, "count": 1}
    side = round(10 * side_px / res)
    transform = Affine(res, 0, LEFT_M, 0, -res, TOP_M)
    if image is None:
        os.link(first / name, folder / name)
    else:
        with rasterio.open(
            folder / name, "w", width=side, height=side, transform=transform, **profile, **COG
        ) as target:
            target.write(image, 1)
    return {**asset, "href": f"./{name}", "proj:shape": [side, side], "proj:transform": list(transform)[:6]}


def _write_catalogue(root, names, shape):
    head = {"stac_version": "1.0.0", "description": "SIMULATED for a benchmark"}
    extent = {"spatial": {"bbox": [list(shape.bounds)]}, "temporal": {"interval": [[f"{FIRST}T00:00:00Z", None]]}}
    links = [{"rel": "item", "href": f"./items/{name}/{name}.json"} for name in names]
    collection = {"type": "Collection", "id": "sentinel-2-l2a", "license": "CC0-1.0", "extent": extent, "links": links}
    child = {"rel": "child", "href": "./collection.json"}
    area = {"type": "Feature", "properties": {"id": "bench", "name": "simulated square"}}
    area["geometry"] = shapely.geometry.mapping(shape)
    files = {
        "collection.json": {**head, **collection},
        "catalog.json": {**head, "type": "Catalog", "id": "bench", "links": [child]},
        "aoi.geojson": {"type": "FeatureCollection", "features": [area]},
    }
    for name, content in files.items():
        (root / name).write_text(json.dumps(content))
