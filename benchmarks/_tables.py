"""Markdown tables from the raw numbers of landscapes, pooled by cell, each figure with its 95 % interval and n."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from _intervals import NOTHING, Estimate, bootstrap, poisson, ratio, wilson
from _scoring import GROUP_PX, NO_ROW, PIXEL_HA, pool, size_class
from numpy.typing import NDArray

from geomon.model import Activity

Scores = Sequence[dict[str, Any]]
Line = list[str]

CLASSES_HA = (0.1, 0.3, 1.0)
CLASS_NAMES = ("0.1-0.3 ha", "0.3-1 ha", "1 ha or more")
WORKING = (Activity.NEW, Activity.ACTIVE, Activity.EXPANDING, Activity.PERSISTENT)
QUIET = (Activity.PREVIOUSLY_ACTIVE, Activity.REVEGETATING)
SAID = {
    "working": tuple(one.value for one in WORKING),
    "quiet": tuple(one.value for one in QUIET),
    "not observed": (Activity.NOT_OBSERVED.value,),
    "no row yet": (NO_ROW,),
}


def cells(results: Scores) -> dict[str, Scores]:
    """Landscapes by kind, wealth and clouds, then all of one wealth where that pools several cells."""
    held: dict[str, list[dict[str, Any]]] = {}
    for one in results:
        held.setdefault(f"{one['kind']}, {one['wealth']}, {one['clouds']}", []).append(one)
    for wealth in dict.fromkeys(one["wealth"] for one in results):
        if sum(name.split(", ")[1] == wealth for name in held) > 1:
            held[f"all {wealth}"] = [one for one in results if one["wealth"] == wealth]
    return dict(held)


def report(results: Scores) -> str:
    """Every table under its heading, with how to read it."""
    order = sorted(results, key=lambda one: (one["wealth"] != "rich", one["kind"], one["clouds"] != "usual"))
    parts = []
    for title, note, table in TABLES:
        heads, rows = table(cells(order))
        lines = [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows)]
        parts.append("\n".join((f"### {title}", "", note, "", *lines, "")))
    return "\n".join(parts)


def show(figure: Estimate, digits: int = 2) -> str:
    """A figure with its interval, a dash for none."""
    if not np.isfinite(figure.value):
        return "-"
    value, low, high = (f"{number:.{digits}f}" for number in figure)
    return f"{value} ({low} to {high})"


def _share(flags: Iterable[bool]) -> str:
    held = list(flags)
    return f"{sum(held)}/{len(held)}: {show(wilson(sum(held), len(held)))}" if held else "-"


def landscapes(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """What the figures rest on."""
    heads = ["cell", "landscapes", "km2", "newly dug, % (most)", "newly dug objects", "truly clear looks, %"]
    rows = []
    for name, scores in held.items():
        dug, clear = ([100 * one[key] for one in scores] for key in ("new_share", "clear_share"))
        large = sum(one["px"] >= GROUP_PX for one in pool(scores, "objects"))
        size = [str(len(scores)), f"{sum(one['km2'] for one in scores):.1f}"]
        rows.append([name, *size, f"{np.mean(dug):.3f} ({max(dug):.3f})", str(large), f"{np.mean(clear):.0f}"])
    return heads, rows


def pixels(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """Precision, recall, F1 of pixels."""
    columns = ("hit_px", "missed_px", "false_px", "partly_px")
    measures: dict[str, Callable[[NDArray[np.float64]], float]] = {
        "precision": lambda t: ratio(t[:, 0].sum(), t[:, [0, 2]].sum()),
        "strict precision": lambda t: ratio(t[:, 0].sum(), t[:, [0, 2, 3]].sum()),
        "recall": lambda t: ratio(t[:, 0].sum(), t[:, :2].sum()),
        "F1": lambda t: ratio(2 * t[:, 0].sum(), 2 * t[:, 0].sum() + t[:, 1:3].sum()),
    }
    rows = []
    for name, scores in held.items():
        table = _columns(pool(scores, "clusters"), columns)
        figures = [show(bootstrap(table, measure)) for measure in measures.values()]
        rows.append([name, str(len(table)), str(int(table[:, :2].sum())), *figures])
    return ["cell", "clusters", "true px", *measures], rows


def recall(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """Objects found, by true size."""
    rows = []
    for name, scores in held.items():
        objects = pool(scores, "objects")
        sizes = [size_class(one["px"] * PIXEL_HA, CLASSES_HA) for one in objects]
        rows.append([name, *_by_class(sizes, [one["found"] for one in objects])])
    return ["cell", *CLASS_NAMES, "all"], rows


def precision(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """Polygons that hold dug ground, by mapped size."""
    rows = []
    for name, scores in held.items():
        found = pool(scores, "polygons")
        sizes = [max(size_class(one["area_ha"], CLASSES_HA), 0) for one in found]
        rows.append([name, *_by_class(sizes, [one["right"] for one in found])])
    return ["cell", *CLASS_NAMES, "all"], rows


def _by_class(sizes: Sequence[int], flags: Sequence[bool]) -> Line:
    """Shares by class, then of all from the smallest class on."""
    pairs = list(zip(sizes, flags, strict=True))
    split = [_share(flag for size, flag in pairs if size == number) for number in range(len(CLASSES_HA))]
    return [*split, _share(flag for size, flag in pairs if size >= 0)]


def false_objects(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """Rates of footprints on ground never dug."""
    heads = ["cell", "false / mapped", "km2", "km2 x years", "per km2", "per 1,000 km2 and year"]
    rows = []
    for name, scores in held.items():
        flags = [one["right"] for one in pool(scores, "polygons")]
        false = len(flags) - sum(flags)
        km2, years = sum(one["km2"] for one in scores), sum(one["km2"] * one["years"] for one in scores)
        rates = show(poisson(false, km2), 3), show(poisson(false, years / 1e3), 0)
        rows.append([name, f"{false} / {len(flags)}", f"{km2:.1f}", f"{years:.1f}", *rates])
    return heads, rows


def delays(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """Medians over objects that were noticed."""
    shown = {"candidate": "candidate", "confirmed": "confirmed", "honest": "could be confirmed"}
    heads = ["cell", "objects", *(f"{text}, {unit}" for text in shown.values() for unit in ("days", "looks"))]
    heads += ["confirmed after it could be, days", "looks", "never a candidate / confirmed", "before dug"]
    rows = []
    for name, scores in held.items():
        large = [one for one in pool(scores, "objects") if one["px"] >= GROUP_PX]
        medians = [_median(large, key, unit) for key in (*shown, "after_honest") for unit in ("days", "looks")]
        never = " / ".join(str(sum(one[key] is None for one in large)) for key in ("candidate", "confirmed"))
        early = " / ".join(
            str(sum(one[key] is not None and one[key]["days"] < 0 for one in large))
            for key in ("candidate", "confirmed")
        )
        rows.append([name, str(len(large)), *medians, never, early])
    return heads, rows


def _median(objects: Sequence[dict[str, Any]], event: str, unit: str) -> str:
    values = [one[event][unit] for one in objects if one[event] is not None]
    return f"{show(bootstrap(values, lambda t: float(np.median(t))), 0)}, n {len(values)}"


def areas(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """Mapped over true areas, and how often the bounds hold."""
    columns = ("mapped_new_ha", "true_new_ha", "mapped_ha", "true_under_ha", "true_ha")
    heads = ["cell", "clusters", "true new ha", "area_new_ha / newly dug", "area_ha / ever dug under footprints"]
    heads += ["area_ha / ever dug", "footprints within bounds", "too high / too low", "landscapes within bounds"]
    rows = []
    for name, scores in held.items():
        table = _columns(pool(scores, "clusters"), columns)
        ratios = [_ratio_of(table, over, under) for over, under in ((0, 1), (2, 3), (2, 4))]
        right = [one for one in pool(scores, "polygons") if one["right"]]
        beyond = (
            sum(one["low_ha"] > one["true_ha"] for one in right),
            sum(one["true_ha"] > one["high_ha"] for one in right),
        )
        within = _share(_held(one) for one in right), "{} / {}".format(*beyond), _share(map(_landscape_held, scores))
        rows.append([name, str(len(table)), f"{table[:, 1].sum():.2f}", *ratios, *within])
    return heads, rows


def _ratio_of(table: NDArray[np.float64], over: int, under: int) -> str:
    return show(bootstrap(table, lambda t: ratio(t[:, over].sum(), t[:, under].sum())))


def _held(one: dict[str, Any]) -> bool:
    return bool(one["low_ha"] <= one["true_ha"] <= one["high_ha"])


def _landscape_held(score: dict[str, Any]) -> bool:
    """Whether the bounds of all footprints together hold the ground dug under and around them."""
    names = ("low_ha", "true_ha", "high_ha")
    return _held({name: sum(one[name] for one in score["polygons"]) for name in names})


def activity(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """What quarters were called against whether something was dug."""
    heads = ["cell", *(f"{truth}: {said}" for truth in ("dug", "not dug") for said in SAID)]
    heads += ["right of all rows", "right of observed rows"]
    rows = []
    for name, scores in held.items():
        counts: Counter[tuple[bool, str]] = Counter()
        for dug, label, count in pool(scores, "quarters"):
            counts[dug, label] += count
        grid = {(dug, said): sum(counts[dug, one] for one in SAID[said]) for dug in (True, False) for said in SAID}
        right = grid[True, "working"] + grid[False, "quiet"]
        observed = right + grid[True, "quiet"] + grid[False, "working"]
        told = observed + grid[True, "not observed"] + grid[False, "not observed"]
        rows.append([name, *map(str, grid.values()), *(_of(right, n) for n in (told, observed))])
    return heads, rows


def reliability(held: dict[str, Scores]) -> tuple[Line, list[Line]]:
    """How often a told probability is right, all cells together."""
    heads = ["told", "objects", "mean told", "mines"]
    judged = [
        pair for name, scores in held.items() if not name.startswith("all") for one in scores for pair in one["judged"]
    ]
    rows = []
    for low, high in pairwise(PROBABILITIES):
        here = [(told, mine) for told, mine in judged if low <= told < high or told == high == 1.0]
        if here:
            mean = sum(told for told, _ in here) / len(here)
            rows.append([f"{low}-{high}", str(len(here)), f"{mean:.2f}", _of(sum(mine for _, mine in here), len(here))])
    return heads, rows


def _of(hits: int, trials: int) -> str:
    return f"{hits}/{trials}: {show(wilson(hits, trials) if trials else NOTHING)}"


def _columns(records: Sequence[dict[str, Any]], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[one[name] for name in names] for one in records], dtype=np.float64).reshape(-1, len(names))


PROBABILITIES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.9, 1.0)

TABLES = (
    ("Landscapes", "All figures below are of simulated ground; intervals are 95 %.", landscapes),
    (
        "Pixels",
        "True: at least a quarter newly dug. False: mapped, and nothing ever dug there; strictly, also where less "
        "than a quarter was. Older ground is left out. Intervals by resampling clusters (ground dug or mapped that "
        "touches).",
        pixels,
    ),
    ("Objects found, by true size", "Found: a quarter of its pixels mapped. Wilson intervals.", recall),
    (
        "Footprints that are right, by mapped size",
        "Right: holds any dug ground, older too. Below 0.1 ha (cut by the border) counts in the smallest class.",
        precision,
    ),
    ("False objects", "Footprints on ground never dug; exact Poisson intervals.", false_objects),
    (
        "Delay",
        "Medians over true objects of ten pixels or more that a product polygon touches, from the day on which ten "
        "connected pixels had been dug; looks are truly clear looks at those pixels. Candidate: earliest "
        "`first_seen` of an alert or footprint that touches it, the start of the run of evidence, known only "
        "later. Could be confirmed: ten connected pixels had each had three clear looks. Before dug (candidate / "
        "confirmed): the day lies before the object's start, as where one polygon took in several objects, or pits "
        "of less than ten pixels came first; such negative delays are counted in. Intervals by resampling objects.",
        delays,
    ),
    (
        "Areas",
        "Bounds against ground ever dug under a footprint and in the pixels that touch it; right footprints only; "
        "for landscapes, sums over all footprints. Ratios by resampling clusters.",
        areas,
    ),
    (
        "Activity by quarter",
        "Right footprints: was a pixel under it newly dug in the quarter, against what its row says. Working: new, "
        "active, expanding, persistent. Rows of one footprint are not independent: the Wilson intervals are too "
        "narrow.",
        activity,
    ),
    (
        "Stated probabilities",
        "Every confirmed object of the registers, rejected ones too, by its `confidence`: a mine if a tenth of its "
        "pixels' area was ever dug.",
        reliability,
    ),
)
"""Heading, how to read it, and what makes it."""
