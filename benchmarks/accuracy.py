"""How well mining footprints match the truth of simulated landscapes, in one command.

Landscapes: valley forest, savanna mosaic, dike and colluvium; rich in mines or rare (at most 0.1 % of the ground newly
dug); usual clouds or a bad wet season; several seeds each. Every one is simulated, `geomon run` as a user would run it,
and scored: pixels, objects, false objects, delay in days and truly clear looks, areas, activity by quarter. Landscapes
are kinder than nature: the figures rank versions of geomon, they do not promise accuracy on the ground.

    .venv/bin/python benchmarks/accuracy.py --out results.json     # 36 landscapes, two side by side
    .venv/bin/python benchmarks/accuracy.py --from results.json    # the tables again
    .venv/bin/python benchmarks/accuracy.py --only mosaic,rich,usual --seeds 11 --tuning
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

from _common import SINGLE
from _landscapes import CLOUDS, KINDS, WEALTH, Landscape, load, measure, save
from _tables import report

from geomon.simulate import DEMO

TUNING_SEEDS = (11, 12, 13, 14, 15, 101, 102, DEMO.seed)
"""Seen while constants were chosen."""
REPORTING_SEEDS = (301, 302, 303)
"""No constant was set on them, and nobody looks at their objects one by one."""
FULL_SEEDS = (*REPORTING_SEEDS, *range(304, 311))
"""The reporting seeds of `--full`."""
AXES = {"kind": KINDS, "wealth": tuple(WEALTH), "clouds": CLOUDS}


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, and refuse seeds that would flatter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", help="words of these, split by commas: " + " ".join(sum(AXES.values(), ()))
    )
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", type=int, nargs="+", default=REPORTING_SEEDS, help="instead of the reporting seeds")
    seeds.add_argument("--full", dest="seeds", action="store_const", const=FULL_SEEDS, help="ten seeds, not three")
    parser.add_argument("--tuning", action="store_true", help="allow seeds seen while tuning, and mark the tables")
    parser.add_argument("--jobs", type=int, default=2, help="landscapes side by side")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the landscapes here, and use those that are there"
    )
    parser.add_argument("--out", type=Path, help="write all raw numbers here, after each landscape")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="make the tables from `--out`'s file")
    options = parser.parse_args(words)
    seen = sorted(set(options.seeds) & set(TUNING_SEEDS))
    if seen and not options.tuning:
        parser.error(f"seeds {seen} were seen while tuning; add --tuning, which marks the tables, or take others")
    unknown = [word for word in _words(options.only) if word not in sum(AXES.values(), ())]
    if unknown:
        parser.error(f"--only takes words of {AXES}, got {unknown}")
    return options


def choose(only: str, seeds: Sequence[int]) -> list[Landscape]:
    """Landscapes that bear the words, several words of one axis meaning either; the long ones first."""
    words = _words(only)
    axes = [[value for value in values if value in words] or values for values in AXES.values()]
    chosen = [Landscape(*each, seed) for each, seed in product(product(*axes), seeds)]
    return sorted(chosen, key=lambda one: -one.recipe.size_px)


def _words(only: str) -> list[str]:
    return [word.strip() for word in only.split(",") if word.strip()]


def measure_all(chosen: Sequence[Landscape], folder: Path, *, jobs: int, keep: bool) -> Iterator[dict[str, Any]]:
    """Raw numbers of each landscape as it is done, on so many processes of one thread each."""
    os.environ.update(SINGLE)  # before the processes start and load their libraries
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as workers:
        waiting = {workers.submit(measure, one, folder): one for one in chosen}
        try:
            for done in as_completed(waiting):
                yield done.result()
                if not keep:
                    shutil.rmtree(folder / waiting[done].name)
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the chosen landscapes, telling on stderr how far it is."""
    chosen, began = choose(options.only, options.seeds), time.monotonic()
    content: dict[str, Any] = {"simulated": True, "tuning": options.tuning, "seconds": 0.0, "landscapes": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for one in measure_all(chosen, folder, jobs=options.jobs, keep=options.keep is not None):
            content["landscapes"].append(one)
            content["seconds"] = round(time.monotonic() - began, 1)
            if options.out:
                save(options.out, content)
            done, name = len(content["landscapes"]), "-".join(str(one[key]) for key in (*AXES, "seed"))
            print(f"{done}/{len(chosen)} {name} {one['seconds']}, {content['seconds']:.0f} s in all", file=sys.stderr)
    content["landscapes"].sort(key=lambda one: [one[key] for key in (*AXES, "seed")])
    if options.out:
        save(options.out, content)
    return content


def main() -> None:
    options = parse()
    content = load(options.source) if options.source else run(options)
    seeds = ", ".join(map(str, sorted({one["seed"] for one in content["landscapes"]})))
    mark = "**Tuning seeds: not figures to report.** " if content["tuning"] else ""
    code = sorted({str(one["code"]) for one in content["landscapes"]})
    mixed = "**The code changed between landscapes.** " if len(code) > 1 else ""
    made = f"code {', '.join(code)}; {content['seconds'] / 60:.1f} minutes"
    print(f"{mark}{mixed}SIMULATED landscapes, seeds {seeds}; {made}.\n")
    print(report(content["landscapes"]))


if __name__ == "__main__":
    main()
