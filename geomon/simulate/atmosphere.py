"""From the ground to the sensor: point spread, sun, haze, clouds, shadows, noise, and a scene classification that errs.

In: surface reflectance of a day and a generator of its own. Out: `Sensed`, digital numbers as Sentinel-2 L2A ships
them. The classification misses part of the cloud, and takes bright ground and turbid ponds for cloud on about half of
the dates, as SCL does over just such targets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import ndtri

from geomon.simulate.climate import Weather
from geomon.simulate.fields import BoolArray, FloatArray, Rng, block_mean, rough_field, sigmoid, smooth_field
from geomon.simulate.recipe import Clouds

NODATA, DARK, SHADOW, VEGETATION, BARE = 0, 2, 3, 4, 5
WATER, UNCLASSIFIED, CLOUD_MEDIUM, CLOUD_HIGH, CIRRUS = 6, 7, 8, 9, 10
"""Codes of the Sentinel-2 L2A scene classification (SCL)."""
CLOUD_CODES = (CLOUD_MEDIUM, CLOUD_HIGH, CIRRUS)
_QUANTUM = 10_000
_CLOUD_TINT = np.array([1.0, 0.98, 0.97, 1.0, 0.72, 0.55], dtype=np.float32)[:, None, None]
_HAZE_TINT = np.array([1.0, 0.78, 0.6, 0.38, 0.12, 0.07], dtype=np.float32)[:, None, None]
_SHADOW_DEPTH = np.array([0.42, 0.47, 0.52, 0.60, 0.66, 0.68], dtype=np.float32)[:, None, None]
"""Share of light lost under thick cloud; skylight fills the blue."""
_REGISTRATION_SD_PX = 0.25
_POINT_SPREAD_SD_PX = 0.42
"""Sentinel-2's 10 m bands spread about a pixel (full width at half maximum 22 m for B08 at most); chosen."""


@dataclass(frozen=True, slots=True)
class Sensed:
    """One acquisition: uint16 (4, n, n) at 10 m, (2, n/2, n/2) at 20 m, uint8 SCL at 20 m, cloud cover [%]."""

    fine: NDArray[np.uint16]
    coarse: NDArray[np.uint16]
    scl: NDArray[np.uint8]
    cloud_cover: float


def sense(surface: FloatArray, weather: Weather, rng: Rng, *, clouds: Clouds, offset: int) -> Sensed:
    """Look at the ground through the air of one date.

    Parameters
    ----------
    surface : float32, (6, rows, columns)
        Reflectance on 10 m pixels.
    weather : Weather
    rng : Generator
        Of this date alone, so that dates do not depend on each other.
    clouds : {"usual", "bad_wet", "none"}
    offset : int
        Added to digital numbers (processing baseline 04.00: 1000).
    """
    shape = surface.shape[1:]
    seen = _register(_sunlit(surface, rng), rng)
    sky = _sky(weather, rng, (shape[0], shape[1]), clouds)
    cloud, shadow, haze = sky
    through = seen * (1 - _SHADOW_DEPTH * shadow) + _HAZE_TINT * haze
    white = _CLOUD_TINT * (0.42 + 0.45 * cloud**2)
    through = through + cloud * (white - through)
    seen_20m = block_mean(seen, 2)
    scl = _classify(seen_20m, block_mean(sky, 2), rng)
    fine = _numbers(_noisy(through[:4], rng), offset)
    coarse = _numbers(_noisy(block_mean(through[4:], 2), rng), offset)
    outside = _outside_swath(rng, scl.shape)
    scl[outside] = NODATA
    coarse[:, outside] = 0
    fine[:, np.kron(outside, np.ones((2, 2), dtype=np.bool_))] = 0
    valid = max(int(np.count_nonzero(scl)), 1)
    return Sensed(fine, coarse, scl, 100.0 * float(np.isin(scl, CLOUD_CODES).sum()) / valid)


def _sunlit(surface: FloatArray, rng: Rng) -> FloatArray:
    """Illumination, view angle and calibration: 1-4 % per date, a little per band, and a faint slope over the scene."""
    gain = np.exp(rng.normal(0, rng.uniform(0.01, 0.03)) + rng.normal(0, 0.008, (6, 1, 1))).astype(np.float32)
    slope = 0.012 * smooth_field(rng, (surface.shape[1], surface.shape[2]), length=80.0)
    return np.asarray(surface * gain * (1 + slope), dtype=np.float32)


def _register(surface: FloatArray, rng: Rng) -> FloatArray:
    """Blur by the point spread and shift by the registration error of the date, in one separable filter."""
    down, right = np.clip(rng.normal(0, _REGISTRATION_SD_PX, 2), -0.9, 0.9)
    blurred = correlate1d(surface, _tap(down), axis=1, mode="nearest")
    return np.asarray(correlate1d(blurred, _tap(right), axis=2, mode="nearest"), dtype=np.float32)


def _tap(shift: float) -> FloatArray:
    weight = np.exp(-0.5 * ((np.arange(-3, 4) - shift) / _POINT_SPREAD_SD_PX) ** 2)
    return np.asarray(weight / weight.sum(), dtype=np.float32)


