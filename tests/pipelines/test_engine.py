import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from geomon.config import Engine
from geomon.errors import SourceError
from pipelines.engine import map_units
from pipelines.job import Attempt, Failure
from tests.conftest import ROOT
from tests.pipelines.job_files import Job, products
from tests.pipelines.units import work

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def test_in_this_process_units_are_done_one_by_one() -> None:
    """The default engine does a unit when it is asked for, in order, and imports no dask."""
    asked: list[int] = []
    results = map_units(lambda unit: asked.append(unit) or unit, [1, 2, 3], Engine())
    assert next(results) == (1, 1)
    assert asked == [1]
    assert [unit for unit, _ in results] == [2, 3]


def test_a_bug_of_one_unit_is_its_result() -> None:
    """The others go on; the failure has the bug's name, its traceback and exit code 70."""
    results = dict(map_units(Attempt(work), [1, 4, 5], Engine()))
    failure = results[4]
    assert isinstance(failure, Failure)
    assert (failure.error, failure.exit_code) == ("ZeroDivisionError", 70)
    assert "in work" in failure.trace
    assert (results[1], results[5]) == (1, 25)


def test_an_expected_error_keeps_its_exit_code() -> None:
    """An error of ours is told by its message, without a traceback."""

    def fail(unit: int) -> int:
        raise SourceError(f"unit {unit}: run it again")

    failure = Attempt(fail)(7)
    assert isinstance(failure, Failure)
    assert (failure.exit_code, failure.message, failure.trace) == (75, "unit 7: run it again", "")


def test_no_cluster_in_time_says_so() -> None:
    """A scheduler that is not there: 75 and what to do, within the time-out."""
    script = (
        "from geomon.config import Engine; from pipelines.engine import map_units, ClusterUnavailable\n"
        "try: list(map_units(abs, [1], Engine(scheduler='tcp://127.0.0.1:9', timeout_s=1)))\n"
        "except ClusterUnavailable as err: print(err.exit_code, err)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("75 a dask worker must answer within 1 s"), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_unit_that_kills_its_workers_is_lost_alone() -> None:
    """Of ten units the one that kills every worker is lost, the one with a bug is a bug, eight are done."""
    command = [sys.executable, "-m", "tests.pipelines.units", "2"]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = {str(n): n * n for n in range(10)} | {"3": "WorkerLost", "4": "ZeroDivisionError"}
    assert json.loads(done.stdout) == expected


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real scheduler and two real worker processes; its address and the workers."""
    address_file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": ENVIRONMENT, "cwd": tmp_path}
    base = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    started = [subprocess.Popen([*base, "--no-dashboard", "--scheduler-file", str(address_file)], **quiet)]  # type: ignore[call-overload]
    try:
        while not address_file.is_file() or not address_file.read_text().strip():
            time.sleep(0.1)
        address = json.loads(address_file.read_text())["address"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
        worker += ["--no-nanny", "--no-dashboard"]
        started += [subprocess.Popen(worker, **quiet) for _ in range(2)]  # type: ignore[call-overload]
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_killed_mid_run_changes_nothing(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    """On a cluster with one of two workers killed after the first tile: the products of a run in this process."""
    address, workers = cluster
    job = Job(tmp_path / "cluster", extra=f"engine: {{scheduler: '{address}'}}\n")
    command = [sys.executable, "-m", "pipelines", "run", str(job.config)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log = []
    for line in process.stderr:
        log.append(line)
        if '"tile_done"' in line and workers[0].poll() is None:
            workers[0].send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == 0, "".join(log)
    here = Job(tmp_path / "here")
    here.run()
    assert products(job.latest) == products(here.latest)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_local_workers_end_with_their_parent(tmp_path: Path) -> None:
    """A run on local workers gives the same products; killed in the middle, its workers are gone within seconds."""
    job = Job(tmp_path / "local", extra="engine: {workers: 2}\n")
    command = [sys.executable, "-m", "pipelines", "run", str(job.config)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    workers: list[psutil.Process] = []
    for line in process.stderr:
        if '"tile_done"' in line:
            workers = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    finished = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    here = Job(tmp_path / "here")
    here.run()
    assert products(job.latest) == products(here.latest)
