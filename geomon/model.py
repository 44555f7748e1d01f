"""Frozen values and closed vocabularies that the rooms pass to each other.

Nothing here reads, writes or computes beyond identity: a scene, a look, a period, a run key, and the enums that
products spell out. Labels for people (English, French) are in `geomon.schema`. Geometry stays out: a scene's outline is
a ring of lon/lat pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

EPOCH = date(1970, 1, 1)

BANDS: tuple[str, ...] = ("blue", "green", "red", "nir", "swir16", "swir22")
"""Band order of every array that has a band axis (STAC common names). A cube may hold a subset, in this order."""


class AlertStatus(IntEnum):
    """Where a pixel or an alert stands on the ladder (values are the raster codes; 0 is also nodata)."""

    NONE = 0
    CANDIDATE = 1
    PROVISIONAL = 2
    CONFIRMED = 3
    DROPPED = 4
    UNRESOLVED = 5

    @property
    def label(self) -> str:
        """Lower-case name, as written in products."""
        return self.name.lower()


class Activity(StrEnum):
    """What a site did in a period."""

    NEW = "new"
    ACTIVE = "active"
    EXPANDING = "expanding"
    PERSISTENT = "persistent"
    PREVIOUSLY_ACTIVE = "previously_active"
    REVEGETATING = "revegetating"
    NOT_OBSERVED = "not_observed"
    REJECTED = "rejected"


DIGGING: Final = frozenset({Activity.NEW, Activity.ACTIVE, Activity.EXPANDING, Activity.PERSISTENT})
"""Activities that mean fresh digging in the period."""


class SiteType(StrEnum):
    """What kind of working a site shows."""

    EXCAVATION = "excavation"
    WASHING = "washing"
    DREDGE = "dredge"
    GENERIC = "generic"
    UNKNOWN = "unknown"


class Confuser(StrEnum):
    """What an object that is not mining looks like."""

    FARM = "farm"
    BURN = "burn"
    ROAD = "road"
    SANDBANK = "sandbank"
    SETTLEMENT = "settlement"
    FLOOD = "flood"
    LOGGING = "logging"
    CLOUD = "cloud"
    QUARRY_INDUSTRIAL = "quarry_industrial"
    UNKNOWN = "unknown"


class ZoneRole(StrEnum):
    """Why a zone is in the table."""

    ZONE = "zone"
    COMPARISON = "comparison"
    BORDER = "border"
    WATCH = "watch"


class Release(StrEnum):
    """Who may see an element; the default everywhere is `kp_only`."""

    KP_ONLY = "kp_only"
    UN_SHARED = "un_shared"
    PUBLIC = "public"


class Event(StrEnum):
    """What happened to a site between two runs."""

    NEW = "new"
    GREW = "grew"
    REWORKED = "re-worked"
    WENT_QUIET = "went_quiet"
    WITHDRAWN = "withdrawn"


class PeriodKind(StrEnum):
    """Calendar-aligned reporting periods, UTC, inclusive."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"
    SEASON = "season"


def to_day(when: date | datetime) -> int:
    """Days since 1970-01-01 of a UTC date."""
    return (date(when.year, when.month, when.day) - EPOCH).days


def from_day(day: int) -> date:
    """The UTC date `day` days after 1970-01-01."""
    return EPOCH + timedelta(days=int(day))


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """An inclusive span of UTC dates."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a period must end on or after its start, got {self.start}..{self.end}")

    def __contains__(self, when: object) -> bool:
        return isinstance(when, date) and self.start <= date(when.year, when.month, when.day) <= self.end


@dataclass(frozen=True, slots=True)
class Asset:
    """One raster of a scene and how its numbers become reflectance (`dn * scale + offset`)."""

    href: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    shape: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One usable STAC item.

    `fingerprint` identifies what was processed (id, processing version, radiometry), never where it lies: a catalogue
    that is moved keeps its run keys. `acquisition` is equal for two items that show the same acquisition of the same
    ground.
    """

    id: str
    sensor: str
    when: datetime
    crs: str
    assets: Mapping[str, Asset]
    outline: tuple[tuple[float, float], ...]
    acquisition: str
    processing: str
    fingerprint: str
    cloud_cover: float | None = None

    @property
    def day(self) -> int:
        """Acquisition day (UTC), days since 1970-01-01."""
        return to_day(self.when)


@dataclass(frozen=True, slots=True)
class Look:
    """All scenes of one sensor on one day: seen as one observation."""

    day: int
    sensor: str
    scenes: tuple[Scene, ...]

    @property
    def key(self) -> str:
        """Identity of the look: day, sensor and the fingerprints of its scenes."""
        return digest([self.day, self.sensor, [s.fingerprint for s in self.scenes]])


def digest(parts: object) -> str:
    """Hex SHA-256 of the canonical JSON of `parts` (dicts sorted, no spaces, dates as ISO text)."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot put {type(value).__name__} into a key")
