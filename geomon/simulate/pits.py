"""Mining sites that grow pit by pit: where and when, not how they look.

In: a recipe and its landscape. Out: `Site` records made of `Pit`s. Sizes follow the domain notes (pits a few metres to
30 m and more, clusters along the channel or on the dike); where those are silent a number is chosen here. `mining`
paints the pits, `truth` counts them.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geomon.simulate import spectra
from geomon.simulate.fields import MINES, FloatArray, IntArray, Rng, rng_of
from geomon.simulate.landscape import Cover, Landscape
from geomon.simulate.recipe import CELL_M, Recipe, date_of

RADIUS_M = (3.0, 26.0)
SITE_HA = (0.05, 5.0)
_LIVES = ("new", "expanding", "new", "new", "baseline", "new")
"""Order in which lives are dealt out until enough new ground is planned."""
_MONTH_DAYS = 30.4
_MOST_PITS = 900
_NEW_CELL_SHARE = 0.72
"""Of a pit's disc, what is not yet dug: pits overlap; found by growing sites."""


@dataclass(frozen=True, slots=True)
class Pit:
    """One pit: a slightly irregular disc dug on one day, with its pond and the pace of its life [days]."""

    down_m: float
    right_m: float
    radius_m: float
    phase: float
    dug_on: int
    pond_share: float
    strip_days: float
    work_days: float
    clear_days: float
    regrow_days: float


@dataclass(frozen=True, slots=True)
class Site:
    """A site as it was dug, pits oldest first; `life` is new, expanding, baseline or old."""

    number: int
    life: str
    pits: tuple[Pit, ...]
    bare: FloatArray = field(repr=False)
    turbid: FloatArray = field(repr=False)

    @property
    def first_dug(self) -> int:
        """Day of the first pit."""
        return self.pits[0].dug_on

    @property
    def last_dug(self) -> int:
        """Day of the last pit."""
        return self.pits[-1].dug_on


@dataclass(frozen=True, slots=True)
class _Plan:
    life: str
    area_m2: float
    radius_m: float
    first_day: int
    last_day: int

    def new_share(self, start: int, end: int) -> float:
        dug = min(self.last_day, end) - max(self.first_day, start)
        return min(max(dug, 0) / max(self.last_day - self.first_day, 1), 1.0)


