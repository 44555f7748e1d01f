"""Stage 1, observe: the config's area, zones and catalogue in; the scenes and the identity of the run out.

No pixel is read and nothing is written. `Observed.run_id` names the run by all that it is made of, so that a run with
nothing to do knows it here, before any tile is planned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import shapely

from geomon.aoi import AOI, Zone, read_aoi, read_zones
from geomon.catalog import CatalogSource, Observation, check_coverage, search
from geomon.config import JobConfig
from geomon.errors import ConfigError
from geomon.model import Period, Scene, digest
from pipelines import job

Unread = Iterable[tuple[str, str]]
"""Pairs of tile name and id of a scene that could not be read there."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a run is made of. `monitor` ends at as-of; `scenes` are those of the baseline and the monitor."""

    config: JobConfig
    store: Path
    aoi: AOI
    zones: tuple[Zone, ...]
    observation: Observation
    scenes: tuple[Scene, ...]
    monitor: Period
    parts: Mapping[str, object]

    @property
    def as_of(self) -> date:
        """The last day that the run may know of."""
        return self.monitor.end

    def key(self, unread: Unread = ()) -> str:
        """The run key: a digest of everything the products depend on, reads that failed among it."""
        return digest({**self.parts, "unread": sorted(unread)})

    def run_id(self, unread: Unread = ()) -> str:
        """First 12 hex digits of the run key."""
        return self.key(unread)[:12]


def observe(config: JobConfig, *, store: Path, asked: date) -> Observed:
    """Find out what a run would be made of.

    Parameters
    ----------
    config : JobConfig
    store : Path
        Directory of the store, absolute.
    asked : date
        As-of asked for; the monitor end may be earlier. A day that has not come is refused: what would be published
        under it could never be overtaken by what is known later.
    """
    job.check_day(asked)
    monitor = config.monitor(asked)
    aoi = read_aoi(config.aoi_path)
    zones = read_zones(config.zones_path) if config.zones_path is not None else aoi.features
    observation = search(
        CatalogSource(config.catalog, config.source.collections),
        area=aoi.geometry,
        span=Period(config.baseline.start, monitor.end),
        as_of=monitor.end,
    )
    check_coverage(observation, baseline=config.baseline, catalog=config.catalog)
    scenes = tuple(s for s in observation.scenes if s.when.date() in config.baseline or s.when.date() in monitor)
    return Observed(
        config=config,
        store=store,
        aoi=aoi,
        zones=zones,
        observation=observation,
        scenes=scenes,
        monitor=monitor,
        parts={
            "config": config.identity(),
            "code": job.code_version(),
            "scenes": sorted([scene.fingerprint, scene.when.isoformat(), scene.crs] for scene in scenes),
            "aoi": [aoi.name, [_identity(zone) for zone in aoi.features]],
            "zones": [_identity(zone) for zone in zones],
            "context": {name: _content(path) for name, path in config.context_paths.items()},
            "as_of": monitor.end,
            "simulated": observation.simulated,
        },
    )


def _identity(zone: Zone) -> list[object]:
    shape = hashlib.sha256(shapely.to_wkb(shapely.normalize(zone.geometry))).hexdigest()
    return [zone.id, zone.name, str(zone.role), zone.status, shape]


def _content(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"context: {path} must be a plain file, but is none. Correct the config.")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise ConfigError(f"context: {path} must be a readable file, but: {err.strerror}. Correct the config.") from err
