"""From the scenes of a look to arrays on a tile: reflectance, quality, and an account of every read.

In: a look (the scenes of one sensor and day), a tile, the bands wanted. Out: int16 reflectance and a quality code per
pixel, which scenes failed, one record per asset read. What a pixel means is not judged here, nothing is written, and a
read that failed is never taken for "no data".
"""

from geomon.cube.assets import ReadRecord
from geomon.cube.lazy import open_cube
from geomon.cube.looks import (
    LookArrays,
    LookRead,
    estimate_bytes,
    read_look,
    touching_scenes,
)
from geomon.kernels.spectra import NODATA_REFLECTANCE

__all__ = [
    "NODATA_REFLECTANCE",
    "LookArrays",
    "LookRead",
    "ReadRecord",
    "estimate_bytes",
    "open_cube",
    "read_look",
    "touching_scenes",
]
