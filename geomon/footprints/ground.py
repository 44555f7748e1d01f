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
from geomon.footprints.outlines import exposed_edges, middles
from geomon.footprints.pixels import ChangePixels, Floats, Ints
from geomon.model import from_day
from geomon.tables import make

if TYPE_CHECKING:
    import pandas as pd

    from geomon.aoi import Zone

RIM: Final = 0.25
"""Upper bound of an area: a quarter of a pixel along every outer side. A pixel joins when about half of it is dug, so
the true edge lies within half a pixel of the drawn one, a quarter on average if it is anywhere there with equal
chance. The benchmark checks the coverage."""

ASIDE_DEG: Final = (3.7e-10, 5.3e-10)
"""Centres are asked for a tenth of a millimetre aside, so that one on the common border of two zones lies in one of
them, not in both."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One row per pixel of an object: object number, day, areas [m2], and whether it is its object's anchor.

    `member`, `zone` pair rows with zone numbers; `main` is the number of the zone that holds most of each object, -1
    for none. The anchor says in which zones an object counts: the pixel in the middle of its ground in its main zone.
    """

    number: Ints
    first_seen: Ints
    area_m2: Floats
    low_m2: Floats
    high_m2: Floats
    anchor: NDArray[np.bool_]
    member: Ints
    zone: Ints
    zone_ids: tuple[str, ...]
    main: Ints

    def zone_of(self, number: int) -> str | None:
        """Id of the zone that holds most of an object."""
        return None if self.main[number] < 0 else self.zone_ids[int(self.main[number])]

    def table(self, footprint_ids: Sequence[str], scales: Sequence[float], *, keep: Sequence[bool]) -> pd.DataFrame:
        """Sums by footprint, zone and day: table `ground`.

        `zone_id` is "" in the rows that hold the whole footprint, whatever its zones. Each object's areas are scaled
        so that they add up to its outline's geodesic area; low <= area <= high in every row. Only objects with `keep`
        are listed.
        """
        import pandas as pd

        whole = np.arange(len(self.number))
        at = np.concatenate([whole, self.member])
        object_ids, zone_ids = np.array([*footprint_ids, ""], object), np.array([*self.zone_ids, ""], object)
        scale = np.array([*scales, 0.0])[self.number[at]]
        frame = pd.DataFrame(
            {
                "footprint_id": object_ids[self.number[at]],
                "zone_id": zone_ids[np.concatenate([np.full(len(whole), len(self.zone_ids)), self.zone])],
                "first_seen": self.first_seen[at],
                "area_m2": self.area_m2[at] * scale,
                "low_m2": self.low_m2[at] * scale,
                "high_m2": self.high_m2[at] * scale,
                "anchor": self.anchor[at],
            }
        )
        kept = frame[np.array([*keep, False], bool)[self.number[at]]]
        summed = kept.groupby(["footprint_id", "zone_id", "first_seen"], sort=True).sum().reset_index()
        summed["first_seen"] = [from_day(day) for day in summed["first_seen"]]
        summed["anchor"] = summed["anchor"].astype(bool)
        return make("ground", [dict(zip(summed.columns, row, strict=True)) for row in summed.itertuples(index=False)])


def dug_ground(pixels: ChangePixels, objects: Sequence[Ints], *, zones: Sequence[Zone]) -> Ground:
    """The pixels of all objects with their area bounds and zones.

    The lower bound of a pixel is its bare and water share (sub-pixel mixing), the upper one adds `RIM` pixels per side
    that faces outside.
    """
    index = np.concatenate([*objects, np.zeros(0, np.int64)])
    number = np.repeat(np.arange(len(objects)), [len(one) for one in objects])
    area = pixels.area_m2[index]
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
        low_m2=area * dug_share(pixels, index),
        high_m2=area * (1.0 + RIM * exposed_edges(pixels, index)),
        anchor=anchor,
        member=member,
        zone=zone,
        zone_ids=tuple(zone.id for zone in zones),
        main=main,
    )


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
