"""Mines: sites along streams and dikes, grown pit beside pit; where and when ground is dug, not how it looks.

In: the land, with its river and confusers. Out: `Mines`, by cell of ground. River cells are never dug; confusers may
be. Sizes of pits and sites are chosen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from second.land import Land
from second.outlines import HALF_TURN, TURN, blob, rectangle, soften
from second.recipe import BASELINE, END, HALF_M, MONITOR, SPIN_UP, Bools, Doubles, Floats, Ints
from second.spectra import ALLUVIUM

NEVER = 10**6
CELL_M2 = 6.25
Pit = tuple[Doubles, tuple[float, float], Ints]
"""Place, sides, and the cells that are not yet dug."""
MATERIALS = ("sand", "gravel", "laterite", "sapro")


class Site:
    """One site: what it is made of and how it heals, and the pits dug so far."""

    def __init__(self, land: Land, centre: Doubles, life: str) -> None:
        rng, dike = land.rng, land.recipe.kind == "dike"
        odds = [0.05, 0.2, 0.5, 0.25] if dike else [0.3, 0.3, 0.25, 0.15]
        self.centre, self.life = centre, life
        self.materials = list(rng.choice(list(MATERIALS), 2, replace=False, p=odds))
        self.first = ALLUVIUM[self.materials[0]] * rng.uniform(0.75, 1.1)
        self.other = ALLUVIUM[self.materials[1]] * rng.uniform(0.75, 1.1)
        self.soil = land.soils[0] * 0.5 + land.soils[1] * 0.5
        self.tsm = rng.lognormal(math.log(350), 0.8)
        self.water_table = rng.uniform(-0.35, 0.1) if dike else rng.uniform(0.2, 0.75)
        self.table_swing = rng.uniform(0.2, 0.6)
        self.chlorophyll = rng.choice([0, 5, 40, 180])
        self.clearing_days = rng.uniform(40, 160)
        self.leaves, self.regrowth_days, self.fallow_days = (
            rng.uniform(0.8, 3.2),
            rng.uniform(120, 600),
            rng.uniform(20, 160),
        )
        self.cdom = rng.uniform(0.5, 5)
        self.pit_centres: list[Doubles] = []
        self.pits = 0
        self.end = 0


class Campaign(NamedTuple):
    """One time of digging at a site; `last_day` ends it early."""

    axis: float
    area: float
    start: int
    days: float
    trench: bool
    mechanised: bool
    beside_old: bool = False
    last_day: int | None = None


class Mines:
    """All sites, and by cell of ground: day dug, site, depth rank, spoil, end of work, apron."""

    def __init__(self, land: Land) -> None:
        count = land.recipe.cells**2
        self.land, self.sites = land, list[Site]()
        self.dug: Ints = np.full(count, NEVER, np.int32)
        self.site: Ints = np.full(count, -1, np.int16)
        self.depth: Floats = np.zeros(count, np.float32)
        self.spoil: Bools = np.zeros(count, bool)
        self.work_end: Ints = np.zeros(count, np.int32)
        self.apron: Ints = np.full(count, NEVER, np.int32)
        self.apron_site: Ints = np.full(count, -1, np.int16)
        self.river: Bools = np.zeros(count, bool)
        self.river[land.river_cells] = True

    def diggable(self, cells: Ints) -> Ints:
        """Of some cells, those that are neither dug nor river."""
        return cells[(self.dug[cells] >= NEVER) & ~self.river[cells]]

    def take(self, cells: Ints, site: int, day: int, work_end: int, depth: float | Floats) -> float:
        """Dig cells; their area."""
        self.dug[cells], self.site[cells] = day, site
        self.depth[cells], self.work_end[cells] = depth, work_end
        return len(cells) * CELL_M2


def add_mines(land: Land) -> Mines:
    """Draw and dig all sites of the landscape; none if it has none."""
    mines, rng = Mines(land), land.rng
    if land.recipe.mines == "none":
        return mines
    dikes = []
    if land.recipe.kind == "dike":
        side = land.recipe.side_m
        for _ in range(int(rng.integers(1, 3))):
            x = rng.uniform(0.3, 0.7) * side
            dikes.append((x, rng.normal(0, 0.12), rng.uniform(0.1, 0.3) * side, rng.uniform(0.7, 0.95) * side))
    lives, budget = _plan(land)
    for life in lives:
        area = float(np.clip(rng.lognormal(math.log(4200), 0.95), 350, 32000))
        if budget and life == "new":
            area = min(area, budget / lives.count("new"))
        _open_site(mines, life, area, dikes)
    mines.apron = np.where(mines.site >= 0, NEVER, mines.apron)
    return mines


def _plan(land: Land) -> tuple[list[str], float | None]:
    """Lives of all sites, and the area [m2] that may be newly dug where mines are rare."""
    rng, scale = land.rng, land.recipe.scale
    if land.recipe.mines == "rich":
        return (
            ["new"] * max(2, round(rng.uniform(7, 12) * scale))
            + ["expanding"] * max(1, round(rng.uniform(2, 4) * scale))
            + ["open"] * max(1, round(rng.uniform(1, 3) * scale))
            + ["abandoned"] * max(1, round(rng.uniform(2, 4) * scale))
            + ["baseline"] * round(rng.uniform(1, 3))
        ), None
    lives = (
        ["new"] * int(rng.integers(1, 4))
        + ["abandoned"] * int(rng.integers(1, 3))
        + ["open"] * int(rng.integers(0, 2))
        + ["baseline"] * int(rng.integers(0, 2))
    )
    side = land.recipe.side_m
    return lives, 0.0009 * side * side * rng.uniform(0.3, 1)


def _open_site(mines: Mines, life: str, area: float, dikes: list[tuple[float, ...]]) -> None:
    land, rng = mines.land, mines.land.rng
    old_area = area
    if life == "expanding":
        area = area * rng.uniform(0.25, 1.2)
    trench = land.recipe.kind == "dike" and rng.random() < 0.45
    spot = _site_spot(mines, dikes, trench=trench)
    if spot is None:
        return
    centre, axis = spot
    start = _start(life, rng)
    days = float(np.clip(rng.lognormal(math.log(150), 0.7), 25, 700))
    mechanised = land.recipe.mines == "rich" and rng.random() < 0.12
    site = Site(land, centre, life)
    mines.sites.append(site)
    usual = Campaign(axis, area, start, days, trench, mechanised)
    if life in ("open", "expanding"):
        _dig(mines, usual._replace(area=old_area, days=min(days, BASELINE - start - 20)))
    if life == "expanding":
        _dig(mines, usual._replace(start=int(rng.integers(MONITOR + 5, END - 60)), beside_old=True))
    if life in ("new", "baseline"):
        _dig(mines, usual._replace(last_day=MONITOR - 12 if life == "baseline" else None))
    if life == "abandoned":
        _dig(mines, usual._replace(start=start - 200, days=min(days, 300)))
    number = len(mines.sites) - 1
    cells = np.flatnonzero(mines.site == number)
    site.end = start
    if len(cells):
        last = int(np.max(np.minimum(mines.work_end[cells], END + 400)))
        site.end = END + 500 if life == "open" else last  # open: re-worked a little and kept bare, nothing newly dug
        _trample(mines, cells, number)


def _start(life: str, rng) -> int:
    first, last = {"new": (MONITOR + 5, END - 60), "baseline": (BASELINE + 40, MONITOR - 120)}.get(
        life, (SPIN_UP, BASELINE - 150)
    )
    return int(rng.integers(first, last))


def _site_spot(mines: Mines, dikes: list[tuple[float, ...]], *, trench: bool) -> tuple[Doubles, float] | None:
    """Draw where a site begins and the direction that it follows; None where there is no room."""
    land = mines.land
    side = land.recipe.side_m
    for _ in range(80):
        if land.recipe.kind == "dike":
            centre, axis = _dike_spot(land, dikes, trench=trench)
            row, column = (int(np.clip(centre[k] / HALF_M, 0, land.recipe.halves - 1)) for k in (1, 0))
            if land.terrain.from_water[row, column] < 180:
                continue
        else:
            centre, axis = _stream_spot(land)
        border = (centre < 60).any() or (centre > side - 60).any()
        if not border and all(np.hypot(*(centre - other.centre)) >= 110 for other in mines.sites):
            return centre, axis
    return None


def _dike_spot(land: Land, dikes: list[tuple[float, ...]], *, trench: bool) -> tuple[Doubles, float]:
    rng, side = land.rng, land.recipe.side_m
    if not trench:
        return rng.uniform(60, side - 60, 2), rng.uniform(0, HALF_TURN)
    x, lean, top, bottom = dikes[rng.integers(len(dikes))]
    y = rng.uniform(top, bottom)
    return np.array([x + (y - side / 2) * math.tan(lean) + rng.normal(0, 6), y]), math.pi / 2 - lean


def _stream_spot(land: Land) -> tuple[Doubles, float]:
    rng, streams = land.rng, land.terrain.streams
    line, width = streams[0] if rng.random() < 0.35 else streams[rng.integers(len(streams))]
    at = rng.integers(2, len(line) - 2)
    along = line[at + 2] - line[at - 2]
    axis = math.atan2(along[1], along[0])
    across = np.array([-math.sin(axis), math.cos(axis)]) * rng.choice([-1, 1])
    return line[at] + across * (width / 2 + rng.uniform(6, land.terrain.rim + 15)), axis


def _trample(mines: Mines, cells: Ints, number: int) -> None:
    """Clear and trample ground around a site, 8 days before the nearest cell is dug: its apron is never dug."""
    rng, side = mines.land.rng, mines.land.recipe.cells
    dug = np.zeros(side * side, bool)
    dug[cells] = True
    rows, columns = np.divmod(cells, side)
    top, bottom = max(0, rows.min() - 8), min(side, rows.max() + 9)
    left, right = max(0, columns.min() - 8), min(side, columns.max() + 9)
    free = ~dug.reshape(side, side)[top:bottom, left:right]
    distance, (near_row, near_column) = ndimage.distance_transform_edt(free, return_indices=True)
    reach = rng.uniform(1.2, 4.5)
    chosen = (distance > 0) & (distance < reach * np.exp(0.35 * rng.standard_normal(distance.shape)))
    ground = (np.arange(top, bottom)[:, None] * side + np.arange(left, right))[chosen]
    source = ((near_row + top) * side + near_column + left)[chosen]
    whole = mines.site[ground] < 0
    mines.apron[ground[whole]] = mines.dug[source[whole]] - 8
    mines.apron_site[ground[whole]] = number


def _dig(mines: Mines, campaign: Campaign) -> None:
    """Contact growth: each pit is opened beside an earlier one, at Poisson times slowed by high water."""
    land, site, rng = mines.land, mines.sites[-1], mines.land.rng
    known = [(*centre, 6.0) for centre in site.pit_centres] if campaign.beside_old else []
    done, time = 0.0, float(campaign.start)
    for attempt in range(1200):
        if done >= campaign.area:
            break
        pit = _next_pit(mines, campaign, known)
        if pit is None:
            continue
        place, sides, cells = pit
        if not len(cells):
            if attempt > 300 and not done:
                break
            if rng.random() < 0.3:
                known.append((*place, sides[0]))
            continue
        time += _wait(land, campaign, sides, time) if done else 0
        if int(time) > min(campaign.last_day or NEVER, END - 3):
            break
        done += _open_pit(mines, campaign, pit, int(time))
        known.append((*place, sides[0]))


def _next_pit(mines: Mines, campaign: Campaign, known: list[tuple[float, ...]]) -> Pit | None:
    """Draw the next pit; None beyond the border."""
    land, rng = mines.land, mines.land.rng
    sides = _pit_sides(land, campaign)
    first = np.array(mines.sites[-1].centre, float)
    place = _beside(land, campaign, known, max(sides)) if known else first
    if (place < 12).any() or (place > land.recipe.side_m - 12).any():
        return None
    turned = campaign.axis + rng.normal(0, 0.1 if campaign.trench else 0.5)
    ring = rectangle(rng, place, sides, turned, 0.12)
    return place, sides, mines.diggable(land.inside(ring if campaign.trench else soften(ring)))


def _wait(land: Land, campaign: Campaign, sides: tuple[float, float], day: float) -> float:
    """Draw the days until the next pit; high water makes it longer."""
    pits = max(3.0, campaign.area / (sides[0] * sides[1] * 1.4))
    return land.rng.exponential(campaign.days / pits) * (1 / max(0.3, 1.1 - 0.8 * land.weather.stage(day)))


def _pit_sides(land: Land, campaign: Campaign) -> tuple[float, float]:
    rng = land.rng
    if campaign.trench:
        return rng.uniform(12, 45), rng.uniform(2.5, 6)
    if campaign.mechanised:
        return rng.uniform(18, 55), rng.uniform(10, 22)
    if land.recipe.kind == "dike":
        width = rng.lognormal(math.log(4), 0.35)
        return width, width * rng.uniform(0.7, 1.2)
    width = float(np.clip(rng.lognormal(math.log(7), 0.45), 3, 26))
    return width, width * rng.uniform(0.55, 1.1)


def _beside(land: Land, campaign: Campaign, known: list[tuple[float, ...]], longest: float) -> Doubles:
    """Draw a place at the edge of one of the latest pits, mostly along the axis."""
    rng = land.rng
    x, y, width = known[len(known) - 1 - int(min(len(known) - 1, rng.exponential(4)))]
    scattered = land.recipe.kind == "dike" and not campaign.trench
    step = (width + longest) / 2 * rng.uniform(0.8, 1.5) + (rng.uniform(0, 14) if scattered else 0)
    back = 0 if rng.random() < 0.5 else math.pi
    angle = campaign.axis + back + rng.normal(0, 0.15 if campaign.trench else 0.75)
    place = np.array([x + step * math.cos(angle), y + step * math.sin(angle)])
    if rng.random() < 0.06:
        place += rng.normal(0, 25, 2)
    return place


def _open_pit(mines: Mines, campaign: Campaign, pit: Pit, day: int) -> float:
    """Dig a pit, throw its spoil to one side, at times add a wash pond; the area [m2]."""
    land, rng, number = mines.land, mines.land.rng, len(mines.sites) - 1
    place, sides, cells = pit
    work_end = day + int(rng.uniform(15, 90))
    depth = np.clip(0.55 * land.inwardness(cells) + 0.45 * rng.random(), 0, 1)
    mines.take(cells, number, day, work_end, depth)
    thrown = rng.uniform(0, TURN)
    beside = place + (max(sides) * 0.55 + 2) * np.array([math.cos(thrown), math.sin(thrown)])
    size = max(7.0, sides[0] * sides[1] * rng.uniform(0.25, 0.6))
    heap = mines.diggable(land.inside(blob(rng, beside, size, 1.6, thrown + 1.57)))
    mines.take(heap, number, day + 2, work_end, 0)
    mines.spoil[heap] = True
    mines.sites[-1].pit_centres.append(place)
    mines.sites[-1].pits += 1
    area = (len(cells) + len(heap)) * CELL_M2
    if land.recipe.kind != "dike" and rng.random() < 0.035 and len(cells) > 3:  # large, deep, stays turbid
        corner = place + rng.normal(0, 14, 2)
        ring = rectangle(rng, corner, (rng.uniform(8, 18), rng.uniform(6, 14)), campaign.axis)
        area += mines.take(mines.diggable(land.inside(ring)), number, day + 6, work_end + 120, 0.97)
    return area
