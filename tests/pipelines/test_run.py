import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import rasterio

from geomon.errors import ConfigError, DataError
from geomon.grid import Tile
from pipelines import job as jobs
from pipelines import tile
from pipelines.run import plan
from tests._stac import write_json
from tests.pipelines.job_files import BASELINE, END, MONITOR, OPENS, Job, content, leftovers, products

TILES = 4
CONTRACT = {
    "mining_footprints.geojson", "sites.geojson", "zones.csv", "alerts.geojson", "geomon.gpkg", "run.json",
    "collection.json", "mining_footprints.parquet", "sites.parquet", "alerts.parquet", "zones.parquet",
    "footprint_periods.parquet", "sub_mmu.parquet", "dropped.parquet",
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that has run once."""
    job = Job(tmp_path_factory.mktemp("template") / "job")
    report = job.run()
    assert report.status == "published"
    return job


@pytest.fixture
def done(template: Job, tmp_path: Path) -> Job:
    """A copy of a job that has run once; layers that were hard links are copies."""
    shutil.copytree(template.root, tmp_path / "job", symlinks=True)
    return _at(tmp_path / "job", template)


@pytest.fixture
def fresh(template: Job, tmp_path: Path) -> Job:
    """The same job before its first run."""
    ignore = shutil.ignore_patterns("store")
    shutil.copytree(template.root, tmp_path / "fresh", ignore=ignore)
    return _at(tmp_path / "fresh", template)


def _at(root: Path, template: Job) -> Job:
    job = Job.__new__(Job)
    job.root, job.days, job.extra = root, list(template.days), template.extra
    return job


def _sites(folder: Path) -> list[dict[str, Any]]:
    return [feature["properties"] for feature in json.loads((folder / "sites.geojson").read_text())["features"]]


def test_a_run_publishes_every_product_and_finds_the_pit(done: Job) -> None:
    """Every file of the contract is at latest/, a relative link; the pit is a site, first seen when it opened."""
    names = {path.name for path in done.latest.iterdir()}
    assert names >= CONTRACT
    assert not done.latest.readlink().is_absolute()
    (pit,) = _sites(done.latest)
    assert pit["first_seen"] == OPENS.isoformat()
    assert 0.65 < pit["area_ha"] < 0.8
    assert pit["run_id"] == done.latest.readlink().name
    assert leftovers(done.store) == []
    assert list((done.store / "staging").glob("*")) == []


def test_a_second_run_has_nothing_to_do(done: Job) -> None:
    """Without a new scene nothing is read and nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in done.store.rglob("*") if path.name != ".lock"}
    report = done.run()
    assert (report.status, report.exit_code, report.looks_read) == ("nothing to do", 0, 0)
    assert {path: path.stat().st_mtime_ns for path in done.store.rglob("*") if path.name != ".lock"} == before


def test_two_stores_of_one_job_hold_equal_bytes(done: Job, fresh: Job) -> None:
    """Products are byte-equal when made again, run.json alone aside; so is the run id."""
    assert fresh.run().run_id == done.latest.readlink().name
    assert products(fresh.latest) == products(done.latest)


def test_a_new_scene_alone_is_read(done: Job, fresh: Job) -> None:
    """One new scene costs one look a tile, and the products equal those of a run over all scenes."""
    day = MONITOR[-1] + timedelta(days=10)
    done.add(day)
    fresh.add(day)
    report = done.run()
    assert (report.status, report.tiles_done, report.looks_read) == ("published", TILES, TILES)
    fresh.run()
    assert content(done.latest) == content(fresh.latest)


@pytest.mark.parametrize(
    ("where", "most"),
    [
        ("monitor", 6),
        pytest.param("early", 12, marks=pytest.mark.slow),
        pytest.param("baseline", 40, marks=pytest.mark.slow),
    ],
)
def test_a_late_scene_is_replayed_from_before_it(done: Job, fresh: Job, where: str, most: int) -> None:
    """A scene older than the state gives what a run over all scenes gives, and what lies well before it is not read."""
    day = {"monitor": MONITOR[-2], "early": MONITOR[0], "baseline": BASELINE[3]}[where] + timedelta(days=3)
    done.add(day)
    fresh.add(day)
    report = done.run()
    assert report.looks_read <= most * TILES
    fresh.run()
    assert content(done.latest) == content(fresh.latest)


