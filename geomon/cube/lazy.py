"""The same looks as an xarray cube that is read when it is asked for, for an analyst's notebook.

In: looks, a tile, bands. Out: a dask-backed `xr.Dataset` with dims (time, y, x). The detector does not come this way:
it reads look by look (design 8). Unlike there, ground under cloud keeps its reflectance, so that masks can be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geomon.cube.looks import Order, read_order
from geomon.errors import ConfigError
from geomon.grid import Tile
from geomon.kernels import quality as codes
from geomon.kernels.spectra import NODATA_REFLECTANCE
from geomon.model import Look

if TYPE_CHECKING:
    import xarray as xr

_WITH_DATA = (codes.CLOUDED, codes.DOUBTFUL, codes.CLEAR)


def open_cube(looks: Sequence[Look], tile: Tile, bands: tuple[str, ...]) -> xr.Dataset:
    """Open looks on a tile as a lazy cube.

    Parameters
    ----------
    looks : sequence of Look
        One time step each, in this order.
    tile : Tile
    bands : tuple of str
        Common names.

    Returns
    -------
    xr.Dataset
        Dims (time, y, x), one chunk per look. float32 reflectance [0-1] per band (NaN = no data), bool `clear` (True =
        usable), bool `missing` (a read failed here); coordinates x, y of pixel centres; attributes `crs`, `transform`.
    """
    import dask.array
    import xarray as xr
    from dask.delayed import delayed

    if not looks:
        raise ConfigError("expected at least one look to open as a cube, got none; widen the period or the area")
    da: Any = dask.array  # only partly annotated
    read = delayed(_read_planes)
    shape = (len(bands) + 2, *tile.shape)
    cube = da.stack([da.from_delayed(read(look, tile, bands), shape, np.float32) for look in looks])
    dims = ("time", "y", "x")
    layers = {band: (dims, cube[:, index]) for index, band in enumerate(bands)}
    layers["clear"] = (dims, cube[:, -2] > 0)
    layers["missing"] = (dims, cube[:, -1] > 0)
    x, y = tile.centres()
    days = np.array([look.day for look in looks], "datetime64[D]").astype("datetime64[ns]")
    coords = {"time": days, "y": y[:, 0], "x": x[0], "sensor": ("time", [look.sensor for look in looks])}
    return xr.Dataset(layers, coords, {"crs": tile.lattice.crs, "transform": tuple(tile.transform)[:6]})


def _read_planes(look: Look, tile: Tile, bands: tuple[str, ...]) -> NDArray[np.float32]:
    """Reflectance by band, then clear and missing as 0 or 1."""
    got = read_order(look, tile, order=Order(bands, wanted=_WITH_DATA))
    planes = np.full((len(bands) + 2, *tile.shape), np.nan, np.float32)
    planes[-2:] = np.array([0, bool(got.failed)], np.float32)[:, None, None]
    if got.arrays is not None:
        values = got.arrays.reflectance
        planes[:-2] = np.where(values == NODATA_REFLECTANCE, np.nan, values / np.float32(10_000))
        planes[-2] = got.arrays.quality == codes.CLEAR
        planes[-1] = got.arrays.quality == codes.MISSING
    return planes
