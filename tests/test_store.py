import errno
import os
import random
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from geomon.errors import SchemaMismatch, StoreUnavailable
from geomon.grid import Lattice, Tile
from geomon.model import AlertStatus
from geomon.schema import LAYERS
from geomon.store import Checkpoint, Store, atomic, tiles
from geomon.store.checkpoints import best_checkpoint, longest_prefix, save_checkpoint

TILE = Tile(Lattice("EPSG:32633", 10.0), 50_048, -45_056, 48, 32, 512)
KEYS = st.lists(st.sampled_from("abc"), max_size=6)


def layers(rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of every layer, as a detector gives them."""
    made = {}
    for spec in LAYERS:
        shape = TILE.shape if spec.count == 1 and spec.name != "seen_months" else (3, *TILE.shape)
        made[spec.name] = rng.integers(0, 6, shape).astype(spec.dtype)
    return made


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestWhole:
    @given(old=st.binary(max_size=50), new=st.binary(max_size=50))
    def test_what_is_written_is_what_is_read(
        self, tmp_path_factory: pytest.TempPathFactory, old: bytes, new: bytes
    ) -> None:
        """Bytes go in and come out; the newer replace the older; nothing else is left in the directory."""
        path = tmp_path_factory.mktemp("whole") / "deep" / "file.bin"
        for content in (old, new):
            atomic.write_whole(path, content)
            assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt])
    def test_a_writer_that_fails_leaves_the_old_file(self, tmp_path: Path, fault: type[BaseException]) -> None:
        """Half a file is never seen: the old one stays, the half is gone."""
        path = tmp_path / "file.bin"
        atomic.write_whole(path, b"old")

        def write(temp: Path) -> None:
            temp.write_bytes(b"ne")
            raise fault

        with pytest.raises(fault):
            atomic.write_whole(path, write)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_directory_is_replaced_whole_or_not(self, tmp_path: Path) -> None:
        """A block that ends well replaces all of the directory, one that fails none of it."""
        final = tmp_path / "made"
        with atomic.new_dir(final) as temp:
            (temp / "a").write_text("1")
        with pytest.raises(ZeroDivisionError):
            self.fail_in(final)
        assert [path.name for path in final.iterdir()] == ["a"]
        with atomic.new_dir(final) as temp:
            (temp / "c").write_text("3")
        assert [path.name for path in final.iterdir()] == ["c"]
        assert list(tmp_path.iterdir()) == [final]

    def fail_in(self, final: Path) -> None:
        with atomic.new_dir(final) as temp:
            (temp / "b").write_text("2")
            raise ZeroDivisionError

    def test_a_full_disk_is_said_as_such(self, tmp_path: Path) -> None:
        """No room: StoreUnavailable with what to do, the old file untouched, nothing left behind."""
        path = tmp_path / "file.bin"
        atomic.write_whole(path, b"old")
        with largest_file(100), pytest.raises(StoreUnavailable, match="file size limit") as caught:
            atomic.write_whole(path, b"x" * 1000)
        assert caught.value.exit_code == 75
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("number", "advice"),
        [
            (errno.ENOSPC, "disk is full"),
            (errno.EROFS, "read-only"),
            (errno.EACCES, "permission"),
            (errno.EIO, "mend that"),
        ],
    )
    def test_what_the_system_says_is_translated_once(self, tmp_path: Path, number: int, advice: str) -> None:
        """Every error of the operating system becomes "try later", with advice."""
        with pytest.raises(StoreUnavailable, match=advice), atomic.store_errors(tmp_path):
            raise OSError(number, os.strerror(number))

    def test_a_bug_in_a_driver_stays_a_bug(self, tmp_path: Path) -> None:
        """What GDAL or SQLite raise while there is room on the disk is not blamed on the disk."""
        with pytest.raises(sqlite3.OperationalError), atomic.store_errors(tmp_path):
            raise sqlite3.OperationalError("no such table")

    def test_a_file_in_the_way_is_said_as_such(self, tmp_path: Path) -> None:
        """A file where a directory is needed: what to do, no traceback of ours."""
        (tmp_path / "store").write_text("")
        with pytest.raises(StoreUnavailable, match="move it away"):
            atomic.write_whole(tmp_path / "store" / "tiles" / "a", b"")

    def test_leftovers_are_swept_and_nothing_else(self, tmp_path: Path) -> None:
        """Temporary files and directories go, whole ones stay."""
        for name in ("a/.tmp-1-x-file", "a/.tmp-2-y-dir/inner", "a/whole", ".tmp-3-z/.tmp-4"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")
        assert atomic.sweep(tmp_path) == 3
        assert [path.name for path in tmp_path.rglob("*")] == ["a", "whole"]

    def test_a_link_is_relative_and_swapped(self, tmp_path: Path) -> None:
        """A link survives the move of its store, points to the newest, and never takes the place of something else."""
        for name in ("one", "two"):
            (tmp_path / "runs" / name).mkdir(parents=True)
            atomic.point(tmp_path / "latest", tmp_path / "runs" / name)
            assert (tmp_path / "latest").readlink() == Path("runs") / name
        (tmp_path / "real").mkdir()
        with pytest.raises(StoreUnavailable, match="move it away"):
            atomic.point(tmp_path / "real", tmp_path / "runs" / "one")


class TestCheckpoints:
    @given(stored=st.lists(KEYS, min_size=1, max_size=5), wanted=KEYS)
    def test_the_longest_prefix_wins(
        self, tmp_path_factory: pytest.TempPathFactory, stored: list[list[str]], wanted: list[str]
    ) -> None:
        """Of all states the one is found whose looks are the longest prefix of those wanted, by its slow twin."""
        folder = tmp_path_factory.mktemp("chain")
        for keys in stored:
            state = {"text": np.array(list(map(ord, keys)), np.uint8)}
            save_checkpoint(folder, Checkpoint(tuple(keys), state), keep=100)
        fitting = [keys for keys in stored if wanted[: len(keys)] == keys]
        expected = max(fitting, key=len) if fitting else None
        found, damaged = best_checkpoint(folder, wanted)
        assert damaged == ()
        assert (None if found is None else list(found.keys)) == expected
        assert longest_prefix(folder, wanted) == (None if expected is None else len(expected))
        if found is not None:
            assert "".join(map(chr, found.arrays["text"])) == "".join(found.keys)

    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int64", "float32", "float64", "bool"])
    @pytest.mark.parametrize("shape", [(), (0, 4, 4), (3,), (5, 4, 2)])
    def test_arrays_come_back_to_the_bit(
        self, tmp_path: Path, rng: np.random.Generator, dtype: str, shape: tuple[int, ...]
    ) -> None:
        """Every type and shape comes back equal, also a transposed one; equal states give equal files."""
        array = np.asarray(rng.normal(0, 100, shape)).astype(dtype).T
        for name in ("one", "two"):
            save_checkpoint(tmp_path / name, Checkpoint(("k",), {"a": array}, {"fitted": 1}), keep=3)
        found, _ = best_checkpoint(tmp_path / "one", ["k"])
        assert found is not None
        assert found.meta == {"fitted": 1}
        np.testing.assert_array_equal(found.arrays["a"], array)
        assert (found.arrays["a"].dtype, found.arrays["a"].shape) == (array.dtype, array.shape)
        one, two = (next((tmp_path / name).iterdir()) for name in ("one", "two"))
        assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())

    def test_damage_anywhere_is_noticed(self, tmp_path: Path, rng: np.random.Generator) -> None:
        """A file with any byte changed, or cut anywhere, is passed over for the next best, or still says the same."""
        for keys in (("a",), ("a", "b")):
            arrays = {"x": rng.integers(0, 9, (7, 5)).astype(np.uint8), "y": rng.normal(0, 1, 9)}
            save_checkpoint(tmp_path, Checkpoint(keys, arrays), keep=3)
        path = max(tmp_path.iterdir())
        whole = path.read_bytes()
        choose = random.Random(1)
        spoilt = [whole[:n] for n in choose.sample(range(len(whole)), 40)]
        for place in choose.sample(range(len(whole)), 200):
            spoilt.append(whole[:place] + bytes([whole[place] ^ choose.randrange(1, 256)]) + whole[place + 1 :])
        for content in spoilt:
            path.write_bytes(content)
            found, damaged = best_checkpoint(tmp_path, ["a", "b"])
            assert found is not None
            if damaged:
                assert (found.keys, damaged) == (("a",), (path.name,))
            else:
                assert found.keys == ("a", "b")
                assert all(np.array_equal(found.arrays[name], arrays[name]) for name in arrays)

    @pytest.mark.parametrize(("keep", "late", "most"), [(3, 4, 28), (5, 4, 16), (5, 16, 60), (6, 32, 75)])
    def test_one_look_a_run_leaves_states_to_replay_late_scenes_from(
        self, tmp_path: Path, keep: int, late: int, most: int
    ) -> None:
        """After each of many weekly runs the baseline, the newest and `keep - 1` between; a late scene replays few."""
        keys = tuple(str(day) for day in range(10 + 120))
        for n in range(10, len(keys)):
            save_checkpoint(tmp_path, Checkpoint(keys[:n], {}), keep=keep)
            held = sorted(int(path.name[:6]) for path in tmp_path.iterdir())
            assert (held[0], held[-1], len(held)) == (10, n, min(n - 9, keep + 1))
            if n - 10 > late:
                changed = [*keys[: n - late], "late", *keys[n - late : n]]
                assert n - (longest_prefix(tmp_path, changed) or 0) <= most

    def test_nine_weekly_runs_do_not_replay_all_for_a_scene_four_looks_late(self, tmp_path: Path) -> None:
        """What the newest three by time (n, n-1, n-2) would have cost: a replay from the baseline."""
        for n in range(20, 30):
            save_checkpoint(tmp_path, Checkpoint(tuple(map(str, range(n))), {}), keep=3)
        found = longest_prefix(tmp_path, [*map(str, range(25)), "late", *map(str, range(25, 29))])
        assert found is not None
        assert 20 < found <= 25

    def test_file_times_decide_nothing(self, tmp_path: Path) -> None:
        """The same states whatever the clock said, and a state of other looks goes before any prefix."""
        for folder, back in ((tmp_path / "one", 0), (tmp_path / "two", 1)):
            for n in range(1, 20):
                save_checkpoint(folder, Checkpoint(tuple(map(str, range(n))), {}), keep=3)
                for path in folder.iterdir():
                    os.utime(path, (1e9 - back * int(path.name[:6]),) * 2)
            save_checkpoint(folder, Checkpoint(("x", "y"), {}), keep=3)
            save_checkpoint(folder, Checkpoint(tuple(map(str, range(20))), {}), keep=3)
        one, two = (sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("one", "two"))
        assert one == two
        assert not any(name.startswith("000002") for name in one)

    def test_an_earlier_as_of_leaves_the_newest_state(self, tmp_path: Path) -> None:
        """Telling what was known then does not make the next run replay everything."""
        for n in (5, 26, 38, 42, 10, 18, 22):
            save_checkpoint(tmp_path, Checkpoint(tuple(map(str, range(n))), {}), keep=3)
        assert longest_prefix(tmp_path, list(map(str, range(43)))) == 42

    def test_a_new_baseline_takes_the_place_of_the_old(self, tmp_path: Path) -> None:
        """When the baseline itself changes, its state counts as the one to keep, not a shorter one of before."""
        for keys in (("a",), ("a", "b"), ("x", "y"), ("x", "y", "z"), ("x", "y", "z", "w")):
            save_checkpoint(tmp_path, Checkpoint(keys, {}), keep=1)
        assert sorted(int(path.name[:6]) for path in tmp_path.iterdir()) == [2, 4]


class TestTiles:
    def test_layers_come_back_equal(self, tmp_path: Path, rng: np.random.Generator) -> None:
        """Every layer of the schema comes back with its type and shape, on its grid, with its nodata and meaning."""
        store, made = Store(tmp_path), layers(rng)
        store.save_tile("k" * 64, layers=made, tile=TILE, record={"status": "done"})
        found = store.tile(TILE.name, "k" * 64)
        assert set(found.layers) == set(made)
        for name, array in made.items():
            np.testing.assert_array_equal(found.read(name), array)
            assert found.read(name).dtype == array.dtype
        with rasterio.open(found.path("alert")) as source:
            assert (source.transform, source.crs.to_epsg(), source.nodata) == (TILE.transform, 32633, 0)
            assert source.tags()["flag_meanings"].split() == [status.label for status in AlertStatus]
            assert source.tags()["flag_values"].split() == [str(int(status)) for status in AlertStatus]
            assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"

    def test_equal_layers_give_equal_bytes(self, tmp_path: Path, rng: np.random.Generator) -> None:
        """The same arrays written twice are the same files."""
        made = layers(rng)
        for name in ("one", "two"):
            tiles.save_tile(tmp_path / name, layers=made, tile=TILE, record={})
        one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
        assert one == two

    def test_a_tile_that_is_not_whole_is_not_there(self, tmp_path: Path, rng: np.random.Generator) -> None:
        """Without its record, with a layer cut, changed or gone, a tile is absent; under another key too."""
        store, made = Store(tmp_path), layers(rng)
        for spoil in ("record", "cut", "gone", "json", "key"):
            store.save_tile("k" * 64, layers=made, tile=TILE, record={})
            folder = store.tile_dir(TILE.name, "k" * 64)
            assert store.load_tile(TILE.name, "k" * 64) is not None
            if spoil == "record":
                (folder / "record.json").unlink()
            elif spoil == "cut":
                (folder / "alert.tif").write_bytes((folder / "alert.tif").read_bytes()[:-1])
            elif spoil == "gone":
                (folder / "score.tif").unlink()
            elif spoil == "json":
                (folder / "record.json").write_text('{"files": [')
            assert store.load_tile(TILE.name, "k" * 64 if spoil != "key" else "k" * 63 + "x") is None

    @pytest.mark.parametrize("wrong", [np.zeros(TILE.shape, np.int32), np.zeros((4, 4), np.uint8)])
    def test_a_layer_that_is_not_as_declared_is_refused(self, tmp_path: Path, wrong: np.ndarray[Any, Any]) -> None:
        """Type and shape are the schema's and the tile's, or nothing is written."""
        with pytest.raises(SchemaMismatch, match="uint8 of shape"):
            tiles.save_tile(tmp_path / "t", layers={"alert": wrong}, tile=TILE, record={})
        assert list(tmp_path.iterdir()) == []

    def test_what_no_run_will_ask_for_is_pruned(self, tmp_path: Path) -> None:
        """Results and states of other keys go, those named stay; tiles not named (another grid or area) go whole."""
        store = Store(tmp_path)
        (tmp_path / "tiles" / "of-another-grid" / "state-x").mkdir(parents=True)
        for key in ("a" * 64, "b" * 64):
            store.save_tile(key, layers={}, tile=TILE, record={})
            store.save_checkpoint(TILE.name, key, checkpoint=Checkpoint((), {}), keep=1)
        store.prune({TILE.name: ("a" * 64, "b" * 64), "elsewhere": ("", "")})
        assert [path.name for path in (tmp_path / "tiles").iterdir()] == [TILE.name]
        assert sorted(path.name for path in (tmp_path / "tiles" / TILE.name).iterdir()) == [
            "a" * 16,
            "state-" + "b" * 16,
        ]


class TestLedger:
    def test_one_run_holds_the_store(self, tmp_path: Path) -> None:
        """While it is held, another is told, waits its time, and gives up; afterwards it is free."""
        store, told = Store(tmp_path / "store"), []
        with store.lock(1.0):
            failed: list[BaseException] = []

            def second() -> None:
                try:
                    with store.lock(0.1, on_wait=lambda: told.append(1)):
                        pass
                except StoreUnavailable as err:
                    failed.append(err)

            thread = threading.Thread(target=second)
            thread.start()
            thread.join()
            assert told == [1]
            assert "held it for 0.1 s" in str(failed[0])
        with store.lock(0.1, on_wait=lambda: told.append(2)):
            assert told == [1]

    def test_the_lock_sweeps_leftovers(self, tmp_path: Path) -> None:
        """Whoever holds the store removes what a killed run left."""
        (tmp_path / "tiles" / ".tmp-77-dead").mkdir(parents=True)
        with Store(tmp_path).lock(1.0):
            assert list((tmp_path / "tiles").iterdir()) == []

    def test_runs_are_listed_from_the_newest_to_what_each_built_upon(self, tmp_path: Path) -> None:
        """The history follows `previous`, ends where a run is gone, and never loops."""
        store = Store(tmp_path)
        for run_id, before in (("a", "c"), ("b", "a"), ("c", "b")):
            with store.new_run(run_id) as folder:
                store.write_run_record(folder, {"run_id": run_id, "previous": before, "as_of": "2022-01-01"})
        store.point(store.latest, "c")
        assert [record["run_id"] for record in store.history()] == ["c", "b", "a"]
        atomic.discard(store.run_dir("b"))
        assert [record["run_id"] for record in store.history()] == ["c"]

    def test_a_run_is_whole_when_its_files_are(self, tmp_path: Path) -> None:
        """A published file that is gone or shorter makes a run one that is to be made again."""
        store = Store(tmp_path)
        with store.new_run("r") as folder:
            (folder / "zones.csv").write_text("zone_id\n")
            store.write_run_record(folder, {"run_id": "r"})
        assert store.is_whole("r")
        (store.run_dir("r") / "zones.csv").write_text("zone")
        assert not store.is_whole("r")
        assert not store.is_whole("s")

    @pytest.mark.parametrize(
        ("as_of", "place"), [("2022-05-31", "asof/2022-05-31"), ("2022-06-01", "latest"), ("2023-01-01", "latest")]
    )
    def test_only_an_earlier_as_of_stands_beside_the_latest(self, tmp_path: Path, as_of: str, place: str) -> None:
        """What knows as much as the newest run or more becomes the latest."""
        store = Store(tmp_path)
        assert store.link_for(date.fromisoformat(as_of)) == store.latest
        with store.new_run("r") as folder:
            store.write_run_record(folder, {"run_id": "r", "as_of": "2022-06-01"})
        store.point(store.latest, "r")
        assert store.link_for(date.fromisoformat(as_of)) == tmp_path / place
