"""A landscape with known truth, written as a STAC catalogue: for the demo, for tests, for benchmarks.

It imitates what Sentinel-2 sees over artisanal alluvial mines and over everything that looks like them, with the
faults of the real archive. It knows nothing of any detector. All it writes says that it is simulated.
"""

from geomon.simulate.job import simulate
from geomon.simulate.overlay import Disturbed
from geomon.simulate.recipe import DEMO, TINY, Recipe
from geomon.simulate.world import make_world

__all__ = ["DEMO", "TINY", "Disturbed", "Recipe", "make_world", "simulate"]
