"""Detectors: from looks to change layers, one look at a time.

In: the looks of a tile as arrays, oldest first. Out: a state that takes the next look without reading an older one, and
the change layers it stands for. `DETECTORS` holds the sequential detector this package exists for and one plain
reference (an EWMA control chart on one index), so that the protocol is real and the gain is measured. Nothing here
reads or writes files or knows what a scene is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from geomon.change.base import Baseline, Detector, LookArrays, Spans, State, mark_month
from geomon.change.reference import EwmaNdvi
from geomon.change.sequential import Sequential
from geomon.errors import DataError
from geomon.model import BANDS

__all__ = [
    "DETECTORS",
    "Baseline",
    "Detector",
    "LookArrays",
    "Spans",
    "State",
    "common_bands",
    "make_detector",
    "mark_month",
]

DETECTORS: Final[Mapping[str, Callable[[Sequence[str], Spans], Detector]]] = {
    "sequential": Sequential,
    "ewma_ndvi": EwmaNdvi,
}
"""Detectors by the name that a config gives."""

_NEEDS: Final = {"sequential": Sequential.needs, "ewma_ndvi": EwmaNdvi.needs}


def make_detector(name: str, bands: Sequence[str], spans: Spans) -> Detector:
    """The detector of that name for the bands a job has; DataError if it cannot do without one that is missing."""
    missing = [band for band in _NEEDS[name] if band not in bands]
    if missing:
        raise DataError(
            f"detector {name!r} needs the bands {', '.join(_NEEDS[name])}; the catalogue's scenes offer only "
            f"{', '.join(bands) or 'none'}. Use a collection that has {', '.join(missing)}.",
            missing=missing,
        )
    return DETECTORS[name](bands, spans)


def common_bands(offered: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Bands that at least half of the scenes offer, in the order of BANDS: one odd scene must not cost a job a band."""
    return tuple(band for band in BANDS if 2 * sum(band in bands for bands in offered) >= max(len(offered), 1))
