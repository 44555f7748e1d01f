"""Hand-made change layers: pixels by lattice position, cut into tiles of any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geomon.aoi import Zone
from geomon.footprints import Context
from geomon.grid import Lattice, Tile, to_wgs84
from geomon.model import AlertStatus, Period, PeriodKind, ZoneRole, to_day

START = date(2022, 7, 1)
END = date(2023, 12, 31)
MONITOR = Period(START, END)
BASELINE = Period(date(2021, 1, 1), date(2022, 6, 30))
LATTICE = Lattice("EPSG:32633", 10.0)
COL, ROW = 60_000, -55_000
"""A place on the lattice in the middle of UTM zone 33 (about 15.9 E 5 N)."""


@dataclass(frozen=True)
class Px:
    """One pixel; `seen` are the months of the monitor in which it was seen clear, `before` its last clear look before
    the first evidence, `dug` the day from which it counts as dug, `was` its bare ground, turbid and still water in the
    baseline; without an alert it never changed
    """

    col: int
    row: int
    alert: AlertStatus = AlertStatus.CONFIRMED
    first: date = date(2022, 9, 1)
    confirmed: date = date(2022, 10, 1)
    last: date = date(2022, 11, 1)
    bare: int = 50
    water: int = 30
    turbid: int = 10
    before: date | None = None
    gone: date | None = None
    dug: date | None = None
    hits: int = 9
    was: tuple[int, int, int] = (0, 0, 0)
    seen: tuple[int, ...] = tuple(range(18))


def block(col: int, row: int, width: int, height: int, **facts: Any) -> list[Px]:
    """A rectangle of pixels that share all facts; positions are relative to (COL, ROW)."""
    return [Px(COL + col + c, ROW + row + r, **facts) for r in range(height) for c in range(width)]


def layers(tile: Tile, pixels: Iterable[Px]) -> dict[str, NDArray[Any]]:
    """The change layers of one tile that hold the pixels that lie in it."""
    found: dict[str, NDArray[Any]] = {
        name: np.zeros(tile.shape, np.uint16)
        for name in (
            "clear_before",
            "first_seen",
            "confirmed_on",
            "last_seen",
            "gone_on",
            "reopened_seen",
            "reopened_on",
            "dug_on",
            "last_clear",
            "n_clear",
            "n_hits",
            "n_after",
        )
    }
    shares = ("bare", "water", "turbid", "was_bare", "was_turbid", "was_still")
    found |= {name: np.zeros(tile.shape, np.uint8) for name in ("alert", *shares)}
    found["proof"] = np.zeros((3, *tile.shape), np.uint16)
    found["seen_months"] = np.zeros((3, *tile.shape), np.uint8)
    for px in pixels:
        at = (px.row - tile.row, px.col - tile.col)
        if not (0 <= at[0] < tile.height and 0 <= at[1] < tile.width):
            continue
        for name, value in values_of(px).items():
            found[name][at] = value
        found["proof"][(slice(None), *at)] = proof_of(px)
        for month in px.seen:
            found["seen_months"][(month // 8, *at)] |= 1 << month % 8
    return found


def values_of(px: Px) -> dict[str, int]:
    """One pixel of every layer but `proof` and `seen_months`, as the detector fills them."""
    was = dict(zip(("was_bare", "was_turbid", "was_still"), px.was, strict=True))
    looked = {"last_clear": to_day(px.last), "n_clear": 20}
    if px.alert == AlertStatus.NONE:
        return was | looked | dict.fromkeys(("bare", "water", "turbid"), 255)
    return {
        "alert": px.alert,
        "clear_before": day_or_never(px.before),
        "first_seen": to_day(px.first),
        "confirmed_on": proof_of(px)[-1],
        "last_seen": to_day(px.last),
        "gone_on": day_or_never(px.gone),
        "dug_on": day_or_never(px.dug),
        "n_hits": px.hits,
        "n_after": 10,
        "bare": px.bare,
        "water": px.water,
        "turbid": px.turbid,
        **was,
        **looked,
    }


def proof_of(px: Px) -> list[int]:
    """Days of the looks that confirmed a pixel; of one without an alert none."""
    if px.alert == AlertStatus.NONE:
        return [0, 0, 0]
    confirmed = to_day(px.confirmed) if px.alert == AlertStatus.CONFIRMED else 0
    return [to_day(px.first), confirmed, confirmed]


def day_or_never(day: date | None) -> int:
    """Days since 1970-01-01, 0 for never."""
    return 0 if day is None else to_day(day)


def tiled(
    pixels: Iterable[Px], *, size: int = 64, lattice: Lattice = LATTICE
) -> list[tuple[Tile, Mapping[str, NDArray[Any]]]]:
    """The pixels on tiles of one size, aligned to lattice index 0."""
    held = list(pixels)
    places = sorted({(px.row // size, px.col // size) for px in held})
    tiles = [Tile(lattice, col * size, row * size, size, size, size) for row, col in places]
    return [(tile, layers(tile, held)) for tile in tiles]


def window(col: float, row: float, width: float, height: float, *, lattice: Lattice = LATTICE) -> shapely.Polygon:
    """A rectangle of lattice pixels, relative to (COL, ROW), in lon/lat."""
    left, top = lattice.x0 + (COL + col) * 10.0, lattice.y0 - (ROW + row) * 10.0
    shape = to_wgs84(shapely.box(left, top - height * 10.0, left + width * 10.0, top), lattice.crs)
    assert isinstance(shape, shapely.Polygon)
    return shape


def zone(zone_id: str, geometry: shapely.Geometry, *, name: str = "") -> Zone:
    """A zone of role `zone`."""
    return Zone(zone_id, name or zone_id, ZoneRole.ZONE, "unknown", geometry)  # type: ignore[arg-type]


def context(aoi: shapely.Polygon | None = None, **facts: Any) -> Context:
    """A context around the hand-made pixels."""
    ground = window(-500, -500, 1000, 1000) if aoi is None else aoi
    defaults = {"aoi_name": "test", "aoi": ground, "zones": (), "scenes": (), "baseline": BASELINE, "monitor": MONITOR}
    return Context(**{**defaults, "kinds": (PeriodKind.QUARTER,), "run_id": "0123456789ab", **facts})
