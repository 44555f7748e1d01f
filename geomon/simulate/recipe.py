"""What to simulate: one frozen recipe, and the lattice that follows from it.

In: options. Out: `Recipe` (kind of landscape, size, periods, clouds, abundance of mines and of their look-alikes), its
acquisition dates and its pixel grid. Nothing here draws a random number.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine

from geomon.model import to_day

Kind = Literal["forest", "mosaic", "dike"]
Clouds = Literal["usual", "bad_wet", "none"]
Span = tuple[date, date]

EPSG = 32633
PIXEL_M = 10.0
OVERSAMPLE = 4
"""Ground cells per pixel side: pits of 3 m radius need cells well under their size."""
CELL_M = PIXEL_M / OVERSAMPLE
CENTRE_M = (473_600.0, 601_600.0)
"""Northing and easting near Berberati, CAR (4.28 N 15.92 E), in EPSG:32633: the middle of a 512 px tile of geomon's
grid, so that the demo's square is one tile.
"""
MGRS = "33NWE"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every option of a simulated landscape; the same recipe gives the same bytes.

    Parameters
    ----------
    name : str
        Name of the monitoring job that is written beside the catalogue.
    kind : {"forest", "mosaic", "dike"}
        Closed forest valley, savanna with gallery forest, or trenches on dikes and colluvium far from water.
    size_px : int
        Side of the square in 10 m pixels; even, at least 64.
    seed : int
        Seed of every generator.
    baseline, monitor : (date, date)
        Inclusive periods; the monitor period starts after the baseline ends.
    revisit_days : int
        Days between acquisitions; 5 is Sentinel-2 with two platforms.
    clouds : {"usual", "bad_wet", "none"}
        Seasonal cloud regime.
    mine_share : float
        Aimed share of the ground newly dug in the monitor period [0-0.05].
    confusers : float
        Density of farms, gaps and roads; 1 is usual, 0 has none.
    """

    name: str = "demo"
    kind: Kind = "mosaic"
    size_px: int = 256
    seed: int = 20240131
    baseline: Span = (date(2021, 1, 1), date(2022, 6, 30))
    monitor: Span = (date(2022, 7, 1), date(2023, 12, 31))
    revisit_days: int = 5
    clouds: Clouds = "usual"
    mine_share: float = 0.01
    confusers: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, naming the option and the value."""
        ordered = self.baseline[0] < self.baseline[1] < self.monitor[0] < self.monitor[1]
        rules = {
            f"kind must be one of {get_args(Kind)}, got {self.kind!r}": self.kind in get_args(Kind),
            f"clouds must be one of {get_args(Clouds)}, got {self.clouds!r}": self.clouds in get_args(Clouds),
            f"size_px must be even and at least 64, got {self.size_px}": self.size_px >= 64 and self.size_px % 2 == 0,
            f"seed must not be negative, got {self.seed}": self.seed >= 0,
            f"revisit_days must be at least 1, got {self.revisit_days}": self.revisit_days >= 1,
            f"mine_share must lie in 0-0.05, got {self.mine_share}": 0 <= self.mine_share <= 0.05,
            f"confusers must lie in 0-5, got {self.confusers}": 0 <= self.confusers <= 5,
            f"periods must follow each other, got {self.baseline} and {self.monitor}": ordered,
        }
        wrong = [text for text, holds in rules.items() if not holds]
        if wrong:
            raise ValueError(f"recipe {self.name!r}: " + "; ".join(wrong))

    @property
    def dates(self) -> tuple[date, ...]:
        """Acquisition dates, oldest first."""
        first, last = self.baseline[0] + timedelta(days=2), self.monitor[1]
        count = (last - first).days // self.revisit_days + 1
        return tuple(first + timedelta(days=self.revisit_days * i) for i in range(count))

    @property
    def days(self) -> tuple[int, int, int]:
        """Day numbers of the baseline's start, the monitor's start and the monitor's end."""
        return to_day(self.baseline[0]), to_day(self.monitor[0]), to_day(self.monitor[1])

    @property
    def cells(self) -> int:
        """Side of the ground grid in 2.5 m cells."""
        return self.size_px * OVERSAMPLE

    @property
    def side_m(self) -> float:
        """Side of the square [m]."""
        return self.size_px * PIXEL_M

    def transform(self, resolution_m: float = PIXEL_M) -> Affine:
        """Return the pixel-to-map transform of the whole square, its corner on Sentinel-2's own 20 m lattice."""
        top, left = (20.0 * round((m + s * self.side_m / 2) / 20) for m, s in zip(CENTRE_M, (1, -1), strict=True))
        return Affine(resolution_m, 0.0, left, 0.0, -resolution_m, top)

    def map_xy(self, down_right_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return eastings and northings of places in the square, (n, 2) from (n, 2)."""
        corner = self.transform()
        return np.column_stack([corner.c + down_right_m[:, 1], corner.f - down_right_m[:, 0]])


DEMO = Recipe()
"""Mine-rich savanna valley, 2.6 km square, three years: the one that `geomon demo` writes."""
TINY = replace(DEMO, name="tiny", size_px=64, revisit_days=15, mine_share=0.02)
"""Seconds to make; for tests that need a catalogue but not statistics."""
