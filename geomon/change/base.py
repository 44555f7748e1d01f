"""What every detector shares: the baseline's looks, the job's time, the protocol and its laws.

In: looks as arrays. Out: blocks of a baseline, design rows of a day, the months in which a pixel was seen. Decides
nothing about change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from geomon.kernels import evidence, harmonic, spectra
from geomon.model import Period, from_day, to_day

State = Mapping[str, NDArray[Any]]
"""Arrays of one tile by name, first axes (h, w) or (n, h, w); everything a detector remembers."""

MIN_BASELINE_LOOKS: Final = 8
"""Three more than the coefficients of the season: with fewer the residual scale means nothing, and the pixel is not
judged.
"""
RIDGE_LOOKS: Final = 0.5
"""Weight of "no season" in the fit [looks]: pulls scarcely seen pixels towards their mean, moves well seen ones by
under 1 %.
"""
TREND_DAYS: Final = 3 * 365.25
"""A trend is fitted with three years or more (design 4.1): it takes that to tell one from an odd season."""
BLOCK_BYTES: Final = 1 << 26
"""Reflectance fitted at once, however long the baseline: 23,301 pixels of 120 dates x 6 bands float32."""


class LookArrays(Protocol):
    """One look of one tile (`geomon.cube.LookArrays`)."""

    @property
    def day(self) -> int:
        """Acquisition day, days since 1970-01-01."""

    @property
    def reflectance(self) -> NDArray[np.int16]:
        """Reflectance, int16 (B, h, w) in 1e-4."""

    @property
    def quality(self) -> NDArray[np.uint8]:
        """Quality codes, uint8 (h, w)."""


class Baseline:
    """The looks of a baseline, kept on disk and handed out a block of pixels at a time.

    Memory does not grow with the length of the history: each look is appended to an anonymous file as it is read.
    """

    def __init__(self, bands: Sequence[str], shape: tuple[int, int], scratch: BinaryIO) -> None:
        self.bands = tuple(bands)
        self.shape = shape
        self.days: list[int] = []
        self._scratch = scratch

    def add(self, look: LookArrays) -> None:
        """Append one look; pixels that may not enter a baseline become nodata."""
        flat = look.reflectance.reshape(len(self.bands), -1)
        good = evidence.usable(flat, look.quality.reshape(-1), bands=self.bands)
        if good.any():
            self._scratch.write(np.where(good, flat, spectra.NODATA_REFLECTANCE).astype("<i2").tobytes())
            self.days.append(look.day)

    def look(self, number: int) -> NDArray[np.int16]:
        """Reflectance of one look, int16 (B, P) in 1e-4; nodata where it did not enter."""
        pixels = self.shape[0] * self.shape[1]
        size = 2 * len(self.bands) * pixels
        self._scratch.seek(number * size)
        return np.frombuffer(self._scratch.read(size), "<i2").reshape(len(self.bands), pixels)

    def blocks(self) -> Iterator[slice]:
        """Cut the tile's pixels into runs whose reflectance fills at most BLOCK_BYTES."""
        pixels = self.shape[0] * self.shape[1]
        step = max(BLOCK_BYTES // (4 * len(self.bands) * max(len(self.days), 1)), 1)
        for start in range(0, pixels, step):
            yield slice(start, min(start + step, pixels))

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Reflectance float32 (B, T, stop - start), NaN where not clear."""
        pixels = self.shape[0] * self.shape[1]
        stack = np.empty((len(self.bands), len(self.days), stop - start), np.float32)
        for t in range(len(self.days)):
            for b in range(len(self.bands)):
                self._scratch.seek(2 * ((t * len(self.bands) + b) * pixels + start))
                raw = np.frombuffer(self._scratch.read(2 * (stop - start)), "<i2")
                stack[b, t] = np.where(raw == spectra.NODATA_REFLECTANCE, np.nan, raw * np.float32(spectra.UNIT))
        return stack


@dataclass(frozen=True, slots=True)
class Spans:
    """What a detector needs to know of the job's time: the baseline and the first day of the monitor."""

    baseline: Period
    monitor_start: int

    def design(self, days: Sequence[int]) -> NDArray[np.float64]:
        """Rows of the harmonic design for some days."""
        first, last = to_day(self.baseline.start), to_day(self.baseline.end)
        span = float(last - first)
        return harmonic.design_matrix(
            np.asarray(days, np.int64), reference_day=(first + last) / 2, span_days=span, trend=span >= TREND_DAYS
        )


class Detector(Protocol):
    """From a baseline and looks in order of their days to change layers.

    Laws, tested for every entry of `DETECTORS`: applying looks in two runs gives the same state as in one, to the bit;
    pixels are independent; a look without a clear pixel changes nothing; cloud never becomes change; arguments are not
    changed.
    """

    def fit(self, baseline: Baseline) -> State:
        """State before the first look of the monitor."""

    def apply(self, state: State, look: LookArrays) -> State:
        """State after one more look."""

    def layers(self, state: State, *, as_of: int) -> dict[str, NDArray[Any]]:
        """Change layers as `geomon.schema.LAYERS` declares them, as known on a day."""


def mark_month(seen: NDArray[np.uint8], clear: NDArray[np.bool_], *, since: int, day: int) -> NDArray[np.uint8]:
    """Set the bit of a look's month where it was clear.

    Parameters
    ----------
    seen : uint8, shape (n, h, w)
        Eight months a plane, from the month of `since`; more planes are added as needed.
    clear : bool, shape (h, w)
        Where this look was clear.
    since, day : int
        First day of the monitor and day of the look, days since 1970-01-01.
    """
    if not clear.any():
        return seen
    start, now = from_day(since), from_day(day)
    month = 12 * (now.year - start.year) + now.month - start.month
    planes = np.zeros((max(len(seen), month // 8 + 1), *clear.shape), np.uint8)
    planes[: len(seen)] = seen
    planes[month // 8] |= clear.astype(np.uint8) << np.uint8(month % 8)
    return planes
