"""A landscape with known truth, written as a STAC catalogue: for the demo, for tests, for benchmarks.

It imitates what Sentinel-2 sees over artisanal alluvial mines and over everything that looks like them, with the
faults of the real archive. It knows nothing of any detector. All it writes says that it is simulated.
"""

from geomon.simulate.recipe import DEMO, TINY, Recipe
from geomon.simulate.truth import Disturbed
from geomon.simulate.world import Simulated, make_world, scenery_of, simulate

__all__ = ["DEMO", "TINY", "Disturbed", "Recipe", "Simulated", "make_world", "scenery_of", "simulate"]
