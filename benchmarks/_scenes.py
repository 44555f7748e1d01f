"""A catalogue of any size in seconds: one simulated square of 256 px, laid side by side.

Every `repeat`-th date is simulated and written; the dates between are the same rasters under items of their own (hard
links, since a catalogue may not point outside its root). The square lies on whole 1024 px windows of the lattice, so a
side of 512 or 1024 px is one tile.
"""

import json
import os
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from shapely.geometry import Polygon

from geomon.simulate import DEMO, Recipe, make_world, scenery_of
from geomon.simulate.atmosphere import Sensed, sense
from geomon.simulate.catalogue import Entry, offset_of, sensing_time, write_catalogue, write_item
from geomon.simulate.fields import DATES, rng_of
from geomon.simulate.places import corner_ring, feature, to_degrees, write_features
from geomon.simulate.recipe import day_number

PIECE_PX = 256
FIRST = date(2021, 1, 1)
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


@dataclass(frozen=True)
class _Aligned(Recipe):
    """A recipe whose square begins at a 1024 px window of the lattice."""

    @property
    def corner_m(self):
        return 47 * 10_240.0, 58 * 10_240.0


def dates(scenes, revisit_days):
    """Acquisition dates of a catalogue."""
    return [FIRST + timedelta(days=2 + revisit_days * i) for i in range(scenes)]


def write_scenes(root, *, side_px, scenes, revisit_days=5, repeat=1):
    """Write a catalogue of `scenes` dates; half of them are the recipe's baseline, the rest its monitor."""
    days = dates(scenes, revisit_days)
    half = days[scenes // 2] - timedelta(days=1)
    spans = {"baseline": (FIRST, half), "monitor": (half + timedelta(days=1), days[-1]), "revisit_days": revisit_days}
    small = replace(DEMO, name="bench", size_px=PIECE_PX, **spans)
    large = _Aligned(name="bench", size_px=side_px, **spans)
    scenery, climate = _ground(small)
    entries = []
    for index, when in enumerate(large.dates):
        if index % repeat == 0:
            rng = rng_of(small.seed, DATES, day_number(when))
            seen = scenery.reflectance(day_number(when))
            weather = climate.at(day_number(when))
            sensed = sense(seen, weather, rng, clouds=small.clouds, offset=offset_of(when))
            entries.append(write_item(root, large, index=index, sensed=_tiled(sensed, side_px // PIECE_PX)))
        else:
            entries.append(_again(root, entries[index - index % repeat], index=index, when=when))
    write_catalogue(root, large, entries)
    shape = to_degrees(Polygon(corner_ring(large)))
    write_features(root / "aoi.geojson", "aoi", [feature(shape, {"id": "bench", "name": "simulated square"})])
    return entries


def _ground(recipe):
    world = make_world(recipe)
    return scenery_of(world), world.climate


def _tiled(sensed, times):
    fine, coarse = (np.tile(stack, (1, times, times)) for stack in (sensed.fine, sensed.coarse))
    return Sensed(fine, coarse, np.tile(sensed.scl, (times, times)), sensed.cloud_cover)


def _again(root, entry, *, index, when):
    """The rasters of an item under a second one, of another date."""
    item = json.loads(entry.path.read_text())
    moment: datetime = sensing_time(index, when)
    item["id"] = f"{entry.item_id[:7]}_{when:%Y%m%d}_again"
    item["properties"]["datetime"] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    folder = root / "items" / item["id"]
    folder.mkdir(parents=True)
    for asset in item["assets"].values():
        os.link(entry.path.parent / asset["href"], folder / asset["href"])
    path = folder / f"{item['id']}.json"
    path.write_text(json.dumps(item))
    return Entry(item["id"], moment, path)
