"""Changed pixels of all tiles as one sparse table, and the regions they form.

In: the change layers of each tile. Out: `ChangePixels`, one row per pixel with an alert, in an order that does not
depend on the tiling, and `Mesh`, which numbers connected regions of any subset, also across the seam of two UTM zones.
Nothing here knows of thresholds or products.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geomon.errors import GridMismatch
from geomon.grid import Lattice, Tile, pixel_area_m2, pixel_lonlat
from geomon.kernels.regions import label_sparse

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SEAM_REACH_PX: Final = 2.5
"""Centres of two pixels this far apart belong together across a UTM seam: their squares are then within 1.5 pixels.
The two lattices are turned against each other and each keeps the centres on its own side, so neighbours across the
seam lie up to two pixels apart."""

METRES_PER_DEGREE: Final = 111_320.0
"""Length of a degree of longitude at the equator (WGS84); used for distances to a seam and extents only, never for an
area."""

_DAYS: Final = ("clear_before", "first_seen", "confirmed_on", "last_seen", "gone_on", "dug_on", "last_clear")
_COUNTS: Final = ("n_clear", "n_hits", "n_after")
_PERCENTS: Final = ("bare", "water", "turbid")
_BEFORE: Final = ("was_bare", "was_turbid", "was_still")
UNKNOWN: Final = 255

OPEN_PERCENT: Final = 40
"""Ground of which this much was bare or water at the greenest time of the baseline was open already. Of the undug land
of the simulated landscapes, savanna and laterite crust included, one pixel in a thousand is, rivers aside
(`benchmarks/accuracy.py --tuning`)."""


@dataclass(frozen=True, slots=True)
class ChangePixels:
    """One row per pixel with an alert, or open already in the baseline, sorted by lattice name, row and column.

    Dates are those of the newest event on a pixel. `lattice` indexes `lattices`; `col`, `row` are global lattice
    indices; days count from 1970-01-01 (0 = never); `bare`, `water`, `turbid` are percent, 255 unknown, `was_bare`,
    `was_water`, `was_turbid` the same in the baseline, 0 unknown; `proof` is (n, 3) days; `seen_months` is (n, k)
    bytes, bit i of the row = month i of the monitor seen clear.
    """

    lattices: tuple[Lattice, ...]
    lattice: Ints
    col: Ints
    row: Ints
    alert: NDArray[np.uint8]
    clear_before: Ints
    first_seen: Ints
    confirmed_on: Ints
    last_seen: Ints
    gone_on: Ints
    dug_on: Ints
    last_clear: Ints
    n_clear: Ints
    n_hits: Ints
    n_after: Ints
    bare: NDArray[np.uint8]
    water: NDArray[np.uint8]
    turbid: NDArray[np.uint8]
    was_bare: NDArray[np.uint8]
    was_water: NDArray[np.uint8]
    was_turbid: NDArray[np.uint8]
    proof: Ints
    seen_months: NDArray[np.uint8]
    area_m2: Floats

    def __len__(self) -> int:
        return len(self.col)

    def take(self, index: Ints) -> ChangePixels:
        """The rows at `index`."""
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "lattices"}
        return ChangePixels(lattices=self.lattices, **arrays)

    def places(self, index: Ints) -> Floats:
        """Column, row and lattice of some pixels as points (n, 3) [pixels], those of two lattices far apart."""
        apart = 1e6 * self.lattice[index]
        return np.stack([self.col[index], self.row[index], apart], axis=1).astype(np.float64)

    def lonlat(self) -> tuple[Floats, Floats]:
        """Longitude and latitude of every pixel centre."""
        lon, lat = np.zeros(len(self)), np.zeros(len(self))
        for number, lattice in enumerate(self.lattices):
            here = self.lattice == number
            if here.any():
                lon[here], lat[here] = pixel_lonlat(lattice, self.col[here], self.row[here])
        return lon, lat


def gather(tiles: Iterable[tuple[Tile, Mapping[str, NDArray[Any]]]]) -> ChangePixels:
    """Collect the pixels with an alert, or open before the monitor, from the layers of all tiles.

    Parameters
    ----------
    tiles : iterable of (Tile, layers)
        Layers by the names of `schema.LAYERS`, shape (h, w), `proof` (3, h, w), `seen_months` (k, h, w). One tile is
        held at a time.

    Raises
    ------
    GridMismatch
        If a layer has another shape than its tile, or two tiles hold the same pixel.
    """
    parts = [_pixels_of(tile, layers) for tile, layers in tiles]
    lattices = tuple(sorted({lattice for lattice, _ in parts}, key=lambda lattice: lattice.name))
    columns: dict[str, NDArray[Any]] = (
        {name: np.concatenate([p[name] for _, p in parts]) for name in parts[0][1]} if parts else _no_pixels()
    )
    numbers = [np.full(len(p["col"]), lattices.index(lattice), np.int64) for lattice, p in parts]
    columns["lattice"] = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
    order = np.lexsort((columns["col"], columns["row"], columns["lattice"]))
    columns = {name: values[order] for name, values in columns.items()}
    _refuse_twice(lattices, columns)
    area = np.zeros(len(order))
    for number, lattice in enumerate(lattices):
        here = columns["lattice"] == number
        if here.any():
            area[here] = pixel_area_m2(lattice, columns["col"][here], columns["row"][here])
    return ChangePixels(lattices=lattices, area_m2=area, **columns)


class Mesh:
    """Which pixels of a `ChangePixels` touch: eight neighbours on a lattice, and pairs that meet across a UTM seam."""

    def __init__(self, pixels: ChangePixels) -> None:
        self._pixels = pixels
        self._pairs = _seam_pairs(pixels)

    def label(self, index: Ints) -> Ints:
        """Region number 0.. of each pixel of a subset, in the order of each region's first pixel.

        Parameters
        ----------
        index : int64, shape (n,), ascending
            Rows of the pixel table.
        """
        p = self._pixels
        labels = np.zeros(len(index), np.int64)
        used = 0
        for number in np.unique(p.lattice[index]):
            here = p.lattice[index] == number
            found = label_sparse(p.col[index[here]], p.row[index[here]])
            labels[here] = found + used
            used += int(found.max()) + 1
        return self._joined(index, labels, used)

    def regions(self, index: Ints) -> list[Ints]:
        """The subset cut into its connected regions, each ascending."""
        if not len(index):
            return []
        labels = self.label(index)
        order = np.argsort(labels, kind="stable")
        return np.split(index[order], np.flatnonzero(np.diff(labels[order])) + 1)

    def _joined(self, index: Ints, labels: Ints, used: int) -> Ints:
        inside = np.isin(self._pairs, index).all(axis=1) if len(self._pairs) and used > 1 else np.zeros(0, bool)
        if not inside.any():
            return labels
        ends = labels[np.searchsorted(index, self._pairs[inside])]
        graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(used, used))
        _, component = connected_components(graph, directed=False)
        _, first, inverse = np.unique(component[labels], return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[inverse]


def _pixels_of(tile: Tile, layers: Mapping[str, NDArray[Any]]) -> tuple[Lattice, dict[str, NDArray[Any]]]:
    alert = layers["alert"]
    wrong = {name: values.shape for name, values in layers.items() if values.shape[-2:] != tile.shape}
    if wrong:
        raise GridMismatch(
            f"tile {tile.name}: expected layers of shape {tile.shape}, got {wrong}; detect this tile again",
            tile=tile.name,
        )
    was = [np.where(layers[name] == UNKNOWN, 0, layers[name]).astype(np.int64) for name in _BEFORE]
    row, col = np.nonzero((alert > 0) | (sum(was) >= OPEN_PERCENT))
    found: dict[str, NDArray[Any]] = {"row": row.astype(np.int64) + tile.row, "col": col.astype(np.int64) + tile.col}
    found["alert"] = alert[row, col].astype(np.uint8)
    for name in (*_DAYS, *_COUNTS):
        found[name] = layers[name][row, col].astype(np.int64)
    again = layers["reopened_on"][row, col] > 0
    for name, later in (("first_seen", "reopened_seen"), ("confirmed_on", "reopened_on")):
        found[name] = np.where(again, layers[later][row, col].astype(np.int64), found[name])
    found["clear_before"] = np.where(again, 0, found["clear_before"])
    for name in _PERCENTS:
        found[name] = layers[name][row, col].astype(np.uint8)
    bare, turbid, still = (share[row, col] for share in was)
    for name, share in (("was_bare", bare), ("was_turbid", turbid), ("was_water", np.minimum(turbid + still, 100))):
        found[name] = share.astype(np.uint8)
    found["proof"] = layers["proof"][:, row, col].T.astype(np.int64)
    found["seen_months"] = layers["seen_months"][:, row, col].T.astype(np.uint8)
    return tile.lattice, found


def _no_pixels() -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {name: np.zeros(0, np.int64) for name in ("row", "col", *_DAYS, *_COUNTS)}
    found |= {name: np.zeros(0, np.uint8) for name in ("alert", *_PERCENTS, "was_bare", "was_water", "was_turbid")}
    return found | {"proof": np.zeros((0, 3), np.int64), "seen_months": np.zeros((0, 1), np.uint8)}


def _refuse_twice(lattices: tuple[Lattice, ...], columns: Mapping[str, NDArray[Any]]) -> None:
    place = np.stack([columns["lattice"], columns["row"], columns["col"]])
    twice = np.flatnonzero((place[:, 1:] == place[:, :-1]).all(axis=0)) if place.shape[1] > 1 else place[0, :0]
    if len(twice):
        number, row, col = (int(value) for value in place[:, twice[0]])
        raise GridMismatch(
            f"lattice {lattices[number].name}: expected each pixel in one tile, got row {row}, column {col} in two; "
            "plan the grid again",
            lattice=lattices[number].name,
        )


def _seam_pairs(pixels: ChangePixels) -> Ints:
    """Rows (i, j) of pixels of two lattices that meet across the meridian between their longitude bands."""
    bands = [
        (number, lattice.lon_range, lattice.res_m)
        for number, lattice in enumerate(pixels.lattices)
        if lattice.lon_range
    ]
    pairs = [np.zeros((0, 2), np.int64)]
    if len(bands) < 2:
        return pairs[0]
    lon, lat = pixels.lonlat()
    for west, west_range, west_res in bands:
        for east, east_range, east_res in bands:
            if west != east and (west_range[1] - east_range[0]) % 360.0 == 0.0:
                reach = SEAM_REACH_PX * max(west_res, east_res)
                x = ((lon - west_range[1] + 180.0) % 360.0 - 180.0) * METRES_PER_DEGREE * np.cos(np.radians(lat))
                at = np.stack([x, lat * METRES_PER_DEGREE], axis=1)
                left = np.flatnonzero((pixels.lattice == west) & (np.abs(x) <= reach))
                right = np.flatnonzero((pixels.lattice == east) & (np.abs(x) <= reach))
                pairs.append(_near(at, left, right, reach=reach))
    return np.concatenate(pairs)


def _near(at: Floats, left: Ints, right: Ints, *, reach: float) -> Ints:
    if not len(left) or not len(right):
        return np.zeros((0, 2), np.int64)
    hits = cKDTree(at[left]).query_ball_tree(cKDTree(at[right]), reach)
    return np.array([(left[i], right[j]) for i, found in enumerate(hits) for j in sorted(found)], np.int64).reshape(
        -1, 2
    )
