"""The unit of work: one tile, from its looks to its layers, in one fused task; no cube crosses the wire.

A `TileTask` (paths and small values) comes in, a `TileResult` (small numbers) goes out; layers, record and states are
in the store. The state is resumed from the longest stored list of looks that is a prefix of the one wanted, so a new
scene is read alone, and a late one replays what follows it. A look that failed before is asked for first: where it
fails again, nothing that follows need be replayed. Runs in any process that sees the store and the scenes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geomon.change import Baseline, Detector, Spans, State, make_detector
from geomon.cube import LookArrays, LookRead, read_look
from geomon.errors import ConfigError
from geomon.grid import Tile, inside
from geomon.kernels.quality import NODATA
from geomon.model import Look, Period, to_day
from geomon.store import Checkpoint, Store
from pipelines.job import detection_version

_EARLIER = (16, 4)
"""Besides the last, states are kept this many looks before it: late scenes come days to weeks late."""


@dataclass(frozen=True, slots=True)
class TileTask:
    """What is to be made of one tile. `looks` are those of baseline and monitor that touch it, by day and sensor."""

    tile: Tile
    looks: tuple[Look, ...]
    aoi: bytes
    bands: tuple[str, ...]
    detector: str
    baseline: Period
    monitor: Period
    store: Path
    key: str
    chain: str
    code: str
    keep: int = 3
    simulated: bool = False

    @property
    def name(self) -> str:
        """The tile's name."""
        return self.tile.name

    @property
    def wanted(self) -> tuple[str, ...]:
        """Keys of the looks, in order."""
        return tuple(look.key for look in self.looks)

    @property
    def n_baseline(self) -> int:
        """How many of the looks are the baseline's."""
        return sum(look.day <= to_day(self.baseline.end) for look in self.looks)


@dataclass(frozen=True, slots=True)
class TileResult:
    """What came of a tile; `incomplete` are ids of scenes that could not be read."""

    name: str
    key: str
    n_looks: int
    n_read: int
    incomplete: tuple[str, ...]
    seconds: float
    bytes_blocks: int

    @property
    def status(self) -> str:
        """Word for the record."""
        return "incomplete" if self.incomplete else "done"


@dataclass(slots=True)
class _Work:
    """The tile under way: what was read, which looks are applied, and the arrays that never change after the fit."""

    task: TileTask
    within: NDArray[np.bool_]
    detector: Detector
    store: Store
    keys: tuple[str, ...] = ()
    fitted: State = field(default_factory=dict)
    n_fitted: int = 0
    failed: set[str] = field(default_factory=set)
    n_read: int = 0
    bytes_blocks: int = 0
    reads: list[Mapping[str, Any]] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)

    def read(self, look: Look) -> LookRead:
        """Read a look; what lies outside the AOI is no data."""
        found = read_look(look, self.task.tile, bands=self.task.bands, inside=self.within)
        self.n_read += 1
        self.bytes_blocks += found.bytes_blocks
        self.failed.update(found.failed)
        self.reads += [_plain(record) for record in found.records if not record.ok]
        if found.arrays is None:
            return found
        quality = np.where(self.within, found.arrays.quality, np.uint8(NODATA))
        return replace(found, arrays=replace(found.arrays, quality=quality))


def run_tile(task: TileTask) -> TileResult:
    """Bring a tile up to the looks wanted, and save its layers and record."""
    began = monotonic()
    if task.code != detection_version():
        raise ConfigError(
            f"{task.name}: the worker must run the job's code {task.code[:12]}, but runs {detection_version()[:12]}; "
            "install the same version of geomon and its libraries on all workers."
        )
    work = _Work(
        task=task,
        within=inside(task.tile, shapely.from_wkb(task.aoi)),
        detector=make_detector(task.detector, task.bands, Spans(task.baseline, to_day(task.monitor.start))),
        store=Store(task.store),
    )
    state = _advance(work, *_resume(work))
    layers = dict(work.detector.layers(state, as_of=to_day(task.monitor.end)))
    layers["seen_months"] = _padded(layers["seen_months"], task.monitor)
    result = TileResult(
        name=task.name,
        key=task.key,
        n_looks=len(work.keys),
        n_read=work.n_read,
        incomplete=tuple(sorted(work.failed)),
        seconds=round(monotonic() - began, 3),
        bytes_blocks=work.bytes_blocks,
    )
    work.store.save_tile(task.key, layers=layers, tile=task.tile, record=_record(work, result))
    return result


