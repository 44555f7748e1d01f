"""How well mining footprints match the truth of landscapes that geomon was not tuned on: the second simulator.

`benchmarks/second` was written apart from geomon/simulate, without looking at it or at the detector: other physics,
other confusers. Every landscape is simulated, `geomon run` as a user would run it, and compared with what was dug.

Pixels: truth is dug from a quarter of the pixel on in the monitor period; false is a mapped pixel where nothing was
ever dug and no apron of trampled ground lies (strict: aprons count as false). Objects: connected truth, found if a
quarter of it is mapped. False objects: footprints without any ground ever dug, with what they lie on.

    .venv/bin/python benchmarks/independent.py                       # 9 landscapes, one after the other
    .venv/bin/python benchmarks/independent.py --kinds dike --seeds 1 --keep DIR
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
from _common import SINGLE, geomon, table
from _intervals import poisson, ratio, wilson
from _landscapes import _band, _burn
from _scoring import DUG, PIXEL_HA, Footprint, Mapped, Truth, polygons, pool, size_class, true_objects
from _tables import show
from second import Recipe, write_landscape
from second.recipe import CLOUDS, KINDS, MINES

TUNING_SEEDS = (1, 2, 3, 4, 5)
"""Seen while constants were chosen."""
REPORTING_SEEDS = (7, 8, 9)
"""No constant was set on them, and nobody looks at their objects one by one."""
CLASSES_HA = (0.1, 0.3)
YEARS = 1.5
"""Length of the monitor period."""
BROAD = ("savanna_burn", "floodplain_flood")
"""Confusers so wide that what stands on them is named first."""
HEADS = (
    "landscape",
    "km2 x years",
    "precision",
    "strict precision",
    "recall",
    "F1",
    "0.1-0.3 ha found",
    "over 0.3 ha found",
    "false objects",
    "they lie on",
    "area new, mapped / true",
)


@dataclass(frozen=True)
class Layers:
    """Truth of one landscape; `apron` is the share of each pixel that was trampled, not dug."""

    truth: Truth
    apron: Any
    transform: Any
    crs: Any


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--mines", nargs="+", choices=MINES, default=["rich"])
    parser.add_argument("--clouds", nargs="+", choices=CLOUDS, default=["usual"])
    parser.add_argument("--seeds", nargs="+", type=int, default=REPORTING_SEEDS)
    parser.add_argument("--size", type=int, default=256, help="side in pixels, a multiple of 16")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the landscapes here, and use those there")
    return parser.parse_args(words)


def measure(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Simulate (not again when a whole one is there), run, compare."""
    root = folder / f"{recipe.name}-{recipe.size}"
    if not (root / "config.yaml").exists():
        write_landscape(root, recipe)
    geomon("run", root / "config.yaml")
    return compare(root, recipe)


def compare(root: Path, recipe: Recipe) -> dict[str, Any]:
    """Raw counts of one landscape, fit for pooling."""
    layers = read_layers(root / "truth")
    truth = layers.truth
    frame = geopandas.read_file(root / "store" / "latest" / "mining_footprints.geojson")
    frame = frame if frame.empty else frame.to_crs(layers.crs)
    mapped = read_mapped(frame, truth.new.shape, layers.transform)
    on, fresh = mapped.number > 0, truth.new >= DUG
    wrong = on & (truth.ever == 0)
    false = [index for index, one in enumerate(polygons(truth, mapped)) if not one.right]
    return {
        "recipe": asdict(recipe),
        "name": recipe.name.removeprefix("second-"),
        "exposure": (recipe.side_m / 1e3) ** 2 * YEARS,
        "hit": int((fresh & on).sum()),
        "missed": int((fresh & ~on).sum()),
        "wrong": int((wrong & (layers.apron == 0)).sum()),
        "wrong_strict": int(wrong.sum()),
        "objects": [(one.px, one.found) for one in true_objects(truth, mapped)],
        "confusers": confusers(root, frame, false, mapped, layers),
        "mapped_ha": sum(one.new_ha for one in mapped.footprints),
        "true_ha": PIXEL_HA * float(truth.new.sum()),
    }


def read_layers(folder: Path) -> Layers:
    """Read `truth/`; looks are left out, delays are not asked for."""
    names = ("fraction_new", "fraction_all", "new_dug_on", "fraction_apron_new")
    new, ever, day, apron = (_band(folder / f"{name}.tif") for name in names)
    with rasterio.open(folder / "fraction_new.tif") as source:
        transform, crs = source.transform, source.crs
    no_looks = np.zeros((0, *new.shape), dtype=bool)
    return Layers(Truth(new, ever, day, no_looks, np.zeros(0, dtype=np.int32)), apron, transform, crs)


