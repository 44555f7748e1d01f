"""The results as a static STAC 1.1 catalogue: one collection, one item per tile, checksums on every file.

In: where the products and the tiles' layers lie. Out: `collection.json` and `items/<tile>.json` with relative hrefs,
so that the directory can be moved or served as it is. Nothing is validated over the network and nothing but these JSON
files is written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geomon.model import Period
from geomon.schema import TABLES, layer
from geomon.store.products import write_json

if TYPE_CHECKING:
    import pystac
    from shapely.geometry.base import BaseGeometry

_FILE: Final = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
_PROJECTION: Final = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
_SHA256: Final = "1220"
"""Multihash prefix: sha2-256, 32 bytes."""

_CHUNK: Final = 1 << 20

_MEDIA: Final = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".json": "application/json",
}


@dataclass(frozen=True, slots=True)
class TileItem:
    """One tile's layers: footprint in lon/lat, its grid, and the file of each layer by name."""

    name: str
    geometry: BaseGeometry
    crs: str
    shape: tuple[int, int]
    transform: tuple[float, ...]
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What the collection says of itself; `properties` are extra facts, e.g. the run id and "geomon:simulated"."""

    id: str
    title: str
    description: str
    span: Period
    bbox: tuple[float, float, float, float]
    license: str = "other"
    properties: Mapping[str, Any] = field(default_factory=dict)


def write_stac(directory: Path, info: CollectionInfo, *, tiles: Sequence[TileItem], products: Sequence[Path]) -> None:
    """Write the collection and its items.

    Parameters
    ----------
    directory : Path
        Gets `collection.json` and `items/`; all files should lie below it, so that links still hold behind the
        `latest` link.
    tiles : sequence of TileItem
        Each becomes an item of the name of its tile.
    products : sequence of Path
        Tables of the whole run: assets of the collection.
    """
    import pystac

    collection = pystac.Collection(
        id=info.id,
        title=info.title,
        description=info.description,
        license=info.license,
        extent=pystac.Extent(
            pystac.SpatialExtent([list(info.bbox)]),
            pystac.TemporalExtent([[_midnight(info.span.start), _last_second(info.span.end)]]),
        ),
        extra_fields={"stac_extensions": [_FILE], **info.properties},
        assets={path.name: _asset(path, directory) for path in sorted(products)},
    )
    home = directory / "items"
    home.mkdir(parents=True, exist_ok=True)
    collection.add_link(pystac.Link("root", "./collection.json", "application/json"))
    for tile in sorted(tiles, key=lambda tile: tile.name):
        collection.add_link(pystac.Link("item", f"./items/{tile.name}.json", "application/geo+json"))
        write_json(_item(tile, info, home=home), home / f"{tile.name}.json")
    write_json(_plain(collection), directory / "collection.json")


def checksum(path: Path) -> str:
    """Multihash (sha2-256) of a file, as the STAC file extension wants it."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            found.update(block)
    return _SHA256 + found.hexdigest()


def _item(tile: TileItem, info: CollectionInfo, *, home: Path) -> dict[str, Any]:
    import pystac
    import shapely

    item = pystac.Item(
        id=tile.name,
        geometry=shapely.geometry.mapping(shapely.orient_polygons(tile.geometry)),
        bbox=[round(float(side), 7) for side in tile.geometry.bounds],
        datetime=None,
        start_datetime=_midnight(info.span.start),
        end_datetime=_last_second(info.span.end),
        properties=dict(info.properties),
        collection=info.id,
        stac_extensions=[_FILE, _PROJECTION],
        assets={name: _asset(path, home, name) for name, path in sorted(tile.files.items())},
    )
    code = {"proj:code": tile.crs} if tile.crs.startswith("EPSG:") else {"proj:code": None, "proj:wkt2": tile.crs}
    item.properties |= {**code, "proj:shape": list(tile.shape), "proj:transform": list(tile.transform)}
    for relation in ("root", "parent", "collection"):
        item.add_link(pystac.Link(relation, "../collection.json", "application/json"))
    return _plain(item)


def _asset(path: Path, home: Path, layer_name: str | None = None) -> pystac.Asset:
    import pystac

    href = os.path.relpath(path, home)
    facts = {"file:size": path.stat().st_size, "file:checksum": checksum(path)}
    title = path.name if layer_name is None else layer_name
    described = layer(layer_name) if layer_name is not None else None
    return pystac.Asset(
        href=href if href.startswith("..") else f"./{href}",
        title=title,
        description=described.en if described else _about(path),
        media_type=_MEDIA.get(path.suffix, "application/octet-stream"),
        roles=["data"],
        extra_fields=facts | ({"unit": described.unit} if described and described.unit else {}),
    )


def _about(path: Path) -> str | None:
    return f"table {path.stem}" if path.stem in TABLES else None


def _plain(thing: pystac.Collection | pystac.Item) -> dict[str, Any]:
    """The document as pystac spells it, with the links as given (no self link: it would name a place)."""
    document: dict[str, Any] = thing.to_dict(include_self_link=False, transform_hrefs=False)
    return document


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _last_second(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)