def _resume(work: _Work) -> tuple[State | None, tuple[Look, ...]]:
    """The state to go on from, and the looks still to apply."""
    task = work.task
    expected = _expected(work)
    found, damaged = work.store.best_checkpoint(task.name, task.chain, keys=[key for _, key in expected])
    work.damaged.update(damaged)
    if found is None:
        return None, task.looks
    base, damaged = work.store.best_checkpoint(task.name, task.chain, keys=found.keys[: found.meta["fitted"]])
    work.damaged.update(damaged)
    if base is None or base.n != found.meta["fitted"]:
        return None, task.looks
    work.fitted, work.n_fitted, work.keys = base.arrays, base.n, found.keys
    following = expected[found.n][0] if found.n < len(expected) else len(task.looks)
    skipped = {scene for scene in work.failed if scene in _scenes(task.looks[:following])}
    work.failed = skipped
    return {**base.arrays, **found.arrays}, task.looks[following:]


def _expected(work: _Work) -> list[tuple[int, str]]:
    """Position and key of each look as it will be applied, if those that failed before fail again.

    The looks that failed before are read here; what they show is not kept.
    """
    newest = next(iter(work.store.tile_records(work.task.name)), {})
    doubtful = {str(scene) for scene in newest.get("incomplete", ())}
    expected = []
    for position, look in enumerate(work.task.looks):
        key: str | None = look.key
        if doubtful & _scenes((look,)):
            found = work.read(look)
            key = found.look.key if found.arrays is not None else None
        if key is not None:
            expected.append((position, key))
    return expected


def _scenes(looks: tuple[Look, ...]) -> set[str]:
    return {scene.id for look in looks for scene in look.scenes}


def _advance(work: _Work, state: State | None, looks: tuple[Look, ...]) -> State:
    """Fit the baseline where there is no state, then apply what follows, keeping states on the way."""
    task = work.task
    if state is None:
        work.failed.clear()
        state = work.fitted = _fit(work)
        work.n_fitted = len(work.keys)
        _keep(work, state)
        looks = task.looks[task.n_baseline :]
    left = len(looks)
    for look in looks:
        found = work.read(look)
        left -= 1
        if found.arrays is None:
            continue
        state = work.detector.apply(state, found.arrays)
        work.keys += (found.look.key,)
        if left in _EARLIER and task.keep > 1:
            _keep(work, state)
    if len(work.keys) > work.n_fitted and looks:
        _keep(work, state)
    return state


def _fit(work: _Work) -> State:
    with work.store.scratch() as scratch:
        baseline = Baseline(work.task.bands, work.task.tile.shape, scratch)
        for arrays in _baseline_looks(work):
            baseline.add(arrays)
        return work.detector.fit(baseline)


def _baseline_looks(work: _Work) -> Iterator[LookArrays]:
    for look in work.task.looks[: work.task.n_baseline]:
        found = work.read(look)
        if found.arrays is not None:
            work.keys += (found.look.key,)
            yield found.arrays


def _keep(work: _Work, state: State) -> None:
    """Save a state; what the fit made and nothing changed since is in the baseline's checkpoint alone."""
    first = len(work.keys) == work.n_fitted
    arrays = {name: array for name, array in state.items() if first or array is not work.fitted.get(name)}
    checkpoint = Checkpoint(keys=work.keys, arrays=arrays, meta={"fitted": work.n_fitted})
    work.store.save_checkpoint(work.task.name, work.task.chain, checkpoint=checkpoint, keep=work.task.keep)


def _padded(seen: NDArray[np.uint8], monitor: Period) -> NDArray[np.uint8]:
    """As many planes as the monitor has months by eight, in every tile alike."""
    months = 12 * (monitor.end.year - monitor.start.year) + monitor.end.month - monitor.start.month + 1
    planes = np.zeros((max(-(-months // 8), len(seen)), *seen.shape[1:]), np.uint8)
    planes[: len(seen)] = seen
    return planes


def _record(work: _Work, result: TileResult) -> Mapping[str, Any]:
    return {
        "status": result.status,
        "chain": work.task.chain,
        "as_of": work.task.monitor.end.isoformat(),
        "wanted": len(work.task.looks),
        "applied": result.n_looks,
        "read": result.n_read,
        "bytes_blocks": result.bytes_blocks,
        "seconds": result.seconds,
        "incomplete": list(result.incomplete),
        "failed_reads": work.reads,
        "damaged_states": sorted(work.damaged),
        "tags": {"SIMULATED": "true"} if work.task.simulated else {},
    }


def _plain(record: Any) -> Mapping[str, Any]:
    return {name: getattr(record, name) for name in ("scene", "band", "ok", "tries", "seconds", "error")}
