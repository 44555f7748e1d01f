"""Laws of the terrain kernels, and twins that follow the definitions one cell at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geomon.kernels.terrain import CHANNEL_CELLS, Drainage, accumulate, drain, find_channels, height_above, slope

STEPS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)
# few levels: many flats and depressions; quarters: sums with whole numbers are exact
heights = st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.0, 10.0, 250.0, math.nan])
grids = hnp.arrays(np.float32, shapes, elements=heights)


def neighbours(shape: tuple[int, int], cell: tuple[int, int]) -> list[tuple[int, int]]:
    around = [(cell[0] + r, cell[1] + c) for r, c in STEPS]
    return [(r, c) for r, c in around if 0 <= r < shape[0] and 0 <= c < shape[1]]


def filled_twin(z: np.ndarray) -> np.ndarray:
    """Lowest level at which water leaves each cell, by lowering from above until nothing moves (Planchon & Darboux)."""
    level = np.where(np.isnan(z), np.nan, np.inf)
    for cell in np.ndindex(z.shape):
        around = neighbours(z.shape, cell)
        if len(around) < 8 or any(np.isnan(z[each]) for each in around):
            level[cell] = z[cell]
    moved = True
    while moved:
        moved = False
        for cell in np.ndindex(z.shape):
            for each in neighbours(z.shape, cell):
                lower = max(z[cell], level[each])
                if lower < level[cell]:
                    level[cell], moved = lower, True
    return level


def path_down(drainage: Drainage, cell: int) -> list[int]:
    """Cells that water from `cell` runs through, itself first."""
    path = [cell]
    while drainage.receiver[path[-1]] != path[-1]:
        path.append(int(drainage.receiver[path[-1]]))
        assert len(path) <= drainage.receiver.size, "water runs in a circle"
    return path


@given(z=grids)
def test_depressions_are_filled_to_the_brim_and_no_further(z: np.ndarray) -> None:
    """Levels are those of the twin: never below the ground, equal to it where water leaves."""
    assert np.array_equal(drain(z).level, filled_twin(z), equal_nan=True)


@given(z=grids)
def test_water_runs_down_the_steepest_side_and_out(z: np.ndarray) -> None:
    """Every path ends at the edge or beside unknown ground, never rises, takes the steepest side where there is one,
    and from a flat a neighbour; every known cell is listed once, after the one it drains to.
    """
    drainage = drain(z)
    level = drainage.level
    place = {int(cell): at for at, cell in enumerate(drainage.order)}
    assert sorted(place) == np.flatnonzero(~np.isnan(z)).tolist()
    for cell in place:
        at, to = divmod(cell, z.shape[1]), divmod(int(drainage.receiver[cell]), z.shape[1])
        around = neighbours(z.shape, at)
        drops = {each: (level[at] - level[each]) / math.dist(at, each) for each in around if not np.isnan(z[each])}
        if to == at:
            assert len(around) < 8 or len(drops) < 8
            assert max(drops.values(), default=0) <= 0
        else:
            assert place[int(drainage.receiver[cell])] < place[cell]
            assert drops[to] == pytest.approx(max(drops.values()))
        path_down(drainage, cell)


@given(z=grids)
def test_accumulation_counts_paths(z: np.ndarray) -> None:
    """A cell's count is the number of paths through it; what leaves is all there is."""
    drainage = drain(z)
    counts = np.zeros(z.size, np.int64)
    for cell in drainage.order:
        counts[path_down(drainage, int(cell))] += 1
    found = accumulate(drainage)
    assert np.array_equal(found, counts.reshape(z.shape))
    leaves = (drainage.receiver == np.arange(z.size)).reshape(z.shape)
    assert found[leaves].sum() == np.isfinite(z).sum()


@given(z=grids, seed=st.integers(0, 2**32 - 1))
def test_height_is_above_the_first_channel_on_the_way(z: np.ndarray, seed: int) -> None:
    """HAND is the fall to the first channel cell downstream: never negative, 0 on channels, unknown without one."""
    drainage = drain(z)
    channels = np.random.default_rng(seed).random(z.shape) < 0.1
    found = height_above(drainage, channels).ravel()
    level = drainage.level.ravel()
    for cell in range(z.size):
        met = [each for each in path_down(drainage, cell) if channels.flat[each]]
        expected = level[cell] - level[met[0]] if met else np.nan
        assert np.array_equal(found[cell], expected, equal_nan=True)
    assert not (found < 0).any()
    assert not found[channels.ravel() & ~np.isnan(z.ravel())].any()


@given(z=grids, lift=st.integers(-400, 4000))
def test_a_constant_changes_nothing(z: np.ndarray, lift: int) -> None:
    """Ground lifted as a whole drains the same way, with the same heights above channels and slopes."""
    low, high = drain(z), drain(z + np.float32(lift))
    assert np.array_equal(low.receiver, high.receiver)
    assert np.array_equal(low.order, high.order)
    channels = accumulate(low) >= 3
    assert np.array_equal(height_above(low, channels), height_above(high, channels), equal_nan=True)
    assert np.array_equal(slope(z, cell_m=30), slope(z + np.float32(lift), cell_m=30), equal_nan=True)


@given(z=grids)
def test_slope_is_horns(z: np.ndarray) -> None:
    """Slope equals the formula at each cell whose nine elevations are known, and is unknown elsewhere."""
    found = slope(z, cell_m=30)
    for row, col in np.ndindex(z.shape):
        block = z[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].astype(np.float64)
        if block.shape != (3, 3) or np.isnan(block).any():
            assert np.isnan(found[row, col])
            continue
        (a, b, c), (d, _, f), (g, h, i) = block
        run = math.hypot((c + 2 * f + i) - (a + 2 * d + g), (g + 2 * h + i) - (a + 2 * b + c)) / (8 * 30)
        assert found[row, col] == pytest.approx(math.degrees(math.atan(run)), abs=1e-4)


def test_a_wide_flat_drains_straight_to_its_outlet() -> None:
    """A million cells, level but for a wall with one gap, all drain through it, the farthest by the shortest way."""
    z = np.full((1000, 1000), 7, np.float32)
    z[0], z[-1], z[:, 0], z[:, -1] = 9, 9, 9, 9
    z[500, -1] = 7
    drainage = drain(z)
    assert accumulate(drainage)[500, -1] == z.size
    assert len(path_down(drainage, 1001)) == 999


def test_channels_need_ground_and_cells() -> None:
    """A channel drains 1 km2; of large cells, a hundred of them."""
    counts = np.array([[CHANNEL_CELLS - 1, CHANNEL_CELLS, 1111, 1112]], np.int32)
    assert find_channels(counts, cell_m=30).tolist() == [[False, False, False, True]]
    assert find_channels(counts, cell_m=900).tolist() == [[False, True, True, True]]


@pytest.mark.parametrize("z", [np.zeros((0, 0)), np.zeros((1, 1)), np.full((3, 4), np.nan), np.zeros((1, 9))])
def test_little_or_nothing_is_no_trouble(z: np.ndarray) -> None:
    """No cells, one cell, one row, nothing known: answers of the same shape, nothing to measure."""
    z = z.astype(np.float32)
    drainage = drain(z)
    assert accumulate(drainage).sum() >= np.isfinite(z).sum()
    assert height_above(drainage, np.zeros(z.shape, np.bool_)).shape == slope(z, cell_m=30).shape == z.shape