class _Ground:
    """Which cells are dug already, and where digging may not go."""

    def __init__(self, recipe: Recipe, land: Landscape) -> None:
        self.cells = recipe.cells
        self.dug = np.zeros(recipe.cells**2, dtype=np.bool_)
        self.anchors: list[tuple[float, float]] = []
        channels = land.channels
        closed = channels.main & (channels.distance_m < 0.9 * channels.half_width_m)
        down, right = np.ogrid[: recipe.cells, : recipe.cells]
        near = np.hypot(down * CELL_M - land.village_m[0], right * CELL_M - land.village_m[1]) < 150
        self.closed = closed | near | (land.cover == Cover.TRACK)

    def open_at(self, down_m: float, right_m: float) -> bool:
        row, column = int(down_m // CELL_M), int(right_m // CELL_M)
        inside = 4 <= row < self.cells - 4 and 4 <= column < self.cells - 4
        return inside and not self.closed[row, column]

    def claim(self, cells: IntArray) -> int:
        """Mark cells as dug; return how many were not yet."""
        fresh = int(cells.size - np.count_nonzero(self.dug[cells]))
        self.dug[cells] = True
        return fresh


def make_sites(recipe: Recipe, land: Landscape) -> tuple[Site, ...]:
    """Draw sites until the ground planned to be newly dug reaches the recipe's share; older ones come on top."""
    rng = rng_of(recipe.seed, MINES)
    ground = _Ground(recipe, land)
    sites = []
    for number, plan in enumerate(_plans(recipe, rng), start=1):
        site = _grow(plan, number=number, land=land, ground=ground, rng=rng, end=recipe.days[2])
        if site is not None:
            sites.append(site)
    return tuple(sites)


def pit_cells(pit: Pit, cells: int, *, margin_m: float = 0.0) -> tuple[IntArray, FloatArray]:
    """Return the ground cells of a pit, and how far out each lies (1 at the rim).

    Parameters
    ----------
    pit : Pit
    cells : int
        Side of the ground grid.
    margin_m : float
        Grow the pit by this much; cells beyond the rim lie above 1.

    Returns
    -------
    int64, float32, both (n,)
        Flat cell indices and their distance from the middle over the radius of the rim in that direction.
    """
    reach = 1.3 * pit.radius_m + margin_m
    rows = np.arange(max(int((pit.down_m - reach) // CELL_M), 0), min(int((pit.down_m + reach) // CELL_M) + 1, cells))
    columns = np.arange(
        max(int((pit.right_m - reach) // CELL_M), 0), min(int((pit.right_m + reach) // CELL_M) + 1, cells)
    )
    down = (rows[:, None] + 0.5) * CELL_M - pit.down_m
    right = (columns[None, :] + 0.5) * CELL_M - pit.right_m
    angle = np.arctan2(down, right)
    rim = pit.radius_m * (1 + 0.14 * np.sin(2 * angle + pit.phase) + 0.09 * np.sin(3 * angle + 2.3 * pit.phase))
    distance = np.hypot(down, right)
    inside = distance <= rim + margin_m
    flat = rows[:, None] * cells + columns[None, :]
    return flat[inside].astype(np.int64), (distance / rim)[inside].astype(np.float32)


def _plans(recipe: Recipe, rng: Rng) -> list[_Plan]:
    start, end = recipe.days[1], recipe.days[2]
    target = recipe.mine_share * recipe.side_m**2
    plans: list[_Plan] = []
    planned = 0.0
    while planned < 0.95 * target and len(plans) < 500:
        life = _LIVES[len(plans) % len(_LIVES)]
        plan = _plan(recipe, rng, life, most_m2=1.25 * (target - planned))
        planned += plan.area_m2 * plan.new_share(start, end)
        plans.append(plan)
    older = (len(plans) + 1) // 2
    return plans + [_plan(recipe, rng, "old", most_m2=SITE_HA[1] * 1e4) for _ in range(older)]


def _plan(recipe: Recipe, rng: Rng, life: str, *, most_m2: float) -> _Plan:
    ceiling = min(max(most_m2 / 1e4, SITE_HA[0]), SITE_HA[1])
    area_ha = float(np.clip(rng.lognormal(np.log(0.45), 1.0), SITE_HA[0], ceiling))
    widest = 7.0 if recipe.kind == "dike" else 13.0
    radius_m = float(np.clip((4.5 + 3.5 * np.sqrt(area_ha)) * rng.uniform(0.75, 1.3), 4.0, widest))
    pits = area_ha * 1e4 / (np.pi * radius_m**2 * 1.35 * _NEW_CELL_SHARE)
    days = float(np.clip(pits / (rng.uniform(2.5, 8) * (1 + 0.4 * area_ha)) * _MONTH_DAYS, 45, 600))
    first, last = _life_days(recipe, rng, life, days)
    return _Plan(life, area_ha * 1e4, radius_m, first, last)


def _life_days(recipe: Recipe, rng: Rng, life: str, days: float) -> tuple[int, int]:
    before, start, end = recipe.days
    if life == "new":
        first = rng.uniform(start, max(end - 0.7 * days, start + 30))
        return int(first), int(first + days)
    if life == "expanding":
        return int(before - rng.uniform(60, 500)), int(start + rng.uniform(0.2, 1.3) * (end - start))
    if life == "baseline":
        first = rng.uniform(before + 60, start - 45)
        return int(first), int(first + days)
    last = before - rng.uniform(30, 700)
    return int(last - days), int(last)


def _grow(plan: _Plan, *, number: int, land: Landscape, ground: _Ground, rng: Rng, end: int) -> Site | None:
    anchor = _anchor(land, ground, rng)
    if anchor is None:
        return None
    ground.anchors.append(anchor)
    places = _places(plan, anchor, land=land, ground=ground, rng=rng)
    dates = _dig_days(plan, len(places), rng)
    wet = 0.04 if land.dikes_m.size else float(rng.uniform(0.15, 0.5))
    pits = [
        _pit(place, day, plan=plan, wet=wet, rng=rng) for place, day in zip(places, dates, strict=True) if day <= end
    ]
    if not pits:
        return None
    return Site(number, plan.life, tuple(pits), spectra.bare_alluvium(rng), spectra.turbid_water(rng))


def _pit(place: tuple[float, float, float, float], day: int, *, plan: _Plan, wet: float, rng: Rng) -> Pit:
    pond = float(np.clip(rng.normal(wet, 0.3 * wet + 0.02), 0.0, 0.75))
    # trampling keeps the ground bare while the neighbours are dug
    kept_bare = 0.6 * max(plan.last_day - day, 0)
    return Pit(
        *place,
        dug_on=int(day),
        pond_share=pond if pond > 0.05 else 0.0,
        strip_days=float(rng.uniform(8, 35)),
        work_days=float(rng.uniform(25, 120)),
        clear_days=float(rng.uniform(40, 150)),
        regrow_days=float(rng.uniform(180, 520) + kept_bare),
    )


def _anchor(land: Landscape, ground: _Ground, rng: Rng) -> tuple[float, float] | None:
    """Draw where a site begins: on the flats along a channel, or on a dike and its colluvium."""
    for attempt in range(400):
        place = _dike_place(land, ground, rng) if land.dikes_m.size else _flat_place(land, ground, rng)
        apart = 150.0 if attempt < 250 else 70.0
        crowded = any(np.hypot(place[0] - a[0], place[1] - a[1]) < apart for a in ground.anchors)
        border = min(*place, *(ground.cells * CELL_M - p for p in place)) < 60
        if not crowded and not border and ground.open_at(*place):
            return place
    return None


def _flat_place(land: Landscape, ground: _Ground, rng: Rng) -> tuple[float, float]:
    """Near the water more often than on a terrace, seldom on the slope above."""
    channels = land.channels
    while True:
        row, column = (int(v) for v in rng.integers(0, ground.cells, 2))
        beyond = float(channels.distance_m[row, column] - channels.half_width_m[row, column])
        scale = 55.0 if channels.main[row, column] else 25.0
        if beyond > 3 and rng.random() < np.exp(-beyond / scale) + 0.004 * (beyond < 300):
            return row * CELL_M, column * CELL_M


def _dike_place(land: Landscape, ground: _Ground, rng: Rng) -> tuple[float, float]:
    if rng.random() < 0.7:
        down, right = land.dikes_m[int(rng.integers(len(land.dikes_m)))] + rng.normal(0, 4, 2)
        return float(down), float(right)
    down, right = rng.uniform(0.05, 0.95, 2) * ground.cells * CELL_M
    return float(down), float(right)


def _places(
    plan: _Plan, anchor: tuple[float, float], *, land: Landscape, ground: _Ground, rng: Rng
) -> list[tuple[float, float, float, float]]:
    """Put pit beside pit until the planned ground is dug: (down, right, radius, phase)."""
    places: list[tuple[float, float, float, float]] = []
    downstream = 1.0 if rng.random() < 0.5 else -1.0
    dug_m2 = 0.0
    while dug_m2 < plan.area_m2 and len(places) < _MOST_PITS:
        radius = float(np.clip(rng.lognormal(np.log(plan.radius_m), 0.38), *RADIUS_M))
        spot = _beside(places, radius, downstream=downstream, land=land, ground=ground, rng=rng) if places else anchor
        if spot is None:
            break
        place = (*spot, radius, float(rng.uniform(0, 2 * np.pi)))
        trial = Pit(*place, dug_on=0, pond_share=0, strip_days=0, work_days=0, clear_days=0, regrow_days=0)
        dug_m2 += ground.claim(pit_cells(trial, ground.cells)[0]) * CELL_M**2
        places.append(place)
    return places


def _beside(
    places: list[tuple[float, float, float, float]],
    radius: float,
    *,
    downstream: float,
    land: Landscape,
    ground: _Ground,
    rng: Rng,
) -> tuple[float, float] | None:
    """Find open ground at the edge of a recent pit, mostly along the channel (or the dike)."""
    for _ in range(60):
        back = min(int(rng.exponential(6.0)), len(places) - 1)
        down, right, beside, _phase = places[-1 - back]
        axis, tightness = _axis(land, down, right)
        forward = downstream if rng.random() < 0.7 else -downstream
        angle = axis + rng.vonmises(0.0, tightness) + (0.0 if forward > 0 else np.pi)
        step = (beside + radius) * rng.uniform(0.7, 1.12)
        spot = (float(down + step * np.cos(angle)), float(right + step * np.sin(angle)))
        if ground.open_at(*spot) and _diggable(land, *spot):
            return spot
    return None


def _axis(land: Landscape, down: float, right: float) -> tuple[float, float]:
    if land.dikes_m.size:
        on_dike = np.hypot(land.dikes_m[:, 0] - down, land.dikes_m[:, 1] - right).min() < 25
        return float(np.radians(10)), 14.0 if on_dike else 1.0  # trenches on the rock, patches on the colluvium
    return float(land.channels.heading[int(down // CELL_M), int(right // CELL_M)]), 1.3


def _diggable(land: Landscape, down: float, right: float) -> bool:
    """Whether gravel may lie there: anywhere in dike country, else on the flats and terraces."""
    return bool(land.dikes_m.size) or bool(land.height_m[int(down // CELL_M), int(right // CELL_M)] < 14)


def _dig_days(plan: _Plan, count: int, rng: Rng) -> NDArray[np.int64]:
    """Days of the pits in order; half as many again in the dry months, when the ground water is low."""
    days = np.arange(plan.first_day, plan.last_day + 1)
    dry = np.array([date_of(int(day)).month in (12, 1, 2, 3) for day in days])
    weight = np.where(dry, 1.5, 1.0)
    drawn = np.sort(rng.choice(days, size=count, p=weight / weight.sum()))
    drawn[0] = plan.first_day
    return drawn.astype(np.int64)
