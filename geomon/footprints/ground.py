"""The ground that objects dug, pixel by pixel and by zone: what zone tables are summed from.

In: the pixels of each object and the zones. Out: per object, zone and day of first evidence the dug area with its
bounds. A pixel belongs to every zone that holds its centre, so the parts of a partition add up to the whole. Where
an object counts as a site is said by its anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from geomon.footprints.objects import dug_share
from geomon.footprints.outlines import middles
from geomon.footprints.pixels import ChangePixels, Floats, Ints
from geomon.model import from_day
from geomon.tables import make

if TYPE_CHECKING:
    import pandas as pd

    from geomon.aoi import Zone

PIXEL_ERROR: Final = 0.18
SITE_ERROR: Final = 0.10
"""Standard errors of a dug share: of one pixel, and of all pixels of a site together, whose ground may be brighter or
darker than the endmembers. Root mean square on the tuning landscapes (`benchmarks/accuracy.py --tuning`).
"""
NINETY_FIVE: Final = 1.96

QUARTER: Final = 0.25
"""Share of a pixel from which it counts as dug (a pit of 6 m across, the usual one; domain.md 1: 3-30 m)."""

ASIDE_DEG: Final = (3.7e-10, 5.3e-10)
"""Centres are asked for a tenth of a millimetre aside, so that one on the common border of two zones lies in one of
them, not in both."""

_ROUNDING: Final = 1e-6
_LEAST: Final = 1e-3  # of a pixel: no object may weigh nothing


@dataclass(frozen=True, slots=True)
class Reported:
    """How an object is reported: its id, the share of its outline inside the AOI, 95 % half width, listed or not."""

    footprint_id: str
    scale: float
    error: float
    listed: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """One row per pixel of an object: object number, day, dug area [m2], and whether it is its object's anchor.

    `member`, `zone` pair rows with zone numbers; `main` is the number of the zone that holds most of each object, -1
    for none. The anchor says in which zones an object counts: the pixel in the middle of its ground in its main zone.
    """

    number: Ints
    first_seen: Ints
    area_m2: Floats
    anchor: NDArray[np.bool_]
    member: Ints
    zone: Ints
    zone_ids: tuple[str, ...]
    main: Ints

    def zone_of(self, number: int) -> str | None:
        """Id of the zone that holds most of an object."""
        return None if self.main[number] < 0 else self.zone_ids[int(self.main[number])]

    def table(self, objects: Sequence[Reported]) -> pd.DataFrame:
        """Sums by footprint, zone and day: table `ground`.

        `zone_id` is "" in the rows that hold the whole footprint, whatever its zones. Each object's areas are scaled
        to what of its outline lies in the area of interest; low <= area <= high in every row.
        """
        import pandas as pd

        whole = np.arange(len(self.number))
        at = np.concatenate([whole, self.member])
        number = self.number[at]
        ids = np.array([one.footprint_id for one in objects] + [""], object)
        zone_ids = np.array([*self.zone_ids, ""], object)
        scale, error = (np.array([*values, 0.0])[number] for values in _columns(objects))
        area = self.area_m2[at] * scale
        frame = pd.DataFrame(
            {
                "footprint_id": ids[number],
                "zone_id": zone_ids[np.concatenate([np.full(len(whole), len(self.zone_ids)), self.zone])],
                "first_seen": self.first_seen[at],
                "area_m2": area,
                "low_m2": area * (1.0 - error),
                "high_m2": area * (1.0 + error),
                "anchor": self.anchor[at],
            }
        )
        kept = frame[np.array([one.listed for one in objects] + [False], bool)[number]]
        summed = kept.groupby(["footprint_id", "zone_id", "first_seen"], sort=True).sum().reset_index()
        summed["first_seen"] = [from_day(day) for day in summed["first_seen"]]
        summed["anchor"] = summed["anchor"].astype(bool)
        return make("ground", [dict(zip(summed.columns, row, strict=True)) for row in summed.itertuples(index=False)])


def relative_error(pixels: ChangePixels, index: Ints) -> float:
    """Half width of the 95 % interval of a site's dug area, as a share of it, at most 0.95."""
    area = pixels.area_m2[index]
    dug = float((area * dug_share(pixels, index)).sum())
    pixel_m2 = PIXEL_ERROR * float(np.sqrt((area**2).sum()))
    return min(NINETY_FIVE * float(np.hypot(pixel_m2 / max(dug, 1e-9), SITE_ERROR)), 0.95)


def outlined(pixels: ChangePixels, index: Ints, *, at_least_m2: float) -> Ints:
    """The pixels that draw a site's outline: those of which QUARTER or more was dug, or the MMU of those dug most.

    The outline says where; it holds undug parts of its rim, and its area is about a fifth more than was dug.
    """
    area, share = pixels.area_m2[index], dug_share(pixels, index)
    order = np.argsort(-share, kind="stable")
    least = int(np.searchsorted(np.cumsum(area[order]), at_least_m2 * (1.0 - _ROUNDING))) + 1
    count = max(int((share >= QUARTER).sum()), least)
    return np.sort(index[order[:count]])


def dug_ground(pixels: ChangePixels, objects: Sequence[Ints], *, zones: Sequence[Zone]) -> Ground:
    """The pixels of all objects with the area dug of each, and their zones."""
    index = np.concatenate([*objects, np.zeros(0, np.int64)])
    number = np.repeat(np.arange(len(objects)), [len(one) for one in objects])
    area = pixels.area_m2[index] * np.maximum(dug_share(pixels, index), _LEAST)
    lon, lat = pixels.take(index).lonlat()
    zone, member = _members(lon, lat, zones)
    main = _main_zones(number[member], zone, area[member], shape=(len(objects), len(zones)))
    in_main = np.bincount(member[zone == main[number[member]]], minlength=len(index)) > 0
    eligible = np.flatnonzero(in_main | (main[number] < 0))
    anchor = np.zeros(len(index), bool)
    anchor[eligible[middles(lon[eligible], lat[eligible], number[eligible])]] = True
    return Ground(
        number=number,
        first_seen=pixels.first_seen[index],
        area_m2=area,
        anchor=anchor,
        member=member,
        zone=zone,
        zone_ids=tuple(zone.id for zone in zones),
        main=main,
    )


def _columns(objects: Sequence[Reported]) -> tuple[list[float], list[float]]:
    return [one.scale for one in objects], [one.error for one in objects]


def _members(lon: Floats, lat: Floats, zones: Sequence[Zone]) -> tuple[Ints, Ints]:
    """Pairs of (zone number, row) for the zones that hold each centre."""
    if not zones or not len(lon):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    centres = cast("NDArray[Any]", shapely.points(lon + ASIDE_DEG[0], lat + ASIDE_DEG[1]))
    zone, member = shapely.STRtree(centres).query([zone.geometry for zone in zones], predicate="intersects")
    return zone, member


def _main_zones(number: Ints, zone: Ints, area: Floats, *, shape: tuple[int, int]) -> Ints:
    """Number of the zone that holds most of each object, -1 where none holds any; of equals the first in the file."""
    if 0 in shape:
        return np.full(shape[0], -1, np.int64)
    held = np.zeros(shape)
    np.add.at(held, (number, zone), area)
    return np.where(held.max(axis=1) > 0.0, held.round(3).argmax(axis=1), -1)
