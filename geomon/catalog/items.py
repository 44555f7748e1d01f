"""One STAC item into one scene.

In: an item as it stands in its document. Out: a `Candidate`, the scene and what decides between two of the same
acquisition; or `ItemRefused`. pystac brings older STAC versions up to date; every value that is kept is checked here
or in `facts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from geomon.catalog import facts
from geomon.catalog.assets import Context, read_bands
from geomon.catalog.facts import Ring, read_crs, read_id, read_mapping, refuse
from geomon.catalog.hrefs import Root, show
from geomon.catalog.observation import SIMULATED
from geomon.catalog.walk import RawItem
from geomon.errors import ItemRefused
from geomon.model import Asset, Scene, digest
from geomon.sensors import Sensor, sensor_of

_EXTENSIONS = ("/projection/", "/eo/", "/raster/")
_MAX_ASSETS = 500
_FOREIGN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What pystac raises on values of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Header:
    """What decides whether an item matters: read before anything else."""

    id: str
    collection: str
    when: datetime
    rings: tuple[Ring, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scene, the ground and platform it shows, and how new its processing is (`order`: greater is newer)."""

    scene: Scene
    location: str
    place: str
    platform: str
    order: tuple[tuple[int, ...], str]
    collection: str


def item_id(document: object) -> str:
    """Return an item's id if it can be printed, else ""."""
    try:
        return read_id(document.get("id"), what="id") if isinstance(document, dict) else ""
    except ItemRefused:
        return ""


def item_collection(raw: RawItem) -> str:
    """Return the id of the collection an item says it is of, or else of the collection that linked it."""
    document = read_mapping(raw.document, what="an item")
    named = document.get("collection")
    return read_id(raw.collection if named is None else named, what="a collection id")


def read_header(raw: RawItem) -> Header:
    """Read an item's identity, time and outline."""
    document = read_mapping(raw.document, what="an item")
    if document.get("type") != "Feature":
        refuse("an item (type Feature)", document.get("type"))
    properties = read_mapping(document.get("properties"), what="properties")
    return Header(
        id=read_id(document.get("id"), what="an id"),
        collection=item_collection(raw),
        when=facts.read_time(properties.get("datetime"), what="datetime"),
        rings=facts.read_rings(document.get("geometry")),
    )


def read_candidate(raw: RawItem, header: Header, *, outline: Ring, root: Root) -> Candidate:
    """Read the rest of an item that shows the area."""
    properties, assets = _modernise(read_mapping(raw.document, what="an item"))
    sensor = _find_sensor(header.collection, properties)
    stated = (properties.get(name) for name in ("s2:processing_baseline", "processing:version", "s2:product_uri"))
    baseline = facts.read_baseline(*stated, header.id)
    bands = read_bands(assets, Context(sensor, raw.location, root, properties, baseline))
    crs = _read_crs(properties, bands.fields)
    generated = facts.find_time(properties, "s2:generation_time", "updated", "created")
    made = generated.isoformat() if generated else ""
    version = ".".join(f"{part:02d}" for part in baseline)
    rules = ", ".join(bands.rules)
    simulated = SIMULATED if properties.get("geomon:simulated") is True else ""
    scene = Scene(
        id=header.id,
        sensor=sensor.name,
        when=header.when,
        crs=crs,
        assets=bands.assets,
        outline=outline,
        acquisition="",
        processing=f"baseline {version or 'unknown'}; made {made or 'unknown'}; offset {rules}{simulated}",
        fingerprint=digest([header.id, version, made, crs, bands.identity]),
        cloud_cover=_read_cloud_cover(properties),
    )
    return Candidate(
        scene=scene,
        location=raw.location,
        place=_find_place(properties, scene),
        platform=_find_platform(properties, header.id),
        order=(baseline, made),
        collection=header.collection,
    )


