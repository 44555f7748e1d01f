"""The second simulator: landscapes of other physics and other confusers than geomon/simulate.

Written apart from geomon/simulate, without looking at it or at the detector, so that a detector tuned on the one can be
asked what it is worth on the other. Leaf area, water colour, soil moisture and rivers follow a daily weather; mines
grow pit beside pit; sensor and scene classification make mistakes of their own. Linear mixing below the canopy, no
fog, no sun glint, one orbit, no overlap of tiles.

In: a `Recipe` and a folder. Out: a static catalogue, a job for geomon, and the truth.
"""

from second.recipe import Recipe
from second.write import write_landscape

__all__ = ["Recipe", "write_landscape"]
