"""A whole run: the stages in order, under the store's lock, from "is there anything to do" to the published products.

Decides what is done, what is left out and with which exit code it ends; does nothing of it itself. A run publishes
when every tile has a result; reads that failed do not hold it up, but the next run tries them again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from geomon.config import JobConfig
from geomon.errors import EXIT_OK, EXIT_TRY_LATER, ConfigError
from geomon.model import BANDS
from geomon.store import Store
from pipelines import job
from pipelines.observe import Observed, observe

if TYPE_CHECKING:
    from pipelines.detect import Detected, TilePlan
    from pipelines.tile import TileTask

_LOG = logging.getLogger(__name__)

Stage = Literal["observe", "detect", "delineate", "register", "summarise"]
Status = Literal["nothing to do", "published", "published before", "stage done", "not published"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a run. `only` names the one stage to do after observing."""

    config: JobConfig
    store: Path
    asked: date
    only: Stage | None = None
    wait_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to know how it goes: called when another run holds the store, and when a tile ends."""

    waiting: Callable[[], object]
    tiles: Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended; `products` is the link that readers follow."""

    status: Status
    exit_code: int
    run_id: str
    as_of: str
    products: str
    tiles: int = 0
    tiles_done: int = 0
    looks_read: int = 0
    incomplete_reads: int = 0
    refused: int = 0
    bands_lacking: tuple[str, ...] = ()
    failed: tuple[job.Failure, ...] = ()


def plan(request: Request) -> tuple[TilePlan, ...]:
    """What a run would do with each tile; nothing is written."""
    from pipelines import detect  # late, as in `_work`

    observed = observe(request.config, store=request.store, asked=request.asked)
    return detect.plan(Store(request.store), detect.plan_tasks(observed))


def run(request: Request, watch: Watch) -> Report:
    """Do what there is to do."""
    store = Store(request.store)
    with store.lock(request.wait_s, on_wait=watch.waiting):
        with job.stage("observe", config=str(request.config.file)) as facts:
            observed = observe(request.config, store=request.store, asked=request.asked)
            facts |= {"scenes": len(observed.scenes), "refused": len(observed.observation.refused)}
        _check_name(store, request.config)
        standing = _standing(store, observed)
        if request.only == "observe":
            return _report(observed, "stage done")
        if request.only is None and standing is not None:
            return standing
        return _work(request, observed, watch)


def _work(request: Request, observed: Observed, watch: Watch) -> Report:
    from pipelines import delineate, detect, register, summarise  # late: a run with nothing to do pays for none of them

    began, started, only = monotonic(), job.stamp(), request.only
    store, tasks = Store(request.store), detect.plan_tasks(observed)
    found = None
    around = delineate.surroundings_of(observed)  # a wrong file of context is told now, not after hours of detection
    if only in (None, "detect"):
        with job.stage("detect", tiles=len(tasks)) as facts:
            found = detect.detect(observed, tasks, progress=watch.tiles)
            facts |= {"done": len(found.done), "kept": found.kept, "failed": len(found.failed)}
        if found.failed:
            return _stopped(store, observed, found, tiles=len(tasks))
    unread = detect.unread(store, tasks)
    run_id = observed.run_id(unread)
    if only == "detect":
        return _report(observed, "stage done", found=found, unread=unread, tasks=tasks)
    if only in (None, "summarise") and store.is_whole(run_id):
        store.point(store.link_for(observed.as_of), run_id)
        return _report(observed, "published before", found=found, unread=unread, tasks=tasks)
    store.forget_stages(but=run_id)
    if only == "delineate" or (only is None and store.stage_record(run_id, delineate.STAGE) is None):
        with job.stage("delineate") as facts:
            facts |= delineate.delineate_run(observed, tasks, run_id=run_id, around=around)
    if only == "register" or (only is None and not register.is_done(store, observed, run_id=run_id)):
        with job.stage("register") as facts:
            facts |= register.register_run(observed, run_id=run_id)
    if only in ("delineate", "register"):
        return _report(observed, "stage done", found=found, unread=unread, tasks=tasks)
    with job.stage("summarise") as facts:
        times = summarise.Times(started, job.stamp(), round(monotonic() - began, 3))
        link = summarise.summarise_run(observed, tasks, unread=unread, times=times)
        facts |= {"products": str(link), "run_id": run_id}
    _tidy(store, tasks, link)
    return _report(observed, "published", found=found, unread=unread, tasks=tasks)


def _standing(store: Store, observed: Observed) -> Report | None:
    """The report of a run that has nothing to do: its products are published under its link, with every read done."""
    run_id, as_of = observed.run_id(), observed.as_of
    for link in (store.latest, store.asof(as_of)):
        record = store.run_record(link)
        if record is not None and record["run_id"] == run_id and store.is_whole(run_id):
            return _report(observed, "nothing to do", link=link)
    return None


def _check_name(store: Store, config: JobConfig) -> None:
    newest = store.run_record(store.latest)
    if newest is not None and newest["name"] != config.name:
        raise ConfigError(
            f"{config.file}: a store belongs to one job, but {store.root} holds the runs of '{newest['name']}', "
            f"not of '{config.name}'. Give this job a store of its own."
        )


def _stopped(store: Store, observed: Observed, found: Detected, *, tiles: int) -> Report:
    """Tiles failed: what was published before stays, what was done is kept, and the record says why."""
    code = job.worst(failure.exit_code for failure in found.failed)
    record = {"at": job.stamp(), "as_of": observed.as_of.isoformat(), "exit_code": code}
    store.write_attempt({**record, "failed": [failure.facts for failure in found.failed]})
    return Report(
        status="not published",
        exit_code=code,
        run_id=observed.run_id(),
        as_of=observed.as_of.isoformat(),
        products=str(store.latest),
        tiles=tiles,
        tiles_done=len(found.done),
        looks_read=sum(result.n_read for result in found.done),
        failed=found.failed,
    )


def _tidy(store: Store, tasks: Sequence[TileTask], link: Path) -> None:
    """Forget results and states that nothing will ask for again; an earlier as-of leaves the newest ones alone."""
    if link == store.latest:
        store.prune({task.name: (task.key, task.chain) for task in tasks})


def _report(
    observed: Observed,
    status: Status,
    *,
    link: Path | None = None,
    found: Detected | None = None,
    unread: Sequence[tuple[str, str]] = (),
    tasks: Sequence[TileTask] = (),
) -> Report:
    store, lacking = Store(observed.store), tuple(band for band in BANDS if tasks and band not in tasks[0].bands)
    done: Sequence[Any] = found.done if found is not None else ()
    return Report(
        status=status,
        exit_code=EXIT_TRY_LATER if unread else EXIT_OK,
        run_id=observed.run_id(unread),
        as_of=observed.as_of.isoformat(),
        products=str(link or store.link_for(observed.as_of)),
        tiles=len(tasks),
        tiles_done=len(done),
        looks_read=sum(result.n_read for result in done),
        incomplete_reads=len(unread),
        refused=len(observed.observation.refused),
        bands_lacking=lacking,
    )
