"""Break dates and false alarms on real series with a known history.

    .venv/bin/python benchmarks/series.py            # prints two tables
    .venv/bin/python benchmarks/series.py --data DIR # the series elsewhere than ../shared/data/imagery

Single pixels: six-band series go look by look through the detectors of `geomon.change.DETECTORS` (`sequential`, the
one that `geomon run` uses, and the reference chart on NDVI), as tiles of one pixel, with the series' own mask as
quality. So there is no neighbourhood: geomon's own cloud mask, its minimum area and its attribution are left out. NDVI
alone goes through the reference chart's kernel (`geomon.kernels.ewma`), which is not what `geomon run` uses.

Each series is watched from 1 January of its event's year, after a baseline of the years before. An event is dated by
the first clear look that shows it, read off the series; defoliation by insects has no day. `sequential` asks whether
the ground now looks mined: burnt, dying or harvested ground should not be confirmed, cleared ground may. Stable: each
earlier year watched by itself after a baseline of the years before it; alarms are years with a confirmed alert.

Tura: forest turning to fields in Ethiopia, NDVI at 30 m through the reference chart's kernel, against land cover of
2011. What was cleared when is not known: of fields in 2011 whose mean NDVI in the baseline was forest's (not under its
tenth percentile), the share with a confirmed drop by year's end; forest of 2011 with a drop by then is false. Fields of
2011 may have been fields all along, so this is no recall. `bfastmonitor` is the data's authors' result, monitor 2009.

None of this is over CAR or Cote d'Ivoire, and none of it is a mine.
"""

import argparse
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from _common import ROOT, table

from geomon.change import Baseline, Spans, make_detector
from geomon.change.base import MIN_BASELINE_LOOKS, RIDGE_LOOKS
from geomon.change.reference import EwmaNdvi
from geomon.kernels import ewma, harmonic
from geomon.kernels.quality import CLEAR, CLOUDED, NODATA
from geomon.model import BANDS, AlertStatus, Period, from_day, to_day

HLS = ("blue", "green", "red", "nir", "swir1", "swir2")
MSI = ("B2", "B3", "B4", "B8", "B11", "B12")
FILL = 255
FOREST, FIELDS = 5, 1
FOREST_LIKE = 10
"""Percentile of the forest's mean NDVI in the baseline from which other pixels count as forest then."""
BFAST_START = 2009


@dataclass(frozen=True)
class Look:
    """One look at one pixel, as detectors take it."""

    day: int
    reflectance: np.ndarray
    quality: np.ndarray


@dataclass(frozen=True)
class Case:
    """A series: its event (None: there is none), what should come of it, and the years that are to raise no alarm."""

    file: str
    event: str
    shown: date | None
    wanted: str
    bands: tuple[str, ...]
    mask: str
    years: int
    watched: Period | None
    stable: tuple[int, ...]


CASES = (
    Case(
        *("hls_fire.csv", "fire, between 15 and 23 March 2024", date(2024, 3, 23), "not mining", HLS, "qa"),
        *(3, Period(date(2024, 1, 1), date(2025, 1, 1)), tuple(range(2019, 2024))),
    ),
    Case(
        *("hls_logging.csv", "logging, between 29 March and 8 April 2024", date(2024, 4, 8), "alarm", HLS, "qa"),
        *(3, Period(date(2024, 1, 1), date(2024, 7, 31)), tuple(range(2019, 2024))),
    ),
    Case(
        *("landsat_insect_mpb_colorado.csv", "pine beetle, from 2007 on", None, "not mining", HLS, "qa"),
        *(4, Period(date(2007, 1, 1), date(2008, 12, 31)), (2005, 2006)),
    ),
    Case(
        *("landsat_spongymoth_massachusetts.csv", "spongy moth, summers 2016-2017", None, "not mining", HLS, "qa"),
        *(4, Period(date(2016, 1, 1), date(2017, 12, 31)), (2012, 2013, 2014, 2015)),
    ),
    Case(
        "s2_l1c_crop_china.csv", "none: stable crop", None, "no alarm", MSI, "QA60", 3, None, (2022, 2023, 2024, 2025)
    ),
)
BOLIVIA = "bayts_s1vv_landsat_ndvi_bolivia_2014_2016.csv"
TURA = "tura_ethiopia_landsat_ndvi_1984_2013.nc"
SHORT = {"sequential": "sequential", "ewma_ndvi": "EWMA of NDVI"}


