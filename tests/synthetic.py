"""Small hand-made reflectance series: two kinds of ground with a season, and what may happen to a pixel of them.

The spectra are typed here by hand and on purpose differ a little from those in `geomon.kernels.spectra`: a detector
that only knows its own numbers would not do.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from geomon.change import Baseline, Spans
from geomon.kernels.quality import CLEAR, CLOUDED, DOUBTFUL
from geomon.model import BANDS, Period, to_day

Spectrum = NDArray[np.float64]

SPANS = Spans(Period(date(2021, 1, 1), date(2022, 6, 30)), to_day(date(2022, 7, 1)))
BASELINE_DAYS = range(to_day(date(2021, 1, 3)), to_day(date(2022, 6, 30)), 10)
MONITOR_DAYS = range(to_day(date(2022, 7, 4)), to_day(date(2023, 6, 30)), 10)
DRIEST = to_day(date(2021, 2, 5))
"""A day at the height of a dry season north of the equator."""
GREENEST = to_day(date(2021, 8, 7))
NOISE = 0.004
"""Standard deviation of one look's reflectance in each band."""
ALWAYS = 100_000


def _row(*reflectance: float) -> Spectrum:
    return np.array(reflectance)


COVER: Mapping[str, Spectrum] = {
    "sand": _row(0.150, 0.210, 0.270, 0.350, 0.420, 0.370),
    "laterite": _row(0.065, 0.105, 0.165, 0.250, 0.350, 0.300),
    "turbid": _row(0.085, 0.125, 0.155, 0.110, 0.030, 0.020),
    "pond": _row(0.035, 0.045, 0.035, 0.020, 0.012, 0.010),
    "char": _row(0.030, 0.034, 0.040, 0.075, 0.130, 0.125),
    "straw": _row(0.060, 0.090, 0.120, 0.230, 0.300, 0.210),
    "white": _row(0.580, 0.580, 0.590, 0.600, 0.480, 0.380),
    "black": _row(0.000, 0.000, 0.000, 0.000, 0.000, 0.000),
}


@dataclass(frozen=True)
class Ground:
    """A surface that swings between its greenest and its driest spectrum once a year."""

    green: Spectrum
    dry: Spectrum

    @property
    def mean(self) -> Spectrum:
        return (self.green + self.dry) / 2

    @property
    def swing(self) -> Spectrum:
        return (self.dry - self.green) / 2

    def at(self, day: int) -> Spectrum:
        return self.mean + self.swing * np.cos(2 * np.pi * (day - DRIEST) / 365.25)


FOREST = Ground(_row(0.022, 0.045, 0.026, 0.310, 0.145, 0.062), _row(0.024, 0.047, 0.032, 0.275, 0.160, 0.072))
SAVANNA = Ground(_row(0.035, 0.066, 0.052, 0.280, 0.215, 0.125), _row(0.058, 0.088, 0.102, 0.230, 0.300, 0.212))


@dataclass(frozen=True)
class Happening:
    """From `start`, for `days`, the pixel is mixed with shares of `COVER`; `fading` shares fall to nothing by then."""

    start: int
    mix: Mapping[str, float]
    days: int = ALWAYS
    fading: bool = False
    quality: int = CLEAR

    def share_left(self, day: int) -> float:
        age = (day - self.start) / self.days
        if not 0 <= age < 1:
            return 0.0
        return 1.0 - age if self.fading else 1.0


def pit(day: int, *, sand: float = 0.6, turbid: float = 0.3) -> Happening:
    """Ground dug on a day and open ever after."""
    return Happening(day, {"sand": sand, "turbid": turbid})


def cloud(day: int, *, days: int = 1) -> Happening:
    """Thick cloud that the mask has found."""
    return Happening(day, {"white": 0.9}, days, quality=CLOUDED)


def small_cloud(day: int, *, days: int = 1) -> Happening:
    """Cloud in so small a patch that the mask is not believed."""
    return Happening(day, {"white": 0.5}, days, quality=DOUBTFUL)


def haze(day: int, *, share: float = 0.1, days: int = 1) -> Happening:
    """Haze or thin cloud that the mask has missed."""
    return Happening(day, {"white": share}, days)


def shadow(day: int, *, share: float = 0.3, days: int = 1) -> Happening:
    """A cloud's shadow that the mask has missed."""
    return Happening(day, {"black": share}, days)


def burn(day: int, *, share: float = 0.6, days: int = 60) -> Happening:
    """A grass fire that greens away."""
    return Happening(day, {"char": share}, days, fading=True)


def blend(base: Spectrum, mix: Mapping[str, float]) -> Spectrum:
    """`base` with shares of covers laid over it."""
    return base + sum((share * (COVER[name] - base) for name, share in mix.items()), np.zeros_like(base))


@dataclass(frozen=True)
class Pixel:
    """Ground and what happens to it; later happenings lie over earlier ones, the worst quality wins."""

    ground: Ground = FOREST
    happenings: tuple[Happening, ...] = ()

    def at(self, day: int) -> tuple[Spectrum, int]:
        spectrum, quality = self.ground.at(day), CLEAR
        for happening in self.happenings:
            left = happening.share_left(day)
            if left > 0:
                spectrum = blend(spectrum, {name: left * share for name, share in happening.mix.items()})
                quality = min(quality, happening.quality)
        return spectrum, quality


@dataclass(frozen=True)
class Look:
    """One look, as `geomon.change.LookArrays` asks for it."""

    day: int
    reflectance: NDArray[np.int16]
    quality: NDArray[np.uint8]


def steps(reflectance: Spectrum) -> NDArray[np.int16]:
    """Reflectance in whole steps of 1e-4."""
    return np.rint(reflectance * 1e4).astype(np.int16)


def watch(
    pixels: Sequence[Pixel],
    days: Sequence[int],
    *,
    rng: np.random.Generator,
    shape: tuple[int, int] | None = None,
    bands: Sequence[str] = BANDS,
    noise: float = NOISE,
) -> list[Look]:
    """What a satellite with white noise sees of some pixels, by default laid out in one row."""
    height, width = shape or (1, len(pixels))
    keep = [BANDS.index(band) for band in bands]
    looks = []
    for day in days:
        seen = [pixel.at(day) for pixel in pixels]
        spectra = np.stack([spectrum for spectrum, _ in seen], axis=1)
        spectra += rng.normal(0, noise, spectra.shape)
        quality = np.array([code for _, code in seen], np.uint8).reshape(height, width)
        looks.append(Look(day, steps(spectra[keep]).reshape(len(keep), height, width), quality))
    return looks


def baseline_of(looks: Sequence[Look], *, bands: Sequence[str] = BANDS) -> Baseline:
    """A baseline in memory that holds the looks."""
    baseline = Baseline(bands, looks[0].quality.shape, io.BytesIO())
    for look in looks:
        baseline.add(look)
    return baseline
