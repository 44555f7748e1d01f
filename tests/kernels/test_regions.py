"""Laws of the regions of sparse pixels, and scipy's dense labels as the obvious twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from geomon.kernels.regions import label_sparse

connectivities = st.sampled_from([4, 8])
places = st.tuples(st.integers(-200_000, 200_000), st.integers(-1_100_000, 200_000))
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=25))


def dense_labels(mask: np.ndarray, connectivity: int) -> np.ndarray:
    """Region of each set pixel in raster order, numbered by each region's first pixel."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    seen: dict[int, int] = {}
    return np.array([seen.setdefault(int(label), len(seen)) for label in labels[mask]], np.int64)


@given(mask=masks, place=places, connectivity=connectivities)
def test_regions_are_scipys(mask: np.ndarray, place: tuple[int, int], connectivity: int) -> None:
    """Sparse regions are those of the dense picture, numbered by their first pixel, wherever on the lattice it lies."""
    rows, cols = np.nonzero(mask)
    found = label_sparse(cols + place[0], rows + place[1], connectivity=connectivity)
    assert found.dtype == np.int64
    assert np.array_equal(found, dense_labels(mask, connectivity))


@given(mask=masks, seed=st.integers(0, 2**32 - 1), connectivity=connectivities)
def test_order_does_not_matter(mask: np.ndarray, seed: int, connectivity: int) -> None:
    """Permuting the pixels permutes their regions and renumbers none."""
    rows, cols = np.nonzero(mask)
    order = np.random.default_rng(seed).permutation(len(rows))
    whole = label_sparse(cols, rows, connectivity=connectivity)
    assert np.array_equal(label_sparse(cols[order], rows[order], connectivity=connectivity), whole[order])


def test_a_corner_joins_eight_but_not_four() -> None:
    """Pixels that touch at a corner, either way, are one region of 8 and two of 4; side by side, one of both."""
    for cols, joined in (([3, 4], 1), ([4, 3], 1), ([3, 3], 0)):
        found = {c: label_sparse(np.array(cols), np.array([7, 8]), connectivity=c).max() + 1 for c in (4, 8)}
        assert found == {8: 1, 4: 1 + joined}
    assert label_sparse(np.array([3, 4]), np.array([7, 7]), connectivity=4).tolist() == [0, 0]


def test_the_end_of_a_row_does_not_touch_the_next() -> None:
    """The last pixel of a row and the first of the next are strangers, far apart or at the edge of the box."""
    assert label_sparse(np.array([9, 0]), np.array([0, 1])).tolist() == [0, 1]
    assert label_sparse(np.array([0, 9, 0]), np.array([0, 1, 2])).tolist() == [0, 1, 2]


def test_nothing_has_no_region() -> None:
    """No pixels, no numbers."""
    assert label_sparse(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize("connectivity", [0, 6])
def test_other_neighbourhoods_are_refused(connectivity: int) -> None:
    """A square pixel has 4 or 8 neighbours."""
    with pytest.raises(ValueError, match="4 or 8"):
        label_sparse(np.array([0]), np.array([0]), connectivity=connectivity)


def test_arguments_are_left_alone() -> None:
    """Positions are read, not written or sorted in place."""
    cols, rows = np.array([5, 1, 3]), np.array([2, 9, 2])
    label_sparse(cols, rows)
    assert (cols.tolist(), rows.tolist()) == ([5, 1, 3], [2, 9, 2])