@pytest.mark.slow
def test_a_withdrawn_scene_is_forgotten(done: Job, fresh: Job) -> None:
    """A scene that the catalogue no longer lists leaves no trace in the products."""
    for job in (done, fresh):
        job.days.remove(MONITOR[4])
        job.write()
        assert job.run().status == "published"
    assert content(done.latest) == content(fresh.latest)


def test_as_of_tells_what_was_known_then(done: Job, fresh: Job) -> None:
    """An earlier as-of is published beside latest/, which stays; it equals a run when only those scenes were there."""
    day = MONITOR[5]
    before = products(done.latest, but=())
    assert done.run(asked=day).status == "published"
    link = done.store / "asof" / day.isoformat()
    assert products(done.latest, but=()) == before
    fresh.days = [each for each in fresh.days if each <= day]
    fresh.write()
    fresh.run(asked=day)
    assert products(link) == products(fresh.latest)
    assert done.run(asked=day).status == "nothing to do"
    assert done.run().status == "nothing to do"


def test_a_later_as_of_becomes_the_latest(fresh: Job) -> None:
    """As-of after as-of, latest/ is the newest, and the register carries a site's id on."""
    fresh.run(asked=MONITOR[6])
    first = _sites(fresh.latest)
    fresh.run(asked=END)
    assert [row["site_id"] for row in first] == [row["site_id"] for row in _sites(fresh.latest)]
    assert json.loads((fresh.latest / "run.json").read_text())["previous"] is not None
    assert not (fresh.store / "asof").exists()


def test_an_as_of_before_the_monitor_is_refused(done: Job) -> None:
    """Before the monitor starts there is nothing to know: a config error that names both dates."""
    with pytest.raises(ConfigError, match="2022-01-01, got 2021-06-01"):
        done.run(asked=date(2021, 6, 1))


def test_a_day_that_has_not_come_is_refused(done: Job) -> None:
    """On a monitor without end a future as-of would stay latest/ for good: refused, nothing changed; today is not."""
    done.config.write_text(done.config.read_text().replace(f", {END}]", "]"))
    before, today = done.latest.readlink(), jobs.today()
    for ask in (done.run, lambda asked: plan(done.request(asked=asked))):
        with pytest.raises(ConfigError, match=f"not be after today, {today} .*, got {today + timedelta(days=2)}; give"):
            ask(asked=today + timedelta(days=2))
    assert done.latest.readlink() == before
    assert done.run(asked=today, only="observe").as_of == today.isoformat()


