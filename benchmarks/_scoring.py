"""Compare what a run mapped with what was dug: arrays in, raw counts out, nothing is read or printed.

In: `Truth` and `Mapped`, both on the pixels of one landscape. Out: lists of plain records (clusters, objects, polygons,
quarters) from which every table is pooled. Days are days since 1970-01-01, 0 where there is none; a pixel is 0.01 ha.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

DUG = 0.25
"""Share of a pixel from which it counts as dug."""
FOUND = 0.25
"""Share of an object's pixels that must be mapped for it to be found."""
GROUP_PX = 10
"""Connected pixels that make an object: 0.1 ha, the minimum mapping unit."""
LOOKS = 3
"""Clear looks that an honest detector needs."""
PIXEL_HA = 0.01
EIGHT = np.ones((3, 3), dtype=bool)
NO_ROW = "no_row"
"""Stands for a quarter of the monitor period for which a footprint has no row."""


@dataclass(frozen=True)
class Truth:
    """What happened; shares and days by pixel, (rows, columns), and the truly clear looks (dates, rows, columns)."""

    new: NDArray[np.float32]
    ever: NDArray[np.float32]
    new_dug_on: Ints
    clear: Bools
    look_days: Ints


@dataclass(frozen=True)
class Footprint:
    """One mapped polygon; `quarters` is (first day, last day, activity or `NO_ROW`)."""

    area_ha: float
    low_ha: float
    high_ha: float
    new_ha: float
    quarters: Sequence[tuple[int, int, str]]


@dataclass(frozen=True)
class Mapped:
    """What a run says; `number` is 1 + the index of the footprint that holds the pixel's centre, 0 for none.

    `candidate_on` is the earliest `first_seen` of any alert or footprint on the pixel, `confirmed_on` the earliest of
    its footprints.
    """

    number: Ints
    candidate_on: Ints
    confirmed_on: Ints
    footprints: Sequence[Footprint]


@dataclass(frozen=True)
class Cluster:
    """Ground dug or mapped that hangs together, the unit that is resampled: pixels, and areas in ha."""

    hit_px: int
    missed_px: int
    false_px: int
    partly_px: int
    mapped_new_ha: float
    true_new_ha: float
    mapped_ha: float
    true_under_ha: float
    true_ha: float


@dataclass(frozen=True)
class Delay:
    """From a start to an event: days, and truly clear looks (median over the founding pixels)."""

    days: int
    looks: float


@dataclass(frozen=True)
class TrueObject:
    """Connected newly dug pixels; delays only from `GROUP_PX` on, None where the event never came."""

    px: int
    found: bool
    candidate: Delay | None
    confirmed: Delay | None
    after_honest: Delay | None
    honest: Delay | None


@dataclass(frozen=True)
class Polygon:
    """One footprint: its product areas, and the dug ground under it and under the pixels that touch it."""

    area_ha: float
    low_ha: float
    high_ha: float
    true_ha: float
    right: bool


@dataclass(frozen=True)
class Group:
    """The first connected pixels to reach a number: the day, and where they lie."""

    day: int
    pixels: Bools


def score(truth: Truth, mapped: Mapped) -> dict[str, Any]:
    """Raw numbers of one landscape, fit for JSON."""
    return {
        "clusters": [asdict(one) for one in clusters(truth, mapped)],
        "objects": [asdict(one) for one in true_objects(truth, mapped)],
        "polygons": [asdict(one) for one in polygons(truth, mapped)],
        "quarters": [[*key, count] for key, count in sorted(quarters(truth, mapped).items())],
    }


def first_group(days: Ints, among: Bools, needed: int = GROUP_PX) -> Group | None:
    """When so many 8-connected pixels had each reached their day, not merely so many pixels anywhere.

    Parameters
    ----------
    days : (rows, columns)
        Day of each pixel, 0 for never.
    among : (rows, columns)
        Pixels that count.
    needed : int

    Returns
    -------
    Group or None
        None when that never happens.
    """
    valid = among & (days > 0)
    for day in np.unique(days[valid]):
        labels, count = ndimage.label(valid & (days <= day), EIGHT)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        if sizes.max() >= needed:
            return Group(int(day), labels == 1 + int(sizes.argmax()))
    return None


def nth_clear(truth: Truth, nth: int = LOOKS) -> Ints:
    """Day of the n-th truly clear look at each newly dug pixel since it was dug, that day included; 0 for never."""
    dug = truth.new_dug_on > 0
    since = truth.clear[:, dug] & (truth.look_days[:, None] >= truth.new_dug_on[dug])
    reached = np.cumsum(since, axis=0, dtype=np.int32) >= nth
    out = np.zeros(truth.new.shape, dtype=np.int32)
    if len(truth.look_days):
        out[dug] = np.where(reached.any(axis=0), truth.look_days[reached.argmax(axis=0)], 0)
    return out


def delay(truth: Truth, where: Bools, start: int, event: int, *, start_counts: bool) -> Delay:
    """Days and clear looks from a start to an event, negative when the event came first.

    A look on the day of the event counts, one on the day of the start if `start_counts`.
    """
    before = truth.look_days < start if start_counts else truth.look_days <= start
    seen = truth.clear[:, where]
    looks = seen[truth.look_days <= event].sum(axis=0) - seen[before].sum(axis=0)
    return Delay(event - start, float(np.median(looks)))


