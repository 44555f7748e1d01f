"""From the pixel table to the tables of a run: mining footprints, periods, alerts, points, sites and dug ground.

In: all changed pixels and what the run knows about its area, zones, scenes and periods. Out: tables as `geomon.schema`
has them, plus `ground`, the dug area by object, zone and day that zone tables are summed from. It decides what is an
object and, with `kernels.attribute`, which are mining; it keeps no memory between runs (that is `geomon.sites`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geomon.footprints.activity import ObjectPeriod, object_periods
from geomon.footprints.ground import Ground, Reported, dug_ground, outlined, relative_error
from geomon.footprints.history import with_history
from geomon.footprints.judgement import ground_of, judge
from geomon.footprints.objects import (
    MMU_M2,
    ConfirmedObject,
    Region,
    dug_share,
    other_regions,
)
from geomon.footprints.outlines import outlines, points
from geomon.footprints.pixels import ChangePixels, Ints, Mesh
from geomon.grid import areas_m2
from geomon.kernels.attribute import Verdict
from geomon.model import Activity, AlertStatus, Period, PeriodKind, Release, Scene, from_day, to_day
from geomon.periods import periods
from geomon.surroundings import Surroundings
from geomon.tables import make

if TYPE_CHECKING:
    import pandas as pd

    from geomon.aoi import Zone

M2_PER_HA: Final = 10_000.0


@dataclass(frozen=True, slots=True)
class Context:
    """What a run knows beside the pixels.

    `monitor` ends at as-of; what was open in the `baseline` predates the history; `surroundings` may be
    known; `kinds` are the reporting periods, the first one gives a footprint its activity; `scenes`
    are all scenes that were read (only those of proof days are looked up).
    """

    aoi_name: str
    aoi: BaseGeometry
    zones: Sequence[Zone]
    scenes: Sequence[Scene]
    baseline: Period
    monitor: Period
    kinds: Sequence[PeriodKind]
    run_id: str
    release: Release = Release.KP_ONLY
    surroundings: Surroundings | None = None

    @property
    def stamp(self) -> dict[str, object]:
        """The columns that every row carries."""
        return {"release": self.release.value, "run_id": self.run_id}


@dataclass(frozen=True, slots=True)
class Delineation:
    """All tables of one run, sorted by first pixel; `sites` holds every confirmed object under its own id."""

    footprints: pd.DataFrame
    periods: pd.DataFrame
    alerts: pd.DataFrame
    sub_mmu: pd.DataFrame
    dropped: pd.DataFrame
    sites: pd.DataFrame
    ground: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Judged:
    """A confirmed object with all that its rows are made of; areas in m2."""

    found: ConfirmedObject
    shape: BaseGeometry
    outline_m2: float
    area_m2: float
    scale: float
    error: float
    verdict: Verdict
    zone_id: str | None
    rows: Mapping[PeriodKind, tuple[ObjectPeriod, ...]]

    @property
    def reported(self) -> Reported:
        """How its ground is summed."""
        return Reported(footprint_id(self.found.token), self.scale, self.error, self.verdict.mining)

    @property
    def activity(self) -> Activity:
        if not self.verdict.mining:
            return Activity.REJECTED
        last = next(iter(self.rows.values()), ())
        return last[-1].activity if last else Activity.NOT_OBSERVED


def delineate(pixels: ChangePixels, context: Context) -> Delineation:
    """Delineate objects, judge them, and make all tables of the run."""
    pixels = with_history(pixels, context.baseline)
    mesh = Mesh(pixels)
    objects, verdicts = judge(pixels, mesh, context.surroundings)
    ground = dug_ground(pixels, [one.ground for one in objects], zones=context.zones)
    judged = _judged(pixels, objects, verdicts, ground=ground, context=context)
    regions, small, dropped = other_regions(pixels, mesh, taken=ground_of(objects))
    mining = [one for one in judged if one.verdict.mining]
    small_at = points(pixels, [region.index for region in small])
    dropped_at = outlines(pixels, [region.index for region in dropped], aoi=context.aoi)
    found = [_footprint(pixels, one, context) for one in mining]
    return Delineation(
        footprints=make("mining_footprints", found, [one.shape for one in mining]),
        periods=make("footprint_periods", [row for one in mining for row in _period_rows(one, context)]),
        alerts=_alerts(pixels, judged, regions, context=context),
        sub_mmu=_region_table("sub_mmu", pixels, small, shapes=small_at, context=context),
        dropped=_region_table("dropped", pixels, dropped, shapes=dropped_at, context=context),
        sites=make("sites", [_site(pixels, one, context) for one in judged], [one.shape for one in judged]),
        ground=ground.table([one.reported for one in judged]),
    )


def footprint_id(token: str) -> str:
    """Id of the mining footprint of a founding token; its site's own id is `own_site_id` of the same token."""
    return f"f-{token}"


