"""Zone tables: what was seen of each zone in each period, and how much of it was dug.

In: per tile the layers and which pixels are inside; the zones; the dug ground by footprint, zone and day. Out:
`ZoneCounts`, small sums that add over tiles, and the table `zones`. "Not observed" gives nulls, never zeros; an
observed zone without sites gives zeros. Whether the activity supports an exported volume is not answered here: that
needs reported volumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from geomon.grid import Tile, inside, pixel_area_m2
from geomon.model import Period, PeriodKind, Release, to_day
from geomon.periods import months_of, periods, year_before
from geomon.tables import make

if TYPE_CHECKING:
    import pandas as pd
    from shapely.geometry.base import BaseGeometry

    from geomon.aoi import Zone

Spans = Sequence[tuple[PeriodKind, Period]]

M2_PER_HA: Final = 10_000.0
FRESH_M2: Final = 120.0
"""Ground that must be newly dug in a period before a site counts as active: more than any one pixel of 10 m can hold
(measured for `footprints.activity.FRESH_M2`)."""
AREA_STEP_PX: Final = 32
"""Pixel areas of whole zones are taken once per block of this side: across 320 m of UTM they change by less than
3e-6."""

ASIDE_DEG: Final = (3.7e-10, 5.3e-10)
"""Zones are moved by a tenth of a millimetre, so that a centre on the border of two lies in one (as in footprints)."""

CANNOT_TELL: Final = "cannot_tell"


@dataclass(frozen=True, slots=True)
class ZoneCounts:
    """Sums of one zone [m2]: its ground, never seen clear, seen in each period, by day of the last clear look."""

    area_m2: float = 0.0
    never_m2: float = 0.0
    seen_m2: tuple[float, ...] = ()
    last_clear_m2: Mapping[int, float] = field(default_factory=dict)

    def __add__(self, other: ZoneCounts) -> ZoneCounts:
        days = sorted({*self.last_clear_m2, *other.last_clear_m2})
        pairs = zip(self.seen_m2, other.seen_m2, strict=True) if self.seen_m2 and other.seen_m2 else ()
        return ZoneCounts(
            area_m2=self.area_m2 + other.area_m2,
            never_m2=self.never_m2 + other.never_m2,
            seen_m2=tuple(a + b for a, b in pairs) or self.seen_m2 or other.seen_m2,
            last_clear_m2={day: self.last_clear_m2.get(day, 0.0) + other.last_clear_m2.get(day, 0.0) for day in days},
        )


@dataclass(frozen=True, slots=True)
class ZoneFrame:
    """What all rows share: monitor window cut at as-of, period kinds, run."""

    monitor: Period
    kinds: Sequence[PeriodKind]
    run_id: str
    release: Release = Release.KP_ONLY

    @property
    def spans(self) -> Spans:
        """Every reported period with its kind, in table order; `ZoneCounts.seen_m2` follows it."""
        return tuple((kind, period) for kind in self.kinds for period in periods(kind, self.monitor))


def tile_statistics(
    tile: Tile,
    layers: Mapping[str, NDArray[Any]],
    *,
    zones: Sequence[Zone],
    within: NDArray[np.bool_],
    frame: ZoneFrame,
) -> dict[str, ZoneCounts]:
    """Sums of one tile for each zone that has a pixel in it.

    Parameters
    ----------
    layers : mapping
        Needs `last_clear` (h, w) and `seen_months` (k, h, w).
    within : bool, (h, w)
        Pixels of the area of interest (`grid.inside`).
    """
    area = _pixel_areas(tile)
    seen = _seen_in(layers["seen_months"], frame)
    found = {}
    for zone in zones:
        mask = within & inside(tile, _aside(zone.geometry))
        if mask.any():
            found[zone.id] = _counts(area[mask], layers["last_clear"][mask], [plane[mask] for plane in seen])
    return found


def total(parts: Iterable[Mapping[str, ZoneCounts]]) -> dict[str, ZoneCounts]:
    """Add the sums of all tiles, in the order given."""
    found: dict[str, ZoneCounts] = {}
    for part in parts:
        for zone_id, counts in part.items():
            found[zone_id] = found.get(zone_id, ZoneCounts()) + counts
    return found


def table(
    zones: Sequence[Zone], counts: Mapping[str, ZoneCounts], *, ground: pd.DataFrame, frame: ZoneFrame
) -> pd.DataFrame:
    """One row per zone and period, by the schema's table `zones`.

    Parameters
    ----------
    counts : mapping
        Zone id to its sums over all tiles (`total`); a zone that is missing was never looked at.
    ground : DataFrame
        `footprints.Delineation.ground`: dug area by footprint, zone ("" = all of it) and day.
    """
    sites = _sites(ground)
    rows = []
    for zone in zones:
        held = counts.get(zone.id, ZoneCounts())
        dug = ground[ground["zone_id"] == zone.id]
        mine = [site for site in sites if zone.id in site.zones]
        for number, (kind, period) in enumerate(frame.spans):
            seen = held.seen_m2[number] if held.seen_m2 else 0.0
            numbers = _dug_in(period, dug, mine)
            rows.append(
                _place(zone)
                | {"period_kind": kind.value, "period_start": period.start, "period_end": period.end}
                | _sight(held, seen, as_of=frame.monitor.end)
                | (numbers if seen > 0.0 else dict.fromkeys(numbers))
                | {"same_season_change_ha": _change(kind, period, held, dug=dug, frame=frame)}
                | {"answer": CANNOT_TELL, "release": frame.release.value, "run_id": frame.run_id}
            )
    return make("zones", rows)


@dataclass(frozen=True, slots=True)
class _Site:
    """A footprint as zones count it: where, first evidence, and its days of fresh ground."""

    footprint_id: str
    zones: frozenset[str]
    days: tuple[date, ...]
    areas_m2: tuple[float, ...]

    def fresh_in(self, period: Period) -> bool:
        """Whether it is first seen in the period, or enough of its ground is."""
        fresh = sum(area for day, area in zip(self.days, self.areas_m2, strict=True) if day in period)
        return min(self.days) in period or fresh >= FRESH_M2


def _sites(ground: pd.DataFrame) -> list[_Site]:
    """Each footprint counts in every zone that holds its anchor: in a partition that is exactly one."""
    sites = []
    for footprint_id, rows in ground.groupby("footprint_id", sort=True):
        whole = rows[rows["zone_id"] == ""]
        zones = frozenset(rows.loc[rows["anchor"], "zone_id"])
        sites.append(_Site(str(footprint_id), zones, tuple(whole["first_seen"]), tuple(whole["area_m2"])))
    return sites


def _dug_in(period: Period, dug: pd.DataFrame, mine: Sequence[_Site]) -> dict[str, object]:
    active = {site.footprint_id for site in mine if site.fresh_in(period)}
    standing = dug[dug["footprint_id"].isin(active) & (dug["first_seen"] <= period.end)] if len(dug) else dug
    return {
        "n_sites_new": sum(min(site.days) in period for site in mine),
        "n_sites_active": len(active),
        "area_new_ha": _new_ha(dug, period),
        "area_active_ha": float(standing["area_m2"].sum()) / M2_PER_HA,
        "area_new_low_ha": _new_ha(dug, period, "low_m2"),
        "area_new_high_ha": _new_ha(dug, period, "high_m2"),
    }


def _new_ha(dug: pd.DataFrame, period: Period, column: str = "area_m2") -> float:
    fresh = [day in period for day in dug["first_seen"]]
    return float(dug[column].to_numpy()[fresh].sum()) / M2_PER_HA


def _change(kind: PeriodKind, period: Period, held: ZoneCounts, *, dug: pd.DataFrame, frame: ZoneFrame) -> float | None:
    """Area newly dug, less that of the same days a year before; None unless both were monitored and observed."""
    before = year_before(period)
    if before.start < frame.monitor.start or not held.seen_m2:
        return None
    seen = {(k, span.start): area for (k, span), area in zip(frame.spans, held.seen_m2, strict=True)}
    if not seen[kind, period.start] or not seen.get((kind, before.start)):
        return None
    return _new_ha(dug, period) - _new_ha(dug, before)


def _place(zone: Zone) -> dict[str, object]:
    return {"zone_id": zone.id, "zone_name": zone.name, "zone_role": zone.role.value, "status_on_date": zone.status}


def _sight(held: ZoneCounts, seen: float, *, as_of: date) -> dict[str, object]:
    return {
        "observed_share": seen / held.area_m2 if held.area_m2 else 0.0,
        "never_seen_clear_share": held.never_m2 / held.area_m2 if held.area_m2 else 1.0,
        "days_since_clear": _days_since(held.last_clear_m2, to_day(as_of)),
    }


def _days_since(last_clear: Mapping[int, float], as_of: int) -> int | None:
    """Median over the ground that was ever seen clear."""
    if not last_clear:
        return None
    days = sorted(last_clear)
    share = np.cumsum([last_clear[day] for day in days])
    return as_of - days[int(np.searchsorted(share, share[-1] / 2.0))]


def _seen_in(seen_months: NDArray[np.uint8], frame: ZoneFrame) -> list[NDArray[np.bool_]]:
    planes = []
    for _, period in frame.spans:
        plane = np.zeros(seen_months.shape[1:], bool)
        for month in months_of(period, frame.monitor.start):
            if month // 8 < len(seen_months):
                plane |= (seen_months[month // 8] & (1 << month % 8)) > 0
        planes.append(plane)
    return planes


def _counts(area: NDArray[np.float64], last_clear: NDArray[Any], seen: Sequence[NDArray[np.bool_]]) -> ZoneCounts:
    days, inverse = np.unique(last_clear, return_inverse=True)
    by_day = dict(zip(days.tolist(), np.bincount(inverse, weights=area, minlength=len(days)).tolist(), strict=True))
    return ZoneCounts(
        area_m2=float(area.sum()),
        never_m2=by_day.pop(0, 0.0),
        seen_m2=tuple(float(area[plane].sum()) for plane in seen),
        last_clear_m2=by_day,
    )


def _aside(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.transform(geometry, lambda at: at - ASIDE_DEG)


def _pixel_areas(tile: Tile) -> NDArray[np.float64]:
    """Area of every pixel of a tile [m2], measured at the middle of fixed lattice blocks: tiles do not matter."""
    rows, cols = (
        np.arange(start, start + size) // AREA_STEP_PX
        for start, size in zip((tile.row, tile.col), tile.shape, strict=True)
    )
    block_rows, block_cols = np.unique(rows), np.unique(cols)
    mesh_rows, mesh_cols = np.meshgrid(block_rows * AREA_STEP_PX, block_cols * AREA_STEP_PX, indexing="ij")
    half = AREA_STEP_PX // 2
    area = pixel_area_m2(tile.lattice, mesh_cols + half, mesh_rows + half)
    spread: NDArray[np.float64] = area[np.ix_(rows - block_rows[0], cols - block_cols[0])]
    return spread
