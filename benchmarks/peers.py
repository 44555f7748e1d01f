"""The same simulated scenes through `nrt` 0.3.0, `pyxccd`'s COLD and geomon: pixels, false objects, delay, CPU time.

    .venv/bin/python benchmarks/peers.py [--seeds 301] [--kinds forest mosaic dike]   # three Markdown tables

Landscapes are `geomon.simulate`'s (256 px, usual clouds, five-day revisits): written by the same hands as geomon, and
kinder than nature. They rank tools on one task, they promise nothing on the ground. The rules, generous to the peers:

- all see the looks that geomon reads, where geomon's quality mask and haze test let a look into a baseline;
- of each peer the threshold is taken that gives the best pixel F1 *on these very scenes*, pooled; geomon runs at its
  defaults, which were set on other seeds. `nrt` takes one index at a time: NDVI, and the best of NDVI, NIR, SWIR1, BSI
  (CCDC NDVI only: its screen takes half a minute of each index);
- `nrt` fits by OLS after its own outlier screen, two harmonics, no trend (18 months would make it run away), and its
  detections pass geomon's minimum of ten connected pixels, without which none would have an object worth the name;
- a pixel detected before it was dug counts as found; delays are of the pixels found on the day or later. COLD's alarm
  is the look that completed its run of consecutive looks, since its break date could not be known earlier.

True: dug since the monitor's start to at least a quarter. False: detected, never dug at all. A false object is a region
of ten or more 8-connected detected pixels none of which was ever dug. `nrt` and COLD look for change, geomon's
footprints for mines: compare them with geomon's confirmed alerts before attribution, which are change too. Those are
eager by intent, so the second table takes of each peer the most precise setting that finds as much as they do.

COLD is slow: it sees all truly dug pixels up to half of `--sample` and random others, weighted back; so it has no
objects and no sieve. CPU seconds are of one scene: `nrt` fit and monitoring, COLD the sample's scaled to all pixels,
the cube in memory; geomon the whole command, with imports, reading, attribution, register and products.
"""

import argparse
import copy
import datetime as dt
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")  # read at import

import geopandas
import numpy as np
import rasterio
import xarray as xr
from _common import geomon, table
from _peers import INDICES, Scene, Score, index_of, judge, read_scene
from nrt.monitor.ccdc import CCDC
from nrt.monitor.cusum import CuSum
from nrt.monitor.ewma import EWMA
from nrt.monitor.iqr import IQR
from nrt.monitor.mosum import MoSum
from rasterio.features import rasterize

from geomon.simulate import DEMO, simulate

KINDS = ("forest", "mosaic", "dike")
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - nrt wants naive dates
EWMA_WEIGHT = 0.3
OUTLIER_NEVER = 1e9
HISTORY = {"trend": False, "harmonic_order": 2}
COLD_TERMS = {"lam": 20, "tmask_b1_index": 2, "tmask_b2_index": 5}
COLD_SETTINGS = [(risk, run) for run in (6, 8) for risk in (1e-4, 1e-6, 1e-9, 1e-12)]
CLEAR_QA, FILL_QA = 0, 255
RECALL_SLACK = 0.02


Key = tuple[str, str, str]
"""Tool, index, setting."""
Scores = dict[Key, list[Score]]
"""One score per landscape."""


# ---------------------------------------------------------------- geomon


def geomon_scores(scene: Scene, config: Path) -> Iterator[tuple[Key, Score]]:
    """Run the command, and judge footprints and confirmed alerts by the days in its layers."""
    report, cpu_s = geomon("run", config)
    products = Path(report["products"])
    with rasterio.open(config.parent / "truth" / "fraction_new.tif") as source:
        grid, crs, shape = source.transform, source.crs, source.shape
    days = np.zeros(shape, np.int64)
    for path in sorted(products.glob("layers/*/confirmed_on.tif")):
        with rasterio.open(path) as layer:
            left, top = (round(side) for side in ~layer.transform @ (grid.c, grid.f))
            days = layer.read(1)[top : top + shape[0], left : left + shape[1]].astype(np.int64)
    for name, file in (("mining footprints", "mining_footprints"), ("confirmed alerts", "alerts")):
        frame = geopandas.read_file(products / f"{file}.geojson").to_crs(crs)
        if file == "alerts":
            frame = frame[frame["status"] == "confirmed"]
        shapes = list(frame.geometry)
        mask = rasterize(shapes, shape, transform=grid) > 0 if shapes else np.zeros(shape, bool)
        yield (f"geomon, {name}", "six bands", "defaults"), judge(scene, days, cpu_s, mask=mask)


