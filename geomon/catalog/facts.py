"""Single facts read from a stranger's JSON: numbers, texts, dates, outlines, reference systems.

In: a value as it was parsed. Out: a checked value, or `ItemRefused` with what was expected and what came. No item is
known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NoReturn

from geomon.catalog.hrefs import show
from geomon.errors import ItemRefused

MAX_ID = 200
MAX_POINTS = 100_000
"""Most positions of an outline; real granule outlines have 5 to some hundred."""
MAX_WKT = 20_000

Ring = tuple[tuple[float, float], ...]

_BAD_ID = re.compile(r"""[<>&"'`/\\]""")
_AUTHORITY = re.compile(r"(EPSG|ESRI):(\d{4,6})")
_BASELINE = re.compile(r"(\d{1,2})\.(\d{1,2})")


def refuse(expected: str, value: object) -> NoReturn:
    """Raise ItemRefused for a value."""
    raise ItemRefused(f"expected {expected}, got {show(value)}")


def read_mapping(value: object, *, what: str) -> Mapping[str, object]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        refuse(f"{what} to be an object", value)
    return value


def read_number(value: object, *, what: str, low: float, high: float) -> float:
    """Return a finite number in [low, high]; no text, no boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        refuse(f"{what} to be a number in [{low:g}, {high:g}]", value)
    return float(value)


def read_id(value: object, *, what: str) -> str:
    """Return an identifier that can be printed anywhere."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID or not value.isprintable() or value != value.strip():
        refuse(f"{what} of 1 to {MAX_ID} printable characters", value)
    if _BAD_ID.search(value):
        refuse(f"{what} without slashes, quotes, <, > or &", value)
    return value


def read_time(value: object, *, what: str) -> datetime:
    """Return an instant in UTC; a time without zone is UTC, as STAC demands."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
        when = when and (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        when = None
    if when is None or not 1980 <= when.year <= 2100:  # before the first Landsat TM, or a slip of the pen
        refuse(f"{what} to be an ISO 8601 time in 1980..2100", value)
    return when


def find_time(properties: Mapping[str, object], *names: str) -> datetime | None:
    """Return the first of some optional times that is there and well formed."""
    for name in names:
        try:
            return read_time(properties.get(name), what=name)
        except ItemRefused:
            continue
    return None


def read_baseline(*texts: object) -> tuple[int, ...]:
    """Return the first processing baseline among some texts as numbers; () if none has one.

    Examples
    --------
    >>> read_baseline(None, "05.11"), read_baseline("S2B_MSIL2A_20250731T130249_N0511_R095.SAFE"), read_baseline("new")
    ((5, 11), (5, 11), ())
    """
    for text in texts:
        if not isinstance(text, str) or len(text) > MAX_ID:
            continue
        match = _BASELINE.fullmatch(text) or re.search(r"_N(\d\d)(\d\d)_", text)
        if match:
            return int(match[1]), int(match[2])
    return ()


def read_crs(*, code: object, epsg: object, wkt2: object) -> str:
    """Return a projected reference system in metres as "EPSG:n" (or "ESRI:n"), or else as WKT.

    The first that is given of `proj:code`, `proj:epsg`, `proj:wkt2` decides.
    """
    if code is None and epsg is not None:
        code = (
            f"EPSG:{epsg}"
            if isinstance(epsg, int) and not isinstance(epsg, bool)
            else refuse("a proj:epsg number", epsg)
        )
    if code is not None:
        if not isinstance(code, str) or not _AUTHORITY.fullmatch(code):
            refuse("a proj:code like EPSG:32633", code)
        return _known_crs(code)
    if wkt2 is None:
        raise ItemRefused("expected a projection (proj:code, proj:epsg or proj:wkt2), got none")
    if not isinstance(wkt2, str) or len(wkt2) > MAX_WKT or "\0" in wkt2:
        refuse("a proj:wkt2 text", wkt2)
    return _known_crs(wkt2)


@lru_cache(maxsize=256)
def _known_crs(text: str) -> str:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    authority = _AUTHORITY.fullmatch(text)
    try:
        crs = CRS.from_authority(authority[1], authority[2]) if authority else CRS.from_wkt(text)
        code = text if authority else crs.to_authority(min_confidence=100)
    except CRSError:
        refuse("a known reference system", text)
    if not crs.is_projected or any(axis.unit_name not in ("metre", "meter") for axis in crs.axis_info[:2]):
        refuse("a projected reference system in metres", text)
    if code is None:
        return text
    return code if isinstance(code, str) else ":".join(code)


def read_rings(geometry: object) -> tuple[Ring, ...]:
    """Return the exterior ring of each polygon of a GeoJSON geometry, as closed lon/lat rings."""
    geometry = read_mapping(geometry, what="geometry")
    coordinates = geometry.get("coordinates")
    if geometry.get("type") == "Polygon":
        coordinates = [coordinates]
    elif geometry.get("type") != "MultiPolygon":
        refuse("a Polygon or MultiPolygon outline", geometry.get("type"))
    if not isinstance(coordinates, list) or not coordinates or len(coordinates) > MAX_POINTS:
        refuse("a list of polygons", coordinates)
    rings = tuple(_read_ring(polygon) for polygon in coordinates)
    if sum(map(len, rings)) > MAX_POINTS:
        raise ItemRefused(f"expected an outline of at most {MAX_POINTS} positions, got more")
    return rings


def _read_ring(polygon: object) -> Ring:
    ring = polygon[0] if isinstance(polygon, list) and polygon else None
    if not isinstance(ring, list) or not 4 <= len(ring) <= MAX_POINTS:
        refuse("an exterior ring of at least 4 positions", ring)
    return tuple(_read_position(position) for position in ring)


def _read_position(position: object) -> tuple[float, float]:
    if not isinstance(position, list) or not 2 <= len(position) <= 4:
        refuse("a position [lon, lat]", position)
    lon = read_number(
        position[0], what="a longitude", low=-180.5, high=180.5
    )  # some catalogues overshoot by half a pixel
    return lon, read_number(position[1], what="a latitude", low=-90.5, high=90.5)


def read_numbers(value: object, *, what: str, count: int, limit: float) -> tuple[float, ...] | None:
    """Return the first `count` of a list of numbers within +-limit; None where nothing is said."""
    if value is None:
        return None
    if not isinstance(value, list) or not count <= len(value) <= 9:
        refuse(f"{what} to be a list of {count} numbers", value)
    return tuple(read_number(entry, what=what, low=-limit, high=limit) for entry in value[:count])
