"""`geomon run` on the real Sentinel-2 series against its hand-drawn reference: recall, precision, delay.

    .venv/bin/python benchmarks/romania.py            # prints two tables
    .venv/bin/python benchmarks/romania.py --data DIR # the series elsewhere than ../shared/data/romania_s2_l2a

The command runs as a subprocess on the contract's dates (baseline 2015-08-01..2017-12-31, monitor 2018-01-01..
2020-12-31). Its confirmed alerts (`latest/alerts.geojson`) are burnt onto the grid of `reference_cleared_year.tif`:
years 2018-2020 are clear-cuts, 0 is not, -1 and 2017 (cut before the monitor) are left out. They are clear-cuts, not
mines: what is measured is the detection of change, and how much of it attribution takes for mining.

Objects: a clear-cut is a connected (8 neighbours) piece of one year of the reference's 2018-2020 (46; 54 with 2017),
found where confirmed alerts cover at least a quarter of it. An alert is right where at least a quarter of its judged
pixels are clear-cut, and not counted where most of its pixels are left out.

Delay, of the clear-cuts that the layers hold as confirmed to a quarter: the reference knows only in which summer a
pixel was first *seen* cleared, so it was cut at any time in the twelve months before. What can be said: the days from
1 January of that year to the day by which a quarter of the clear-cut was confirmed (layer `confirmed_on`); how many
were confirmed in that year or before it; and how many before the next summer's scenes (1 June), that is, before the
reference's own method would have had another look.
"""

import argparse
import datetime as dt
import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from _common import ROOT, geomon, table, write_config
from rasterio.features import rasterize
from skimage.measure import label

from geomon.model import AlertStatus

BASELINE, MONITOR = ("2015-08-01", "2017-12-31"), ("2018-01-01", "2020-12-31")
YEARS = (2018, 2020)
COVERED = 0.25
EPOCH = dt.date(1970, 1, 1)


def run(data, work):
    config = write_config(
        work / "romania.yaml",
        catalog=data / "catalog.json",
        aoi=data / "aoi.geojson",
        baseline=BASELINE,
        monitor=MONITOR,
    )
    report, cpu_s = geomon("run", config)
    return Path(report["products"]), report, cpu_s


def burnt(products, name, reference, *, status=None):
    """Number of the polygon that holds each pixel's centre, 0 for none."""
    frame = gpd.read_file(products / f"{name}.geojson")
    if status is not None:
        frame = frame[frame["status"] == status]
    frame = frame.to_crs(reference.crs)
    shapes = [(shape, number) for number, shape in enumerate(frame.geometry, start=1)]
    if not shapes:
        return np.zeros(reference.shape, np.int32)
    return rasterize(shapes, reference.shape, transform=reference.transform, dtype="int32")


def on_reference(products, name, reference):
    """A layer on the reference's grid, which shares its lattice; 0 where there is no tile."""
    out = np.zeros(reference.shape, np.int64)
    for path in sorted(products.glob(f"layers/*/{name}.tif")):
        with rasterio.open(path) as layer:
            assert layer.transform.a == reference.transform.a
            shift = ~reference.transform @ (layer.transform.c, layer.transform.f)
            left, top = (round(side) for side in shift)
            assert max(abs(shift[0] - left), abs(shift[1] - top)) < 0.01
            rows, cols = np.indices(layer.shape)
            rows, cols = rows + top, cols + left
            inside = (rows >= 0) & (rows < out.shape[0]) & (cols >= 0) & (cols < out.shape[1])
            out[rows[inside], cols[inside]] = layer.read(1)[inside]
    return out


def share(part, whole):
    return f"{part / whole:.3f}" if whole else "n/a"


def pixel_rows(found, cut, judged):
    hit = int((found & cut).sum())
    return [
        ("pixel recall", share(hit, int(cut.sum())), f"{hit} of {int(cut.sum())}"),
        ("pixel precision", share(hit, int((found & judged).sum())), f"{hit} of {int((found & judged).sum())}"),
    ]


def covered(objects, mask):
    """Numbers of the objects that a mask covers to a quarter."""
    sizes = np.bincount(objects.ravel())
    hits = np.bincount(objects.ravel(), weights=mask.ravel(), minlength=len(sizes))
    return [number for number in range(1, len(sizes)) if sizes[number] and hits[number] >= COVERED * sizes[number]]