def own_site_id(token: str) -> str:
    """Site id that a founding token gives an object that the register does not know yet."""
    return f"s-{token}"


def _judged(
    pixels: ChangePixels,
    objects: Sequence[ConfirmedObject],
    verdicts: Sequence[Verdict],
    *,
    ground: Ground,
    context: Context,
) -> list[_Judged]:
    drawn = [outlined(pixels, o.ground, at_least_m2=MMU_M2) if o.lasting else o.index for o in objects]
    shapes = outlines(pixels, drawn, aoi=context.aoi)
    outline = areas_m2(shapes)
    inside = [min(outline[k] / pixels.area_m2[index].sum(), 1.0) for k, index in enumerate(drawn)]
    spans = {kind: periods(kind, context.monitor) for kind in context.kinds}
    dug = np.bincount(ground.number, weights=ground.area_m2, minlength=len(objects))
    return [
        _Judged(
            found=found,
            shape=shapes[k],
            outline_m2=float(outline[k]),
            area_m2=float(dug[k] * inside[k]),
            scale=float(inside[k]),
            error=relative_error(pixels, found.ground),
            verdict=verdicts[k],
            zone_id=ground.zone_of(k),
            rows={
                kind: object_periods(pixels, found.ground, spans=held, monitor=context.monitor)
                for kind, held in spans.items()
            },
        )
        for k, found in enumerate(objects)
    ]


def _common(pixels: ChangePixels, one: _Judged, context: Context) -> dict[str, object]:
    index, ground = one.found.index, one.found.ground
    dug = pixels.area_m2[ground] * dug_share(pixels, ground)
    fresh = float(dug[pixels.first_seen[ground] >= to_day(context.monitor.start)].sum())
    return {
        "aoi": context.aoi_name,
        "zone_id": one.zone_id,
        "predates_history": _predates(pixels, one, context),
        "confirmed_on": from_day(one.found.confirmed_on),
        "last_seen": from_day(int(pixels.last_seen[index].max())),
        "status": AlertStatus.CONFIRMED.label,
        "activity": one.activity.value,
        "type": one.verdict.type.value,
        "area_ha": one.area_m2 / M2_PER_HA,
        "area_low_ha": one.area_m2 * (1.0 - one.error) / M2_PER_HA,
        "area_high_ha": one.area_m2 * (1.0 + one.error) / M2_PER_HA,
        "area_new_ha": min(fresh * one.scale, one.area_m2) / M2_PER_HA,
        "confidence": one.verdict.probability,
        "reasons": list(one.verdict.reasons),
        "n_clear": int(np.median(pixels.n_clear[index])),
        **context.stamp,
    }


def _predates(pixels: ChangePixels, one: _Judged, context: Context) -> bool:
    """Whether some of its ground was open on the first day of the baseline."""
    return bool((pixels.first_seen[one.found.ground] <= to_day(context.baseline.start)).any())


def _footprint(pixels: ChangePixels, one: _Judged, context: Context) -> dict[str, object]:
    sensors, scene_ids = _proof(pixels, one, context.scenes)
    return _common(pixels, one, context) | {
        "footprint_id": footprint_id(one.found.token),
        "site_id": own_site_id(one.found.token),
        "period_start": context.monitor.start,
        "period_end": context.monitor.end,
        "first_seen": from_day(int(pixels.first_seen[one.found.ground].min())),
        "sensors": sensors,
        "scenes": scene_ids,
        "outline_ha": one.outline_m2 / M2_PER_HA,
    }


