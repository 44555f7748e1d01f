"""The ground that objects dug, pixel by pixel and by zone: what zone tables are summed from.

In: the pixels of each object and the zones. Out: per object, zone and day of first evidence the dug area with its
bounds. A pixel belongs to every zone that holds its centre, so the parts of a partition add up to the whole. Which
sites count where is said by `main_zones`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from geomon.footprints.objects import dug_share
from geomon.footprints.outlines import exposed_edges
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
    """One row per pixel of an object: object number, day, areas [m2]; `member`, `zone` pair rows with zone numbers."""

    number: Ints
    first_seen: Ints
    area_m2: Floats
    low_m2: Floats
    high_m2: Floats
    member: Ints
    zone: Ints
    zone_ids: tuple[str, ...]

    def table(self, footprint_ids: Sequence[str], scales: Sequence[float], *, keep: Sequence[bool]) -> pd.DataFrame:
        """Sums by footprint, zone and day: table `ground`.

        `zone_id` is "" in the rows that hold the whole footprint, whatever its zones. Each object's areas are scaled
        so that they add up to its outline's geodesic area; low <= area <= high in every row. Only objects with `keep`
        are listed.
        """
        import pandas as pd

        whole = np.arange(len(self.number))
        at = np.concatenate([whole, self.member])
        scale = np.asarray(scales, np.float64)[self.number[at]] if len(at) else np.zeros(0)
        frame = pd.DataFrame(
            {
                "footprint_id": np.asarray(footprint_ids, dtype=object)[self.number[at]]
                if len(at)
                else np.zeros(0, object),
                "zone_id": np.array([*[""] * len(whole), *(self.zone_ids[z] for z in self.zone)], dtype=object),
                "first_seen": self.first_seen[at],
                "area_m2": self.area_m2[at] * scale,
                "low_m2": self.low_m2[at] * scale,
                "high_m2": self.high_m2[at] * scale,
            }
        )
        kept = np.asarray(keep, bool)[self.number[at]] if len(at) else np.zeros(0, bool)
        summed = frame[kept].groupby(["footprint_id", "zone_id", "first_seen"], sort=True).sum().reset_index()
        summed["first_seen"] = [from_day(day) for day in summed["first_seen"]]
        return make("ground", [dict(zip(summed.columns, row, strict=True)) for row in summed.itertuples(index=False)])


def dug_ground(pixels: ChangePixels, objects: Sequence[Ints], *, zones: Sequence[Zone]) -> Ground:
    """The pixels of all objects with their area bounds and zones.

    The lower bound of a pixel is its bare and water share (sub-pixel mixing), the upper one adds `RIM` pixels per side
    that faces outside.
    """
    index = np.concatenate([*objects, np.zeros(0, np.int64)])
    area = pixels.area_m2[index]
    lon, lat = pixels.take(index).lonlat()
    tree = shapely.STRtree([shapely.Point(x, y) for x, y in zip(lon + ASIDE_DEG[0], lat + ASIDE_DEG[1], strict=True)])
    pairs = (
        tree.query([zone.geometry for zone in zones], predicate="intersects")
        if zones and len(index)
        else np.zeros((2, 0), np.int64)
    )
    return Ground(
        number=np.repeat(np.arange(len(objects)), [len(one) for one in objects]),
        first_seen=pixels.first_seen[index],
        area_m2=area,
        low_m2=area * dug_share(pixels, index),
        high_m2=area * (1.0 + RIM * exposed_edges(pixels, index)),
        member=pairs[1],
        zone=pairs[0],
        zone_ids=tuple(zone.id for zone in zones),
    )


def main_zones(ground: Ground, zones: Sequence[Zone], *, count: int) -> list[str | None]:
    """The zone that holds most of each object, None where none holds any; of equals the first in the file."""
    if not zones:
        return [None] * count
    held = np.zeros((count, len(zones)))
    np.add.at(held, (ground.number[ground.member], ground.zone), ground.area_m2[ground.member])
    best = held.argmax(axis=1)
    return [zones[int(zone)].id if held[k, zone] > 0.0 else None for k, zone in enumerate(best)]
