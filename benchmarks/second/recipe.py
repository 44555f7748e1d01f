"""What one landscape of the second simulator is: its arguments, its clock, its grids.

In: kind of land, wealth in mines, clouds, seed, size. Out: days (since 1970-01-01), grid sizes, the dates that are
delivered. It decides no physics. All lengths are metres, x to the right and y down from the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rng = np.random.Generator

KINDS = ("forest", "mosaic", "dike")
MINES = ("rich", "rare", "none")
CLOUDS = ("usual", "bad_wet")
EPOCH = date(1970, 1, 1)
CELL_M, HALF_M, PIXEL_M = 2.5, 5.0, 10.0
"""Side of a cell of ground, of a cell of the background, of a pixel."""
REVISIT_DAYS = 5
LOST = 0.03
"""Share of dates that are never delivered; chosen."""


def day_of(year: int, month: int, day: int) -> int:
    return (date(year, month, day) - EPOCH).days


def to_date(day: int) -> date:
    return EPOCH + timedelta(int(day))


SPIN_UP = day_of(2019, 7, 1)
BASELINE = day_of(2021, 1, 1)
MONITOR = day_of(2022, 7, 1)
END = day_of(2023, 12, 31)


@dataclass(frozen=True)
class Recipe:
    """Arguments of one landscape; `every` keeps each n-th date only, and changes nothing on those it keeps."""

    kind: str = "mosaic"
    mines: str = "rich"
    clouds: str = "usual"
    seed: int = 1
    size: int = 256
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse what the generator does not know."""
        for word, known in ((self.kind, KINDS), (self.mines, MINES), (self.clouds, CLOUDS)):
            if word not in known:
                raise ValueError(f"expected one of {known}, got {word!r}")
        if self.size < 32 or self.size % 16:
            raise ValueError(f"size must be a multiple of 16 from 32 on, got {self.size}")

    @property
    def name(self) -> str:
        """Name of the job."""
        return f"second-{self.kind}-{self.mines}-{self.clouds}-{self.seed}"

    @property
    def side_m(self) -> float:
        """Side of the landscape."""
        return self.size * PIXEL_M

    @property
    def cells(self) -> int:
        """Cells of ground a side."""
        return self.size * 4

    @property
    def halves(self) -> int:
        """Cells of the background a side."""
        return self.size * 2

    @property
    def scale(self) -> float:
        """Area, in that of 256 pixels a side: numbers of things go with it."""
        return (self.size / 256) ** 2

    @property
    def days(self) -> Ints:
        """Every date of the orbit."""
        return np.arange(BASELINE + 2, END + 1, REVISIT_DAYS)

    def rng(self) -> Rng:
        """Return the generator of the land; those of the dates are apart."""
        return np.random.default_rng([self.seed, sum(map(ord, self.kind + self.mines + self.clouds)), 7919])

    def delivered(self) -> list[tuple[int, int]]:
        """Return (number, day) of each date that is not lost, whatever `every` says."""
        return [
            (number, int(day))
            for number, day in enumerate(self.days)
            if np.random.default_rng([self.seed, 9, number]).random() >= LOST
        ]