def _sky(weather: Weather, rng: Rng, shape: tuple[int, int], clouds: Clouds) -> FloatArray:
    """Cloud share, share of light lost to shadow, and light added by haze, (3, rows, columns)."""
    haze_field = rough_field(rng, shape, slope=3.5, outer=120.0)
    dust = rng.gamma(1.2, 0.006) + (0.008 if weather.greenness < 0.2 else 0.0) * rng.random()
    haze = np.maximum(dust * (1 + 0.35 * haze_field), 0).astype(np.float32)
    field = rough_field(rng, shape, slope=3.3, outer=220.0)
    veil = rough_field(rng, shape, slope=3.8, outer=200.0)
    share = np.clip(rng.beta(1.1, 1.1 * (1 - weather.cloud_share) / max(weather.cloud_share, 1e-3)), 1e-4, 0.9995)
    has_veil = rng.random() < 0.25
    if clouds == "none":
        nothing = np.zeros(shape, dtype=np.float32)
        return np.stack([nothing, nothing, haze])
    thick = np.maximum(field + float(ndtri(share)), 0)
    cloud = np.asarray(1 - np.exp(-3.2 * thick), dtype=np.float32)
    shadow = _cast(cloud, weather.day, rng)
    if has_veil:
        cloud = np.maximum(cloud, np.clip(0.05 * (veil + 0.5), 0, 0.12)).astype(np.float32)
    return np.stack([cloud, shadow, haze])


def _cast(cloud: FloatArray, day: int, rng: Rng) -> FloatArray:
    """Move the clouds to where their shadows fall: the sun is in the east, north of it in June, south in December."""
    reach_px = rng.uniform(600, 2500) * 0.55 / 10
    north = np.sin(2 * np.pi * (day % 365.25 - 80) / 365.25) * 0.55
    shifted = np.roll(cloud, (round(reach_px * north), -round(reach_px)), axis=(0, 1))
    return np.asarray(shifted * (1 - cloud), dtype=np.float32)


def _noisy(reflectance: FloatArray, rng: Rng) -> FloatArray:
    noise = rng.standard_normal(reflectance.shape, dtype=np.float32)
    return np.asarray(reflectance + noise * (0.0012 + 0.008 * reflectance), dtype=np.float32)


def _numbers(reflectance: FloatArray, offset: int) -> NDArray[np.uint16]:
    # 0 is nodata: the darkest valid number is 1
    return np.asarray(np.clip(np.rint(reflectance * _QUANTUM) + offset, 1, 65_535), dtype=np.uint16)


def _classify(seen: FloatArray, sky: FloatArray, rng: Rng) -> NDArray[np.uint8]:
    shape, (cloud, shadow, _) = (seen.shape[1], seen.shape[2]), sky
    scl = _ground_class(seen)
    clear = scl.copy()
    scl[_false_cloud(seen, rng)] = CLOUD_MEDIUM if rng.random() < 0.6 else CLOUD_HIGH
    noticed_from = rng.uniform(0.06, 0.3)
    shadow_from = rng.uniform(0.2, 0.5)
    scl[shadow > shadow_from] = SHADOW
    scl[(cloud > 0.02) & (cloud <= noticed_from) & (rng.random() < 0.4)] = CIRRUS
    scl[cloud > noticed_from] = CLOUD_MEDIUM
    scl[cloud > max(0.55, noticed_from)] = CLOUD_HIGH
    missed_share = rng.uniform(0.3, 0.6) if rng.random() < 0.12 else rng.uniform(0.01, 0.08)
    missed = smooth_field(rng, shape, length=7.0) < ndtri(missed_share)
    cloudy = missed & np.isin(scl, (*CLOUD_CODES, SHADOW))
    scl[cloudy] = np.where(cloud > 0.5, np.where(cloud > 0.8, BARE, UNCLASSIFIED), clear)[cloudy]
    return scl


def _ground_class(seen: FloatArray) -> NDArray[np.uint8]:
    _, green, red, nir, swir, _ = seen
    greenness = (nir - red) / (nir + red + 1e-6)
    scl = np.where(greenness > 0.42, VEGETATION, BARE).astype(np.uint8)
    scl[(greenness > 0.32) & (greenness <= 0.42) & (red < 0.09)] = UNCLASSIFIED
    scl[(nir < 0.12) & (swir < 0.14) & (red < 0.06)] = DARK
    scl[(green > nir) & (swir < 0.09)] = WATER
    return scl


def _false_cloud(seen: FloatArray, rng: Rng) -> BoolArray:
    """Bright ground and turbid ponds taken for cloud, in blotches, on about half of the dates."""
    blue, green, red, nir, swir, _ = seen
    share = rng.uniform(0.4, 1.0) if rng.random() < 0.5 else 0.02
    field = smooth_field(rng, (seen.shape[1], seen.shape[2]), length=3.0)
    plants = (nir - red) / (nir + red + 1e-6)
    bright = sigmoid(((blue + green + red) / 3 - 0.112) / 0.012) * (plants < 0.35)
    milky = 0.8 * ((green > 0.075) & (red > 0.075) & (plants < 0.2) & (swir < 0.2))
    chance = np.clip(share * np.maximum(bright, milky), 1e-6, 1 - 1e-6)
    return np.asarray(field < ndtri(chance))


def _outside_swath(rng: Rng, shape: tuple[int, ...]) -> BoolArray:
    """On one date in eight the orbit's edge crosses the square, slanted as the ground track is."""
    crosses, east, where = rng.random() < 0.125, rng.random() < 0.5, rng.uniform(0.05, 0.5)
    down, right = np.ogrid[: shape[0], : shape[1]]
    border = (right + 0.22 * down) / (1.22 * shape[1])
    outside = border > 1 - where if east else border < where
    return np.asarray(outside & crosses)
