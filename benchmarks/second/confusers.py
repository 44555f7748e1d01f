"""Everything that may be taken for a mine and is none, put on the land in one fixed order.

In: the land. Out: the same land, furnished. The order is part of a landscape: what comes first takes its ground, and
all draw from one generator.
"""

from __future__ import annotations

from second import farms, settlements, waters
from second.land import Land


def add_confusers(land: Land) -> None:
    waters.add_river(land)
    waters.add_sandbanks(land)
    waters.add_meanders(land)
    farms.add_burnt_fields(land)
    farms.add_fields(land)
    roads = settlements.add_roads(land)
    settlements.add_borrow_pits(land, roads)
    settlements.add_brick_pits(land)
    settlements.add_villages(land, roads)
    farms.add_cashew(land)
    farms.add_logging(land)
    waters.add_fish_ponds(land)
    waters.add_drying_lake(land)
    settlements.add_slides(land)
    settlements.add_rocks(land)
    waters.add_flooded_plain(land)
