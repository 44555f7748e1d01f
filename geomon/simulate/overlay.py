"""What all changes of the ground have in common, and the codes of those that are not mining."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from geomon.simulate.climate import Weather
from geomon.simulate.fields import FloatArray, IntArray


class Disturbed(IntEnum):
    """Changes in the monitor period that are not mining; the codes of `truth/disturbance.tif`, later ones on top."""

    NONE = 0
    BURN = 1
    FLOOD = 2
    SANDBANK = 3
    FARM_BEFORE = 4
    FARM = 5
    GAP = 6
    SETTLEMENT = 7
    ROAD = 8


@dataclass(frozen=True, slots=True)
class Overlay:
    """Something that changes ground cells.

    Attributes
    ----------
    cells : int64, (n,)
        Flat ground cells that it may ever touch, each once.
    paint : callable
        From the reflectance of what lies under `cells`, float32 (6, n), and the weather of a day to that of `cells`.
    truth : uint8, (n,)
        `Disturbed` codes.
    """

    cells: IntArray
    paint: Callable[[FloatArray, Weather], FloatArray]
    truth: NDArray[np.uint8]
