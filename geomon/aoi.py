"""Areas of interest and zones: a GeoJSON file in, checked polygons out, or a message that says what to edit.

Out come lon/lat polygons (WGS84) with an id, a name, a role and a status each. A fault of the file stops the run:
polygons are what every area in the products is measured by, so nothing is mended in silence. Area is not measured
here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from geomon.errors import ConfigError
from geomon.model import ZoneRole

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

MAX_BYTES = 64 * 1024 * 1024
"""Largest file; full-resolution boundaries of all sub-prefectures of western CAR are 1.4 MB."""
MAX_TEXT = 200

_WGS84 = ("crs84", "epsg::4326", "epsg:4326", "epsg:6.6:4326")


@dataclass(frozen=True, slots=True)
class Zone:
    """One named polygon and why it is watched; `status` is "unknown" unless the file says otherwise."""

    id: str
    name: str
    role: ZoneRole
    status: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class AOI:
    """The ground to monitor: the union of its features, and each as a zone."""

    name: str
    geometry: BaseGeometry
    features: tuple[Zone, ...]


def read_aoi(path: Path) -> AOI:
    """Read an area of interest.

    Raises
    ------
    ConfigError
        The file is not there, no GeoJSON, not in WGS84 lon/lat, without polygons, or a polygon is invalid.
    """
    import shapely

    features = read_zones(path)
    union = shapely.union_all([zone.geometry for zone in features])
    return AOI(name=path.stem, geometry=union, features=features)


def read_zones(path: Path) -> tuple[Zone, ...]:
    """Read a zone file, in the file's order.

    Raises
    ------
    ConfigError
        As `read_aoi`; or two zones have one id.
    """
    document = _read_geojson(path)
    _check_crs(document, path)
    zones: dict[str, Zone] = {}
    for number, feature in enumerate(_features(document, path), start=1):
        zone = _read_zone(feature, number, path)
        if zone.id in zones:
            _fail(path, f"expected ids that differ, feature {number} repeats {zone.id!r}", "give each its own id")
        zones[zone.id] = zone
    if not zones:
        _fail(path, "expected at least one polygon feature, got none", "draw the area")
    return tuple(zones.values())


def _fail(path: Path, fault: str, remedy: str) -> NoReturn:
    raise ConfigError(f"{path}: {fault}; {remedy}", path=str(path))


def _read_geojson(path: Path) -> Mapping[str, object]:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else "not a path"
        raise ConfigError(
            f"expected a GeoJSON file at {path}, but it cannot be read ({reason}); correct the config"
        ) from err
    if size > MAX_BYTES:
        _fail(path, f"expected at most {MAX_BYTES} bytes, got {size}", "simplify the polygons")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as err:
        raise ConfigError(f"{path}: expected GeoJSON, got something that is not JSON ({err}); export it again") from err
    if not isinstance(document, dict):
        _fail(path, f"expected a GeoJSON object, got {_show(document)}", "export it as a FeatureCollection")
    return document


def _features(document: Mapping[str, object], path: Path) -> Iterator[Mapping[str, object]]:
    kind = document.get("type")
    if kind in ("Polygon", "MultiPolygon"):
        yield {"geometry": document, "properties": {}}
        return
    features = [document] if kind == "Feature" else document.get("features")
    if kind not in ("Feature", "FeatureCollection") or not isinstance(features, list):
        _fail(path, f"expected a FeatureCollection, got type {_show(kind)}", "export it as GeoJSON")
    for number, feature in enumerate(features, start=1):
        if not isinstance(feature, dict):
            _fail(path, f"expected feature {number} to be an object, got {_show(feature)}", "export the file again")
        yield feature


def _check_crs(document: Mapping[str, object], path: Path) -> None:
    """Accept the old `crs` member only where it says what RFC 7946 says anyway."""
    crs = document.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not name.lower().endswith(_WGS84):
        _fail(path, f"expected lon/lat in WGS84, got crs {_show(name)}", "reproject the file to EPSG:4326")


def _read_zone(feature: Mapping[str, object], number: int, path: Path) -> Zone:
    properties = {} if (given := feature.get("properties")) is None else given
    if not isinstance(properties, dict):
        _fail(
            path, f"expected properties of feature {number} to be an object, got {_show(properties)}", "export it again"
        )
    named = (properties.get("id"), feature.get("id"), f"{path.stem}-{number}")
    identity = next(name for name in named if name is not None)
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)[:MAX_TEXT]
    zone_id = _text(identity, what=f"the id of feature {number}", path=path)
    role = _text(properties.get("role", ZoneRole.ZONE.value), what=f"the role of feature {zone_id}", path=path)
    if role not in set(ZoneRole):
        _fail(path, f"expected a role of {', '.join(ZoneRole)} for feature {zone_id}, got {_show(role)}", "correct it")
    return Zone(
        id=zone_id,
        name=_text(properties.get("name") or zone_id, what=f"the name of feature {zone_id}", path=path),
        role=ZoneRole(role),
        status=_text(properties.get("status") or "unknown", what=f"the status of feature {zone_id}", path=path),
        geometry=_read_polygon(feature.get("geometry"), where=f"feature {zone_id}", path=path),
    )


def _text(value: object, *, what: str, path: Path) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_TEXT or not value.isprintable():
        _fail(path, f"expected {what} to be 1 to {MAX_TEXT} printable characters, got {_show(value)}", "correct it")
    return value.strip()


def _read_polygon(geometry: object, *, where: str, path: Path) -> BaseGeometry:
    import shapely
    from shapely.geometry import shape
    from shapely.validation import explain_validity

    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        _fail(path, f"expected {where} to be a Polygon or MultiPolygon, got {_show(kind)}", "draw it as a polygon")
    _check_positions(geometry.get("coordinates"), depth=3 if kind == "Polygon" else 4, where=where, path=path)
    try:
        polygon = shapely.force_2d(shape(geometry))
    except (shapely.errors.ShapelyError, ValueError, TypeError, IndexError) as err:
        raise ConfigError(
            f"{path}: expected closed rings of at least 4 positions in {where}, got {err}; redraw it"
        ) from err
    if polygon.is_empty:
        _fail(path, f"expected {where} to have an area, got an empty polygon", "draw it")
    left, bottom, right, top = polygon.bounds
    if left < -180 or right > 180 or bottom < -90 or top > 90:
        _fail(
            path,
            f"expected longitudes in -180..180 and latitudes in -90..90, {where} spans x {left:g}..{right:g}, "
            f"y {bottom:g}..{top:g}, which looks projected",
            "reproject the file to EPSG:4326",
        )
    if not polygon.is_valid:
        why = explain_validity(polygon)
        _fail(path, f"expected a valid polygon, {where} is none ({why})", "redraw or repair it in a GIS")
    return polygon


def _check_positions(coordinates: object, *, depth: int, where: str, path: Path) -> None:
    """See that nested lists end in finite numbers: shapely's own messages say neither which feature nor what to do."""
    if depth > 0:
        if not isinstance(coordinates, list) or not coordinates:
            _fail(path, f"expected rings of positions in {where}, got {_show(coordinates)}", "redraw it")
        for part in coordinates:
            _check_positions(part, depth=depth - 1, where=where, path=path)
    elif isinstance(coordinates, bool) or not isinstance(coordinates, int | float) or not abs(coordinates) < 1e12:
        _fail(path, f"expected finite numbers in {where}, got {_show(coordinates)}", "redraw it")


def _show(value: object) -> str:
    text = ascii(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:80]}..."
