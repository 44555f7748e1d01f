"""Stage 2, detect: tiles and their looks in; for each tile layers, record and states in the store.

Plans the tiles, tells which are done, and hands the others to the engine. A tile that fails is a result: the others go
on and are kept. What happens inside a tile is `pipelines.tile`.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import shapely

from geomon.catalog import group_looks
from geomon.change import DETECTORS, Spans, common_bands, make_detector
from geomon.config import JobConfig
from geomon.cube import estimate_bytes, touching_scenes
from geomon.errors import ConfigError, DataError, SourceError
from geomon.grid import Tile, plan_grid
from geomon.model import Look, digest, to_day
from geomon.store import Store
from pipelines import job
from pipelines.engine import map_units
from pipelines.job import Attempt, Failure
from pipelines.observe import Observed
from pipelines.tile import TileResult, TileTask, run_tile

_LOG = logging.getLogger(__name__)


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TilePlan:
    """What a run would do with a tile and why; `scenes` and `megabytes` are what it would read at most."""

    tile: str
    state: str
    why: str
    looks: int
    scenes: int
    megabytes: float


@dataclass(frozen=True, slots=True)
class Detected:
    """What came of the tiles: `done` those that were worked on now, `failed` those without a result."""

    done: tuple[TileResult, ...]
    failed: tuple[Failure, ...]
    kept: int


def plan_tasks(observed: Observed) -> tuple[TileTask, ...]:
    """Cut the area into tiles and say what each is to be made of."""
    config, monitor = observed.config, observed.monitor
    bands = bands_of(observed)
    _check_detector(config, bands, spans=Spans(config.baseline, to_day(monitor.start)))
    looks = group_looks(observed.scenes)
    shape = shapely.to_wkb(shapely.normalize(observed.aoi.geometry))
    common = {
        "detector": config.detector.name,
        "code": job.detection_version(),
        "aoi": hashlib.sha256(shape).hexdigest(),
        "bands": list(bands),
        "baseline": [config.baseline.start, config.baseline.end],
        "monitor_start": monitor.start,
        "simulated": observed.observation.simulated,
    }
    tasks = []
    for tile in plan_grid(observed.aoi.geometry, observed.scenes, tile_px=config.tiles.size_px):
        seen = _looks_of(tile, looks)
        chain = digest({**common, "tile": asdict(tile)})
        tasks.append(
            TileTask(
                tile=tile,
                looks=seen,
                aoi=shape,
                bands=bands,
                detector=config.detector.name,
                baseline=config.baseline,
                monitor=monitor,
                store=observed.store,
                key=digest([chain, [look.key for look in seen], monitor.end]),
                chain=chain,
                code=job.detection_version(),
                keep=config.detector.checkpoints,
                simulated=observed.observation.simulated,
            )
        )
    return tuple(tasks)


def bands_of(observed: Observed) -> tuple[str, ...]:
    """The bands that the scenes of the run have in common, by and large."""
    return common_bands([tuple(scene.assets) for scene in observed.scenes])


def plan(store: Store, tasks: Sequence[TileTask]) -> tuple[TilePlan, ...]:
    """What a run would do with each tile."""
    return tuple(_plan(store, task) for task in tasks)


def detect(observed: Observed, tasks: Sequence[TileTask], *, progress: Progress) -> Detected:
    """Bring every tile up to date; a tile that is done is left alone.

    Parameters
    ----------
    observed : Observed
    tasks : sequence of TileTask
    progress : callable
        Called with (tiles done, tiles in all) when a tile ends.
    """
    store = Store(observed.store)
    pending = [task for task in tasks if not _is_done(store, task)]
    done, failed, kept = list[TileResult](), list[Failure](), len(tasks) - len(pending)
    progress(kept, len(tasks))
    for task, result in map_units(Attempt(run_tile), pending, observed.config.engine):
        if isinstance(result, TileResult):
            done.append(result)
            _LOG.info("tile_done", extra={"tile": task.name, "looks_read": result.n_read, "seconds": result.seconds})
            if result.incomplete:
                reads = store.tile(task.name, task.key).record["failed_reads"]
                _LOG.warning("reads_failed", extra={"tile": task.name, "reads": reads})
        else:
            failed.append(Failure.of(task.name, result) if isinstance(result, SourceError) else result)
            _LOG.error(
                "tile_failed", extra={"tile": task.name, "detail": failed[-1].message, "trace": failed[-1].trace}
            )
        progress(kept + len(done) + len(failed), len(tasks))
    return Detected(done=tuple(done), failed=tuple(failed), kept=kept)


def unread(store: Store, tasks: Sequence[TileTask]) -> list[tuple[str, str]]:
    """Pairs of tile and scene that could not be read, by the records of finished tiles.

    Raises
    ------
    DataError
        If a tile has no result.
    """
    pairs = []
    for task in tasks:
        found = store.load_tile(task.name, task.key)
        if found is None:
            raise DataError(f"tile {task.name} must be detected first, but has no result; run without --only.")
        pairs += [(task.name, str(scene)) for scene in found.record["incomplete"]]
    return pairs


def _is_done(store: Store, task: TileTask) -> bool:
    found = store.load_tile(task.name, task.key)
    return found is not None and not found.record["incomplete"]


def _plan(store: Store, task: TileTask) -> TilePlan:
    found = store.load_tile(task.name, task.key)
    if found is not None and not found.record["incomplete"]:
        return TilePlan(task.name, "done", "nothing changed", 0, 0, 0.0)
    applied = store.applied(task.name, task.chain, keys=task.wanted)
    looks = task.looks[applied or 0 :]
    if found is not None:
        state, why = "stale", f"{len(found.record['incomplete'])} scenes could not be read before"
    else:
        records = store.tile_records(task.name)
        state, why = ("stale", _why(records[0], task, len(looks))) if records else ("new", "no result yet")
    return TilePlan(
        tile=task.name,
        state=state,
        why=why,
        looks=len(looks),
        scenes=sum(len(look.scenes) for look in looks),
        megabytes=round(sum(estimate_bytes(look, task.tile, task.bands) for look in looks) / 1e6, 3),
    )


def _why(record: Mapping[str, object], task: TileTask, looks: int) -> str:
    if record.get("chain") != task.chain:
        return "area, bands, baseline, detector or code changed"
    if record.get("as_of") != task.monitor.end.isoformat():
        return f"as-of moved, {looks} looks to apply"
    return f"{looks} looks to apply"


def _check_detector(config: JobConfig, bands: tuple[str, ...], *, spans: Spans) -> None:
    name, options = config.detector.name, config.detector.options
    if name not in DETECTORS:
        near = difflib.get_close_matches(name, DETECTORS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        raise ConfigError(
            f"{config.file}: key 'detector.name' must be one of {', '.join(DETECTORS)}, got '{name}'{hint} "
            "Correct the file and run again."
        )
    if options:
        raise ConfigError(
            f"{config.file}: key 'detector.{next(iter(options))}' is not known; detector '{name}' has no options. "
            "Take it out and run again."
        )
    make_detector(name, bands, spans)


def _looks_of(tile: Tile, looks: Sequence[Look]) -> tuple[Look, ...]:
    """The looks that reach into the tile, each with the scenes that do."""
    found = (Look(look.day, look.sensor, touching_scenes(look, tile)) for look in looks)
    return tuple(look for look in found if look.scenes)
