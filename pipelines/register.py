"""Stage 4, register: the run's objects and the register before in; the new register and the footprints' site ids out.

The register before is that of the newest published run that knew no more than this one may. Which object is which site
is decided by `geomon.sites`; here tables are only handed on.
"""

from __future__ import annotations

from collections.abc import Mapping

from geomon.errors import DataError
from geomon.sites import update
from geomon.store import Store
from geomon.tables import conform
from pipelines.delineate import STAGE as BEFORE
from pipelines.observe import Observed

STAGE = "register"


def previous_run(store: Store, observed: Observed, *, run_id: str) -> str | None:
    """The newest published run that this one builds upon, or None."""
    as_of = observed.as_of.isoformat()
    return next((str(r["run_id"]) for r in store.history() if r["as_of"] <= as_of and r["run_id"] != run_id), None)


def is_done(store: Store, observed: Observed, *, run_id: str) -> bool:
    """Whether the stage is there, built upon the run that it would build upon now."""
    record = store.stage_record(run_id, STAGE)
    return record is not None and record.get("previous") == previous_run(store, observed, run_id=run_id)


def register_run(observed: Observed, *, run_id: str) -> Mapping[str, int]:
    """Register the objects of a run and write the stage's tables; rows by table."""
    store = Store(observed.store)
    if store.stage_record(run_id, BEFORE) is None:
        raise DataError(f"run {run_id} must be delineated first, but is not; run without --only.", run_id=run_id)
    before = previous_run(store, observed, run_id=run_id)
    previous = None if before is None else store.load_table(store.run_dir(before), "sites")
    objects = store.load_table(store.stage_dir(run_id, BEFORE), "sites")
    register, site_ids = update(previous, objects, as_of=observed.as_of, run_id=run_id)
    frames = {"sites": register}
    for table in ("mining_footprints", "footprint_periods"):
        frame = store.load_table(store.stage_dir(run_id, BEFORE), table)
        frames[table] = conform(frame.assign(site_id=[site_ids[own] for own in frame["site_id"]]), table)
    store.save_stage(run_id, STAGE, frames=frames, record={"run_id": run_id, "previous": before})
    return {table: len(frame) for table, frame in frames.items()}