def test_what_makes_layers_is_in_the_tile_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the kernels and of the stage that works on tiles; not that of tables."""
    named: list[str] = []
    monkeypatch.setattr(jobs, "_digest_of", lambda files: named.extend(name for name, path in files if path.is_file()))
    jobs.detection_version.__wrapped__()
    assert {"pipelines/tile.py", "pipelines/detect.py", "change/base.py", "model.py"} <= set(named)
    assert not any(name.startswith(("zones", "store")) for name in named)


def _edit_item(job: Job, day: date, **properties: object) -> None:
    path = job.scene(day).with_name("item.json")
    item = json.loads(path.read_text())
    write_json(path, item | {"properties": item["properties"] | properties})


def test_a_corrected_acquisition_day_is_taken_in(done: Job, fresh: Job) -> None:
    """An item whose date alone was corrected gives a new run, equal to one that never saw the wrong date."""
    run_id = done.latest.readlink().name
    for job in (done, fresh):
        _edit_item(job, MONITOR[3], datetime=f"{MONITOR[3] + timedelta(days=4)}T09:40:00Z")
    report = done.run()
    assert (report.status, report.run_id != run_id, report.tiles_done) == ("published", True, TILES)
    fresh.run()
    # a register keeps the day on which a site was first confirmed, as it was told then
    assert content(done.latest, kept=["confirmed_on"]) == content(fresh.latest, kept=["confirmed_on"])


def test_simulated_scenes_make_products_that_say_so(done: Job, fresh: Job) -> None:
    """One simulated scene marks the run record, collection, items and rasters; without any, none is marked."""
    _edit_item(fresh, MONITOR[3], **{"geomon:simulated": True})
    fresh.run()
    for job, simulated in ((fresh, True), (done, False)):
        assert json.loads((job.latest / "run.json").read_text())["simulated"] is simulated
        collection = json.loads((job.latest / "collection.json").read_text())
        assert collection.get("geomon:simulated", False) is simulated
        assert ("(simulated)" in collection["title"]) is ("SIMULATED" in collection["description"]) is simulated
        for path in (job.latest / "items").iterdir():
            assert json.loads(path.read_text())["properties"].get("geomon:simulated", False) is simulated
        for path in (job.latest / "layers").rglob("*.tif"):
            with rasterio.open(path) as layer:
                assert layer.tags().get("SIMULATED") == ("true" if simulated else None)


def test_tiles_of_another_grid_are_pruned(done: Job) -> None:
    """What no newest run names goes when the latest is published, not when an earlier as-of is."""
    old = {path.name for path in (done.store / "tiles").iterdir()}
    done.config.write_text(done.config.read_text().replace("size_px: 64", "size_px: 128"))
    done.run(asked=MONITOR[5])
    assert {path.name for path in (done.store / "tiles").iterdir()} > old
    done.run()
    names = {tile["tile"] for tile in json.loads((done.latest / "run.json").read_text())["tiles"]}
    assert {path.name for path in (done.store / "tiles").iterdir()} == names


@pytest.mark.slow
def test_scenes_that_come_one_by_one_leave_states_for_a_late_one(fresh: Job) -> None:
    """Nine runs of one new look each; a scene four looks late is then not replayed from the baseline."""
    arriving = list(MONITOR)
    fresh.days = list(BASELINE)
    fresh.write()
    for day in arriving:
        fresh.add(day)
        fresh.run(asked=day)
    fresh.add(MONITOR[4] + timedelta(days=3))
    assert fresh.run(asked=MONITOR[-1]).looks_read < (len(MONITOR) + 1) * TILES


def test_a_corrupt_scene_is_counted_and_healed(fresh: Job, done: Job) -> None:
    """A failed read does not hold up the run: 75 and a count; the next run tries that scene alone and heals."""
    whole = fresh.scene(MONITOR[3]).read_bytes()
    fresh.scene(MONITOR[3]).write_bytes(whole[:500])
    first = fresh.run()
    assert (first.status, first.exit_code, first.incomplete_reads) == ("published", 75, TILES)
    record = json.loads((fresh.latest / "run.json").read_text())
    assert record["incomplete_scenes"] == {f"S2A_33NXE_{MONITOR[3]:%Y%m%d}": TILES}
    again = fresh.run()
    assert (again.status, again.exit_code, again.run_id) == ("published before", 75, first.run_id)
    assert again.looks_read == TILES
    fresh.scene(MONITOR[3]).write_bytes(whole)
    healed = fresh.run()
    assert (healed.status, healed.exit_code) == ("published", 0)
    # a register keeps the day on which a site was first confirmed, as it was told then
    assert content(fresh.latest, kept=["confirmed_on"]) == content(done.latest, kept=["confirmed_on"])


def test_a_new_scene_beside_a_corrupt_one_is_read_alone(fresh: Job) -> None:
    """A scene that fails for good does not make every run replay what follows it."""
    fresh.scene(MONITOR[1]).write_bytes(b"no raster")
    fresh.run()
    fresh.add(MONITOR[-1] + timedelta(days=10))
    assert fresh.run().looks_read == 2 * TILES


def _break_tile(patch: pytest.MonkeyPatch) -> str:
    """Make the work on one tile raise what only a bug raises; the name of the tile."""
    name = "32633-10m_c00782_r-0703"
    real = tile.inside

    def inside(where: Tile, area: Any) -> Any:
        if where.name == name:
            raise ZeroDivisionError("a bug")
        return real(where, area)

    patch.setattr(tile, "inside", inside)
    return name


def test_a_failed_tile_keeps_the_others_and_the_latest(done: Job) -> None:
    """A bug in one tile: exit 70 with its traceback, the other tiles are kept, what was published stays."""
    before = done.latest.readlink()
    done.add(MONITOR[-1] + timedelta(days=10))
    with pytest.MonkeyPatch.context() as patch:
        broken = _break_tile(patch)
        report = done.run()
    assert (report.status, report.exit_code, report.tiles_done) == ("not published", 70, TILES - 1)
    (failure,) = report.failed
    assert (failure.unit, failure.exit_code) == (broken, 70)
    assert "ZeroDivisionError" in failure.trace
    assert json.loads((done.store / "attempt.json").read_text())["exit_code"] == 70
    assert done.latest.readlink() == before
    assert (done.run().tiles_done, done.latest.readlink() != before) == (1, True)


@pytest.mark.slow
def test_a_damaged_state_is_passed_over(done: Job, fresh: Job) -> None:
    """A spoilt checkpoint is not trusted: an older one is used, the products are the same, the record says so."""
    for path in done.store.rglob("*.npz"):
        if not path.name.startswith("000024"):
            path.write_bytes(path.read_bytes()[:-40])
    day = MONITOR[-1] + timedelta(days=10)
    for job in (done, fresh):
        job.add(day)
        job.run()
    assert content(done.latest) == content(fresh.latest)
    record = json.loads((done.latest / "run.json").read_text())
    assert all(tile["damaged_states"] for tile in record["tiles"])


def test_a_damaged_tile_is_made_again(done: Job) -> None:
    """A layer that does not match its record is no result; the store heals, and products are never made of it."""
    before = products(done.latest)
    shutil.rmtree(done.store / "runs")
    done.latest.unlink()
    spoilt = next(done.store.rglob("alert.tif"))
    spoilt.write_bytes(spoilt.read_bytes()[:-1])
    report = done.run()
    assert (report.status, report.tiles_done, report.looks_read) == ("published", 1, 0)
    assert products(done.latest) == before


def test_a_product_that_was_removed_is_made_again(done: Job) -> None:
    """A published run that lost a file is not "done"."""
    before = products(done.latest)
    (done.latest / "zones.csv").unlink()
    assert done.run().status == "published"
    assert products(done.latest) == before


def test_stages_one_by_one_give_the_same_products(fresh: Job, done: Job) -> None:
    """`--only` through all stages equals the whole run; a stage whose forerunner is missing says so."""
    with pytest.raises(DataError, match="must be detected first"):
        fresh.run(only="delineate")
    for stage in ("observe", "detect", "delineate", "register"):
        assert fresh.run(only=stage).status == "stage done"
    assert not fresh.latest.exists()
    assert fresh.run(only="summarise").status == "published"
    assert products(fresh.latest) == products(done.latest)


def test_plan_tells_new_done_and_stale(fresh: Job, done: Job) -> None:
    """The plan names each tile's state, why, and what would be read; it writes nothing."""
    new = plan(fresh.request())
    assert {(tile.state, tile.looks) for tile in new} == {("new", len(fresh.days))}
    assert all(tile.megabytes > 0 for tile in new)
    assert not fresh.store.exists()
    assert {(tile.state, tile.looks) for tile in plan(done.request())} == {("done", 0)}
    done.add(MONITOR[-1] + timedelta(days=10))
    assert {(tile.state, tile.looks, tile.scenes) for tile in plan(done.request())} == {("stale", 1, 1)}


def test_another_job_may_not_use_the_store(done: Job) -> None:
    """A store belongs to one job: registers must not mix."""
    done.config.write_text(done.config.read_text().replace("name: tiny", "name: other"))
    with pytest.raises(ConfigError, match="holds the runs of 'tiny'"):
        done.run()


def test_the_run_key_knows_no_place(done: Job, fresh: Job, tmp_path: Path) -> None:
    """Store, engine and where the files lie are not in the run key; what products depend on is."""
    key = done.run().run_id
    moved = _at(tmp_path / "elsewhere", done)
    shutil.copytree(fresh.root, moved.root)
    moved.config.write_text(moved.config.read_text() + "engine: {timeout_s: 5}\n")
    assert moved.run(only="observe").run_id == key
    moved.config.write_text(moved.config.read_text() + "report: {periods: [month]}\n")
    assert moved.run(only="observe").run_id != key
