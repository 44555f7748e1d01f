"""Where units run: in this process, in local workers, or on a dask cluster that is there; the results are the same.

A function and its units come in, `(unit, result)` pairs go out as they are ready; results are small. Few units are
under way at once, so memory and the scheduler's load do not grow with their number. A worker that dies twice with a
unit makes a `WorkerLost` result for that unit, and the others go on. What a unit means, and whether it is done
already, is not known here; resuming comes from the store, never from the scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

from geomon.config import Engine
from geomon.errors import SourceError

U = TypeVar("U")
R = TypeVar("R")

_LOG = logging.getLogger(__name__)
_PER_WORKER = 2
"""Units under way per worker: one at work and one waiting, so that no worker idles between two."""


class WorkerLost(SourceError):
    """The worker that held a unit died, and so did the one that took it over."""


class ClusterUnavailable(SourceError):
    """No worker of the cluster answered in time."""


def map_units(fn: Callable[[U], R], units: Sequence[U], engine: Engine) -> Iterator[tuple[U, R | SourceError]]:
    """Apply `fn` to every unit and yield each with its result, in the order in which they end.

    Parameters
    ----------
    fn : callable
        Picklable where the engine has other processes. It must return, not raise: an error of one unit is a result.
    units : sequence
        Small picklable values.
    engine : Engine
        The config's section.
    """
    if engine.workers is None and engine.scheduler is None:
        return ((unit, fn(unit)) for unit in units)
    return _on_cluster(fn, units, engine) if units else iter(())


def _on_cluster(fn: Callable[[U], R], units: Sequence[U], engine: Engine) -> Iterator[tuple[U, R | SourceError]]:
    with ExitStack() as stack:
        client = _connect(stack, engine)
        slots = _PER_WORKER * max(1, sum(client.ncores().values()))
        yield from _Window(client=client, fn=fn, waiting=iter(units), slots=slots).results()


def _connect(stack: ExitStack, engine: Engine) -> Any:
    """A client of the local or the named cluster with at least one worker; all is closed with the stack."""
    import dask  # late: heavy, and only this engine needs it

    distributed = _distributed()
    for noisy in ("distributed", "asyncio", "tornado"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # a dying worker is our result, not their stack trace
    stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 1}))
    try:
        if engine.scheduler is not None:
            client = stack.enter_context(
                distributed.Client(engine.scheduler, timeout=engine.timeout_s, set_as_default=False)
            )
        else:
            scratch = stack.enter_context(TemporaryDirectory(prefix="geomon-dask-", ignore_cleanup_errors=True))
            cluster = distributed.LocalCluster(
                n_workers=engine.workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                host="127.0.0.1",
                local_directory=scratch,
            )
            client = stack.enter_context(distributed.Client(stack.enter_context(cluster), set_as_default=False))
        client.wait_for_workers(1, timeout=engine.timeout_s)
    except (OSError, TimeoutError) as err:
        where = engine.scheduler or f"{engine.workers} local workers"
        raise ClusterUnavailable(
            f"a dask worker must answer within {engine.timeout_s:g} s, but none did at {where} ({err}). "
            "Nothing was lost; see that the cluster runs and run the job again."
        ) from err
    return client


@dataclass(slots=True)
class _Window(Generic[U, R]):
    """The units under way on a cluster; each may be lost once and is then handed out again, alone of its kind."""

    client: Any
    fn: Callable[[U], R]
    waiting: Iterator[U]
    slots: int
    under_way: dict[Any, U] = field(default_factory=dict)
    lost: list[U] = field(default_factory=list)

    def results(self) -> Iterator[tuple[U, R | SourceError]]:
        first = [self._submit(unit) for unit in islice(self.waiting, self.slots)]
        done = _distributed().as_completed(first, loop=self.client.loop)
        for future in done:
            unit = self.under_way.pop(future.key)
            result = self._result(unit, future)
            if result is not None:
                yield unit, result
            for following in islice(self.waiting, 1):
                done.add(self._submit(following))
            future.release()
        yield from self._again()

    def _again(self) -> Iterator[tuple[U, R | SourceError]]:
        """The lost units once more, one at a time, so that a unit that kills its worker takes no other with it."""
        for unit in tuple(self.lost):
            future = self._submit(unit)
            result = self._result(unit, future)
            yield unit, result if result is not None else _lost(unit)

    def _submit(self, unit: U) -> Any:
        future = self.client.submit(self.fn, unit, pure=False)
        self.under_way[future.key] = unit
        return future

    def _result(self, unit: U, future: Any) -> R | None:
        """The unit's result; None when its workers died or the cluster forgot it: the unit is kept for another try."""
        lost = (_distributed().KilledWorker, _distributed().client.FutureCancelledError, OSError)
        try:
            result: R = future.result()
        except lost as err:
            _LOG.warning("worker_lost", extra={"unit": str(unit)[:200], "error": type(err).__name__})
            self.lost.append(unit)
            return None
        return result


def _distributed() -> Any:
    return import_module("distributed")  # late: heavy, untyped, and only this engine needs it


def _lost(unit: object) -> WorkerLost:
    name = getattr(unit, "name", unit)
    return WorkerLost(
        f"{name}: a worker must live until its unit is done, but each that took this one was killed (out of memory?). "
        "The other units are kept; give the workers more memory or use smaller tiles, and run the job again.",
        unit=str(name),
    )
