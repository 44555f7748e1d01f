"""What every stage shares: the clock, the identity of a run, and what becomes of errors.

The only place that reads the calendar, and the only one that catches everything: an expected error of one unit is a
result with its exit code, anything else a bug with its traceback, recorded, while the other units go on. "Is it done?"
is one question: is there a whole result under this key. A key is made of inputs, parameters and code, never of places,
engines or clocks.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

import geomon
from geomon.errors import EXIT_BUG, EXIT_CONFIG, EXIT_DATA, EXIT_OK, EXIT_TRY_LATER, ConfigError, GeomonError

U = TypeVar("U")
R = TypeVar("R")

_LOG = logging.getLogger(__name__)
_PACKAGES = ("numpy", "scipy", "numba", "rasterio", "shapely", "pyproj")
_AFTER_DETECTION = frozenset(
    {
        "aoi",
        "catalog",
        "config",
        "footprints",
        "periods",
        "report",
        "release",
        "simulate",
        "sites",
        "store",
        "surroundings",
        "tables",
        "zones",
    }
)
"""Rooms of geomon whose code cannot change a tile's layers; a new room counts as one that can."""

_DETECTION = ("detect.py", "tile.py")
"""Modules of pipelines that can change a tile's layers."""

_WORST_FIRST = (EXIT_BUG, EXIT_CONFIG, EXIT_DATA, EXIT_TRY_LATER)


def today() -> date:
    """The day it is, UTC."""
    return datetime.now(UTC).date()


def check_day(asked: date) -> None:
    """Refuse an as-of that has not come."""
    if asked > today():
        raise ConfigError(
            f"--as-of must not be after today, {today()} (UTC), got {asked}; give an earlier day, or none for today."
        )


def stamp() -> str:
    """The time it is, UTC, for run records only."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---------------------------------------------------------------- identity


@cache
def versions() -> Mapping[str, str]:
    """Versions of what computes: geomon, the numeric libraries and GDAL."""
    import rasterio  # late: `geomon --help` does not need it

    found = {"geomon": geomon.__version__, **{name: version(name) for name in _PACKAGES}}
    return {**found, "gdal": str(rasterio.__gdal_version__)}


@cache
def code_version() -> str:
    """Hex digest of all source files of geomon and pipelines and of the versions of what computes."""
    return _digest_of([*_sources(Path(geomon.__file__).parent), *_sources(Path(__file__).parent)])


@cache
def detection_version() -> str:
    """As `code_version`, of the code that can change a tile's layers."""
    files = _sources(Path(geomon.__file__).parent)
    rooms = [(name, path) for name, path in files if name.split("/")[0].removesuffix(".py") not in _AFTER_DETECTION]
    return _digest_of([*rooms, *((f"pipelines/{name}", Path(__file__).with_name(name)) for name in _DETECTION)])


def _sources(package: Path) -> list[tuple[str, Path]]:
    return [(path.relative_to(package).as_posix(), path) for path in sorted(package.rglob("*.py"))]


def _digest_of(files: Iterable[tuple[str, Path]]) -> str:
    whole = hashlib.sha256(repr(sorted(versions().items())).encode())
    for name, path in files:
        whole.update(f"\n{name}\n".encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()


# ---------------------------------------------------------------- errors


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one unit: a result like any other."""

    unit: str
    exit_code: int
    error: str
    message: str
    trace: str = ""

    @property
    def facts(self) -> dict[str, object]:
        """Fields of a log line or a record."""
        return {"unit": self.unit, "exit_code": self.exit_code, "detail": self.message, "trace": self.trace}

    @classmethod
    def of(cls, unit: str, err: BaseException) -> Failure:
        """The failure that an error stands for; only a bug keeps its traceback."""
        if isinstance(err, GeomonError) and err.exit_code != EXIT_BUG:
            return cls(unit, err.exit_code, type(err).__name__, str(err))
        trace = "".join(traceback.format_exception(err))
        return cls(unit, EXIT_BUG, type(err).__name__, f"{type(err).__name__}: {err}; this is a bug of geomon", trace)


@dataclass(frozen=True, slots=True)
class Attempt(Generic[U, R]):
    """A function that returns a `Failure` where `work` raises; picklable when `work` is."""

    work: Callable[[U], R]

    def __call__(self, unit: U) -> R | Failure:
        """Do the work on one unit."""
        try:
            return self.work(unit)
        except Exception as err:  # a unit's bug is its result: the others go on, and the job says 70
            return Failure.of(str(getattr(unit, "name", unit))[:200], err)


def worst(codes: Iterable[int]) -> int:
    """The exit code of the worst: a bug, then what a person must edit, then bad data, then what to try again."""
    met = set(codes)
    return next((code for code in _WORST_FIRST if code in met), max(met, default=EXIT_OK))


# ---------------------------------------------------------------- log


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Spell a record."""
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        if record.exc_info is not None:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps({**head, **fields}, default=str)


_STANDARD = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])


def log_to_stderr() -> None:
    """Send our events to stderr as JSON lines; on a terminal, where a bar shows progress, only warnings, as text."""
    handler = logging.StreamHandler(sys.stderr)
    watched = sys.stderr.isatty()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s") if watched else JsonLines())
    logging.getLogger().addHandler(handler)
    for ours in ("geomon", "pipelines"):
        logging.getLogger(ours).setLevel(logging.WARNING if watched else logging.INFO)


# ---------------------------------------------------------------- stages


@contextmanager
def stage(title: str, **facts: object) -> Iterator[dict[str, object]]:
    """Log the start and the end of a stage; what is put into the dict goes into the line of the end."""
    _LOG.info("stage_start", extra={"stage": title, **facts})
    began, found = monotonic(), dict[str, object]()
    yield found
    _LOG.info("stage_end", extra={"stage": title, "seconds": round(monotonic() - began, 3), **found})