# ---------------------------------------------------------------- nrt


@dataclass(frozen=True)
class Chart:
    """A monitor of `nrt`: how it is made, how it is fitted, and its settings with what each changes."""

    make: Callable[[], Any]
    fit: dict[str, Any]
    settings: dict[str, dict[str, float]]
    retune: Callable[..., None]
    indices: tuple[str, ...] = INDICES


def _retune_ewma(model: Any, sensitivity: float, threshold: float) -> None:
    """Set what `EWMA.__init__` and the end of `EWMA.fit` set from the sensitivity."""
    model.sensitivity, model.threshold = sensitivity, threshold
    model.boundary = sensitivity * model.sigma * np.sqrt(EWMA_WEIGHT / (2 - EWMA_WEIGHT))
    model.mask[model.process > model.boundary] = 2


def _set(model: Any, **values: float) -> None:
    for name, value in values.items():
        setattr(model, name, value)


def _grid(**axes: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """Every combination of two axes of settings, by what it says in the table."""
    (one, ones), (two, twos) = axes.items()
    return {f"{one} {a:g}, {two} {b:g}": {one: a, two: b} for a in ones for b in twos}


def _critical(*values: float) -> dict[str, dict[str, float]]:
    return {f"critval {value:g}": {"critval": value} for value in values}


SHEWHART = {"method": "OLS", "screen_outliers": "Shewhart"}
CCDC_FIT = {"method": "OLS", "screen_outliers": "CCDC_RIRLS"}
CHARTS = {
    "EWMA": Chart(
        lambda: EWMA(**HISTORY, lambda_=EWMA_WEIGHT, sensitivity=OUTLIER_NEVER),
        SHEWHART,
        _grid(sensitivity=(5.0, 8.0, 10.0, 12.0, 15.0, 18.0), threshold=(OUTLIER_NEVER,)),
        _retune_ewma,
    ),
    "CuSum": Chart(lambda: CuSum(**HISTORY), SHEWHART, _critical(2.8, 5, 8, 12), _set),
    "MoSum": Chart(lambda: MoSum(**HISTORY), SHEWHART, _critical(2, 3, 4, 5, 6), _set),
    "IQR": Chart(lambda: IQR(**HISTORY), SHEWHART, _grid(sensitivity=(2.0, 3.0, 4.0, 5.0), boundary=(3.0, 5.0)), _set),
    "CCDC": Chart(
        lambda: CCDC(**HISTORY),
        CCDC_FIT,
        _grid(sensitivity=(3.0, 4.0, 5.0, 6.0, 8.0), boundary=(3.0, 5.0)),
        _set,
        ("NDVI",),
    ),
}


def as_history(scene: Scene, cube: np.ndarray) -> xr.DataArray:
    """The baseline's part of a cube as `nrt` takes it."""
    dates = scene.days[: scene.history].astype("datetime64[D]").astype("datetime64[ns]")
    sides = {"y": np.arange(cube.shape[1]), "x": np.arange(cube.shape[2])}
    return xr.DataArray(cube[: scene.history], dims=("time", "y", "x"), coords={"time": dates, **sides})


def fit_chart(chart: Chart, scene: Scene, cube: np.ndarray) -> tuple[Any, float]:
    """A fitted monitor and its CPU seconds."""
    model, more = chart.make(), {}
    if chart.fit["screen_outliers"] == "CCDC_RIRLS":
        more = {name: as_history(scene, scene.bands[band]) for name, band in (("green", "green"), ("swir", "swir16"))}
    start = time.process_time()
    model.fit(as_history(scene, cube), **chart.fit, **more)
    return model, time.process_time() - start


def nrt_scores(scene: Scene) -> Iterator[tuple[Key, Score]]:
    """Every monitor, index and setting; a monitor is fitted once for all its settings."""
    for name, chart in CHARTS.items():
        for index in chart.indices:
            cube = index_of(scene, index)
            fitted, fit_s = fit_chart(chart, scene, cube)
            for text, setting in chart.settings.items():
                model = copy.deepcopy(fitted)
                chart.retune(model, **setting)
                start = time.process_time()
                for image, day in zip(cube[scene.history :], scene.days[scene.history :], strict=True):
                    model.monitor(image, EPOCH + dt.timedelta(days=int(day)))
                cpu_s = fit_s + time.process_time() - start
                days = np.where(model.mask == 3, model.detection_date, 0)
                yield (f"nrt {name}", index, text.replace("1e+09", "none")), judge(scene, days, cpu_s)


# ---------------------------------------------------------------- COLD


def cold_detector() -> Callable[..., Any] | None:
    """`pyxccd`'s flexible COLD, None with a printed reason where it is not installed."""
    try:
        from pyxccd import cold_detect_flex
    except ImportError as err:
        print(f"COLD skipped: pyxccd cannot be imported ({err}); install requirements-bench.lock\n")
        return None
    return cold_detect_flex


def sample_of(scene: Scene, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat places of dug and of never dug pixels, and how many pixels each stands for."""
    rng = np.random.default_rng(0)
    places, weights = [], []
    dug, never = np.flatnonzero(scene.dug), np.flatnonzero(scene.never)
    for stratum, wanted in ((dug, size // 2), (never, size - min(size // 2, dug.size))):
        chosen = rng.choice(stratum, min(wanted, stratum.size), replace=False)
        places.append(chosen)
        weights.append(np.full(chosen.size, stratum.size / max(chosen.size, 1)))
    return np.concatenate(places), np.concatenate(weights)


def cold_alarm(detect: Callable[..., Any], days: np.ndarray, stack: np.ndarray, p: float, run: int, since: int) -> int:
    """Day on which COLD could have confirmed its first break of the monitor, 0 if none."""
    clear = np.isfinite(stack).all(axis=1)
    qas = np.where(clear, CLEAR_QA, FILL_QA).astype(np.int64)
    values = np.where(clear[:, None], stack * 10_000, 0).astype(np.int64)
    ordinals = days + EPOCH.toordinal()
    try:
        segments = detect(ordinals, values, qas, p_cg=p, conse=run, **COLD_TERMS)
    except RuntimeError:  # too few clear looks
        return 0
    breaks = [int(s["t_break"]) - EPOCH.toordinal() for s in segments if s["change_prob"] == 100]
    for day in sorted(day for day in breaks if day >= since):
        after = days[clear & (days >= day)]
        return int(after[min(run, after.size) - 1]) if after.size else day
    return 0


def cold_scores(scene: Scene, size: int) -> Iterator[tuple[Key, Score]]:
    """COLD on a sample, one score per setting."""
    detect = cold_detector()
    if detect is None:
        return
    places, weights = sample_of(scene, size)
    stacks = np.stack([cube.reshape(len(cube), -1)[:, places] for cube in scene.bands.values()], axis=2)
    dug, dug_on, since = scene.dug.ravel()[places], scene.dug_on.ravel()[places], int(scene.days[scene.history])
    for risk, run in COLD_SETTINGS:
        start = time.process_time()
        alarms = np.array(
            [cold_alarm(detect, scene.days, stacks[:, i], 1 - risk, run, since) for i in range(places.size)]
        )
        cpu_s = (time.process_time() - start) * scene.new.size / places.size
        waits = (alarms - dug_on)[dug & (alarms > 0)]
        yield (
            ("pyxccd COLD", "six bands", f"p_cg 1 - {risk:g}, {run} looks"),
            Score(
                found=float(weights[dug & (alarms > 0)].sum()),
                true=float(weights[dug].sum()),
                false=float(weights[~dug & (alarms > 0)].sum()),
                false_objects=float("nan"),
                delays=tuple(waits[waits >= 0].tolist()),
                cpu_s=cpu_s,
            ),
        )


# ---------------------------------------------------------------- the tables


def best(scores: Scores, tool: str, *, index: str | None = None) -> Key:
    """The key of a tool with the best pooled F1, of all indices or one."""
    keys = [key for key in scores if key[0] == tool and index in (None, key[1])]
    return max(keys, key=lambda key: reduce(Score.__add__, scores[key]).f1)


def chosen(scores: Scores) -> list[Key]:
    """What the tables show: of `nrt` NDVI and, where that is another, the best index; of others the best setting."""
    keys = []
    for tool in dict.fromkeys(key[0] for key in scores):
        if tool.startswith("nrt"):
            keys.append(best(scores, tool, index="NDVI"))
        keys.append(best(scores, tool))
    return list(dict.fromkeys(keys))


def as_eager(scores: Scores) -> list[Key]:
    """Of each peer the most precise setting among those that find as much as geomon's alerts, less RECALL_SLACK."""
    pooled = {key: reduce(Score.__add__, of_each) for key, of_each in scores.items()}
    alerts = next(key for key in scores if key[0].endswith("alerts"))
    keys = [alerts]
    for tool in dict.fromkeys(key[0] for key in scores if not key[0].startswith("geomon")):
        able = [k for k in scores if k[0] == tool and pooled[k].recall >= pooled[alerts].recall - RECALL_SLACK]
        keys += [max(able, key=lambda key: pooled[key].precision)] if able else []
    return keys


def cells(score: Score) -> tuple[str, ...]:
    objects = "n/a" if np.isnan(score.false_objects) else f"{score.false_objects:.0f}"
    delay = f"{np.median(score.delays):.0f}" if score.delays else "-"
    ratios = (f"{value:.2f}" for value in (score.precision, score.recall, score.f1))
    return (*ratios, objects, delay, f"{score.cpu_s / score.scenes:.1f}")


def show(scores: Scores, names: list[str], km2: float) -> None:
    heads = ("tool", "index", "setting", "precision", "recall", "F1", "false objects", "delay [d]", "CPU s a scene")
    print(f"all {len(names)} landscapes, {km2:.1f} km2; peers at their best F1; NDVI alone: no index was better\n")
    table(heads, [(*key, *cells(reduce(Score.__add__, scores[key]))) for key in chosen(scores)])
    print(f"\nmost precise at the recall of geomon's alerts less {RECALL_SLACK}; a tool not shown is never there\n")
    table(heads, [(*key, *cells(reduce(Score.__add__, scores[key]))) for key in as_eager(scores)])
    print("\nprecision / recall / F1, false objects by landscape, at the settings of the first table\n")
    rows = []
    for key in chosen(scores):
        of_each = [cells(score) for score in scores[key]]
        rows.append((", ".join(key[:2]), *(f"{' / '.join(c[:3])}, {c[3]}" for c in of_each)))
    table(("tool", *names), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[301])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--size", type=int, default=256, help="side of a landscape in 10 m pixels")
    parser.add_argument("--sample", type=int, default=4000, help="pixels of a landscape that COLD sees")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # nrt: means of empty slices, short series
    scores: Scores = {}
    names = [f"{kind} {seed}" for kind in options.kinds for seed in options.seeds]
    for name in names:
        kind, seed = name.split()
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="geomon-peers-") as folder:
            recipe = replace(DEMO, name=kind, kind=kind, seed=int(seed), size_px=options.size)  # type: ignore[arg-type]
            config = simulate(recipe, Path(folder) / kind)
            scene = read_scene(config)
            for source in (geomon_scores(scene, config), nrt_scores(scene), cold_scores(scene, options.sample)):
                for key, score in source:
                    scores.setdefault(key, []).append(score)
    show(scores, names, len(names) * (options.size / 100) ** 2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
