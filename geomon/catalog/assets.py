"""Which raster of an item is which band, and how its numbers become reflectance.

In: an item's assets and a `Sensor`. Out: `Asset` by common name (and the quality layer), with scale, offset and
nodata decided once, by rules that are named in the scene's record. Bands are never guessed by position; pixels are
not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from geomon.catalog.facts import read_mapping, read_number, read_numbers, refuse
from geomon.catalog.hrefs import Root, is_remote, resolve
from geomon.errors import ItemRefused
from geomon.model import Asset
from geomon.sensors import QA_BAND, Sensor

Fields = Mapping[str, object]

_TIFF = (".tif", ".tiff")
_JP2 = (".jp2",)
_PICTURES = frozenset({"visual", "thumbnail", "overview", "preview"})
_SAME_SIDE = 1e-6
_CHECKSUM = re.compile(r"[0-9A-Fa-f]{8,200}")


@dataclass(frozen=True, slots=True)
class Context:
    """What the assets of one item share."""

    sensor: Sensor
    location: str
    root: Root
    properties: Fields
    baseline: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bands:
    """The rasters of an item by band, the fields they came from, what identifies them, the offset rules used."""

    assets: dict[str, Asset]
    fields: tuple[Fields, ...]
    identity: dict[str, list[object]]
    rules: tuple[str, ...]


def read_bands(assets: Mapping[str, Fields], context: Context) -> Bands:
    """Find and read every band of the sensor that the item has.

    Raises
    ------
    ItemRefused
        No band, no quality layer, a hostile href, numbers that are none, or pixels of a size that the sensor has not.
    """
    found = {band: key for band in context.sensor.bands if (key := find_band(assets, band=band, sensor=context.sensor))}
    quality = next((key for key in context.sensor.qa_keys if key in assets and _is_raster(assets[key])), None)
    if not found:
        refuse(f"at least one band of {sorted(context.sensor.bands)}", ", ".join(sorted(assets)))
    if quality is None:
        raise ItemRefused(f"expected a quality layer ({', '.join(context.sensor.qa_keys)}), got none")
    result, identity, rules = {}, {}, set()
    for band, key in found.items():
        scale, offset, rule = read_radiometry(assets[key], context)
        rules.add(rule)
        result[band] = _read_asset(assets[key], context, scale=scale, offset=offset)
        identity[band] = _identify(assets[key], result[band])
    result[QA_BAND] = _read_asset(assets[quality], context, scale=1.0, offset=0.0)
    identity[QA_BAND] = _identify(assets[quality], result[QA_BAND])
    fields = tuple(assets[key] for key in (*found.values(), quality))
    return Bands(result, fields, identity, tuple(sorted(rules)))


def find_band(assets: Mapping[str, Fields], *, band: str, sensor: Sensor) -> str | None:
    """Return the key of the raster that is the band: by common name, else by key; GeoTIFF before JPEG 2000."""
    keys = sensor.bands[band]
    for suffixes in (_TIFF, _JP2):
        rasters = {key: _common_name(asset) for key, asset in assets.items() if _is_raster(asset, suffixes)}
        named = [key for key, name in rasters.items() if name == band]
        if len(named) == 1:
            return named[0]
        candidates = named or [key for key, name in rasters.items() if name == ""]
        by_key = next((key for key in keys if key in candidates), None)
        if by_key is not None:
            return by_key
    return None


def read_radiometry(asset: Fields, context: Context) -> tuple[float, float, str]:
    """Return scale, offset and the rule that decided the offset.

    Earth Search says `earthsearch:boa_offset_applied: true` of pixels that are corrected already while their
    raster:bands still say -0.1 (Element84/earth-search#66, #71). Where an item declares nothing (Planetary Computer)
    the processing baseline decides, never the date (microsoft/PlanetaryComputer#134, torchgeo/torchgeo#3224).
    """
    declared = _declared(asset)
    scale = declared.get("scale", context.sensor.scale)
    scale = read_number(scale, what="scale", low=1e-9, high=1.0)
    if context.properties.get("earthsearch:boa_offset_applied") is True:
        return scale, 0.0, "applied by the catalogue"
    if "scale" in declared or "offset" in declared:
        return scale, read_number(declared.get("offset", 0.0), what="offset", low=-2.0, high=2.0), "declared"
    if context.baseline:
        return scale, context.sensor.default_offset(context.baseline), "by processing baseline"
    return scale, 0.0, "assumed none"


def _declared(asset: Fields) -> dict[str, object]:
    """Collect scale, offset and nodata from where STAC 1.0 and 1.1 put them; the nearest to the band wins."""
    result: dict[str, object] = {}
    for fields in (asset, *_entries(asset, "bands"), *_entries(asset, "raster:bands")):
        for name in ("scale", "offset", "nodata"):
            value = fields.get(f"raster:{name}", fields.get(name))
            if value is not None:
                result[name] = value
    return result


def _entries(asset: Fields, name: str) -> Iterator[Fields]:
    """Yield the one entry of a list of bands."""
    entries = asset.get(name)
    if entries is None:
        return
    if not isinstance(entries, list) or len(entries) > 1:
        refuse(f"{name} to be a list of one band", entries)
    yield from (read_mapping(entry, what=f"an entry of {name}") for entry in entries)


def _common_name(asset: Fields) -> str | None:
    """Return what the asset calls its only band; "" where it says nothing, None where it holds several."""
    for field, name in (("eo:bands", "common_name"), ("bands", "eo:common_name")):
        entries = asset.get(field)
        if isinstance(entries, list) and entries:
            first = entries[0]
            common = first.get(name, "") if len(entries) == 1 and isinstance(first, dict) else None
            return common if isinstance(common, str) else None
    return ""


def _is_raster(asset: Fields, suffixes: tuple[str, ...] = _TIFF + _JP2) -> bool:
    roles = asset.get("roles")
    if isinstance(roles, list) and any(isinstance(role, str) and role in _PICTURES for role in roles):
        return False
    href = asset.get("href")
    return isinstance(href, str) and _path(href).lower().endswith(suffixes)


def _path(href: str) -> str:
    try:
        return urlsplit(href).path if is_remote(href) else href
    except ValueError:
        return href  # `resolve` says what is wrong with it


def _read_asset(asset: Fields, context: Context, *, scale: float, offset: float) -> Asset:
    return Asset(
        href=resolve(asset.get("href"), base=context.location, root=context.root),
        scale=scale,
        offset=offset,
        nodata=_read_nodata(_declared(asset).get("nodata"), context.sensor),
        transform=_read_transform(_own(asset, "proj:transform", context), context.sensor),
        shape=_read_shape(_own(asset, "proj:shape", context)),
    )


def _own(asset: Fields, name: str, context: Context) -> object:
    """Return an asset's field, or the item's where the asset has none."""
    value = asset.get(name)
    return context.properties.get(name) if value is None else value


def _read_transform(value: object, sensor: Sensor) -> tuple[float, float, float, float, float, float] | None:
    numbers = read_numbers(value, what="proj:transform", count=6, limit=1e9)
    if numbers is None:
        return None
    a, b, c, d, e, f = numbers
    if not (a > 0 and e < 0):
        refuse("a proj:transform with columns to the right and rows downwards", str(numbers))
    sides = math.hypot(a, d), math.hypot(b, e)
    if not any(all(math.isclose(side, known, rel_tol=_SAME_SIDE) for side in sides) for known in sensor.pixel_m):
        known = ", ".join(f"{side:g}" for side in sensor.pixel_m)
        refuse(f"a proj:transform with square pixels of {known} m ({sensor.name})", str(numbers))
    return a, b, c, d, e, f


def _read_shape(value: object) -> tuple[int, int] | None:
    numbers = read_numbers(value, what="proj:shape", count=2, limit=1e6)
    if numbers is None:
        return None
    rows, columns = map(int, numbers)
    if (rows, columns) != numbers or min(rows, columns) < 1:
        refuse("a proj:shape of whole numbers", str(numbers))
    return rows, columns


def _read_nodata(value: object, sensor: Sensor) -> float:
    if value is None:
        return sensor.nodata
    if value == "nan":  # spelled so by the raster extension
        return math.nan
    return read_number(value, what="nodata", low=-1e38, high=1e38)


def _identify(fields: Fields, asset: Asset) -> list[object]:
    """What tells this raster from another processing of the same ground, and never where it lies."""
    checksum = fields.get("file:checksum")
    known = isinstance(checksum, str) and _CHECKSUM.fullmatch(checksum)
    name = _path(asset.href).rpartition("/")[2]
    return [name, asset.scale, asset.offset, asset.nodata, asset.transform, asset.shape, checksum if known else None]
