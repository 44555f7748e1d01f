"""Where water would run over a grid of elevations: channels, height above them, slope.

In: elevations on square cells, NaN where unknown. Out: for each cell its level once depressions are filled, the cell it
drains to, how many cells drain through it, its height above the channel it reaches, its slope. Water leaves the grid at
its edge and into unknown ground. What a cell's place on Earth is, is not known here.

References
----------
Barnes, Lehman & Mulla (2014), Computers & Geosciences 62, 117-127: priority flood, with flow directions.
O'Callaghan & Mark (1984), Comp. Vision, Graphics, and Image Processing 28, 323-344: D8 directions and accumulation.
Renno et al. (2008), Remote Sensing of Environment 112, 3469-3481, and Nobre et al. (2011), J. Hydrology 404, 13-29:
height above the nearest drainage (HAND).
Horn (1981), Proc. IEEE 69(1), 14-47: slope.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geomon.kernels._jit import FloatArray, frozen, kernel

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int32]

CHANNEL_M2: Final = 1e6
CHANNEL_CELLS: Final = 100
"""What a channel drains, at least. 1 km2: the global 30 m HAND of Donchyts et al. (EGU 2016) begins at 1000 cells or
0.9 km2. 100 cells: the pattern that fewer make is the grid's own, so a coarse grid knows larger rivers only.
"""

_STEPS: Final = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Drainage:
    """How a grid of n known cells drains.

    `level` float32 (h, w) [m]: elevation with depressions filled to their brims, NaN where unknown; `receiver` int32
    (h * w): flat index of the cell that each cell drains to, its own where water leaves the grid; `order` int32 (n,):
    known cells, each after its receiver. Going down, `level` never rises.
    """

    level: FloatArray
    receiver: IntArray
    order: IntArray


def drain(elevation: FloatArray) -> Drainage:
    """Fill depressions by priority flood and send each cell down its steepest side.

    A cell without a lower neighbour once filled (a flat, a filled depression) drains to the cell that it was flooded
    from, so no cell hangs and no loop arises.

    Parameters
    ----------
    elevation : float32, shape (h, w)
        Elevation [m], NaN where unknown; fewer than 2**31 cells.

    Examples
    --------
    >>> drain(np.array([[5, 5, 5], [5, 1, 4], [5, 5, 5]], np.float32)).level[1].tolist()
    [5.0, 4.0, 4.0]
    """
    known = ~np.isnan(elevation)
    shore = np.flatnonzero(known & ~ndimage.binary_erosion(known, np.ones((3, 3))))
    level, parent, order = _flood(frozen(elevation), frozen(known, np.bool_), shore, _STEPS)
    return Drainage(level, _steepest(frozen(level), parent, _STEPS), order)


def accumulate(drainage: Drainage) -> IntArray:
    """Count the cells that drain through each cell, itself included: int32 (h, w), 0 where unknown."""
    count = _accumulate(drainage.receiver, drainage.order)
    return count.reshape(drainage.level.shape)


def find_channels(accumulation: IntArray, *, cell_m: float) -> BoolArray:
    """Cells that drain at least CHANNEL_M2 and CHANNEL_CELLS: bool, same shape."""
    return accumulation >= max(CHANNEL_M2 / cell_m**2, CHANNEL_CELLS)


def height_above(drainage: Drainage, channels: BoolArray) -> FloatArray:
    """Height above the channel cell that each cell drains to (HAND).

    Both heights are levels, depressions filled: a raw one could lie below its channel.

    Parameters
    ----------
    drainage : Drainage
        Of a grid (h, w).
    channels : bool, shape (h, w)
        Cells of channels.

    Returns
    -------
    float32, shape (h, w)
        Height [m], >= 0, 0 on channels; NaN where unknown or where water leaves the grid before it meets a channel.
    """
    foot = _foot(drainage.level.reshape(-1), drainage.receiver, drainage.order, np.ravel(channels))
    return drainage.level - foot.reshape(drainage.level.shape)


def slope(elevation: FloatArray, *, cell_m: float) -> FloatArray:
    """Slope by the weighted differences of Horn (1981) over 3 x 3 cells.

    Parameters
    ----------
    elevation : float32, shape (h, w)
        Elevation [m], NaN where unknown.
    cell_m : float
        Side of a cell [m].

    Returns
    -------
    float32, shape (h, w)
        Slope [degrees, 0-90]; NaN at the edge and beside unknown ground.

    Examples
    --------
    >>> slope(np.tile(np.arange(3, dtype=np.float32), (3, 1)), cell_m=1.0)[1, 1].item()
    45.0
    """
    across = np.full(elevation.shape, np.nan, np.float32)
    height, width = elevation.shape
    if height < 3 or width < 3:
        return across
    z = {(r, c): elevation[1 + r : height - 1 + r, 1 + c : width - 1 + c] for r, c in _STEPS}
    east = (z[-1, 1] - z[-1, -1]) + 2 * (z[0, 1] - z[0, -1]) + (z[1, 1] - z[1, -1])
    south = (z[1, -1] - z[-1, -1]) + 2 * (z[1, 0] - z[-1, 0]) + (z[1, 1] - z[-1, 1])
    known = np.where(np.isnan(elevation[1:-1, 1:-1]), np.float32(np.nan), np.float32(1))
    across[1:-1, 1:-1] = known * np.degrees(np.arctan(np.hypot(east, south) / np.float32(8 * cell_m)))
    return across


@kernel
def _flood(
    elevation: FloatArray, known: BoolArray, shore: NDArray[np.int64], steps: tuple[tuple[int, int], ...]
) -> tuple[FloatArray, IntArray, IntArray]:
    """Flood from the shore (cells where water may leave) inwards, lowest first.

    `order` is also the queue of cells at or below the present level (Barnes' pit queue): flats cost no heap and drain
    breadth-first. Equal elevations leave the heap by index, so there is one order whatever the machine.
    """
    height, width = elevation.shape
    level, waiting = elevation.copy(), known.copy()
    parent = np.arange(height * width).astype(np.int32)
    order = np.empty(known.sum(), np.int32)
    heap = [(elevation[cell // width, cell % width], cell) for cell in shore]
    for cell in shore:
        waiting[cell // width, cell % width] = False
    heapq.heapify(heap)
    done = queued = 0
    while done < order.size:
        if done == queued:
            order[queued] = heapq.heappop(heap)[1]
            queued += 1
        cell = order[done]
        done += 1
        row, col = cell // width, cell % width
        for down, right in steps:
            r, c = row + down, col + right
            if not (0 <= r < height and 0 <= c < width) or not waiting[r, c]:
                continue
            waiting[r, c] = False
            parent[r * width + c] = cell
            if elevation[r, c] <= level[row, col]:
                level[r, c] = level[row, col]
                order[queued] = r * width + c
                queued += 1
            else:
                heapq.heappush(heap, (elevation[r, c], r * width + c))
    return level, parent, order


@kernel
def _steepest(level: FloatArray, parent: IntArray, steps: tuple[tuple[int, int], ...]) -> IntArray:
    height, width = level.shape
    receiver = parent.copy()
    for row in range(height):
        for col in range(width):
            best = np.float32(0)
            for down, right in steps:
                r, c = row + down, col + right
                if not (0 <= r < height and 0 <= c < width):
                    continue
                drop = (level[row, col] - level[r, c]) / np.float32(np.sqrt(down * down + right * right))
                if drop > best:  # false for unknown cells: NaN
                    best = drop
                    receiver[row * width + col] = r * width + c
    return receiver


@kernel
def _accumulate(receiver: IntArray, order: IntArray) -> IntArray:
    count = np.zeros(receiver.size, np.int32)
    for place in range(order.size - 1, -1, -1):
        cell = order[place]
        count[cell] += 1
        if receiver[cell] != cell:
            count[receiver[cell]] += count[cell]
    return count


@kernel
def _foot(level: FloatArray, receiver: IntArray, order: IntArray, channels: BoolArray) -> FloatArray:
    """Level of the channel cell that each cell drains to, receivers before those that drain to them."""
    foot = np.full(receiver.size, np.nan, np.float32)
    for cell in order:
        if channels[cell]:
            foot[cell] = level[cell]
        elif receiver[cell] != cell:
            foot[cell] = foot[receiver[cell]]
    return foot
