"""How well mining footprints match the truth of simulated landscapes that no constant was set on.

Simulates landscapes of each kind (forest, savanna mosaic, dike), runs `geomon run` on each as a user would, and scores
`latest/mining_footprints.geojson`: pixels newly dug by at least a quarter, objects by size, false objects, and the
delay from the day on which ten connected pixels were dug to `confirmed_on`. Landscapes are kinder than nature: the
figures rank versions of geomon, they do not promise accuracy on the ground. Seeds 11-15, 101, 102 and the demo's were
seen while constants were chosen; the reporting seeds were not.

    .venv/bin/python benchmarks/accuracy.py [--seeds 201 202 ...] [--size 256]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from rasterio.features import rasterize
from scipy import ndimage

from geomon.simulate import DEMO, simulate

KINDS = ("forest", "mosaic", "dike")
DUG = 0.25
FOUND = 0.25
EIGHT = np.ones((3, 3))


@dataclass(frozen=True)
class Score:
    """Counts of one landscape; objects as (found, all)."""

    true_px: int
    found_px: int
    false_px: int
    small: tuple[int, int]
    large: tuple[int, int]
    false_objects: int
    delays: tuple[int, ...]
    km2: float


def score(root: Path) -> Score:
    """Compare the newest run beside a simulated catalogue with its truth."""
    with rasterio.open(root / "truth" / "fraction_new.tif") as source:
        new, grid, crs = source.read(1), source.transform, source.crs
    ever, day = (_band(root / "truth" / f"{name}.tif") for name in ("fraction_all", "new_dug_on"))
    frame = geopandas.read_file(root / "store" / "latest" / "mining_footprints.geojson").to_crs(crs)
    shapes = [(shape, number) for number, shape in enumerate(frame.geometry, start=1)]
    mapped = rasterize(shapes, new.shape, transform=grid, dtype="int32") if shapes else np.zeros(new.shape, "int32")
    dug, undug = new >= DUG, (new == 0) & (ever == 0)
    objects, count = ndimage.label(dug, EIGHT)
    sizes = np.bincount(objects.ravel(), minlength=count + 1)
    hits = np.bincount(objects[mapped > 0], minlength=count + 1)
    found = {n: hits[n] >= FOUND * sizes[n] for n in range(1, count + 1)}
    confirmed = (geopandas.pd.to_datetime(frame["confirmed_on"]) - geopandas.pd.Timestamp(1970, 1, 1)).dt.days
    delays = []
    for n in range(1, count + 1):
        if sizes[n] >= 10 and found[n]:
            who = np.unique(mapped[(objects == n) & (mapped > 0)]) - 1
            delays.append(int(confirmed.iloc[who].min() - np.sort(day[objects == n])[9]))
    return Score(
        true_px=int(dug.sum()),
        found_px=int((dug & (mapped > 0)).sum()),
        false_px=int((undug & (mapped > 0)).sum()),
        small=_found(found, sizes, 10, 30),
        large=_found(found, sizes, 30, 10**9),
        false_objects=sum(not (ever[mapped == number] > 0).any() for _, number in shapes),
        delays=tuple(delays),
        km2=new.size / 1e4,
    )


def _band(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def _found(found: dict[int, bool], sizes: np.ndarray, low: int, high: int) -> tuple[int, int]:
    held = [found[n] for n in found if low <= sizes[n] < high]
    return int(sum(held)), len(held)


def row(name: str, one: Score) -> str:
    precision = one.found_px / max(one.found_px + one.false_px, 1)
    recall = one.found_px / max(one.true_px, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    delay = f"{np.median(one.delays):.0f}" if one.delays else "-"
    return (
        f"| {name} | {precision:.2f} | {recall:.2f} | {f1:.2f} | {one.small[0]}/{one.small[1]} | "
        f"{one.large[0]}/{one.large[1]} | {one.false_objects} in {one.km2:.1f} km2 | {delay} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202])
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    heads = ("landscape", "precision", "recall", "F1", "0.1-0.3 ha", "over 0.3 ha", "false objects", "delay, days")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    for kind in KINDS:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                recipe = replace(DEMO, name=kind, kind=kind, seed=seed, size_px=options.size)
                config = simulate(recipe, Path(folder) / kind)
                command = [sys.executable, "-m", "pipelines", "run", str(config)]
                subprocess.run(command, check=True, capture_output=True)
                print(row(f"{kind}, seed {seed}", score(config.parent)), flush=True)


if __name__ == "__main__":
    main()
