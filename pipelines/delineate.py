"""Stage 3, delineate: the layers of all tiles in; the run's tables of objects out, as files of the stage.

Tiles are read one at a time, and of each only what the tables need. Sites carry ids of their own here: what they are
called in the register is the next stage's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from geomon.footprints import ChangePixels, Context, Delineation, delineate, gather
from geomon.grid import Tile
from geomon.store import Store
from geomon.surroundings import Surroundings, load_surroundings
from pipelines.observe import Observed
from pipelines.tile import TileTask

STAGE = "delineate"

TABLES: Mapping[str, str] = {
    "mining_footprints": "footprints",
    "footprint_periods": "periods",
    "alerts": "alerts",
    "sub_mmu": "sub_mmu",
    "dropped": "dropped",
    "sites": "sites",
    "ground": "ground",
}
"""Table of the schema -> field of `Delineation`."""

_NOT_NEEDED = frozenset({"score", "n_clear_baseline"})


def delineate_run(
    observed: Observed, tasks: Sequence[TileTask], *, run_id: str, around: Surroundings | None
) -> Mapping[str, int]:
    """Delineate all objects and write their tables; rows by table."""
    store = Store(observed.store)
    pixels: ChangePixels = gather(_layers(store, tasks))
    context = Context(
        aoi_name=observed.aoi.name,
        aoi=observed.aoi.geometry,
        zones=observed.zones,
        scenes=observed.scenes,
        baseline=observed.config.baseline,
        monitor=observed.monitor,
        kinds=observed.config.report.periods,
        run_id=run_id,
        surroundings=around,
    )
    found: Delineation = delineate(pixels, context)
    frames = {table: getattr(found, field) for table, field in TABLES.items()}
    store.save_stage(run_id, STAGE, frames=frames, record={"run_id": run_id})
    return {table: len(frame) for table, frame in frames.items()}


def surroundings_of(observed: Observed) -> Surroundings | None:
    """The lie of the land that the config names; asked before detection, so that a wrong file costs no one a night."""
    paths = observed.config.context_paths
    return load_surroundings(paths.get("dem"), paths.get("rivers"), aoi=observed.aoi.geometry)


def _layers(store: Store, tasks: Sequence[TileTask]) -> Iterator[tuple[Tile, Mapping[str, NDArray[Any]]]]:
    for task in tasks:
        stored = store.tile(task.name, task.key)
        yield task.tile, {name: stored.read(name) for name in stored.layers if name not in _NOT_NEEDED}
