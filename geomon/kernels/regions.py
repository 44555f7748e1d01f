"""Connected regions of sparse pixels, named by lattice position and not by tile.

In: the lattice columns and rows of the few pixels that changed, over all tiles at once. Out: a region number for each.
Because tiles are never looked at, regions are the same whatever the tiling: what tile-by-tile polygon makers had to
mend bug by bug (peers B12) cannot happen.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_FORWARD: Final = {4: ((0, 1), (1, 0)), 8: ((0, 1), (1, -1), (1, 0), (1, 1))}
"""Neighbour steps (row, col) that reach every pair once."""


def label_sparse(cols: NDArray[np.int64], rows: NDArray[np.int64], *, connectivity: int = 8) -> NDArray[np.int64]:
    """Number the connected regions of a set of pixels.

    Parameters
    ----------
    cols, rows : int64, shape (n,)
        Lattice position of each pixel; no position twice.
    connectivity : 4 or 8
        Whether pixels that touch at a corner belong together.

    Returns
    -------
    int64, shape (n,)
        Region numbers 0.. in the order of each region's first pixel by (row, col), whatever the order of the input.

    Examples
    --------
    >>> label_sparse(np.array([0, 1, 5]), np.array([0, 1, 0])).tolist()
    [0, 0, 1]
    """
    if connectivity not in _FORWARD:
        raise ValueError(f"connectivity must be 4 or 8, got {connectivity}")
    n = len(cols)
    if n == 0:
        return np.zeros(0, np.int64)
    order = np.lexsort((cols, rows))
    col = np.asarray(cols, np.int64)[order] - int(cols.min()) + 1
    row = np.asarray(rows, np.int64)[order] - int(rows.min())
    stride = int(col.max()) + 2
    key = row * stride + col
    starts, ends = [], []
    for step_row, step_col in _FORWARD[connectivity]:
        wanted = key + step_row * stride + step_col
        at = np.minimum(np.searchsorted(key, wanted), n - 1)
        found = key[at] == wanted
        starts.append(np.flatnonzero(found))
        ends.append(at[found])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    labels = np.empty(n, np.int64)
    labels[order] = rank[inverse]
    return labels
