"""From a scene classification (SCL) to what a look is worth, pixel by pixel.

In: the Sentinel-2 scene classification at the tile's pixel size with a halo around it. Out: one quality code per pixel
of the tile. Every operation is local (box windows smaller than the halo), so the answer does not depend on how an area
is cut into tiles.

Why there is a DOUBTFUL class: SCL takes bright sand and turbid ponds for cloud date after date (peers B14: CoastSat #5,
#633), and those are the ground this package looks for. A small "cloud" in clear surroundings is therefore kept as
doubtful: the detector judges it by its spectrum instead of losing it. Clouds wider than `CORE_PX` are believed, unless
a pixel's own spectrum says soil or turbid water (`contestable`, `is_ground`): it is doubtful too, since a pit must not
hide for ever behind its own brightness.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from geomon.kernels._jit import kernel

NODATA: Final = 0
CLOUDED: Final = 1
DOUBTFUL: Final = 2
CLEAR: Final = 3
MISSING: Final = 4
"""A read failed here: not clear, not cloud, not "no data"."""

CORE_PX: Final = 11
"""Side of the smallest believed cloud [pixels of 10 m]: 110 m, the width of a 1.2 ha working (domain.md 1: pits of 3-30
m in clusters).
"""

CLOUD_BUFFER_PX: Final = 5
"""Believed clouds grow by 50 m: Sen2Cor's cloud edges are thin and its classification has 20 m pixels."""

SHADOW_CORE_PX: Final = 5
SHADOW_BUFFER_PX: Final = 2

HALO_PX: Final = 16
"""What the operations below may look beyond a pixel: (CORE_PX - 1) + CLOUD_BUFFER_PX, rounded up to whole 20 m pixels.
"""

GROUND_RATIO: Final = 0.62
"""A believed cloud is ground where blue is at most this share of red. Mixtures of `spectra`'s table with its white:
leaf (0.71; 0.85 with 5 % cloud) never passes; straw, turbid water and bright bare ground (0.50-0.54) pass with up to
6, 6 and 9 % of cloud, red soil (0.35) with up to 16 %, thick cloud (1.0) never. What passes is judged as doubtful:
there a share of white of 60 % is one innocent spread. 0.72 (straw with 14 % of cloud) gave a false alert more on the
Romanian series (precision 0.685 against 0.697 before); 0.62 cost nothing there (0.698).
"""
GROUND_RED: Final = 0.12
"""Smallest red reflectance of such ground: straw's, below turbid water's and bare soil's (0.15-0.26). Down to 0.06,
ground at the margins of floods passed too: 101 more false pixels for 3 mined on a landscape of the second
simulator (seed 4).
"""

_SCL_CONTESTED = (8, 9)
"""Cirrus (10) is thin by definition: what is below it looks like ground. The buffer is left as believed: doubting its
soil-red pixels gave 207 more false pixels on that landscape, at the margins of floods, and no mine.
"""

_SCL_NODATA = (0,)
_SCL_CLOUD = (
    1,
    8,
    9,
    10,
    11,
)  # saturated, medium and high probability, thin cirrus, snow (in the tropics: bright cloud)
_SCL_SHADOW = (3,)


def quality_from_scl(scl: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Quality code of each pixel inside the halo.

    Parameters
    ----------
    scl : uint8, shape (h + 2 * HALO_PX, w + 2 * HALO_PX)
        Sentinel-2 scene classification (0-11) at the tile's pixel size; 0 where there is no data.

    Returns
    -------
    uint8, shape (h, w)
        NODATA, CLOUDED, DOUBTFUL or CLEAR. Classes 2 (dark), 4-7 are clear: burns, dark ponds and bare ground live
        there.
    """
    height, width = (side - 2 * HALO_PX for side in scl.shape)
    if height <= 0 or width <= 0:
        raise ValueError(f"an SCL window must be wider than twice the halo of {HALO_PX} px, got {scl.shape}")
    inner = (slice(HALO_PX, HALO_PX + height), slice(HALO_PX, HALO_PX + width))
    quality = np.full((height, width), CLEAR, np.uint8)
    for classes, core_px, buffer_px in (
        (_SCL_SHADOW, SHADOW_CORE_PX, SHADOW_BUFFER_PX),
        (_SCL_CLOUD, CORE_PX, CLOUD_BUFFER_PX),
    ):
        suspect = np.isin(scl, classes)
        if not suspect.any():
            continue
        quality[suspect[inner] & (quality == CLEAR)] = DOUBTFUL
        believed = dilate(opening(suspect, core_px), buffer_px)
        quality[believed[inner]] = CLOUDED
    quality[np.isin(scl[inner], _SCL_NODATA)] = NODATA
    return quality


def contestable(scl: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a pixel's own spectrum may overrule a cloud of the scene classification.

    Parameters
    ----------
    scl : uint8, shape (h + 2 * HALO_PX, w + 2 * HALO_PX)
        As `quality_from_scl` takes it.

    Returns
    -------
    bool, shape (h, w)
        Classes 8 and 9, beyond any believed shadow, within HALO_PX of a pixel that is no cloud. Deeper within a cloud
        (no working is 330 m of bare ground from side to side) nothing is contested, so an overcast tile needs no bands.
    """
    inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
    open_to = np.isin(scl[inner], _SCL_CONTESTED)
    if not open_to.any():
        return open_to
    shadow = np.isin(scl, _SCL_SHADOW)
    if shadow.any():
        open_to &= ~dilate(opening(shadow, SHADOW_CORE_PX), SHADOW_BUFFER_PX)[inner]
    open_to &= dilate(~np.isin(scl, _SCL_CLOUD), HALO_PX)[inner]
    return open_to


def is_ground(blue: NDArray[np.int16], red: NDArray[np.int16], *, unit: float) -> NDArray[np.bool_]:
    """Whether a pixel is soil or turbid water by its colour, both bands in steps of `unit`; no data is not ground."""
    bright = red.astype(np.float32) * np.float32(unit) >= GROUND_RED
    return np.asarray(bright & (blue >= -1 / unit) & (blue <= np.float32(GROUND_RATIO) * red))


def opening(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """What remains of `mask` where a square of `side` pixels (odd) fits inside it; beyond the edge is unset."""
    radius = side // 2
    return dilate(~dilate(~mask, radius, outside=True), radius)


def dilate(mask: NDArray[np.bool_], radius: int, *, outside: bool = False) -> NDArray[np.bool_]:
    """Grow `mask` by a square of `2 * radius + 1` pixels; `outside` says what lies beyond the edge."""
    padded = np.pad(mask, radius, constant_values=outside)
    return np.asarray(_box_any(padded, radius))


@kernel
def _box_any(padded: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Running counts: one pass along the rows, one down the columns, whatever the radius."""
    rows, cols = padded.shape
    side = 2 * radius + 1
    height, width = rows - side + 1, cols - side + 1
    across = np.zeros((rows, width), np.int32)
    for y in range(rows):
        across[y, 0] = padded[y, :side].sum()
        for x in range(1, width):
            across[y, x] = across[y, x - 1] + np.int32(padded[y, x + side - 1]) - np.int32(padded[y, x - 1])
    out = np.zeros((height, width), np.bool_)
    column = across[:side].sum(axis=0)
    out[0] = column > 0
    for y in range(1, height):
        column += across[y + side - 1] - across[y - 1]
        out[y] = column > 0
    return out
