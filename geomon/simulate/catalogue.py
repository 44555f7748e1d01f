"""The static STAC catalogue: one item a date, shaped like a Sentinel-2 L2A archive and marked as simulated throughout.

In: what the sensor saw on each date. Out: COGs, items, a collection and a catalogue, written in that order, so that a
catalogue that is there is complete.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pystac
import shapely

from geomon.model import BANDS
from geomon.simulate.atmosphere import Sensed
from geomon.simulate.files import square, to_degrees, write_cog
from geomon.simulate.recipe import EPSG, MGRS, Recipe

COLLECTION = "sentinel-2-l2a"
OFFSET_FROM = date(2022, 1, 25)
"""First sensing date of processing baseline 04.00, which adds 1000 to every number (ESA, S2 processing baseline)."""
OFFSET_DN = 1000
_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/v1.1.0/schema.json" for name in ("projection", "eo", "raster", "grid")
]
_NOTE = "SIMULATED: a made-up landscape with known truth, no satellite saw it"


def offset_of(when: date) -> int:
    """Return the digital-number offset of a sensing date."""
    return OFFSET_DN if when >= OFFSET_FROM else 0


def make_item(root: Path, recipe: Recipe, *, index: int, sensed: Sensed) -> pystac.Item:
    """Write the seven COGs of the `index`-th date, and describe them."""
    when, unit = recipe.dates[index], "ab"[index % 2]
    offset = offset_of(when)
    outline = to_degrees([square(recipe)])[0]
    item = pystac.Item(
        id=f"SIM_S2{unit.upper()}_{MGRS}_{when:%Y%m%d}_0_L2A",
        geometry=shapely.geometry.mapping(outline),
        bbox=list(outline.bounds),
        # about 09:30, some seconds apart from date to date
        datetime=datetime(when.year, when.month, when.day, 9, 30 + index % 3, (17 * index) % 60, tzinfo=UTC),
        stac_extensions=_EXTENSIONS,
        properties={
            "title": f"Simulated Sentinel-2 L2A, {when.isoformat()}",
            "description": _NOTE,
            "platform": f"sentinel-2{unit}",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "eo:cloud_cover": round(sensed.cloud_cover, 2),
            "s2:processing_baseline": "04.00" if offset else "03.01",
            "grid:code": f"MGRS-{MGRS}",
            "proj:epsg": EPSG,
            "geomon:simulated": True,
        },
    )
    folder = root / COLLECTION / item.id
    folder.mkdir(parents=True, exist_ok=True)
    layers = dict(zip((*BANDS, "scl"), (*sensed.fine, *sensed.coarse, sensed.scl), strict=True))
    for name, image in layers.items():
        write_cog(folder / f"{name}.tif", image, recipe)
        item.add_asset(name, _asset(recipe, name, side=image.shape[0], offset=offset))
    return item


def write_catalogue(root: Path, recipe: Recipe, items: Sequence[pystac.Item]) -> None:
    """Write items, collection and catalogue, in that order."""
    collection = pystac.Collection(
        id=COLLECTION,
        title="Simulated Sentinel-2 L2A",
        description=f"{_NOTE}. Recipe {recipe.name}, {recipe.kind} landscape, seed {recipe.seed}.",
        keywords=["simulated"],
        license="CC0-1.0",
        extent=pystac.Extent.from_items(items),
    )
    collection.add_items(items)
    catalogue = pystac.Catalog(
        f"geomon-simulated-{recipe.name}", description=f"{_NOTE}.", title=f"Simulated landscape {recipe.name}"
    )
    catalogue.add_child(collection)
    catalogue.normalize_and_save(str(root), pystac.CatalogType.SELF_CONTAINED)


def _asset(recipe: Recipe, name: str, *, side: int, offset: int) -> pystac.Asset:
    """Describe one raster as Earth Search does: STAC 1.0 spelling, scale and offset by band."""
    pixel_m = recipe.side_m / side
    fields = {"proj:shape": [side, side], "proj:transform": list(recipe.transform(pixel_m))[:6]}
    band = {"nodata": 0, "data_type": "uint8", "spatial_resolution": int(pixel_m)}
    if name in BANDS:
        band |= {"data_type": "uint16", "scale": 0.0001, "offset": -offset / 10_000 if offset else 0}
        fields["eo:bands"] = [{"name": name, "common_name": name}]
    return pystac.Asset(
        href=f"./{name}.tif",
        title=f"{name} (simulated)",
        media_type=pystac.MediaType.COG,
        roles=["data", "reflectance"] if name in BANDS else ["data"],
        extra_fields=fields | {"raster:bands": [band]},
    )
