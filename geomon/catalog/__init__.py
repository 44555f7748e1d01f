"""A static STAC catalogue and an area in, the usable scenes out.

`search` walks the catalogue, refuses what is unusable or hostile (and records it), and keeps the newest of what was
processed twice; `check_coverage` stops a run that could see nothing; `group_looks` gathers what was seen on one day.
No pixel is read here.
"""

from geomon.catalog.fetch import DEFAULT_LIMITS, Limits
from geomon.catalog.observation import Counts, Observation, Refusal, Superseded, check_coverage, group_looks
from geomon.catalog.search import CatalogSource, search

__all__ = [
    "DEFAULT_LIMITS",
    "CatalogSource",
    "Counts",
    "Limits",
    "Observation",
    "Refusal",
    "Superseded",
    "check_coverage",
    "group_looks",
    "search",
]
