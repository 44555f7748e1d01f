"""Surface reflectance of materials, of water, and of plants over ground, in six Sentinel-2 bands.

In: nothing, or states of a surface (wetness, leaf area, turbidity). Out: float32 arrays whose last axis is the band, in
the order of `BANDS`. It does not decide where anything lies. Spectra are of dry ground and chosen, round values; none
was fitted to a scene or tuned for a detector.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from second.recipe import Floats

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
CENTRES_NM = np.array([492, 560, 665, 833, 1610, 2190.0])
"""Band centres of Sentinel-2A B02 B03 B04 B08 B11 B12 (ESA, Sentinel-2 spectral response functions)."""


def of_bands(*values: float) -> Floats:
    return np.array(values, np.float32)


EVERGREEN = of_bands(0.019, 0.041, 0.020, 0.315, 0.145, 0.062)
DECIDUOUS = of_bands(0.026, 0.057, 0.031, 0.305, 0.195, 0.092)
GREEN = of_bands(0.031, 0.072, 0.037, 0.355, 0.225, 0.112)
LITTER = of_bands(0.068, 0.104, 0.142, 0.262, 0.355, 0.248)
CHAR = of_bands(0.034, 0.038, 0.043, 0.066, 0.095, 0.092)
ASH = of_bands(0.13, 0.14, 0.15, 0.19, 0.25, 0.24)
FERRALSOL = of_bands(0.055, 0.086, 0.166, 0.268, 0.36, 0.305)
OCHRE = of_bands(0.08, 0.126, 0.2, 0.298, 0.4, 0.335)
HYDROMORPHIC = of_bands(0.088, 0.118, 0.152, 0.218, 0.30, 0.25)
SAND = of_bands(0.235, 0.285, 0.33, 0.385, 0.445, 0.405)
GRAVEL = of_bands(0.128, 0.154, 0.18, 0.215, 0.262, 0.237)
LATERITE = of_bands(0.064, 0.1, 0.212, 0.298, 0.368, 0.312)
SLURRY = of_bands(0.09, 0.15, 0.235, 0.302, 0.215, 0.13)
SAPROLITE = of_bands(0.158, 0.2, 0.282, 0.362, 0.42, 0.36)
IRON_ROOF = of_bands(0.26, 0.275, 0.285, 0.30, 0.335, 0.31)
RUST_ROOF = of_bands(0.10, 0.122, 0.175, 0.225, 0.285, 0.275)
THATCH = of_bands(0.09, 0.12, 0.165, 0.25, 0.33, 0.26)
GRANITE = of_bands(0.088, 0.104, 0.12, 0.15, 0.185, 0.178)
MUD = of_bands(0.085, 0.105, 0.13, 0.175, 0.2, 0.16)
SWEPT = of_bands(0.11, 0.155, 0.225, 0.305, 0.365, 0.315)
WET_DARKENING = of_bands(0.40, 0.42, 0.44, 0.46, 0.58, 0.66)
"""Share of reflectance that soaked soil loses; chosen."""
EXTINCTION = of_bands(0.95, 0.95, 0.95, 0.55, 0.80, 0.80)
"""Per unit of leaf area, visible, near and short-wave infrared; chosen."""
DEAD_EXTINCTION = 0.8
"""Of litter, in that of green leaves; chosen."""
DRY_YEAR_SHIFT = of_bands(-0.05, -0.03, -0.06, 0.12, 0.02, -0.02)
"""Relative change of evergreen leaves with the season; chosen."""
ALLUVIUM = {"sand": SAND, "gravel": GRAVEL, "laterite": LATERITE, "sapro": SAPROLITE, "slurry": SLURRY}

# inherent optical properties at the six bands, m-1 and m2 per unit; chosen
_PURE_ABSORPTION = of_bands(0.018, 0.065, 0.43, 4.5, 800, 2600)
_CHL_ABSORPTION = of_bands(0.022, 0.008, 0.017, 0.001, 0, 0)
_CHL_BACKSCATTER = of_bands(0.0006, 0.0012, 0.0006, 0.0022, 0, 0)
_SCUM = of_bands(0.035, 0.085, 0.045, 0.27, 0.13, 0.06)


def water(tsm: ArrayLike, chlorophyll: ArrayLike, cdom: ArrayLike, sky: float = 0.008) -> Floats:
    """Reflectance of deep water: what leaves it, and skylight on it.

    The form u = bb / (a + bb) and its polynomial are those of Lee et al. (1999, Appl. Opt. 38:3831), rounded.

    Parameters
    ----------
    tsm, chlorophyll, cdom : (n,) or scalar
        Suspended matter [g m-3], chlorophyll [mg m-3], absorption of dissolved matter at 443 nm [m-1].
    sky : float

    Returns
    -------
    float32, (n, 6)
    """
    solids, plants, humus = (np.atleast_1d(np.asarray(one, np.float32))[:, None] for one in (tsm, chlorophyll, cdom))
    beyond = (CENTRES_NM - 443).astype(np.float32)
    absorbed = (
        _PURE_ABSORPTION
        + humus * np.exp(-0.016 * beyond)
        + 0.032 * solids * np.exp(-0.0105 * beyond)
        + plants * _CHL_ABSORPTION
    )
    slope = (560 / CENTRES_NM).astype(np.float32) ** 0.6
    scattered = 0.0105 * solids * slope + plants * _CHL_BACKSCATTER + 0.001
    u = scattered / (absorbed + scattered)
    leaving = math.pi * 0.529 * (0.0895 * u + 0.125 * u * u)
    scum = np.clip((plants - 40) / 160, 0, 0.55)
    return ((1 - scum) * leaving + scum * _SCUM + sky).astype(np.float32)


def canopy(
    soil: Floats,
    moisture: ArrayLike = 0.0,
    green: ArrayLike = 0.0,
    dead: ArrayLike = 0.0,
    char: ArrayLike = 0.0,
) -> Floats:
    """Reflectance of layers that are each as good as endless: wetted soil, litter, char, green leaves on top.

    Parameters
    ----------
    soil : (6,) or (n, 6)
    moisture, green, dead, char : (n,) or scalar
        Wetness 0-1, leaf area, litter area, charred share.

    Returns
    -------
    float32, (6,) or (n, 6)
    """
    ground = soil * (1 - _by_band(moisture) * WET_DARKENING)
    littered = LITTER + (ground - LITTER) * np.exp(-DEAD_EXTINCTION * _by_band(dead) * EXTINCTION)
    burnt = (1 - _by_band(char)) * littered + _by_band(char) * CHAR
    return GREEN + (burnt - GREEN) * np.exp(-_by_band(green) * EXTINCTION)


def _by_band(value: ArrayLike) -> Floats:
    return np.asarray(value, np.float32)[..., None]
