"""Surface reflectance of the materials, six Sentinel-2 bands, and how objects of one material differ.

In: nothing, or a generator. Out: float32 (6,) arrays in the order of `geomon.model.BANDS`. The numbers are round
values typical of such surfaces in the literature, chosen for the simulator; none was fitted to a scene or tuned for a
detector.
"""

from typing import Final

import numpy as np

from geomon.simulate.fields import FloatArray, Rng

CENTRES_UM: Final = np.array([0.49, 0.56, 0.665, 0.842, 1.61, 2.19], dtype=np.float32)
"""Band centres of Sentinel-2 B02 B03 B04 B08 B11 B12."""


def _of(*values: float) -> FloatArray:
    spectrum = np.array(values, dtype=np.float32)
    spectrum.setflags(write=False)
    return spectrum


FOREST: Final = _of(0.020, 0.045, 0.025, 0.320, 0.140, 0.060)
FOREST_DRY: Final = _of(0.022, 0.048, 0.032, 0.290, 0.150, 0.070)
GALLERY: Final = _of(0.022, 0.048, 0.028, 0.340, 0.150, 0.065)
GALLERY_DRY: Final = _of(0.026, 0.050, 0.037, 0.290, 0.165, 0.080)
GRASS: Final = _of(0.035, 0.075, 0.055, 0.320, 0.220, 0.120)
GRASS_DRY: Final = _of(0.060, 0.090, 0.110, 0.220, 0.280, 0.190)
WOODY: Final = _of(0.028, 0.060, 0.040, 0.310, 0.180, 0.090)
WOODY_DRY: Final = _of(0.045, 0.070, 0.075, 0.230, 0.230, 0.140)
MEADOW: Final = _of(0.030, 0.070, 0.045, 0.330, 0.180, 0.090)
MEADOW_DRY: Final = _of(0.055, 0.085, 0.100, 0.230, 0.260, 0.170)
FALLOW: Final = _of(0.028, 0.065, 0.040, 0.350, 0.185, 0.085)
FALLOW_DRY: Final = _of(0.040, 0.070, 0.065, 0.270, 0.220, 0.120)
ORCHARD: Final = _of(0.027, 0.056, 0.036, 0.300, 0.170, 0.080)
ORCHARD_DRY: Final = _of(0.034, 0.062, 0.055, 0.270, 0.190, 0.100)
CROP: Final = _of(0.035, 0.078, 0.050, 0.380, 0.210, 0.105)
CRUST: Final = _of(0.055, 0.080, 0.115, 0.195, 0.290, 0.250)
LATERITE: Final = _of(0.060, 0.090, 0.155, 0.250, 0.360, 0.320)
FARM_SOIL: Final = _of(0.055, 0.080, 0.115, 0.200, 0.300, 0.255)
SANDY_SOIL: Final = _of(0.095, 0.135, 0.180, 0.260, 0.360, 0.320)
GRAVEL: Final = _of(0.110, 0.160, 0.220, 0.300, 0.400, 0.360)
WHITE_SAND: Final = _of(0.170, 0.220, 0.270, 0.340, 0.420, 0.390)
RED_SPOIL: Final = _of(0.065, 0.105, 0.180, 0.270, 0.360, 0.310)
SLASH: Final = _of(0.048, 0.072, 0.090, 0.210, 0.260, 0.180)
CHAR: Final = _of(0.030, 0.035, 0.040, 0.070, 0.120, 0.110)
RIVER: Final = _of(0.035, 0.052, 0.045, 0.025, 0.012, 0.008)
RIVER_FLOOD: Final = _of(0.055, 0.085, 0.100, 0.065, 0.020, 0.012)
TURBID: Final = _of(0.070, 0.110, 0.140, 0.090, 0.030, 0.020)
STANDING: Final = _of(0.030, 0.040, 0.030, 0.020, 0.010, 0.010)
TIN_ROOF: Final = _of(0.240, 0.260, 0.290, 0.340, 0.370, 0.340)
THATCH: Final = _of(0.070, 0.095, 0.120, 0.190, 0.280, 0.220)
WET_DARKENING: Final = _of(0.28, 0.28, 0.27, 0.26, 0.34, 0.40)
"""Share of reflectance that bare soil loses when its surface is soaked; stronger in the short-wave infrared."""


def soaked(wetness: float, share: float = 1.0) -> FloatArray:
    """What rain leaves of the reflectance of bare ground, of which only a share darkens."""
    return 1 - np.float32(share * wetness) * WET_DARKENING


def river(turbidity: float) -> FloatArray:
    """Water of the river, from clear to muddy."""
    return RIVER + np.float32(turbidity) * (RIVER_FLOOD - RIVER)


def bare_alluvium(rng: Rng) -> FloatArray:
    """Draw the spoil of one site, from white sand over grey gravel to red overburden."""
    mix = rng.dirichlet((1.6, 0.7, 1.2)).astype(np.float32)
    tone = mix[0] * GRAVEL + mix[1] * WHITE_SAND + mix[2] * RED_SPOIL
    return tinted(rng, tone, spread=0.10)


def turbid_water(rng: Rng) -> FloatArray:
    """Draw washing water of one site, milky to orange."""
    orange = np.float32(rng.uniform(-0.25, 0.35))
    tone = TURBID * (1 + orange * np.array([-0.5, -0.1, 0.5, 0.5, 0.2, 0.2], dtype=np.float32))
    return tinted(rng, tone * np.float32(rng.uniform(0.65, 1.45)), spread=0.05)


def farm_soil(rng: Rng) -> FloatArray:
    """Draw the soil of one field: red-brown, on sandstone paler."""
    sandy = np.float32(rng.beta(1.2, 2.0))
    return tinted(rng, (1 - sandy) * FARM_SOIL + sandy * SANDY_SOIL, spread=0.10)


def tinted(rng: Rng, spectrum: FloatArray, *, spread: float) -> FloatArray:
    """Scale a spectrum by a random brightness and a random slope over wavelength, each of relative sd `spread`."""
    slope = (CENTRES_UM - CENTRES_UM.mean()) / CENTRES_UM.std()
    factor = np.exp(rng.normal(0, spread) + 0.5 * rng.normal(0, spread) * slope)
    return np.asarray(spectrum * factor, dtype=np.float32)