# ---------------------------------------------------------------- single pixels, six bands


def looks_of(case: Case, folder: Path) -> list[Look]:
    """One look a day, the clear one where there are two."""
    frame = pd.read_csv(folder / "pixels" / case.file, parse_dates=["date"])
    frame["bad"] = frame[case.mask] != 0
    looks = []
    for day, group in frame.sort_values(["date", "bad"]).groupby("date"):
        row = group.iloc[0]
        quality = NODATA if row[case.mask] == FILL else CLOUDED if row["bad"] else CLEAR
        values = np.clip(row[list(case.bands)].to_numpy(np.float64), -2_000, 20_000).astype(np.int16)
        looks.append(Look(to_day(day.date()), values.reshape(-1, 1, 1), np.array([[quality]], np.uint8)))
    return looks


def before(case: Case, monitor: Period) -> Period:
    """The baseline: the years before a monitor."""
    start = monitor.start
    return Period(date(start.year - case.years, 1, 1), date(start.year - 1, 12, 31))


def watch(case: Case, looks: list[Look], name: str, monitor: Period) -> tuple[int, int]:
    """Day on which the first run of evidence that led to an alert began, and day of its confirmation; 0 where none.

    An alert that was dropped, or is not confirmed by the end, leaves its first day alone.
    """
    baseline = before(case, monitor)
    detector = make_detector(name, BANDS, Spans(baseline, to_day(monitor.start)))
    held = Baseline(BANDS, (1, 1), io.BytesIO())
    for look in looks:
        if from_day(look.day) in baseline:
            held.add(look)
    state, candidate = detector.fit(held), 0
    for look in looks:
        if from_day(look.day) not in monitor:
            continue
        state = detector.apply(state, look)
        now = {key: int(np.ravel(value)[0]) for key, value in _named(detector.layers(state, as_of=look.day)).items()}
        if now["alert"] == AlertStatus.CONFIRMED:
            return now["first_seen"], now["confirmed_on"]
        if now["alert"] != AlertStatus.NONE and not candidate:
            candidate = now["first_seen"]
    return candidate, 0


def _named(layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: layers[name] for name in ("alert", "first_seen", "confirmed_on")}


def case_rows(case: Case, folder: Path) -> Iterator[tuple[object, ...]]:
    looks = looks_of(case, folder)
    for name, label in SHORT.items():
        began, confirmed = watch(case, looks, name, case.watched) if case.watched else (0, 0)
        years = [watch(case, looks, name, Period(date(y, 1, 1), date(y, 12, 31))) for y in case.stable]
        alarms = f"{sum(on > 0 for _, on in years)} of {len(years)} years"
        if case.watched is None:
            began, confirmed = next(((a, b) for a, b in years if b), (0, 0))
        yield (case.file, case.event, case.wanted, label, *_dates(began, confirmed, case.shown), alarms)


def _dates(began: int, confirmed: int, shown: date | None) -> tuple[str, str, str]:
    late = str(confirmed - to_day(shown)) if confirmed and shown else "-"
    return *(str(from_day(day)) if day else "none" for day in (began, confirmed)), late  # type: ignore[return-value]


# ---------------------------------------------------------------- one index


def chart(series: np.ndarray, days: np.ndarray, baseline: Period, *, trend: bool) -> tuple[np.ndarray, np.ndarray]:
    """Day of the crossing (0 = none) of each pixel by the reference chart's constants, and whether NDVI fell."""
    first, last = to_day(baseline.start), to_day(baseline.end)
    design = harmonic.design_matrix(days, reference_day=(first + last) / 2, span_days=float(last - first), trend=trend)
    past, new = (days >= first) & (days <= last), days > last
    floor = np.array([EwmaNdvi.floor], np.float32)
    fitted = harmonic.fit_robust(np.ascontiguousarray(series[None, past]), design[past], floor=floor, ridge=RIDGE_LOOKS)
    enough = fitted.n_used >= MIN_BASELINE_LOOKS
    known = ewma.Baseline(fitted.coefficients[0], np.where(enough, fitted.sigma[0], np.float32(np.nan)))
    state, fell = ewma.EwmaState.at_rest(series.shape[1]), np.zeros(series.shape[1], bool)
    for at in np.flatnonzero(new):
        after = ewma.ewma_update(
            np.ascontiguousarray(series[at : at + 1]),
            design[at : at + 1],
            days=days[at : at + 1],
            baseline=known,
            state=state,
            lam=EwmaNdvi.weight,
            limit=EwmaNdvi.limit_sigma,
        )
        fell |= (after.crossed_on != state.crossed_on) & (after.value < 0)
        state = after
    return state.crossed_on.astype(np.int64), fell


