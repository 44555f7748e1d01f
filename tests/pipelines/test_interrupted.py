import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import filelock
import pytest

from tests.conftest import ROOT
from tests.pipelines.job_files import MONITOR, Job, content, leftovers, products

STAGES = ("observe", "detect", "delineate", "register", "summarise")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def start(job: Job, *options: str, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start `geomon run`, its log on a pipe."""

    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-m", "pipelines", "run", str(job.config), *options]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit
    )


def kill_when(process: subprocess.Popen[str], wanted: Callable[[dict[str, object]], bool]) -> None:
    """SIGKILL the process when it logs what is wanted."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("{") and wanted(json.loads(line)):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def finish(job: Job) -> None:
    process = start(job)
    output, errors = process.communicate()
    assert process.returncode == 0, output + errors


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, float]:
    """A job that ran in peace, and how long that takes when all code is compiled: its second run on an empty store."""
    job = Job(tmp_path_factory.mktemp("undisturbed") / "job")
    finish(job)
    shutil.rmtree(job.store)
    began = time.monotonic()
    finish(job)
    return job, time.monotonic() - began


def make(undisturbed: tuple[Job, float], root: Path) -> Job:
    """The same job with an empty store."""
    job = Job.__new__(Job)
    job.root, job.days, job.extra = root, list(undisturbed[0].days), ""
    shutil.copytree(undisturbed[0].root, root, ignore=shutil.ignore_patterns("store"))
    return job


def check(job: Job, undisturbed: tuple[Job, float]) -> None:
    """The next run ends with the products of a run in peace, and leaves nothing half-written."""
    assert not job.latest.exists() or (job.latest / "run.json").is_file()
    finish(job)
    assert products(job.latest) == products(undisturbed[0].latest)
    assert leftovers(job.store) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("edge", ["stage_start", "stage_end"])
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_a_stage_boundary(undisturbed: tuple[Job, float], tmp_path: Path, stage: str, edge: str) -> None:
    """SIGKILL where a stage starts or ends: the next run ends with byte-equal products."""
    job = make(undisturbed, tmp_path / "job")
    try:
        kill_when(start(job), lambda line: line["event"] == edge and line["stage"] == stage)
    except AssertionError:
        assert (stage, edge) == ("summarise", "stage_end")  # too late to be killed: it has ended
    check(job, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_ten_random_moments(undisturbed: tuple[Job, float], tmp_path: Path) -> None:
    """SIGKILL at any moment, again and again on one store or on a fresh one: the products are byte-equal."""
    moments, killed = random.Random(20180101), 0
    survivor = make(undisturbed, tmp_path / "again")
    for number in range(40):
        job = make(undisturbed, tmp_path / str(number)) if number % 2 else survivor
        process = start(job)
        time.sleep(moments.uniform(0.2, 0.95) * undisturbed[1])
        process.send_signal(signal.SIGKILL)
        process.communicate()
        ended = process.returncode != -signal.SIGKILL  # it was done before it could be killed: that does not count
        killed += not ended
        if number % 2 or ended:
            check(job, undisturbed)
        if not number % 2 and ended:
            survivor = make(undisturbed, tmp_path / f"again-{number}")
        if killed == 10:
            break
    assert killed == 10
    check(survivor, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_during_an_update_keeps_what_was_published(undisturbed: tuple[Job, float], tmp_path: Path) -> None:
    """Killed while a new scene is taken in, latest/ is still the run before, whole; the next run takes the scene in."""
    job = Job(tmp_path / "job")
    finish(job)
    before = products(job.latest)
    job.add(MONITOR[-1] + timedelta(days=10))
    kill_when(start(job), lambda line: line["event"] == "tile_done")
    assert products(job.latest) == before
    finish(job)
    fresh = Job(tmp_path / "fresh", days=list(job.days))
    finish(fresh)
    assert content(job.latest) == content(fresh.latest)


def test_a_second_run_waits_or_says_so(undisturbed: tuple[Job, float]) -> None:
    """While another run holds the store: said on stderr, 75 after the wait, nothing changed."""
    job = undisturbed[0]
    with filelock.FileLock(job.store / ".lock"):
        process = start(job, "--wait", "0.3")
        _, errors = process.communicate()
    assert process.returncode == 75
    assert "another run holds the store" in errors
    assert "held it for 0.3 s" in errors
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_runs_at_once_make_one_result(undisturbed: tuple[Job, float], tmp_path: Path) -> None:
    """Two runs started together: one works, the other waits and finds nothing to do."""
    job = make(undisturbed, tmp_path / "job")
    both = [start(job), start(job)]
    outputs = sorted(process.communicate()[0].split(":")[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert outputs == ["nothing to do", "published"]
    assert products(job.latest) == products(undisturbed[0].latest)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("limit_bytes", [300, 4_000, 30_000])
def test_a_full_disk_stops_the_run_and_the_next_goes_on(
    undisturbed: tuple[Job, float], tmp_path: Path, limit_bytes: int
) -> None:
    """Where files cannot grow any more: 75, one message, nothing half-written; with room again, byte-equal products."""
    job = make(undisturbed, tmp_path / "job")
    process = start(job, limit_bytes=limit_bytes)
    _, errors = process.communicate()
    assert process.returncode == 75, errors
    assert "file size limit" in errors
    assert leftovers(job.store) == []
    check(job, undisturbed)


def test_a_file_in_place_of_the_store(undisturbed: tuple[Job, float], tmp_path: Path) -> None:
    """A store that cannot be a directory: 75 and what to do, no traceback."""
    job = make(undisturbed, tmp_path / "job")
    job.store.write_text("not a directory")
    process = start(job)
    _, errors = process.communicate()
    assert process.returncode == 75
    assert "move it away" in errors
    assert "Traceback" not in errors


def test_a_read_only_store(undisturbed: tuple[Job, float], tmp_path: Path) -> None:
    """A store without permission to write: 75 and what to do, no traceback."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the file in place of a directory stands for it")
    job = make(undisturbed, tmp_path / "job")
    job.store.mkdir(mode=0o500)
    process = start(job)
    _, errors = process.communicate()
    assert process.returncode == 75
    assert "no permission" in errors