def true_objects(truth: Truth, mapped: Mapped) -> list[TrueObject]:
    """Every 8-connected group of newly dug pixels, with when it was noticed if it is large enough."""
    labels, _ = ndimage.label(truth.new >= DUG, EIGHT)
    honest_on = nth_clear(truth)
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        layers = {name: getattr(truth, name)[box] for name in ("new", "ever", "new_dug_on")}
        part = replace(truth, **layers, clear=truth.clear[(slice(None), *box)])
        near = Mapped(mapped.number[box], mapped.candidate_on[box], mapped.confirmed_on[box], ())
        found.append(_true_object(part, near, labels[box] == number, honest_on[box]))
    return found


def _true_object(truth: Truth, mapped: Mapped, inside: Bools, honest_on: Ints) -> TrueObject:
    px = int(inside.sum())
    hit = bool((mapped.number[inside] > 0).sum() >= FOUND * px)
    dug = first_group(truth.new_dug_on, inside)
    if dug is None:
        return TrueObject(px, hit, None, None, None, None)
    candidate, confirmed = (_earliest(days[inside]) for days in (mapped.candidate_on, mapped.confirmed_on))
    could = first_group(honest_on, inside)
    since = partial(delay, truth, dug.pixels, dug.day, start_counts=True)
    return TrueObject(
        px=px,
        found=hit,
        candidate=since(candidate) if candidate else None,
        confirmed=since(confirmed) if confirmed else None,
        after_honest=(
            delay(truth, could.pixels, could.day, confirmed, start_counts=False) if could and confirmed else None
        ),
        honest=since(could.day) if could else None,
    )


def _earliest(days: Ints) -> int:
    known = days[days > 0]
    return int(known.min()) if known.size else 0


def polygons(truth: Truth, mapped: Mapped) -> list[Polygon]:
    """Every footprint against the ground ever dug under it; false when it holds none.

    The true area takes in the pixels that touch a footprint and are in no other: the rim of a working is dug in part.
    """
    near = np.where(mapped.number > 0, mapped.number, ndimage.grey_dilation(mapped.number, footprint=EIGHT))
    under, around = (_sums(truth.ever, where, len(mapped.footprints)) for where in (mapped.number, near))
    return [
        Polygon(one.area_ha, one.low_ha, one.high_ha, round(PIXEL_HA * float(whole), 4), bool(inside > 0))
        for one, inside, whole in zip(mapped.footprints, under, around, strict=True)
    ]


def quarters(truth: Truth, mapped: Mapped) -> Counter[tuple[bool, str]]:
    """How often (something dug under it, activity told) fell together, over right footprints and quarters."""
    right = _sums(truth.ever, mapped.number, len(mapped.footprints)) > 0
    told: Counter[tuple[bool, str]] = Counter()
    for index in np.flatnonzero(right).tolist():
        days = truth.new_dug_on[mapped.number == index + 1]
        for first, last, activity in mapped.footprints[index].quarters:
            told[bool(((days >= first) & (days <= last)).any()), activity] += 1
    return told


def clusters(truth: Truth, mapped: Mapped) -> list[Cluster]:
    """Counts by cluster: ground dug or mapped that touches, parts of one footprint being one.

    A mapped pixel is false where nothing was ever dug, partly dug where less than `DUG` of it was; ground dug before
    the monitor period is neither right nor false.
    """
    cluster, of_footprint = _hang_together(truth.ever > 0, mapped)
    count = int(max(cluster.max(initial=-1), of_footprint.max(initial=-1))) + 1
    on, fresh = mapped.number > 0, truth.new >= DUG
    masks = (fresh & on, fresh & ~on, on & (truth.ever == 0), on & (truth.ever > 0) & (truth.ever < DUG))
    pixels = [_sums(mask, cluster + 1, count) for mask in masks]
    product = [
        np.bincount(of_footprint, weights=[getattr(one, name) for one in mapped.footprints], minlength=count)
        if mapped.footprints
        else np.zeros(count)
        for name in ("new_ha", "area_ha")
    ]
    shares = (truth.new, np.where(on, truth.ever, 0), truth.ever)
    new, under, ever = (PIXEL_HA * _sums(share, cluster + 1, count) for share in shares)
    columns = (product[0], new, product[1], under, ever)
    return [
        Cluster(*(int(column[i]) for column in pixels), *(round(float(column[i]), 5) for column in columns))
        for i in range(count)
    ]


def _hang_together(dug: Bools, mapped: Mapped) -> tuple[Ints, Ints]:
    """Return the cluster of each pixel (-1 for none) and of each footprint."""
    labels, count = ndimage.label(dug | (mapped.number > 0), EIGHT)
    on = mapped.number > 0
    pairs = np.unique(np.column_stack([labels[on] - 1, count + mapped.number[on] - 1]), axis=0)
    size = count + len(mapped.footprints)
    links = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, group = sparse.csgraph.connected_components(links, directed=False)
    return np.where(labels > 0, np.append(group, -1)[labels - 1], -1).astype(np.int32), group[count:].astype(np.int32)


def _sums(values: NDArray[Any], number: Ints, count: int) -> NDArray[np.float64]:
    """Sum values by number, 1 to count."""
    sums = np.bincount(number.ravel(), weights=values.ravel(), minlength=count + 1)
    return sums[1:].astype(np.float64)  # without numbers numpy gives whole ones


def size_class(area_ha: float, edges: Iterable[float]) -> int:
    """Index of the class that an area falls in, the lower edge included; -1 below the first."""
    return sum(area_ha >= edge - 1e-9 for edge in edges) - 1


def pool(scores: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    """Records of one sort from several landscapes."""
    return [record for one in scores for record in one[key]]
