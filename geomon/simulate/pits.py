"""Mining sites that grow pit by pit: where and when, not how they look.

In: a recipe and its landscape. Out: `Site`s, each with a table of pits. Sizes follow the domain notes (pits a few
metres to 30 m and more, clusters along the channel or on the dike); where those are silent a number is chosen here.
`mining` paints the pits, `truth` counts them.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomon.model import from_day
from geomon.simulate import spectra
from geomon.simulate.fields import MINES, FloatArray, IntArray, Rng, rng_of
from geomon.simulate.landscape import Cover, Landscape
from geomon.simulate.recipe import CELL_M, Recipe

PLACE: Final = ("down_m", "right_m", "radius_m", "phase")
PACE: Final = ("pond_share", "strip_days", "work_days", "clear_days", "regrow_days")
PIT: Final = np.dtype([*((name, np.float64) for name in (*PLACE, *PACE)), ("dug_on", np.int64)])
"""One pit: a slightly irregular disc dug on one day, the share of it that is pond, and the pace of its life."""

RADIUS_M = (3.0, 26.0)
SITE_HA = (0.05, 5.0)
_LIVES = ("new", "expanding", "new", "new", "baseline", "new")
"""Order in which lives are dealt out until enough new ground is planned."""
_MONTH_DAYS = 30.4
_MOST_PITS = 900
_NEW_CELL_SHARE = 0.72
"""Of a pit's disc, what is not yet dug: pits overlap; found by growing sites."""

Pits = NDArray[np.void]
Spot = tuple[float, float]


class Site(NamedTuple):
    """A site as it was dug, pits (rows of `PIT`) oldest first; `life` is new, expanding, baseline or old."""

    number: int
    life: str
    pits: Pits
    bare: FloatArray
    turbid: FloatArray

    @property
    def first_dug(self) -> int:
        """Day of the first pit."""
        return int(self.pits["dug_on"][0])

    @property
    def last_dug(self) -> int:
        """Day of the last pit."""
        return int(self.pits["dug_on"][-1])


class _Plan(NamedTuple):
    life: str
    area_m2: float
    radius_m: float
    first_day: int
    last_day: int


def make_sites(recipe: Recipe, land: Landscape) -> tuple[Site, ...]:
    """Draw sites until the ground planned to be newly dug reaches the recipe's share; older ones come on top."""
    rng = rng_of(recipe.seed, MINES)
    digger = _Digger(recipe, land, rng)
    sites = []
    for number, plan in enumerate(_plans(recipe, rng), start=1):
        pits = digger.dig(plan)
        if pits.size:
            sites.append(Site(number, plan.life, pits, spectra.bare_alluvium(rng), spectra.turbid_water(rng)))
    return tuple(sites)


