"""Peak memory of a worker on one 1024 x 1024 px tile of 6 bands and SCL, and whether it grows with the history.

    .venv/bin/python benchmarks/memory.py            # prints a table
    .venv/bin/python benchmarks/memory.py --check    # exits 1 if a worker needs more than 1.5 GiB

One catalogue of 220 simulated dates (five days apart, every fifth simulated, the rest hard links to it) and three jobs
on it: half the history, the whole with a longer monitor, the whole with a longer baseline. They run in the job's own
process, whose peak holds all stages and their libraries; the last one also on one local dask worker, whose own peak
counts. Peaks are the kernel's high-water marks (VmHWM). Scratch files are on disk and not counted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from _common import ROOT, SINGLE, table, write_config
from _scenes import dates, write_scenes

SIDE, SCENES, REVISIT_DAYS, REPEAT = 1024, 220, 5, 5
LIMIT_MIB = 1536
CASES = ((55, 55), (55, 165), (110, 110))
"""Scenes of baseline and monitor."""


def peak_of_run(config):
    """Peak of the job's process and of its busiest child [MiB], and the time it took [s]."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pipelines", "run", str(config)]
    with tempfile.TemporaryFile() as said:
        job = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **SINGLE}, stdout=said, stderr=said)
        peaks = {}
        while job.poll() is None:
            for process in _family(job.pid):
                peaks[process] = max(peaks.get(process, 0), _high_water(process))
            time.sleep(0.1)
        if job.returncode:
            said.seek(0)
            sys.exit(f"geomon run {config} ended with {job.returncode}:\n{said.read().decode()}")
    own = peaks.pop(job.pid)
    return own / 1024, max(peaks.values(), default=0) / 1024, time.monotonic() - began


def _family(pid):
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _high_water(pid):
    """Peak resident size [KiB], 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def config_for(root, work, case, **engine):
    baseline, monitor = case
    days = dates(SCENES, REVISIT_DAYS)
    name = f"memory-{baseline}-{monitor}-{'worker' if engine else 'process'}"
    return write_config(
        work / f"{name}.yaml",
        catalog=root.resolve() / "catalog.json",
        aoi=root.resolve() / "aoi.geojson",
        baseline=(days[0], days[baseline - 1]),
        monitor=(days[baseline], days[baseline + monitor - 1]),
        store=f"./{name}",
        tiles={"size_px": SIDE},
        **({"engine": engine} if engine else {}),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 if the limit is passed")
    parser.add_argument("--catalogue", type=Path, help="directory of the catalogue; made there if it is not")
    options = parser.parse_args()
    if not Path("/proc/self/status").is_file():
        print("skipped: peak memory is read from /proc, which this system lacks")
        return 0
    rows, worst = [], 0.0
    with tempfile.TemporaryDirectory(prefix="geomon-memory-") as work:
        root = options.catalogue or Path(work)
        if not (root / "catalog.json").is_file():
            write_scenes(root, side_px=SIDE, scenes=SCENES, revisit_days=REVISIT_DAYS, repeat=REPEAT)
        for case, engine in (*((case, {}) for case in CASES), (CASES[-1], {"workers": 1})):
            own, worker, seconds = peak_of_run(config_for(root, Path(work), case, **engine))
            peak = worker if engine else own
            worst = max(worst, peak)
            rows.append((sum(case), *case, "dask worker" if engine else "in process", f"{peak:.0f}", f"{seconds:.0f}"))
            print(*rows[-1], file=sys.stderr, flush=True)
    table(("scenes", "baseline", "monitor", "where", "peak [MiB]", "run [s]"), rows)
    print(f"\nlimit {LIMIT_MIB} MiB: {'kept' if worst <= LIMIT_MIB else 'PASSED'}; largest {worst:.0f} MiB")
    return int(options.check and worst > LIMIT_MIB)


if __name__ == "__main__":
    sys.exit(main())
