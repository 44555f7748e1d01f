"""CPU time of a whole run over the time to only decode the blocks it reads, cold and with six new scenes.

    .venv/bin/python benchmarks/cost.py               # prints three tables
    .venv/bin/python benchmarks/cost.py --scenes 120  # a longer history

One simulated 512 x 512 px tile, six bands and SCL. All is measured in this process, one thread, as CPU seconds (user
and system), after a run over a corner of the same catalogue has imported and compiled everything: imports and
compilation are not counted.

- floor: open each asset that the run reads and decode the blocks that its window touches, with rasterio, nothing more;
- looks: `geomon.cube.read_look` of the same looks: floor, scale and offset, quality from SCL, mosaic;
- cold run: all that `geomon run` does, from reading the catalogue to the published products;
- six new scenes: a run as of six scenes ago, then the run of today on its store; the latter is counted.

The shares come from one more cold run under cProfile: time inside a function, its callees included. The profiler counts
elapsed time and slows Python more than compiled code, so they are shares, not seconds to add up with the first table.
"""

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

from _common import SINGLE, table, write_config

os.environ.update(SINGLE)  # read at import

import rasterio
from _scenes import dates, write_scenes
from rasterio.windows import Window

from geomon.catalog import group_looks
from geomon.config import load
from geomon.cube import read_look
from geomon.grid import inside
from pipelines import detect
from pipelines.observe import observe
from pipelines.run import Request, Watch, run

SIDE, REVISIT_DAYS, NEW = 512, 12, 6
QUIET = Watch(waiting=lambda: None, tiles=lambda *_: None)
PARTS = (
    ("observe: catalogue to scenes", "pipelines/observe.py", "observe"),
    ("one tile, from looks to layers", "pipelines/tile.py", "run_tile"),
    ("- of which read looks", "cube/looks.py", "read_look"),
    ("- - of which open and decode", "cube/assets.py", "fetch"),
    ("- - of which quality from SCL", "kernels/quality.py", "quality_from_scl"),
    ("- - of which scale and offset", "cube/looks.py", "_reflectance"),
    ("- of which baseline to scratch", "change/base.py", "add"),
    ("- of which fit", "change/sequential.py", "fit"),
    ("- - of which blocks from scratch", "change/base.py", "block"),
    ("- - of which robust harmonic fit", "kernels/harmonic.py", "fit_robust"),
    ("- of which apply looks", "change/sequential.py", "apply"),
    ("- - of which evidence", "kernels/evidence.py", "evidence"),
    ("- - of which ladder", "kernels/sequential.py", "advance"),
    ("- - of which months seen", "change/base.py", "mark_month"),
    ("- of which save states", "pipelines/tile.py", "_keep"),
    ("- of which save layers (COG)", "store/tiles.py", "save_tile"),
    ("delineate: layers to objects", "pipelines/delineate.py", "delineate_run"),
    ("register", "pipelines/register.py", "register_run"),
    ("summarise: zones, products", "pipelines/summarise.py", "summarise_run"),
)
"""Label, file and function of the shares."""