def right_alerts(alerts, cut, judged):
    """How many alerts are right, and how many were judged."""
    right = counted = 0
    for number in range(1, int(alerts.max()) + 1):
        here = alerts == number
        if 2 * int((here & judged).sum()) < int(here.sum()) or not here.any():
            continue
        counted += 1
        right += int((here & cut).sum() >= COVERED * (here & judged).sum())
    return right, counted


def confirmation_day(days):
    """The day by which a quarter of an object's pixels were confirmed, None if never."""
    known = np.sort(days[days > 0])
    place = int(np.ceil(COVERED * days.size)) - 1
    return EPOCH + dt.timedelta(days=int(known[place])) if place < known.size else None


def delay_rows(cuts, year, confirmed_on):
    waits, same_year, before_summer = [], 0, 0
    for number in range(1, int(cuts.max()) + 1):
        here = cuts == number
        day = confirmation_day(confirmed_on[here])
        if day is None:
            continue
        seen = int(year[here][0])
        waits.append((day - dt.date(seen, 1, 1)).days)
        same_year += day.year <= seen
        before_summer += day < dt.date(seen + 1, 6, 1)
    median = f"{np.median(waits):.0f} d" if waits else "n/a"
    spread = f"10th to 90th percentile {np.percentile(waits, 10):.0f} to {np.percentile(waits, 90):.0f} d"
    return [
        ("confirmed after 1 January of the reference year, median", median, spread if waits else ""),
        ("confirmed in the reference year or before", share(same_year, len(waits)), f"{same_year} of {len(waits)}"),
        (
            "confirmed before the next summer's scenes",
            share(before_summer, len(waits)),
            f"{before_summer} of {len(waits)}",
        ),
    ]


def by_year_rows(found, year, cuts, ours):
    for y in range(YEARS[0], YEARS[1] + 1):
        pixels = year == y
        pieces = {int(number) for number in np.unique(cuts[pixels])}
        yield (
            y,
            int(pixels.sum()),
            share(int((found & pixels).sum()), int(pixels.sum())),
            len(pieces),
            share(len(pieces & set(ours)), len(pieces)),
        )


def compare(products, data):
    with rasterio.open(data / "reference_cleared_year.tif") as reference:
        year = reference.read(1).astype(np.int64)
        alerts = burnt(products, "alerts", reference, status="confirmed")
        mining = burnt(products, "mining_footprints", reference) > 0
        layers = {name: on_reference(products, name, reference) for name in ("alert", "confirmed_on")}
    cut = (year >= YEARS[0]) & (year <= YEARS[1])
    judged = cut | (year == 0)
    cuts, found = label(np.where(cut, year, 0), connectivity=2), alerts > 0
    ours, n_cuts = covered(cuts, found), int(cuts.max())
    right, counted = right_alerts(alerts, cut, judged)
    pixels = layers["alert"] == int(AlertStatus.CONFIRMED)
    loose = int((pixels & cut).sum())
    as_mine = len(covered(cuts, mining))
    rows = [
        *pixel_rows(found, cut, judged),
        ("pixel recall of the layer, pieces below 0.1 ha too", share(loose, int(cut.sum())), f"{loose}"),
        ("clear-cuts found (a quarter covered)", share(len(ours), n_cuts), f"{len(ours)} of {n_cuts}"),
        ("alerts right (a quarter clear-cut)", share(right, counted), f"{right} of {counted} judged"),
        *delay_rows(cuts, year, layers["confirmed_on"] * pixels),
        ("clear-cuts called mining", share(as_mine, n_cuts), f"{as_mine} of {n_cuts}"),
    ]
    return rows, list(by_year_rows(found, year, cuts, ours))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/romania_s2_l2a")
    data = parser.parse_args().data.resolve()
    if not (data / "catalog.json").is_file():
        print(f"skipped: the Romania series is not at {data}")
        return 0
    with tempfile.TemporaryDirectory(prefix="geomon-romania-") as work:
        products, report, cpu_s = run(data, Path(work))
        rows, years = compare(products, data)
    print(
        f"run {report['run_id']}: {report['looks_read']} looks read, {cpu_s:.1f} CPU s with imports and compilation\n"
    )
    table(("confirmed alerts against the reference 2018-2020", "value", "count"), rows)
    print()
    table(("year", "pixels", "pixel recall", "clear-cuts", "found"), years)
    return 0


if __name__ == "__main__":
    sys.exit(main())