def bolivia_row(folder: Path) -> tuple[object, ...]:
    frame = pd.read_csv(folder / "pixels" / BOLIVIA, parse_dates=["date"]).dropna(subset=["landsat_ndvi"])
    days = np.array([to_day(day.date()) for day in frame["date"]])
    series = frame[["landsat_ndvi"]].to_numpy(np.float32)
    shown = date(2016, 1, 18)
    baseline = Period(from_day(int(days[0])), date(2015, 12, 31))
    crossed, _ = chart(series, days, baseline, trend=False)
    event = f"deforestation January 2016, first seen {shown}"
    return (
        BOLIVIA,
        event,
        "alarm",
        "EWMA kernel, NDVI",
        "n/a",
        *_dates(0, int(crossed[0]), shown)[1:],
        "no stable year",
    )


def tura_rows(folder: Path, years: tuple[int, int]) -> Iterator[tuple[object, ...]]:
    with xr.open_dataset(folder / TURA) as data:
        stack = (data["ndvi"].to_numpy() / 10_000).astype(np.float32)
        days = data["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
        cover = data["lulc2011"].to_numpy().ravel()
        broke, size = (data[f"bfm2009_{name}"].to_numpy().ravel() for name in ("break_decimal_year", "magnitude"))
    series = stack.reshape(len(stack), -1)
    baseline = Period(date(years[0], 1, 1), date(years[1], 12, 31))
    past = (days >= to_day(baseline.start)) & (days <= to_day(baseline.end))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels without a clear look
        usual = np.nanmean(series[past], axis=0)
    forest = cover == FOREST
    fields = (cover == FIELDS) & (usual >= np.nanpercentile(usual[forest], FOREST_LIKE))
    classes = {"fields of 2011, forest-like in the baseline": fields, "still forest in 2011 (false)": forest}
    ends = range(years[1] + 1, 2014)
    for trend in (True, False):
        crossed, fell = chart(series, days, baseline, trend=trend)
        for name, pixels in classes.items():
            shares = (np.mean((crossed > 0) & fell & (crossed <= to_day(date(y, 12, 31))), where=pixels) for y in ends)
            rises = f"{np.mean((crossed > 0) & ~fell, where=pixels):.2f}"
            label = f"EWMA kernel, {'with' if trend else 'no'} trend"
            yield (label, name, int(pixels.sum()), *(f"{share:.2f}" for share in shares), rises)
    drops = (broke < BFAST_START + 1) & (size < 0)
    for name, pixels in classes.items():
        shown = (f"{np.mean(drops, where=pixels):.2f}" if y == BFAST_START else "" for y in ends)
        rises = f"{np.mean(np.isfinite(broke) & (size >= 0), where=pixels):.2f}"
        yield ("bfastmonitor, year 2009 alone", name, int(pixels.sum()), *shown, rises)


# ---------------------------------------------------------------- the tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/imagery")
    parser.add_argument("--baseline", type=int, nargs=2, default=(1999, 2004), help="first and last year, Tura")
    options = parser.parse_args()
    folder = options.data.resolve()
    if not (folder / "pixels").is_dir() or not (folder / TURA).is_file():
        print(f"skipped: the real series are not at {folder}")
        return 0
    heads = ("series", "known event", "wanted", "detector", "candidate", "confirmed", "days late", "stable: alarms")
    rows = [row for case in CASES for row in case_rows(case, folder)]
    rows.append(bolivia_row(folder))
    for path in sorted(folder.glob("s1_rtc_opera*.nc")):
        why = "not judged: radar comes with its own sensor"
        rows.append((path.name, "none; wet scenes jump", "no alarm", why, "", "", "", ""))
    table(heads, rows)
    first, last = options.baseline
    print(f"\n{TURA}: baseline {first}-{last}, share of pixels with a confirmed drop by the end of each year\n")
    years = tuple(range(last + 1, 2014))
    table(("detector", "pixels of", "pixels", *years, "rises"), list(tura_rows(folder, (first, last))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
