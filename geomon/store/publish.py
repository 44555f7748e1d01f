"""The store's ledger: one directory per job with its lock, tiles, checkpoints, stages under way, and published runs.

    <store>/.lock                                   held by the one run that writes
    <store>/tiles/<tile>/<key>/                     layers and record of a tile (`tiles`)
    <store>/tiles/<tile>/state-<chain>/             detector states to resume from (`checkpoints`)
    <store>/staging/<run_id>/<stage>/               finished stages of a run not yet published
    <store>/runs/<run_id>/                          published products, never changed again
    <store>/latest -> runs/<run_id>                 the newest, by as-of; asof/<date> likewise for earlier ones

Everything is whole or absent (`atomic`). This module decides nothing: which run to publish, and where, is the caller's
business.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import FileLock, Timeout

from geomon.errors import StoreUnavailable
from geomon.schema import TABLES
from geomon.store import atomic, checkpoints, products, tiles
from geomon.store.checkpoints import Checkpoint

if TYPE_CHECKING:
    import pandas as pd

    from geomon.grid import Tile

RUN_RECORD = "run.json"
_KEY_CHARS = 16
_READ = {"int": int, "float": float}


@dataclass(frozen=True, slots=True)
class Store:
    """A job's directory. Cheap to make and to pickle: it holds a path and nothing else."""

    root: Path

    # ---------------------------------------------------------------- lock

    @contextmanager
    def lock(self, wait_s: float, *, on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Hold the store alone, then sweep what killed runs left; `on_wait` is called when another run holds it."""
        atomic.make_dir(self.root)
        lock = FileLock(self.root / ".lock")
        with atomic.store_errors(self.root / ".lock"):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                on_wait()
                self._wait(lock, wait_s)
        try:
            with atomic.store_errors(self.root):
                atomic.sweep(self.root)
            yield
        finally:
            lock.release()

    def _wait(self, lock: FileLock, wait_s: float) -> None:
        try:
            lock.acquire(timeout=wait_s, poll_interval=0.2)
        except Timeout as err:
            message = (
                f"the store {self.root} must be free, but another run held it for {wait_s:g} s; nothing was changed. "
            )
            raise StoreUnavailable(
                message + "Run the job again when that run has ended, or wait longer (--wait)."
            ) from err

    # ---------------------------------------------------------------- tiles and states

    def tile_dir(self, tile: str, key: str) -> Path:
        """Directory of a tile under a unit key."""
        return self.root / "tiles" / tile / key[:_KEY_CHARS]

    def save_tile(self, key: str, *, layers: Mapping[str, Any], tile: Tile, record: Mapping[str, Any]) -> None:
        """Write a tile's layers and record, whole."""
        folder = self.tile_dir(tile.name, key)
        tiles.save_tile(folder, layers=layers, tile=tile, record={**record, "tile": tile.name, "key": key})

    def load_tile(self, tile: str, key: str) -> tiles.StoredTile | None:
        """A finished tile of exactly that key, or None."""
        found = tiles.load_tile(self.tile_dir(tile, key))
        return found if found is not None and found.record.get("key") == key else None

    def tile(self, tile: str, key: str) -> tiles.StoredTile:
        """As `load_tile`, of a tile that is known to be there."""
        found = self.load_tile(tile, key)
        if found is None:
            raise StoreUnavailable(
                f"tile {tile} must have a whole result in {self.root}, but has none; run the job again."
            )
        return found

    def tile_records(self, tile: str) -> tuple[Mapping[str, Any], ...]:
        """Records of all results of a tile, whatever their key, the newest first; their files are not looked at."""
        paths = (self.root / "tiles" / tile).glob(f"*/{tiles.RECORD}")
        found = (atomic.read_json(path) for path in sorted(paths, key=atomic.age, reverse=True))
        return tuple(record for record in found if record is not None)

    def state_dir(self, tile: str, chain: str) -> Path:
        """Directory of a tile's checkpoints of one chain."""
        return self.root / "tiles" / tile / f"state-{chain[:_KEY_CHARS]}"

    def save_checkpoint(self, tile: str, chain: str, *, checkpoint: Checkpoint, keep: int) -> None:
        """Write a detector state; the baseline and `keep` others stay, the sparser the older."""
        checkpoints.save_checkpoint(self.state_dir(tile, chain), checkpoint, keep=keep)

    def best_checkpoint(
        self, tile: str, chain: str, *, keys: Sequence[str]
    ) -> tuple[Checkpoint | None, tuple[str, ...]]:
        """The longest state that is a prefix of `keys`, and the names of damaged ones that were passed over."""
        return checkpoints.best_checkpoint(self.state_dir(tile, chain), keys)

    def applied(self, tile: str, chain: str, *, keys: Sequence[str]) -> int | None:
        """How many of `keys` need not be read again; None without any checkpoint."""
        return checkpoints.longest_prefix(self.state_dir(tile, chain), keys)

    @contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        """A nameless file on the store's disk, gone when the block or the process ends."""
        with atomic.store_errors(self.root), TemporaryFile(dir=atomic.make_dir(self.root / "tiles")) as file:
            yield file

    # ---------------------------------------------------------------- stages under way

    def stage_dir(self, run_id: str, stage: str) -> Path:
        """Where a finished stage of a run lies until the run is published."""
        return self.root / "staging" / run_id / stage

    def save_stage(
        self, run_id: str, stage: str, *, frames: Mapping[str, pd.DataFrame], record: Mapping[str, Any]
    ) -> None:
        """Write the tables of a stage; they appear whole, with their record, or not at all."""
        with atomic.new_dir(self.stage_dir(run_id, stage)) as temp:
            for table, frame in frames.items():
                products.write_parquet(frame, temp / f"{table}.parquet", table=table)
            atomic.write_json(temp / tiles.RECORD, record)

    def stage_record(self, run_id: str, stage: str) -> Mapping[str, Any] | None:
        """Record of a finished stage, or None."""
        return atomic.read_json(self.stage_dir(run_id, stage) / tiles.RECORD)

    def load_table(self, folder: Path, table: str) -> pd.DataFrame:
        """A table of a finished stage or of a published run."""
        return products.read_parquet(folder / f"{table}.parquet", table=table)

    def rows(self, folder: Path, table: str) -> list[dict[str, object]]:
        """A published table without its shapes, as plain values: dates ISO text, null None."""
        if (shapes := atomic.read_json(folder / f"{table}.geojson")) is not None:
            features: Any = shapes["features"]
            return [feature["properties"] for feature in features]
        with atomic.store_errors(folder), (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            types = {column.name: _READ.get(column.type, str) for column in TABLES[table]}
            return [{name: types[name](v) if v else None for name, v in row.items()} for row in csv.DictReader(file)]

    def forget_stages(self, *, but: str) -> None:
        """Remove the stages of runs other than `but`: what they were made of has changed."""
        for folder in sorted((self.root / "staging").glob("*")):
            if folder.name != but:
                atomic.discard(folder)

    # ---------------------------------------------------------------- published runs

    def run_dir(self, run_id: str) -> Path:
        """Directory of a published run."""
        return self.root / "runs" / run_id

    @property
    def latest(self) -> Path:
        """Link to the newest published run."""
        return self.root / "latest"

    def asof(self, day: date) -> Path:
        """Link to the run that tells what was known on an earlier day."""
        return self.root / "asof" / day.isoformat()

    def link_for(self, as_of: date) -> Path:
        """Where a run of that as-of is published: `latest`, or `asof(day)` when something newer is there."""
        newest = self.run_record(self.latest)
        return self.asof(as_of) if newest is not None and as_of.isoformat() < newest["as_of"] else self.latest

    def run_record(self, link: Path) -> Mapping[str, Any] | None:
        """`run.json` of a published run, by its directory or a link to it."""
        return atomic.read_json(link / RUN_RECORD)

    def history(self) -> Iterator[Mapping[str, Any]]:
        """Records of the published runs, the newest first, each followed by the one it built upon."""
        record, seen = self.run_record(self.latest), set[str]()
        while record is not None and record["run_id"] not in seen:
            yield record
            seen.add(str(record["run_id"]))
            before = record.get("previous")
            record = self.run_record(self.run_dir(str(before))) if before else None

    def is_whole(self, run_id: str) -> bool:
        """Whether a run is published with every file that its record lists."""
        record = self.run_record(self.run_dir(run_id))
        if record is None:
            return False
        files = record.get("files", {})
        return all(atomic.size(self.run_dir(run_id) / name) == held for name, held in files.items())

    @contextmanager
    def new_run(self, run_id: str) -> Iterator[Path]:
        """A directory for a run's files; it stands among the runs, whole, when the block ends without error."""
        with atomic.new_dir(self.run_dir(run_id)) as temp:
            yield temp

    def point(self, link: Path, run_id: str) -> None:
        """Let a link (`latest` or `asof(day)`) point to a published run, and forget the stages it was made from."""
        atomic.point(link, self.run_dir(run_id))
        atomic.discard(self.root / "staging" / run_id)

    def write_run_record(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write `run.json`, the last file of a run, with the size of every other."""
        atomic.write_json(folder / RUN_RECORD, {**record, "files": atomic.sizes(folder)})

    def write_attempt(self, record: Mapping[str, Any]) -> None:
        """Keep what became of the newest attempt that did not publish, beside the runs."""
        atomic.write_json(self.root / "attempt.json", record)

    def prune(self, kept: Mapping[str, tuple[str, str]]) -> None:
        """Remove all tiles but those named, and of these results and states but those of the (key, chain) given."""
        for home in sorted((self.root / "tiles").glob("*")):
            if home.name not in kept:
                atomic.discard(home)
        for tile, (key, chain) in kept.items():
            for folder in sorted((self.root / "tiles" / tile).glob("*")):
                if folder not in (self.tile_dir(tile, key), self.state_dir(tile, chain)):
                    atomic.discard(folder)
