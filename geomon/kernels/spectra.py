"""Every constant of the evidence: endmember spectra, noise, and how far innocent changes may move a pixel.

One table, so that what the detector believes can be read, questioned and replaced in one place. Each number has a
source, or says that it was set by reasoning; `benchmarks/accuracy.py` measures what they give together. Nothing is
computed here but the cut to a sensor's bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomon.model import BANDS

UNIT: Final = 1e-4
"""Reflectance of one integer step in every int16 array."""

NODATA_REFLECTANCE: Final = -32768

_SPECTRA: Final = {
    # Surface reflectance in BANDS order: blue green red nir swir16 swir22, rounded to what the classes have in common.
    # Bare: quartz sand and lateritic soil of the ECOSTRESS library (Baldridge et al. 2009, RSE 113, 711-715).
    "bare_bright": (0.14, 0.20, 0.26, 0.34, 0.43, 0.38),
    "bare_red": (0.06, 0.10, 0.17, 0.26, 0.36, 0.31),
    # Water: red reflectance 0.1-0.2 at 100-1000 FNU, near zero in the SWIR (Dogliotti et al. 2015, RSE 156, 157-168).
    "turbid": (0.08, 0.12, 0.15, 0.10, 0.03, 0.02),
    "still": (0.035, 0.045, 0.035, 0.02, 0.01, 0.01),
    # Char: Pereira 2003, IEEE TGRS 41, 1620-1628. Straw: cured grass (Asner 1998, RSE 64, 234-253, figure 4).
    "char": (0.03, 0.035, 0.04, 0.07, 0.12, 0.12),
    "straw": (0.06, 0.09, 0.12, 0.22, 0.29, 0.20),
    # Leaf: closed green canopy (Asner 1998, figure 2).
    "leaf": (0.025, 0.05, 0.035, 0.32, 0.16, 0.075),
    # Optically thick cloud (Zhu & Woodcock 2012).
    "white": (0.60, 0.60, 0.60, 0.62, 0.50, 0.40),
}
MINED: Final = ("bare_bright", "bare_red", "turbid", "still")
"""What mined ground is mixed from; the first N_BARE are bare ground, the others water."""
N_BARE: Final = 2

FLOOR: Final = (0.008, 0.008, 0.009, 0.018, 0.014, 0.014)
"""Smallest residual scale by band [reflectance]: Sentinel-2 L2A surface reflectance is known to 0.005-0.02 (Sentinel-2
L2A data quality report of the Mission Performance Centre).
"""
RELATIVE: Final = 0.05
"""Share of the predicted reflectance added in quadrature for illumination and BRDF (Roy et al. 2017, RSE 199, 25-38).
"""

HAZE: Final = 0.20
SHADOW: Final = 0.15
"""Spread of the share of white and of black in a look that SCL calls clear; set by reasoning."""
DOUBTFUL_HAZE: Final = 0.60
DOUBTFUL_SHADOW: Final = 0.40
"""The same in a look that it calls cloud or shadow, in a small patch."""
SEASON_DAYS: Final = 18.0
SWING: Final = 0.30
"""Spread of an early or late season [days] and of a wetter or drier year [share of the way to the opposite season].
Green-up moves by two to three weeks between years; 18 days gave fewer false pixels than 12 on the Romanian series
(353 against 419).
"""
FIRE: Final = (0.08, 0.60)
STRAW: Final = (0.02, 0.50)
"""Spread of the share of char and of cured grass: a constant, and a factor on the pixel's yearly swing of NIR less red
over NIR. Evergreen forest neither cures nor burns without being cleared; savanna does both every year.
"""
LARGEST_SWING: Final = 0.5
GREENEST: Final = 0.25
"""What remains of those two at the greenest time of the pixel's year; set by reasoning."""

HAZE_TEST: Final = 0.08
"""Blue less half of red above this is cloud or thick haze (Fmask, Zhu & Woodcock 2012, RSE 118, 83-94, eq. 3); bare and
turbid ground is redder.
"""


class Spread(NamedTuple):
    """The numbers of this table that compiled code needs; see the constants of the same names."""

    haze: tuple[float, float] = (HAZE, DOUBTFUL_HAZE)
    shadow: tuple[float, float] = (SHADOW, DOUBTFUL_SHADOW)
    fire: tuple[float, float] = FIRE
    straw: tuple[float, float] = STRAW
    season_days: float = SEASON_DAYS
    swing: float = SWING
    largest_swing: float = LARGEST_SWING
    greenest: float = GREENEST
    relative: float = RELATIVE
    haze_test: float = HAZE_TEST


class SpectralModel(NamedTuple):
    """The spectra of this table, cut to the bands that are there; -1 for the place of a band that is not.

    Compiled code gets its constants through this value and never by import: numba's cache would keep an imported
    constant's old value for as long as the kernel's own file does not change.

    mined : float64 (4, B); char, straw, leaf, white, floor : float64 (B,); blue, red, nir : int; spread : Spread.
    """

    mined: NDArray[np.float64]
    char: NDArray[np.float64]
    straw: NDArray[np.float64]
    leaf: NDArray[np.float64]
    white: NDArray[np.float64]
    floor: NDArray[np.float64]
    blue: int
    red: int
    nir: int
    spread: Spread


def spectral_model(bands: Sequence[str]) -> SpectralModel:
    """Endmembers and floors for a subset of BANDS, in the order given; an unknown band is a ValueError."""
    at = [BANDS.index(band) for band in bands]

    def cut(values: Sequence[float]) -> NDArray[np.float64]:
        return np.array([values[i] for i in at], np.float64)

    place = {band: i for i, band in enumerate(bands)}
    return SpectralModel(
        mined=np.array([cut(_SPECTRA[name]) for name in MINED]),
        char=cut(_SPECTRA["char"]),
        straw=cut(_SPECTRA["straw"]),
        leaf=cut(_SPECTRA["leaf"]),
        white=cut(_SPECTRA["white"]),
        floor=cut(FLOOR),
        blue=place.get("blue", -1),
        red=place.get("red", -1),
        nir=place.get("nir", -1),
        spread=Spread(),
    )
