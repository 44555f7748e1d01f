"""River and tributaries: their lines, and where every cell of ground lies from them.

In: a recipe and a generator. Out: `Channels`, with distance, width, heading and sideways offset of the nearest channel.
Widths and bends are chosen to look like the Mambere and Kadei headwaters at 10 m; no hydraulics.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d

from geomon.simulate.fields import BoolArray, FloatArray, Rng
from geomon.simulate.recipe import CELL_M, Recipe

_STEP_M = 2.0
_RIVER_HALF_WIDTH_M = {"forest": (16.0, 26.0), "mosaic": (13.0, 24.0), "dike": (1.5, 3.0)}
_TRIBUTARIES_PER_KM = {"forest": 2.2, "mosaic": 1.6, "dike": 0.5}


@dataclass(frozen=True, slots=True)
class Line:
    """One channel from its upper end: a path in metres (down, right) from the north-west corner."""

    path_m: NDArray[np.float64]
    half_width_m: NDArray[np.float64]
    main: bool


@dataclass(frozen=True, slots=True)
class Channels:
    """The nearest channel of every ground cell.

    `distance_m` to its middle, its `half_width_m`, `along_m` from its upper end, `offset` to its side in half widths
    (sign = side), `heading` of the flow [radians from down towards right], and whether it is the `main` river.
    """

    lines: tuple[Line, ...]
    distance_m: FloatArray
    half_width_m: FloatArray
    along_m: FloatArray
    offset: FloatArray
    heading: FloatArray
    main: BoolArray

    def water(self) -> BoolArray:
        """Cells inside the banks of channels wide enough to be seen between the trees."""
        return (self.distance_m <= self.half_width_m) & (self.half_width_m > 2.5)


def make_channels(recipe: Recipe, rng: Rng) -> Channels:
    """Draw a meandering river across the square and the tributaries that join it."""
    river = _river(recipe, rng)
    count = max(1, rng.poisson(_TRIBUTARIES_PER_KM[recipe.kind] * recipe.side_m / 1000))
    lines = [river, *(_tributary(recipe, rng, river) for _ in range(count))]
    if rng.random() < 0.5:  # half of the rivers run west to east
        lines = [Line(line.path_m[:, ::-1], line.half_width_m, line.main) for line in lines]
    return _locate(tuple(lines), recipe.cells)


def _river(recipe: Recipe, rng: Rng) -> Line:
    down = np.arange(-60.0, recipe.side_m + 60.0, _STEP_M)
    centre = rng.uniform(0.06, 0.12) if recipe.kind == "dike" else rng.uniform(0.38, 0.62)
    across = np.full(down.shape, centre * recipe.side_m)
    bend = 0.35 if recipe.kind == "dike" else 1.0
    for wavelength_m, height_m in ((2600.0, 190.0), (1100.0, 110.0), (520.0, 45.0), (210.0, 10.0)):
        phase, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.25)
        across += bend * height_m * rng.uniform(0.6, 1.1) * np.sin(2 * np.pi * down / (wavelength_m * stretch) + phase)
    low, high = _RIVER_HALF_WIDTH_M[recipe.kind]
    pinch = gaussian_filter1d(rng.standard_normal(down.shape), 60.0, mode="wrap")
    width = rng.uniform(low, high) * np.clip(1 + 0.25 * pinch / pinch.std(), 0.55, 1.6)
    return Line(np.column_stack([down, across]), width, main=recipe.kind != "dike")


def _tributary(recipe: Recipe, rng: Rng, river: Line) -> Line:
    """Walk from the river up towards the interfluve, then turn the path round so that it flows down."""
    mouth = int(rng.integers(len(river.path_m) // 12, len(river.path_m) * 11 // 12))
    side = 1.0 if rng.random() < 0.5 else -1.0
    count = int(recipe.side_m * rng.uniform(0.35, 0.75) / _STEP_M)
    wander = gaussian_filter1d(rng.standard_normal(count), 25.0)
    turn = gaussian_filter1d(rng.standard_normal(count), 120.0)
    heading = rng.uniform(0.35, 0.95) + 0.5 * wander / wander.std() + 0.45 * turn / turn.std()
    steps = _STEP_M * np.column_stack([-np.sin(heading * 0.8), side * np.cos(heading * 0.8)])
    path = river.path_m[mouth] + np.cumsum(steps, axis=0)
    width = np.linspace(1.0, 0.3, count) * rng.uniform(1.4, 3.2)
    return Line(path[::-1], width[::-1], main=False)


def _locate(lines: tuple[Line, ...], cells: int) -> Channels:
    path = np.vstack([line.path_m for line in lines])
    tangent = np.vstack([np.gradient(line.path_m, axis=0) for line in lines])
    width = np.concatenate([line.half_width_m for line in lines]).astype(np.float32)
    along = np.concatenate([_STEP_M * np.arange(len(line.path_m)) for line in lines]).astype(np.float32)
    main = np.concatenate([np.full(len(line.path_m), line.main) for line in lines])
    where = np.floor(path / CELL_M).astype(np.int64)
    inside = np.all((where >= 0) & (where < cells), axis=1)
    # the main river comes first: painted last, it owns the cells that it shares with a mouth
    keep = np.flatnonzero(inside)[::-1]
    owner = np.full((cells, cells), -1, dtype=np.int32)
    owner[where[keep, 0], where[keep, 1]] = keep
    distance, nearest = distance_transform_edt(owner < 0, return_indices=True)
    node = owner[nearest[0], nearest[1]]
    heading = np.arctan2(tangent[:, 1], tangent[:, 0]).astype(np.float32)
    down, right = np.indices((cells, cells), dtype=np.float32, sparse=True)
    away_y = (down + 0.5) * CELL_M - path[node, 0].astype(np.float32)
    away_x = (right + 0.5) * CELL_M - path[node, 1].astype(np.float32)
    sideways = away_x * np.cos(heading)[node] - away_y * np.sin(heading)[node]
    return Channels(
        lines=lines,
        distance_m=(distance * CELL_M).astype(np.float32),
        half_width_m=width[node],
        along_m=along[node],
        offset=(sideways / width[node]).astype(np.float32),
        heading=heading[node],
        main=main[node],
    )