def pit_cells(pit: Any, cells: int, *, margin_m: float = 0.0) -> tuple[IntArray, FloatArray]:
    """Return the ground cells of a pit grown by a margin, and how far out each lies.

    Returns
    -------
    int64, float32, both (n,)
        Flat cell indices of a ground grid of `cells` a side, and their distance from the middle over the radius of
        the rim in that direction: 1 at the rim, more on the margin.
    """
    reach = 1.3 * pit["radius_m"] + margin_m
    rows, columns = (
        np.arange(max(int((middle - reach) // CELL_M), 0), min(int((middle + reach) // CELL_M) + 1, cells))
        for middle in (pit["down_m"], pit["right_m"])
    )
    down = (rows[:, None] + 0.5) * CELL_M - pit["down_m"]
    right = (columns[None, :] + 0.5) * CELL_M - pit["right_m"]
    angle, phase = np.arctan2(down, right), pit["phase"]
    rim = pit["radius_m"] * (1 + 0.14 * np.sin(2 * angle + phase) + 0.09 * np.sin(3 * angle + 2.3 * phase))
    distance = np.hypot(down, right)
    inside = distance <= rim + margin_m
    flat = rows[:, None] * cells + columns[None, :]
    return flat[inside].astype(np.int64), (distance / rim)[inside].astype(np.float32)


def _plans(recipe: Recipe, rng: Rng) -> list[_Plan]:
    _, start, end = recipe.days
    target = recipe.mine_share * recipe.side_m**2
    plans: list[_Plan] = []
    planned = 0.0
    while planned < 0.95 * target and len(plans) < 500:
        plan = _plan(recipe, rng, _LIVES[len(plans) % len(_LIVES)], most_m2=1.25 * (target - planned))
        dug_days = min(plan.last_day, end) - max(plan.first_day, start)
        planned += plan.area_m2 * min(max(dug_days, 0) / max(plan.last_day - plan.first_day, 1), 1.0)
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
    before, start, end = recipe.days
    if life == "expanding":
        first, last = before - rng.uniform(60, 500), start + rng.uniform(0.2, 1.3) * (end - start)
    else:
        spans = {
            "new": (start, max(end - 0.7 * days, start + 30)),
            "baseline": (before + 60, start - 45),
            "old": (before - 700 - days, before - 30 - days),
        }
        first = rng.uniform(*spans[life])
        last = first + days
    return _Plan(life, area_ha * 1e4, radius_m, int(first), int(last))


class _Digger:
    """Puts pit beside pit; knows which cells are dug already, and where digging may not go."""

    def __init__(self, recipe: Recipe, land: Landscape, rng: Rng) -> None:
        self.recipe, self.land, self.rng = recipe, land, rng
        self.dug = np.zeros(recipe.cells**2, dtype=np.bool_)
        self.anchors: list[Spot] = []
        channels = land.channels
        down, right = np.ogrid[: recipe.cells, : recipe.cells]
        village = np.hypot(down * CELL_M - land.village_m[0], right * CELL_M - land.village_m[1]) < 150
        river = channels.main & (channels.distance_m < 0.9 * channels.half_width_m)
        self.closed = river | village | (land.cover == Cover.TRACK)

    def dig(self, plan: _Plan) -> Pits:
        """Dig one site up to the end of the recipe; nothing where no room is left for it."""
        anchor = self._anchor()
        if anchor is None:
            return np.zeros(0, dtype=PIT)
        self.anchors.append(anchor)
        pits = self._places(plan, anchor)
        rng, count = self.rng, pits.size
        pits["dug_on"] = _dig_days(plan, count, rng)
        wet = 0.04 if self.land.dikes_m.size else float(rng.uniform(0.15, 0.5))
        pond = np.clip(rng.normal(wet, 0.3 * wet + 0.02, count), 0.0, 0.75)
        pits["pond_share"] = np.where(pond > 0.05, pond, 0.0)
        for name, low, high in (("strip_days", 8, 35), ("work_days", 25, 120), ("clear_days", 40, 150)):
            pits[name] = rng.uniform(low, high, count)
        # trampling keeps the ground bare while the neighbours are dug
        kept_bare = 0.6 * np.maximum(plan.last_day - pits["dug_on"], 0)
        pits["regrow_days"] = rng.uniform(180, 520, count) + kept_bare
        return pits[pits["dug_on"] <= self.recipe.days[2]]

    def _open_at(self, spot: Spot) -> bool:
        row, column = (int(place // CELL_M) for place in spot)
        inside = min(row, column) >= 4 and max(row, column) < self.recipe.cells - 4
        return inside and not self.closed[row, column]

    def _anchor(self) -> Spot | None:
        """Draw where a site begins: on the flats along a channel, or on a dike and its colluvium."""
        for attempt in range(400):
            spot = self._dike_spot() if self.land.dikes_m.size else self._flat_spot()
            apart = 150.0 if attempt < 250 else 70.0
            crowded = any(np.hypot(spot[0] - a[0], spot[1] - a[1]) < apart for a in self.anchors)
            border = min(*spot, *(self.recipe.side_m - place for place in spot)) < 60
            if not crowded and not border and self._open_at(spot):
                return spot
        return None

    def _flat_spot(self) -> Spot:
        """Near the water more often than on a terrace, seldom on the slope above."""
        channels = self.land.channels
        while True:
            row, column = (int(v) for v in self.rng.integers(0, self.recipe.cells, 2))
            beyond = float(channels.distance_m[row, column] - channels.half_width_m[row, column])
            scale = 55.0 if channels.main[row, column] else 25.0
            if beyond > 3 and self.rng.random() < np.exp(-beyond / scale) + 0.004 * (beyond < 300):
                return row * CELL_M, column * CELL_M

    def _dike_spot(self) -> Spot:
        dikes, rng = self.land.dikes_m, self.rng
        spot = rng.uniform(0.05, 0.95, 2) * self.recipe.side_m
        if rng.random() < 0.7:
            spot = dikes[rng.integers(len(dikes))] + rng.normal(0, 4, 2)
        return float(spot[0]), float(spot[1])

    def _places(self, plan: _Plan, anchor: Spot) -> Pits:
        """Put pits side by side until the planned ground is dug."""
        pits = np.zeros(_MOST_PITS, dtype=PIT)
        downstream = self.rng.choice([0.0, np.pi])
        dug_m2, count = 0.0, 0
        while dug_m2 < plan.area_m2 and count < _MOST_PITS:
            radius = float(np.clip(self.rng.lognormal(np.log(plan.radius_m), 0.38), *RADIUS_M))
            spot = self._beside(pits[:count], radius, downstream) if count else anchor
            if spot is None:
                break
            for name, value in zip(PLACE, (*spot, radius, self.rng.uniform(0, 2 * np.pi)), strict=True):
                pits[name][count] = value
            cells, _ = pit_cells(pits[count], self.recipe.cells)
            dug_m2 += np.count_nonzero(~self.dug[cells]) * CELL_M**2
            self.dug[cells] = True
            count += 1
        return pits[:count]

    def _beside(self, pits: Pits, radius: float, downstream: float) -> Spot | None:
        """Find open ground at the edge of a recent pit, mostly along the channel (or the dike)."""
        rng = self.rng
        for _ in range(60):
            beside = pits[-1 - min(int(rng.exponential(6.0)), pits.size - 1)]
            axis, tightness = self._axis(beside["down_m"], beside["right_m"])
            back = 0.0 if rng.random() < 0.7 else np.pi
            angle = axis + rng.vonmises(0.0, tightness) + downstream + back
            step = (beside["radius_m"] + radius) * rng.uniform(0.7, 1.12)
            spot = float(beside["down_m"] + step * np.cos(angle)), float(beside["right_m"] + step * np.sin(angle))
            if self._open_at(spot) and self._diggable(spot):
                return spot
        return None

    def _axis(self, down: float, right: float) -> tuple[float, float]:
        dikes = self.land.dikes_m
        if dikes.size:
            on_dike = np.hypot(dikes[:, 0] - down, dikes[:, 1] - right).min() < 25
            return float(np.radians(10)), 14.0 if on_dike else 1.0  # trenches on the rock, patches on the colluvium
        return float(self.land.channels.heading[int(down // CELL_M), int(right // CELL_M)]), 1.3

    def _diggable(self, spot: Spot) -> bool:
        """Whether gravel may lie there: anywhere in dike country, else on the flats and terraces."""
        return bool(self.land.dikes_m.size or self.land.height_m[int(spot[0] // CELL_M), int(spot[1] // CELL_M)] < 14)


def _dig_days(plan: _Plan, count: int, rng: Rng) -> IntArray:
    """Days of the pits in order; half as many again in the dry months, when the ground water is low."""
    days = np.arange(plan.first_day, plan.last_day + 1)
    weight = np.where([from_day(int(day)).month in (12, 1, 2, 3) for day in days], 1.5, 1.0)
    drawn = np.sort(rng.choice(days, size=count, p=weight / weight.sum()))
    drawn[0] = plan.first_day
    return drawn.astype(np.int64)
