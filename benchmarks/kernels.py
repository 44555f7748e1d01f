"""Baseline fit and monitoring update against `nrt` 0.3.0, in one process, one core, rounds interleaved.

    .venv/bin/python benchmarks/kernels.py            # prints a table
    .venv/bin/python benchmarks/kernels.py --check    # exits 1 if a target of the design (10.11) is missed

512 x 512 pixels, 100 history dates and 10 new ones, 35 % missing, intercept, trend and two harmonics. Times are process
CPU seconds; the ratio is the median over rounds of nrt's time over ours in the same round. `nrt` 0.3.0 comes with
requirements-bench.lock.
"""

import argparse
import datetime as dt
import os
import statistics
import time

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")  # read at import

import numpy as np
import xarray as xr
from nrt.monitor.ewma import EWMA

from geomon.kernels import ewma, harmonic

SIDE, HISTORY, NEW, MISSING = 512, 100, 10, 0.35
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - nrt wants naive dates
FIT_TARGET, MONITOR_TARGET, ERROR_TARGET = 50.0, 10.0, 1e-5


def make_cube():
    rng = np.random.default_rng(0)
    days = 17167 + np.sort(rng.choice(1460, HISTORY + NEW, replace=False))
    design = harmonic.design_matrix(days, reference_day=17850, span_days=1366, trend=True)
    truth = np.vstack([np.full((1, SIDE * SIDE), 0.5), rng.normal(0, 0.05, (5, SIDE * SIDE))]).astype(np.float32)
    cube = design.astype(np.float32) @ truth
    cube += rng.normal(0, 0.02, cube.shape).astype(np.float32)
    cube[rng.random(cube.shape, np.float32) < MISSING] = np.nan
    return cube, design, days


def seconds(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def nrt_fit(cube, days):
    dates = days[:HISTORY].astype("datetime64[D]").astype("datetime64[ns]")
    image = xr.DataArray(cube[:HISTORY].reshape(HISTORY, SIDE, SIDE), dims=("time", "y", "x"))
    image = image.assign_coords(time=dates, y=np.arange(SIDE), x=np.arange(SIDE))
    model = EWMA(trend=True, harmonic_order=2, lambda_=0.3, sensitivity=3)
    model.fit(image, method="OLS", screen_outliers=None)
    return model


def nrt_monitor(model, cube, days):
    for image, day in zip(cube[HISTORY:].reshape(NEW, SIDE, SIDE), days[HISTORY:], strict=True):
        model.monitor(image, EPOCH + dt.timedelta(days=int(day)))


def our_monitor(fitted, cube, design, days):
    sigma = np.sqrt(fitted.rss / (fitted.n - design.shape[1]))
    baseline = ewma.Baseline(fitted.coefficients, sigma)
    rest = ewma.EwmaState.at_rest(cube.shape[1])
    looks, rows, when = cube[HISTORY:], design[HISTORY:], days[HISTORY:]
    return lambda: ewma.ewma_update(looks, rows, days=when, baseline=baseline, state=rest, lam=0.3, limit=3.0)


def largest_error(fitted, cube, design):
    worst = 0.0
    for p in range(0, cube.shape[1], 100):
        clear = np.isfinite(cube[:HISTORY, p])
        exact = np.linalg.lstsq(design[:HISTORY][clear], cube[:HISTORY][clear, p].astype(np.float64), rcond=None)[0]
        worst = max(worst, float(np.abs(fitted.coefficients[:, p] - exact).max()))
    return worst


def measure(rounds):
    cube, design, days = make_cube()
    history = cube[:HISTORY]
    small = history[:, :1000].copy()
    our_monitor(harmonic.fit(small, design[:HISTORY]), cube[:, :1000].copy(), design, days)()  # compile
    nrt_fit(cube, days)
    times = {"nrt fit": [], "fit": [], "nrt monitor": [], "monitor": []}
    for _ in range(rounds):
        spent, model = seconds(lambda: nrt_fit(cube, days))
        times["nrt fit"].append(spent)
        spent, fitted = seconds(lambda: harmonic.fit(history, design[:HISTORY]))
        times["fit"].append(spent)
        model.mask[:] = 1  # every pixel is watched, as with us
        times["nrt monitor"].append(seconds(lambda model=model: nrt_monitor(model, cube, days))[0])
        times["monitor"].append(seconds(our_monitor(fitted, cube, design, days))[0])
    return times, largest_error(fitted, cube, design)


def ratio(times, name):
    return statistics.median(theirs / ours for theirs, ours in zip(times[f"nrt {name}"], times[name], strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    times, error = measure(options.rounds)
    targets = {"fit": FIT_TARGET, "monitor": MONITOR_TARGET}
    ratios = {name: ratio(times, name) for name in targets}
    print("| | nrt 0.3.0 [ms] | geomon [ms] | times faster | target |")
    print("|---|---|---|---|---|")
    for name, target in targets.items():
        theirs, ours = (1000 * statistics.median(times[key]) for key in (f"nrt {name}", name))
        print(f"| {name} | {theirs:.1f} | {ours:.1f} | {ratios[name]:.1f} | {target:.0f} |")
    print(f"| fit, largest coefficient error against lstsq | | {error:.1e} | | {ERROR_TARGET:.0e} |")
    missed = [name for name, target in targets.items() if ratios[name] < target]
    return int(options.check and bool(missed or error > ERROR_TARGET))


if __name__ == "__main__":
    raise SystemExit(main())