def read_mapped(frame: Any, shape: tuple[int, int], transform: Any) -> Mapped:
    """Footprints by pixel centre; no days."""
    number = _burn(frame.geometry, range(1, len(frame) + 1), shape, transform)
    footprints = [
        Footprint(one.area_ha, one.area_low_ha, one.area_high_ha, float(np.nan_to_num(one.area_new_ha)), ())
        for one in frame.itertuples()
    ]
    return Mapped(number, np.zeros_like(number), np.zeros_like(number), footprints)


def confusers(root: Path, frame: Any, false: Sequence[int], mapped: Mapped, layers: Layers) -> list[str]:
    """What each false footprint lies on: an apron, else the confuser that covers most of it, else nothing known."""
    events = geopandas.read_file(root / "truth" / "cover_events.geojson")
    events = events if events.empty else events.to_crs(layers.crs)
    named = []
    for index in false:
        if (layers.apron[mapped.number == index + 1] > 0).any():
            named.append("apron")
            continue
        shared = events.geometry.intersection(frame.geometry.iloc[index]).area
        under = [(kind not in BROAD, area, kind) for kind, area in zip(events["kind"], shared, strict=True) if area > 0]
        named.append(max(under)[2] if under else "nothing")
    return named


def row(name: str, results: Sequence[dict[str, Any]]) -> list[str]:
    """One line of the table, from one landscape or several."""
    total = {
        key: sum(one[key] for one in results)
        for key in ("exposure", "hit", "missed", "wrong", "wrong_strict", "mapped_ha", "true_ha")
    }
    hit, missed, wrong, strict = (total[key] for key in ("hit", "missed", "wrong", "wrong_strict"))
    on = Counter(pool(results, "confusers"))
    rate = show(poisson(on.total(), total["exposure"]))
    return [
        name,
        f"{total['exposure']:.1f}",
        *map(figure, (ratio(hit, hit + wrong), ratio(hit, hit + strict), ratio(hit, hit + missed))),
        figure(ratio(2 * hit, 2 * hit + wrong + missed)),
        *found(pool(results, "objects"), interval=len(results) > 1),
        f"{on.total()}: {rate} a km2 and year" if len(results) > 1 else str(on.total()),
        ", ".join(f"{count} {kind}" for kind, count in on.most_common()) or "-",
        figure(ratio(total["mapped_ha"], total["true_ha"])),
    ]


def found(objects: Sequence[tuple[int, bool]], *, interval: bool) -> list[str]:
    """Objects found of those there are, by class of size."""
    cells = []
    for number in range(len(CLASSES_HA)):
        flags = [hit for px, hit in objects if size_class(px * PIXEL_HA, CLASSES_HA) == number]
        share = f": {show(wilson(sum(flags), len(flags)))}" if interval and flags else ""
        cells.append(f"{sum(flags)}/{len(flags)}{share}")
    return cells


def figure(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def report(results: Sequence[dict[str, Any]]) -> None:
    """Print a line for each landscape, for each kind, and for all."""
    rows = [row(one["name"], [one]) for one in results]
    for kind in dict.fromkeys(one["recipe"]["kind"] for one in results):
        of_kind = [one for one in results if one["recipe"]["kind"] == kind]
        if 1 < len(of_kind) < len(results):
            rows.append(row(f"all {kind}", of_kind))
    if len(results) > 1:
        rows.append(row("all", results))
    table(HEADS, rows)


def main() -> None:
    options = parse()
    axes = product(options.kinds, options.mines, options.clouds, options.seeds)
    recipes = [Recipe(*axis, options.size) for axis in axes]
    os.environ.update(SINGLE)  # before the process starts and loads its libraries
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(1, mp_context=context) as worker:
        folder = options.keep or Path(scratch)
        results = list(worker.map(measure, recipes, [folder] * len(recipes)))
    seen = set(options.seeds) & set(TUNING_SEEDS)
    mark = "**Tuning seeds: not figures to report.** " if seen else ""
    print(f"{mark}SIMULATED by the second simulator, seeds {', '.join(map(str, options.seeds))}.\n")
    report(results)


if __name__ == "__main__":
    main()
