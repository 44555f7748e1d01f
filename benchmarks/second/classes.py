"""Scene classification of one date, mistakes included.

In: the bands as measured, the true sky, what the ground holds that misleads. Out: uint8 (rows, columns) of 20 m, codes
of Sentinel-2's SCL. Thin edges and small clouds are missed, shadows missed or displaced, bright ground and turbid
water told cloud, dark ground told shadow. It does not decide what was truly clear. All numbers are chosen.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from second.outlines import halved
from second.recipe import Bools, Floats, Ints, Rng
from second.sky import Sky
from second.surface import Ground

DARK, SHADOW, VEGETATION, BARE, WATER, UNSURE, CLOUD, SURE_CLOUD, CIRRUS = range(2, 11)


def classify(bands: list[Floats], sky: Sky, ground: Ground, rng: Rng) -> Ints:
    """Classify a date."""
    blue, green, red, nir = (halved(band) for band in bands[:4])
    swir = bands[4]
    vegetation = (nir - red) / (nir + red + 1e-4)
    wetness = (green - swir) / (green + swir + 1e-4)
    bright = (blue + green + red) / 3
    classes = np.full(swir.shape, UNSURE, np.uint8)
    classes[vegetation > 0.42] = VEGETATION
    classes[(vegetation <= 0.42) & (swir > 0.1)] = BARE
    classes[(vegetation < 0.12) & (wetness > 0.15)] = WATER
    classes[(nir < 0.11) & (swir < 0.09) & (vegetation > 0.05)] = DARK
    dim = (nir < 0.13) & (swir < 0.10) & (vegetation > -0.1)
    classes[dim & (classes != WATER) & (bright < 0.06)] = rng.choice([DARK, SHADOW, UNSURE])
    _tell_shadow(classes, halved(sky.shadow), nir, rng)
    cloud = _tell_cloud(classes, sky, rng)
    _mislead(classes, ground, bright, (bright > 0.15) & (vegetation < 0.25) & ~cloud, cloud, rng)
    return classes


def _tell_shadow(classes: Ints, shadow: Floats, nir: Floats, rng: Rng) -> None:
    missed = rng.random() < 0.15
    told = shadow > rng.uniform(0.15, 0.9)
    if rng.random() < 0.4:
        told = np.roll(told, rng.integers(-2, 3, 2), (0, 1))
    if not missed:
        classes[told & (nir < 0.3)] = SHADOW


def _tell_cloud(classes: Ints, sky: Sky, rng: Rng) -> Bools:
    depth, cirrus = halved(sky.depth), halved(sky.cirrus)
    told = depth > rng.uniform(0.12, 0.75)
    labels, count = ndimage.label(told)
    if count:
        missed = (np.bincount(labels.ravel()) < 5) & (rng.random(count + 1) < 0.45)
        told &= ~missed[labels]
    if rng.random() < 0.35:
        told = ndimage.binary_dilation(told, iterations=int(rng.integers(1, 3)))
    elif rng.random() < 0.45:
        told = ndimage.binary_erosion(told, border_value=1)
    classes[told] = CLOUD
    classes[told & (depth > rng.uniform(1, 2.5))] = SURE_CLOUD
    classes[(cirrus > rng.uniform(0.02, 0.05)) & ~told] = CIRRUS
    return told


def _mislead(classes: Ints, ground: Ground, bright: Floats, pale: Bools, cloud: Bools, rng: Rng) -> None:
    """Take pale ground, turbid ponds and roofs for cloud, dark ponds for shadow, block by block."""
    side = len(classes)
    share = rng.uniform(0.25, 0.55) if rng.random() < 0.85 else 0.9
    taken = pale & _blocks(side, share, rng)
    classes[taken] = np.where(bright[taken] > 0.21, SURE_CLOUD, CLOUD)
    turbid = (ground.turbid > 0.3) & _blocks(side, rng.uniform(0.2, 0.55), rng)
    classes[turbid] = rng.choice([CLOUD, SURE_CLOUD])
    roofs = (ground.roofs > 0.15) & _blocks(side, rng.uniform(0.25, 0.6), rng)
    classes[roofs] = rng.choice([CLOUD, SURE_CLOUD])
    if taken.any() and rng.random() < 0.3:
        classes[ndimage.binary_dilation(taken) & ~cloud & (classes == BARE)] = CLOUD
    dark = (ground.dark > 0.3) & _blocks(side, rng.uniform(0.25, 0.6), rng)
    classes[dark] = rng.choice([DARK, SHADOW])


def _blocks(side: int, share: float, rng: Rng) -> Bools:
    """Draw blocks of 120 m with a chance each."""
    chosen = rng.random((side // 6 + 1,) * 2) < share
    return np.kron(chosen, np.ones((6, 6), bool))[:side, :side]