def cpu(work):
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def job(root, name, scenes, *, aoi="aoi.geojson"):
    days = dates(scenes, REVISIT_DAYS)
    return write_config(
        root / f"{name}.yaml",
        catalog="catalog.json",
        aoi=aoi,
        baseline=(days[0], days[scenes // 2 - 1]),
        monitor=(days[scenes // 2], days[-1]),
        store=f"./{name}",
    )


def request(path, asked):
    config = load(path)
    return Request(config=config, store=config.store_path, asked=asked)


def run_whole(path, asked):
    report = run(request(path, asked), QUIET)
    if report.exit_code:
        sys.exit(f"the run of {path} ended with {report.exit_code}: {report.failed}")
    return report


def write_corner(root):
    """An AOI of a few hundred metres within the catalogue's."""
    frame = json.loads((root / "aoi.geojson").read_text())
    geometry = frame["features"][0]["geometry"]
    xs, ys = zip(*geometry["coordinates"][0], strict=True)
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    d = 0.003
    geometry["coordinates"] = [[[x, y], [x + d, y], [x + d, y + d], [x, y + d], [x, y]]]
    (root / "corner.geojson").write_text(json.dumps(frame))
    return "corner.geojson"


def reads_of(path, asked):
    """CPU seconds of reading all looks, and what was read: (file, window in tile pixels), compressed bytes."""
    wanted = request(path, asked)
    observed = observe(wanted.config, store=wanted.store, asked=asked)
    (task,) = detect.plan_tasks(observed)
    within = inside(task.tile, observed.aoi.geometry)
    looks = group_looks(observed.scenes)
    spent, reads = cpu(lambda: [read_look(look, task.tile, bands=task.bands, inside=within) for look in looks])
    scenes = {scene.id: scene for scene in observed.scenes}
    files = [scenes[r.scene].assets[r.band].href for read in reads for r in read.records]
    return spent, files, sum(read.bytes_blocks for read in reads)


def decode(files):
    """Open and decode: the square is the tile, so a raster's blocks are those that the run's windows touch."""
    pixels = 0
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO", GDAL_NUM_THREADS="1"):
        for file in files:
            with rasterio.open(file) as dataset:
                pixels += dataset.read(1, window=Window(0, 0, dataset.width, dataset.height)).size
    return pixels


def shares(path, asked):
    profile = cProfile.Profile()
    profile.runcall(run_whole, path, asked)
    stats = pstats.Stats(profile)
    spent, totals = stats.total_tt, stats.stats
    for label, file, name in PARTS:
        entries = [entry for (at, _, function), entry in totals.items() if at.endswith(file) and function == name]
        inside_s = sum(entry[3] for entry in entries)  # cumulative
        yield label, f"{inside_s:.2f}", f"{100 * inside_s / spent:.0f} %"
    yield "whole run, profiled", f"{spent:.2f}", ""


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def measure(root, scenes):
    days = dates(scenes, REVISIT_DAYS)
    run_whole(job(root, "warm", scenes, aoi=write_corner(root)), days[-NEW - 1])
    run_whole(root / "warm.yaml", days[-1])
    whole = job(root, "whole", scenes)
    looks_s, files, read_bytes = reads_of(whole, days[-1])
    floor_s, pixels = cpu(lambda: decode(files))
    cold_s, _ = cpu(lambda: run_whole(whole, days[-1]))
    weekly = job(root, "weekly", scenes)
    before_s, _ = cpu(lambda: run_whole(weekly, days[-NEW - 1]))
    new_s, report = cpu(lambda: run_whole(weekly, days[-1]))
    new_files = reads_of(weekly, days[-1])[1]
    marks = tuple(f"_{day:%Y%m%d}_" for day in days[-NEW:])
    new_floor_s, _ = cpu(lambda: decode([file for file in new_files if any(mark in file for mark in marks)]))
    again_s, _ = cpu(lambda: run_whole(weekly, days[-1]))
    rows = [
        ("decode only (floor)", f"{floor_s:.2f}", "1.0", f"{len(files)} rasters, {pixels / 1e6:.0f} Mpx"),
        ("read looks", f"{looks_s:.2f}", f"{looks_s / floor_s:.1f}", f"{read_bytes / 1e6:.0f} MB compressed"),
        ("cold run", f"{cold_s:.2f}", f"{cold_s / floor_s:.1f}", f"{scenes} scenes"),
        (f"cold run, {NEW} scenes ago", f"{before_s:.2f}", "", f"{scenes - NEW} scenes"),
        (f"then {NEW} new scenes", f"{new_s:.2f}", f"{new_s / new_floor_s:.1f}", f"{report.looks_read} looks read"),
        (f"decode only, {NEW} scenes", f"{new_floor_s:.2f}", "1.0", ""),
        ("nothing new", f"{again_s:.2f}", "", ""),
    ]
    sizes = [(place.relative_to(root / "weekly"), f"{size_of(place):.2f}") for place in places(root / "weekly")]
    return rows, sizes, list(shares(job(root, "profiled", scenes), days[-1]))


def places(store):
    return [*sorted(store.glob("tiles/*/*")), *sorted(store.glob("runs/*"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels, 256 or 512")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geomon-cost-") as work:
        root = Path(work)
        write_scenes(root, side_px=options.side, scenes=options.scenes, revisit_days=REVISIT_DAYS)
        rows, sizes, parts = measure(root, options.scenes)
    table(("work", "CPU [s]", "over decoding", "what"), rows)
    print()
    table(("part of a cold run", "s", "share"), parts)
    print()
    table((f"store after {options.scenes - NEW} + {NEW} scenes", "MB"), sizes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
