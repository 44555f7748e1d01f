"""Change layers to mining footprints: sparse pixels, objects, outlines, attribution, activity, tables.

In: the change layers of all tiles. Out: the product tables of a run. Results do not depend on how the area was cut
into tiles. The register of sites over time is `geomon.sites`; files are written by `geomon.store`.
"""

from geomon.footprints.delineate import Context, Delineation, delineate, footprint_id, own_site_id
from geomon.footprints.pixels import ChangePixels, gather

__all__ = [
    "ChangePixels",
    "Context",
    "Delineation",
    "delineate",
    "footprint_id",
    "gather",
    "own_site_id",
]
