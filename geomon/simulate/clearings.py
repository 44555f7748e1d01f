"""Fields and canopy gaps: ground cleared in one go, for other reasons than stones.

In: a recipe, its landscape and climate, and the cells to keep clear of. Out: `Clearing` records, and an
overlay that paints them. A field is cut within days, often burnt, lies bare until the rains, then greens within the
season.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from geomon.model import from_day
from geomon.simulate import spectra
from geomon.simulate.climate import Climate, Weather
from geomon.simulate.fields import FARMS, BoolArray, FloatArray, IntArray, Rng, rng_of, tones
from geomon.simulate.landscape import Cover, Landscape
from geomon.simulate.overlay import Disturbed, Overlay
from geomon.simulate.recipe import CELL_M, Recipe

FARM_HA = (0.3, 3.0)
GAP_HA = (0.02, 0.12)
_PER_KM2 = {"established": 1.0, "baseline": 0.8, "monitor": 1.3}
_GAPS_PER_KM2 = {"forest": 1.2, "mosaic": 0.2, "dike": 0.2}


class Clearing(NamedTuple):
    """One field or gap: `kind` is farm or gap, `crop` annual, manioc or none."""

    kind: str
    crop: str
    cleared_on: int
    burnt_on: int
    planted_on: int
    soil: FloatArray
    cells: IntArray


def make_clearings(recipe: Recipe, land: Landscape, climate: Climate, keep_off: BoolArray) -> tuple[Clearing, ...]:
    """Draw fields from before the baseline, from the baseline and from the monitor period, and gaps in the forest."""
    rng = rng_of(recipe.seed, FARMS)
    taken = keep_off | (land.cover == Cover.WATER) | (land.cover == Cover.TRACK)
    clearings = []
    for kind, when in _wanted(recipe, rng):
        cells = _place(recipe, land, rng, taken=taken, kind=kind)
        if cells is not None:
            taken.reshape(-1)[cells] = True
            clearings.append(_clearing(kind, _cut_day(recipe, rng, kind, when), cells=cells, climate=climate, rng=rng))
    return tuple(clearings)


def make_fields(recipe: Recipe, clearings: Sequence[Clearing]) -> Overlay:
    """Paint all clearings."""
    cells = np.concatenate([np.zeros(0, dtype=np.int64), *(c.cells for c in clearings)])
    owner = np.repeat(np.arange(len(clearings)), [c.cells.size for c in clearings])
    tone = tones(rng_of(recipe.seed, FARMS, 1), cells.size, 0.07)
    start = recipe.days[1]

    def paint(under: FloatArray, weather: Weather) -> FloatArray:
        painted = under.copy()
        for index, clearing in enumerate(clearings):
            if clearing.cleared_on <= weather.day:
                mine = owner == index
                painted[:, mine] = _field(clearing, under[:, mine], tone[mine], weather)
        return painted

    farms = {False: Disturbed.FARM_BEFORE, True: Disturbed.FARM}
    codes = [Disturbed.GAP if c.kind == "gap" else farms[c.cleared_on >= start] for c in clearings]
    return Overlay(cells, paint, np.array(codes, dtype=np.uint8)[owner])


def _wanted(recipe: Recipe, rng: Rng) -> list[tuple[str, str]]:
    km2 = (recipe.side_m / 1000) ** 2 * recipe.confusers
    farms = [("farm", when) for when, density in _PER_KM2.items() for _ in range(rng.poisson(density * km2))]
    gaps = rng.poisson(_GAPS_PER_KM2[recipe.kind] * km2)
    return farms + [("gap", "baseline" if rng.random() < 0.5 else "monitor") for _ in range(gaps)]


def _cut_day(recipe: Recipe, rng: Rng, kind: str, when: str) -> int:
    """Clear in the dry season as a rule (December to March); a quarter of the fields at the July dip or any time."""
    before, start, end = recipe.days
    span = {"established": (before - 700, before - 150), "baseline": (before, start - 1), "monitor": (start, end - 20)}
    days = np.arange(*span[when])
    month = np.array([from_day(int(day)).month for day in days])
    dry = np.isin(month, (12, 1, 2, 3)) & (kind == "farm")
    weight = np.where(dry, 8.0, 1.0)
    return int(rng.choice(days, p=weight / weight.sum()))


def _clearing(kind: str, cut: int, *, cells: IntArray, climate: Climate, rng: Rng) -> Clearing:
    burns = kind == "farm" and rng.random() < 0.6
    burnt = cut + int(rng.integers(12, 40)) if burns else -1
    planted = _rains_after(climate, cut + 20) + int(rng.integers(0, 25))
    crop = "none" if kind == "gap" else ("manioc" if rng.random() < 0.5 else "annual")
    return Clearing(kind, crop, cut, burnt, planted, spectra.farm_soil(rng), cells)


def _rains_after(climate: Climate, day: int) -> int:
    """Return the first day from `day` on with green grass, within eight months."""
    season = climate.greenness[day - climate.first_day :][:240]
    green = np.flatnonzero(season > 0.45)
    return day + (int(green[0]) if green.size else 100)


def _place(recipe: Recipe, land: Landscape, rng: Rng, *, taken: BoolArray, kind: str) -> IntArray | None:
    """Find free ground for a compact field, rather within walking distance of the village."""
    low, high = FARM_HA if kind == "farm" else GAP_HA
    area_m2 = 1e4 * float(np.clip(rng.lognormal(np.log(0.8 if kind == "farm" else 0.05), 0.6), low, high))
    for _ in range(200):
        down, right = rng.uniform(0.03, 0.97, 2) * recipe.side_m
        far_m = np.hypot(down - land.village_m[0], right - land.village_m[1])
        if rng.random() > np.exp(-far_m / 1500):
            continue
        cells = _outline(
            recipe.cells, rng, (float(down), float(right)), area_m2, squareness=3.2 if kind == "farm" else 2
        )
        if not taken.reshape(-1)[cells].any() and (kind == "farm" or _wooded(land, cells)):
            return cells
    return None


def _wooded(land: Landscape, cells: IntArray) -> bool:
    cover = land.cover.reshape(-1)[cells]
    return bool(np.isin(cover, (Cover.FOREST, Cover.GALLERY)).all())


def _outline(cells: int, rng: Rng, centre_m: tuple[float, float], area_m2: float, *, squareness: float) -> IntArray:
    """Cells of a rotated rounded rectangle with a slightly uneven edge."""
    aspect, turn = rng.uniform(1.0, 2.0), rng.uniform(0, np.pi)
    half = np.sqrt(area_m2 * aspect) / 2, np.sqrt(area_m2 / aspect) / 2
    reach = int(np.ceil(1.5 * max(half) / CELL_M))
    row, column = int(centre_m[0] // CELL_M), int(centre_m[1] // CELL_M)
    rows = np.arange(max(row - reach, 0), min(row + reach + 1, cells))
    columns = np.arange(max(column - reach, 0), min(column + reach + 1, cells))
    down, right = (rows[:, None] - row) * CELL_M, (columns[None, :] - column) * CELL_M
    along = np.abs(down * np.cos(turn) + right * np.sin(turn)) / half[0]
    across = np.abs(right * np.cos(turn) - down * np.sin(turn)) / half[1]
    angle = np.arctan2(down, right)
    edge = 1 + 0.05 * np.sin(3 * angle + rng.uniform(0, 6.28)) + 0.03 * np.sin(7 * angle + rng.uniform(0, 6.28))
    inside = along**squareness + across**squareness <= edge**squareness
    return np.asarray((rows[:, None] * cells + columns[None, :])[inside], dtype=np.int64)


def _field(clearing: Clearing, under: FloatArray, tone: FloatArray, weather: Weather) -> FloatArray:
    age = np.float32(weather.day - clearing.cleared_on)
    soil = (clearing.soil * spectra.soaked(weather.wetness))[:, None] * tone
    litter = np.float32(np.exp(-age / 45)) if clearing.burnt_on < 0 or weather.day < clearing.burnt_on else 0.0
    ground = soil + litter * (spectra.SLASH[:, None] * tone - soil)
    if 0 < clearing.burnt_on <= weather.day:
        ash = np.float32(0.75 * np.exp(-(weather.day - clearing.burnt_on) / 22))
        ground = ground + ash * (spectra.CHAR[:, None] - ground)
    left = 0.06 * under + 0.94 * ground  # stumps and single trees stay
    green = np.float32(0.3 + 0.7 * weather.greenness)
    plants = green * (spectra.FALLOW if clearing.crop == "none" else spectra.CROP) + (1 - green) * spectra.FALLOW_DRY
    cut = np.float32(min(float(age) / 6, 1.0))
    grown = left + _canopy(clearing, weather.day) * (plants[:, None] * (0.5 + 0.5 * tone) - left)
    return np.asarray(under + cut * (grown - under), dtype=np.float32)


def _canopy(clearing: Clearing, day: int) -> np.float32:
    """Share of the ground under the crop or the regrowth."""
    since = day - clearing.planted_on
    if clearing.crop == "annual":
        season = since % 365 if since > 0 else since
        grown = 0.85 * _ramp(season, 45, 9) - 0.55 * _ramp(season, 135, 10)  # sown, harvested
        weeds = 0.25 * _ramp(season, 180, 15) - 0.4 * _ramp(season, 320, 8)  # and cleared for the next crop
        return np.float32(grown + weeds)
    if clearing.crop == "manioc":
        return np.float32(0.8 * _ramp(since, 70, 14) + 0.1 * _ramp(since, 420, 30))
    return np.float32(0.9 * _ramp(day - clearing.cleared_on, 110, 25))


def _ramp(days: float, middle: float, width: float) -> float:
    return 0.5 + 0.5 * math.tanh((days - middle) / (2 * width))
