import csv
import io
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from geomon import __version__
from tests._stac import write_json
from tests.pipelines.job_files import MONITOR, Job

Geomon = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that has run once."""
    job = Job(tmp_path_factory.mktemp("command") / "job")
    job.run()
    return job


def test_version_and_usage(geomon: Geomon) -> None:
    """The version is data; a wrong option is a usage error, 2, told on stderr."""
    assert geomon("--version").stdout.strip() == __version__
    wrong = geomon("run", "--nonsense")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "--nonsense" in wrong.stderr


def test_a_run_with_nothing_to_do_says_so_within_five_seconds(geomon: Geomon, done: Job) -> None:
    """Exit 0, the words on stdout, one JSON object a line on stderr, and no heavy work."""
    geomon("run", done.config)  # this interpreter's code and caches
    began = time.monotonic()
    again = geomon("run", done.config)
    assert time.monotonic() - began < 5
    assert again.returncode == 0
    assert again.stdout.startswith("nothing to do: run ")
    events = [json.loads(line)["event"] for line in again.stderr.splitlines()]
    assert events[0] == "stage_start"
    assert "stage_end" in events


@pytest.mark.parametrize(("command", "column"), [("sites", "site_id"), ("zones", "zone_id"), ("plan", "tile")])
def test_tables_are_data_on_stdout(geomon: Geomon, done: Job, command: str, column: str) -> None:
    """The same rows as a table, as CSV and as JSON; nothing else on stdout."""
    rows = json.loads(geomon(command, done.config, "--json").stdout)
    listed = list(csv.DictReader(io.StringIO(geomon(command, done.config, "--csv").stdout)))
    shown = geomon(command, done.config).stdout.splitlines()
    assert len(rows) == len(listed) == len(shown) - 1 > 0
    assert [row[column] for row in rows] == [row[column] for row in listed]
    assert shown[0].split()[0] == column


def test_the_life_of_a_site(geomon: Geomon, done: Job) -> None:
    """`sites history ID` has one row per run that knows the site; words in another order are the same."""
    (site,) = json.loads(geomon("sites", done.config, "--json").stdout)
    rows = json.loads(geomon("sites", done.config, "history", site["site_id"], "--json").stdout)
    assert [(row["site_id"], row["event"]) for row in rows] == [(site["site_id"], "new")]
    assert json.loads(geomon("sites", "history", site["site_id"], done.config, "--json").stdout) == rows
    unknown = geomon("sites", done.config, "history", "s-nope")
    assert unknown.returncode == 2
    assert "s-nope" in unknown.stderr
    assert geomon("sites", done.config, "histroy", "x").returncode == 2


def test_a_dry_run_is_the_plan(geomon: Geomon, done: Job) -> None:
    """`run --dry-run` prints the plan and changes nothing."""
    job = Job(done.root.parent / "dry")
    result = geomon("run", job.config, "--dry-run")
    assert result.returncode == 0
    assert result.stdout == geomon("plan", job.config).stdout
    assert not job.store.exists()


def test_config_prints_what_is_in_force(geomon: Geomon, done: Job) -> None:
    """Defaults and all, as YAML with comments, or as JSON."""
    text = geomon("config", done.config).stdout
    assert "# edge of a tile [pixels]\n  size_px: 64\n" in text
    assert json.loads(geomon("config", done.config, "--json").stdout)["tiles"] == {"size_px": 64}


def test_a_config_fault_is_one_message_and_78(geomon: Geomon, tmp_path: Path) -> None:
    """Expected, got, what to do; no traceback."""
    (tmp_path / "bad.yaml").write_text("name: x\nperoid: {}\n")
    result = geomon("run", "bad.yaml")
    assert (result.returncode, result.stdout) == (78, "")
    assert "key 'peroid' is not known; did you mean 'period'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_area_outside_the_catalogue_is_78(geomon: Geomon, done: Job, tmp_path: Path) -> None:
    """An AOI that no item shows stops the run and says so."""
    ring = [[2.0, 4.0], [2.1, 4.0], [2.1, 4.1], [2.0, 4.0]]
    feature = {
        "type": "Feature",
        "properties": {"id": "a", "name": "a"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    write_json(tmp_path / "elsewhere.geojson", {"type": "FeatureCollection", "features": [feature]})
    text = done.config.read_text().replace("aoi.geojson", str(tmp_path / "elsewhere.geojson"))
    (tmp_path / "far.yaml").write_text(text.replace("./catalog.json", str(done.root / "catalog.json")))
    result = geomon("run", "far.yaml")
    assert result.returncode == 78
    assert "expected an AOI inside the catalogue" in result.stderr


def test_a_bug_is_70_with_its_traceback(geomon: Geomon, tmp_path: Path) -> None:
    """What nobody expected ends with its traceback and the word bug."""
    (tmp_path / "sitecustomize.py").write_text("import geomon.config\ngeomon.config.load = lambda path: 1 // 0\n")
    paths = f"{tmp_path}:{Path(__file__).resolve().parents[2]}"
    result = geomon("config", "any.yaml", PYTHONPATH=paths)
    assert result.returncode == 70
    assert "ZeroDivisionError" in result.stderr
    assert "this is a bug" in result.stderr


def test_what_cannot_be_used_is_said_and_the_rest_goes_on(geomon: Geomon, tmp_path: Path) -> None:
    """An item without a datetime is refused and recorded, a band that is lacking is worked around and said."""
    job = Job(tmp_path / "job")
    for path in (job.root / "items").glob("*/item.json"):
        item = json.loads(path.read_text())
        del item["assets"]["swir22"]
        if path.parent.name == f"{MONITOR[-1]:%Y%m%d}":
            item["properties"]["datetime"] = None
        write_json(path, item)
    result = geomon("run", job.config)
    assert result.returncode == 0, result.stderr
    assert "1 items of the catalogue were refused" in result.stderr
    assert "the scenes lack swir22" in result.stderr
    record = json.loads((job.latest / "run.json").read_text())
    assert "datetime" in record["refused"][0]["reason"]
    assert record["bands_lacking"] == ["swir22"]


def test_the_areas_of_the_project(geomon: Geomon) -> None:
    """Both areas are listed; a check gives each zone with its area; a file that is no area is 78."""
    assert [row["aoi"] for row in json.loads(geomon("aoi", "list", "--json").stdout)] == ["car_west", "civ_north"]
    root = Path(__file__).resolve().parents[2]
    zones = json.loads(geomon("aoi", "check", root / "aoi" / "civ_north.geojson", "--json").stdout)
    assert [zone["id"] for zone in zones] == ["CI3302", "CI1703"]
    assert all(500_000 < zone["area_ha"] < 800_000 for zone in zones)
    assert geomon("aoi", "check", root / "pyproject.toml").returncode == 78


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_runs_and_runs_again(geomon: Geomon) -> None:
    """The demo ends with the zone table, marked as simulated; again it has nothing to do; another size is refused."""
    first = geomon("demo", "--out", "out", "--size", "96", timeout_s=250)
    assert first.returncode == 0, first.stderr
    assert "SIMULATED" in first.stdout
    assert "zone_id" in first.stdout
    assert geomon("demo", "--out", "out", "--size", "96").stdout.startswith("nothing to do")
    assert geomon("demo", "--out", "out", "--size", "128").returncode == 78