def _site(pixels: ChangePixels, one: _Judged, context: Context) -> dict[str, object]:
    """A site's `first_seen` is its founding pixel's: later ground cannot move it, whatever the history of runs.

    Ground that is older than the history carries the first day of the baseline.
    """
    confuser = one.verdict.confuser
    founded = to_day(context.baseline.start) if _predates(pixels, one, context) else one.found.founded
    return _common(pixels, one, context) | {
        "site_id": own_site_id(one.found.token),
        "first_seen": from_day(founded),
        "confuser": None if confuser is None else confuser.value,
        "event": None,
        "lineage": [],
    }


def _period_rows(one: _Judged, context: Context) -> list[dict[str, object]]:
    return [
        {
            "footprint_id": footprint_id(one.found.token),
            "site_id": own_site_id(one.found.token),
            "period_kind": kind.value,
            "period_start": row.period.start,
            "period_end": row.period.end,
            "activity": row.activity.value,
            "area_ha": row.area_m2 * one.scale / M2_PER_HA,
            "area_new_ha": row.fresh_m2 * one.scale / M2_PER_HA,
            "regrown_share": row.regrown_m2 / row.area_m2,
            "observed_share": row.observed_share,
            **context.stamp,
        }
        for kind, rows in one.rows.items()
        for row in rows
    ]


def _alerts(
    pixels: ChangePixels, judged: Sequence[_Judged], regions: Sequence[Region], *, context: Context
) -> pd.DataFrame:
    shapes = [one.shape for one in judged]
    rows = [
        _life(pixels, one.found.index, alert_id=f"a-{one.found.token}", status=AlertStatus.CONFIRMED)
        | {"confirmed_on": from_day(one.found.confirmed_on), "area_ha": one.outline_m2 / M2_PER_HA}
        | {"confuser": None if one.verdict.confuser is None else one.verdict.confuser.value}
        for one in judged
    ]
    others = outlines(pixels, [region.index for region in regions], aoi=context.aoi)
    rows += [
        _life(pixels, region.index, alert_id=f"a-{region.token}", status=region.status)
        | {"confirmed_on": None, "area_ha": float(area) / M2_PER_HA, "confuser": None}
        for region, area in zip(regions, areas_m2(others), strict=True)
    ]
    return make("alerts", [row | context.stamp for row in rows], [*shapes, *others])


def _region_table(
    table: str, pixels: ChangePixels, regions: Sequence[Region], *, shapes: NDArray[Any], context: Context
) -> pd.DataFrame:
    rows = [
        _life(pixels, region.index, alert_id=f"a-{region.token}", status=region.status)
        | {"confirmed_on": None, "area_ha": float(pixels.area_m2[region.index].sum()) / M2_PER_HA}
        | context.stamp
        for region in regions
    ]
    return make(table, rows, list(shapes))


def _life(pixels: ChangePixels, index: Ints, *, alert_id: str, status: AlertStatus) -> dict[str, object]:
    return {
        "alert_id": alert_id,
        "status": status.label,
        "first_seen": from_day(int(pixels.first_seen[index].min())),
        "last_seen": from_day(int(pixels.last_seen[index].max())),
        "n_clear": int(np.median(pixels.n_clear[index])),
    }


def _proof(pixels: ChangePixels, one: _Judged, scenes: Sequence[Scene]) -> tuple[list[str], list[str]]:
    """Sensors and ids of the scenes of the proof days that touch the object, those that confirmed most pixels first."""
    support = Counter(day for day in pixels.proof[one.found.index].ravel().tolist() if day > 0)
    held = [scene for scene in scenes if support[scene.day]]
    held = [scene for scene in held if len(scene.outline) < 4 or shapely.Polygon(scene.outline).intersects(one.shape)]
    held.sort(key=lambda scene: (-support[scene.day], scene.day, scene.id))
    return sorted({scene.sensor for scene in held}), [scene.id for scene in held]
