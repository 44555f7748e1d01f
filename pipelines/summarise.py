"""Stage 5, summarise: the register's and the objects' tables in; every product file, the run record and the links out.

All files are written into one directory that appears among the published runs whole; only then does `latest` (or
`asof/DATE`) point to it. Wall times stand in `run.json` alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import shapely

from geomon.errors import DataError
from geomon.grid import inside, to_wgs84
from geomon.model import BANDS, digest
from geomon.store import CollectionInfo, Store, TileItem, atomic, products, write_stac
from geomon.zones import ZoneFrame, table, tile_statistics, total
from pipelines import delineate, job, register
from pipelines.observe import Observed
from pipelines.tile import TileTask

_LOG = logging.getLogger(__name__)

STAGE = "summarise"

_GEOJSON = ("mining_footprints", "sites", "alerts")
_ALL = (*_GEOJSON, "footprint_periods", "sub_mmu", "dropped", "zones")
_FROM_REGISTER = frozenset({"sites", "mining_footprints", "footprint_periods"})


@dataclass(frozen=True, slots=True)
class Times:
    """Wall times of a run, for its record."""

    started: str
    ended: str
    seconds: float


def summarise_run(
    observed: Observed, tasks: Sequence[TileTask], *, unread: Sequence[tuple[str, str]], times: Times
) -> Path:
    """Write all products of a run and publish them; the link that points to them."""
    store, run_id = Store(observed.store), observed.run_id(unread)
    registered = store.stage_record(run_id, register.STAGE)
    if registered is None:
        raise DataError(f"run {run_id} must be registered first, but is not; run without --only.", run_id=run_id)
    frames = _frames(store, observed, tasks, run_id=run_id)
    link = store.link_for(observed.as_of)
    with store.new_run(run_id) as folder:
        _write_tables(frames, folder, as_of=observed.as_of)
        items = [_item(store, task, folder) for task in tasks]
        tables = [path for path in folder.iterdir() if path.is_file()]
        write_stac(folder, _collection(observed, run_id), tiles=items, products=tables)
        record = _record(observed, tasks, unread=unread, times=times)
        rows = {name: len(frame) for name, frame in frames.items()}
        store.write_run_record(folder, record | {"rows": rows, "previous": registered["previous"]})
    store.point(link, run_id)
    return link


def _frames(store: Store, observed: Observed, tasks: Sequence[TileTask], *, run_id: str) -> dict[str, Any]:
    """All product tables in file order."""
    stage = {name: register.STAGE if name in _FROM_REGISTER else delineate.STAGE for name in _ALL if name != "zones"}
    frames = {name: store.load_table(store.stage_dir(run_id, folder), name) for name, folder in stage.items()}
    ground = store.load_table(store.stage_dir(run_id, delineate.STAGE), "ground")
    frame = ZoneFrame(monitor=observed.monitor, kinds=observed.config.report.periods, run_id=run_id)
    parts = []
    for task in tasks:
        stored = store.tile(task.name, task.key)
        parts.append(
            tile_statistics(
                task.tile,
                {name: stored.read(name) for name in ("last_clear", "seen_months")},
                zones=observed.zones,
                within=inside(task.tile, observed.aoi.geometry),
                frame=frame,
            )
        )
    return {**frames, "zones": table(observed.zones, total(parts), ground=ground, frame=frame)}


def _write_tables(frames: Mapping[str, Any], folder: Path, *, as_of: date) -> None:
    for name in _GEOJSON:
        products.write_geojson(frames[name], folder / f"{name}.geojson", table=name)
    for name, frame in frames.items():
        products.write_parquet(frame, folder / f"{name}.parquet", table=name)
    products.write_csv(frames["zones"], folder / "zones.csv", table="zones")
    products.write_gpkg(frames, folder / "geomon.gpkg", as_of=as_of)


def _item(store: Store, task: TileTask, folder: Path) -> TileItem:
    """Give the tile's layers a second place below the run's directory, and describe them."""
    stored, home = store.tile(task.name, task.key), folder / "layers" / task.name
    for name in stored.layers:
        atomic.place(stored.path(name), home / f"{name}.tif")
    box = shapely.segmentize(shapely.box(*task.tile.bounds), task.tile.lattice.res_m * task.tile.width)
    return TileItem(
        name=task.name,
        geometry=to_wgs84(box, task.tile.lattice.crs),
        crs=task.tile.lattice.crs,
        shape=task.tile.shape,
        transform=tuple(task.tile.transform)[:6],
        files={name: home / f"{name}.tif" for name in stored.layers},
    )


def _collection(observed: Observed, run_id: str) -> CollectionInfo:
    west, south, east, north = observed.aoi.geometry.bounds
    simulated = observed.observation.simulated
    mark, note = (" (simulated)", "SIMULATED: no satellite saw this. ") if simulated else ("", "")
    return CollectionInfo(
        id=f"geomon-{digest(observed.config.name)[:8]}-{run_id}",
        title=f"{observed.config.name}, as of {observed.as_of}{mark}",
        description=(
            f"{note}Mining footprints, sites and zone tables of {observed.aoi.name}, as known on {observed.as_of} "
            "(geomon). Where, when and how much ground was dug, never whose stones; no data is not no activity."
        ),
        span=observed.monitor,
        bbox=(west, south, east, north),
        properties={
            "geomon:run_id": run_id,
            "geomon:name": observed.config.name,
            **({"geomon:simulated": True} if simulated else {}),
        },
    )


def _record(
    observed: Observed, tasks: Sequence[TileTask], *, unread: Sequence[tuple[str, str]], times: Times
) -> dict[str, Any]:
    lost = Counter(scene for _, scene in unread)
    return {
        "run_id": observed.run_id(unread),
        "key": observed.key(unread),
        "name": observed.config.name,
        "as_of": observed.as_of.isoformat(),
        "simulated": observed.observation.simulated,
        "started": times.started,
        "ended": times.ended,
        "seconds": times.seconds,
        "parts": {name: digest(part) for name, part in observed.parts.items()},
        "config": observed.config.identity(),
        "tiles": [_tile_record(store=Store(observed.store), task=task) for task in tasks],
        "incomplete_reads": len(unread),
        "incomplete_scenes": dict(sorted(lost.items())),
        "bands": list(tasks[0].bands),
        "bands_lacking": [band for band in BANDS if band not in tasks[0].bands],
        "scenes_lacking": _scenes_lacking(observed, tasks[0].bands),
        "versions": dict(job.versions()),
        **observed.observation.as_record(),
    }


def _scenes_lacking(observed: Observed, bands: Sequence[str]) -> dict[str, int]:
    """How many scenes lack a band that the job reads: their looks are judged by the bands they have."""
    lacking = {band: sum(band not in scene.assets for scene in observed.scenes) for band in bands}
    found = {band: count for band, count in lacking.items() if count}
    if found:
        _LOG.warning("scenes_lack_bands", extra={"scenes_lacking": found})
    return found


def _tile_record(store: Store, task: TileTask) -> dict[str, Any]:
    record = store.tile(task.name, task.key).record
    return {name: value for name, value in record.items() if name not in ("files", "stacked")}