def _modernise(document: Mapping[str, object]) -> tuple[Mapping[str, object], dict[str, Mapping[str, object]]]:
    """Return properties and assets in the newest STAC spelling; links and foreign extensions stay out."""
    import pystac

    assets = read_mapping(document.get("assets"), what="assets")
    if len(assets) > _MAX_ASSETS:
        raise ItemRefused(f"expected at most {_MAX_ASSETS} assets, got {len(assets)}")
    extensions = document.get("stac_extensions")
    listed = extensions if isinstance(extensions, list) else []
    wanted = [entry for entry in listed if isinstance(entry, str) and any(part in entry for part in _EXTENSIONS)]
    rasters = {key: f for key, f in assets.items() if isinstance(f, dict) and isinstance(f.get("href"), str)}
    for fields in (read_mapping(document.get("properties"), what="properties"), *rasters.values()):
        epsg, code = fields.get("proj:epsg"), fields.get("proj:code")
        if epsg is not None and code is not None and code != f"EPSG:{epsg}":  # pystac would warn, and take one
            refuse(f"proj:epsg to be the proj:code {show(code)}", epsg)
    slim = {name: document.get(name) for name in ("id", "stac_version", "properties")}
    slim |= {"type": "Feature", "stac_extensions": wanted, "geometry": None, "assets": rasters, "links": []}
    try:
        item = pystac.Item.from_dict(slim, migrate=True)
        modern = {key: asset.to_dict() for key, asset in item.assets.items()}
    except (pystac.STACError, *_FOREIGN) as err:
        raise ItemRefused(f"expected a STAC item, pystac cannot read it ({type(err).__name__})") from err
    return item.properties, {key: fields | {"href": rasters[key]["href"]} for key, fields in modern.items()}


def _find_sensor(collection: str, properties: Mapping[str, object]) -> Sensor:
    constellation = properties.get("constellation")
    sensor = sensor_of(collection, constellation=constellation if isinstance(constellation, str) else "")
    if sensor is None:
        refuse("a collection (or constellation) of a known sensor", collection)
    return sensor


def _read_crs(properties: Mapping[str, object], rasters: tuple[Mapping[str, object], ...]) -> str:
    """Read the reference system of the item, or the one that its rasters agree on."""
    names = ("proj:code", "proj:epsg", "proj:wkt2")
    spoken = [fields for fields in (properties, *rasters) if any(fields.get(name) is not None for name in names)]
    if not spoken:
        return read_crs(code=None, epsg=None, wkt2=None)
    systems = {read_crs(code=f.get("proj:code"), epsg=f.get("proj:epsg"), wkt2=f.get("proj:wkt2")) for f in spoken}
    if len(systems) > 1:
        refuse("one reference system for all rasters", ", ".join(sorted(systems)))
    return systems.pop()


def _read_cloud_cover(properties: Mapping[str, object]) -> float | None:
    value = properties.get("eo:cloud_cover")
    return None if value is None else facts.read_number(value, what="eo:cloud_cover", low=0.0, high=100.0)


def _find_place(properties: Mapping[str, object], scene: Scene) -> str:
    """Name the ground: the grid cell, else the raster's own grid, else the outline's middle."""
    code, tile = properties.get("grid:code"), properties.get("s2:mgrs_tile")
    parts = [properties.get(f"mgrs:{part}") for part in ("utm_zone", "latitude_band", "grid_square")]
    if not isinstance(code, str):
        code = tile if isinstance(tile, str) else None if None in parts else "".join(map(str, parts))
    if code is not None and code.isascii() and code.replace("-", "").isalnum() and len(code) <= 40:
        return code.upper().removeprefix("MGRS-").lstrip("0")
    finest = min(filter(None, map(_pixel_grid, scene.assets.values())), default=None)
    if finest is not None:
        return f"{scene.crs if len(scene.crs) < 20 else digest(scene.crs)[:8]} {finest[1]:.0f} {finest[2]:.0f}"
    lon, lat = (sum(values) / len(values) for values in zip(*set(scene.outline), strict=True))
    return f"{lon:.3f} {lat:.3f}"


def _pixel_grid(asset: Asset) -> tuple[float, float, float] | None:
    return None if asset.transform is None else (asset.transform[0], asset.transform[2], asset.transform[5])


def _find_platform(properties: Mapping[str, object], identifier: str) -> str:
    """Name the platform in one spelling; Sentinel-2 product names carry it too."""
    platform = properties.get("platform")
    if isinstance(platform, str) and platform.isprintable() and 0 < len(platform) <= 40:
        return platform.strip().lower().replace(" ", "-")
    unit = identifier[:4].upper()
    return f"sentinel-2{unit[2].lower()}" if unit in ("S2A_", "S2B_", "S2C_", "S2D_") else ""
