"""Cloud-optimised GeoTIFFs on the recipe's lattice.

In: arrays. Out: files, byte for byte the same for the same array. Nothing is read.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from geomon.simulate.recipe import EPSG, Recipe

_BLOCK_PX = 512
_DRIVER = {"driver": "COG", "crs": f"EPSG:{EPSG}", "compress": "DEFLATE", "predictor": "YES", "num_threads": 1}


def write_cog(
    path: Path,
    image: NDArray[np.generic],
    recipe: Recipe,
    *,
    nodata: float | None = 0,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Write one band over the whole square; the pixel size follows from the array's shape.

    Parameters
    ----------
    path : Path
    image : (rows, columns)
        Any type that GeoTIFF knows.
    recipe : Recipe
    nodata : float or None
    tags : mapping, optional
        Dataset tags beside `SIMULATED=YES`.
    """
    rows, columns = image.shape
    with rasterio.open(
        path,
        "w",
        width=columns,
        height=rows,
        count=1,
        dtype=image.dtype.name,
        nodata=nodata,
        transform=recipe.transform(recipe.side_m / columns),
        blocksize=_BLOCK_PX,
        overviews="AUTO" if columns > _BLOCK_PX else "NONE",
        overview_resampling="NEAREST",
        **_DRIVER,
    ) as target:
        target.write(image, 1)
        target.update_tags(SIMULATED="YES", **(tags or {}))
    return path
