"""What to simulate: one frozen recipe, and the lattice that follows from it.

In: options. Out: `Recipe` (kind of landscape, size, periods, clouds, abundance of mines and of their look-alikes), its
acquisition dates and its pixel grid. Nothing here draws a random number.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args

from rasterio.transform import Affine

Kind = Literal["forest", "mosaic", "dike"]
Clouds = Literal["usual", "bad_wet", "none"]
Span = tuple[date, date]

EPSG = 32633
PIXEL_M = 10.0
OVERSAMPLE = 4
"""Ground cells per pixel side: pits of 3 m radius need cells well under their size."""
CELL_M = PIXEL_M / OVERSAMPLE
CENTRE_M = (475_340.0, 599_860.0)
"""Northing and easting of 4.3 N 15.9 E (Berberati, CAR) in EPSG:32633."""
EPOCH = date(1970, 1, 1)
MGRS = "33NWE"


def day_number(when: date) -> int:
    """Count the days from 1970-01-01."""
    return (when - EPOCH).days


def date_of(day: int) -> date:
    """Return the date of a day number."""
    return EPOCH + timedelta(days=int(day))


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
        wrong = [text for text, bad in self._faults() if bad]
        if wrong:
            raise ValueError(f"recipe {self.name!r}: " + "; ".join(wrong))

    def _faults(self) -> list[tuple[str, bool]]:
        ordered = self.baseline[0] < self.baseline[1] < self.monitor[0] < self.monitor[1]
        return [
            (f"kind must be one of {get_args(Kind)}, got {self.kind!r}", self.kind not in get_args(Kind)),
            (f"clouds must be one of {get_args(Clouds)}, got {self.clouds!r}", self.clouds not in get_args(Clouds)),
            (f"size_px must be even and at least 64, got {self.size_px}", self.size_px < 64 or self.size_px % 2 == 1),
            (f"seed must not be negative, got {self.seed}", self.seed < 0),
            (f"revisit_days must be at least 1, got {self.revisit_days}", self.revisit_days < 1),
            (f"mine_share must lie in 0-0.05, got {self.mine_share}", not 0 <= self.mine_share <= 0.05),
            (f"confusers must lie in 0-5, got {self.confusers}", not 0 <= self.confusers <= 5),
            (f"periods must follow each other, got {self.baseline} and {self.monitor}", not ordered),
        ]

    @property
    def dates(self) -> tuple[date, ...]:
        """Acquisition dates, oldest first."""
        first, last = self.baseline[0] + timedelta(days=2), self.monitor[1]
        count = (last - first).days // self.revisit_days + 1
        return tuple(first + timedelta(days=self.revisit_days * i) for i in range(count))

    @property
    def days(self) -> tuple[int, int, int]:
        """Day numbers of the baseline's start, the monitor's start and the monitor's end."""
        return day_number(self.baseline[0]), day_number(self.monitor[0]), day_number(self.monitor[1])

    @property
    def cells(self) -> int:
        """Side of the ground grid in 2.5 m cells."""
        return self.size_px * OVERSAMPLE

    @property
    def side_m(self) -> float:
        """Side of the square [m]."""
        return self.size_px * PIXEL_M

    @property
    def corner_m(self) -> tuple[float, float]:
        """Northing and easting of the north-west corner, multiples of 20 m as on Sentinel-2's own lattice."""
        half = self.side_m / 2
        return 20.0 * round((CENTRE_M[0] + half) / 20), 20.0 * round((CENTRE_M[1] - half) / 20)

    def transform(self, resolution_m: float = PIXEL_M) -> Affine:
        """Return the pixel-to-map transform of the whole square."""
        top, left = self.corner_m
        return Affine(resolution_m, 0.0, left, 0.0, -resolution_m, top)

    def map_xy(self, down_m: float, right_m: float) -> tuple[float, float]:
        """Return easting and northing of a place in the square."""
        top, left = self.corner_m
        return left + float(right_m), top - float(down_m)


DEMO = Recipe()
"""Mine-rich savanna valley, 2.6 km square, three years: the one that `geomon demo` writes."""
TINY = replace(DEMO, name="tiny", size_px=64, revisit_days=15, mine_share=0.02)
"""Seconds to make; for tests that need a catalogue but not statistics."""
