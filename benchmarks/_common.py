"""What the benchmark scripts share: the command as a subprocess, its CPU time, a job's config, a table."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SINGLE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS"), "1")
"""Environment for one thread everywhere."""


def geomon(*words):
    """Run the command; its report (JSON) and the CPU seconds (user and system, children too) of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *map(str, words), "--json"],
        cwd=ROOT,
        env={**os.environ, **SINGLE},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"geomon {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_config(path, *, catalog, aoi, baseline, monitor, **more):
    """Write a job's config; JSON is YAML."""
    config = {
        "name": path.stem,
        "aoi": str(aoi),
        "source": {"catalog": str(catalog), "collections": ["sentinel-2-l2a"]},
        "period": {"baseline": [str(day) for day in baseline], "monitor": [str(day) for day in monitor]},
        "store": "./store",
    }
    path.write_text(json.dumps({**config, **more}))
    return path


def table(head, rows):
    """Print a markdown table."""
    for line in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(str(cell) for cell in line) + " |")
