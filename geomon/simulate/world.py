"""From a recipe to files: the one function that others call.

In: a `Recipe` and an empty folder. Out: a STAC catalogue, area and zones, map context, truth, and a job's
`config.yaml`, written last. Every date has a generator of its own, so that dates can be made in any order or in parts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapely.geometry import LineString, Polygon

from geomon.simulate.atmosphere import sense
from geomon.simulate.catalogue import COLLECTION, offset_of, write_catalogue, write_item
from geomon.simulate.clearings import make_fields
from geomon.simulate.climate import make_climate
from geomon.simulate.disturbance import make_roads, make_sandbanks, make_village
from geomon.simulate.fields import DATES, BoolArray, rng_of
from geomon.simulate.landscape import Landscape, make_landscape
from geomon.simulate.mining import Diggings, make_diggings
from geomon.simulate.pits import make_sites
from geomon.simulate.places import corner_ring, feature, to_degrees, write_features, zone_rings
from geomon.simulate.raster import write_cog
from geomon.simulate.recipe import CELL_M, Recipe, day_number
from geomon.simulate.seasons import make_fires, make_floods
from geomon.simulate.surface import Scenery, make_scenery
from geomon.simulate.truth import World, write_truth

_KEEP_OFF_M = 25.0
"""Other disturbances keep this far from mines, so that no pixel has two truths."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was written; `truth` by name (`fraction_new`, `sites`, ...)."""

    root: Path
    config: Path
    catalog: Path
    aoi: Path
    zones: Path
    dem: Path
    rivers: Path
    truth: dict[str, Path]
    scenes: int


def simulate(recipe: Recipe, out: Path, *, progress: Callable[[int, int], None] | None = None) -> Simulated:
    """Make a landscape and everything a monitoring job needs to run on it.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Folder to write into; made when it is not there.
    progress : callable, optional
        Called with (dates done, dates in all) after each date.

    Returns
    -------
    Simulated
        Paths of all that was written.
    """
    out.mkdir(parents=True, exist_ok=True)
    world = make_world(recipe)
    truth = write_truth(out, world)
    scenery = scenery_of(world)
    entries = []
    for index, when in enumerate(recipe.dates):
        day = day_number(when)
        sensed = sense(
            scenery.reflectance(day),
            world.climate.at(day),
            rng_of(recipe.seed, DATES, day),
            clouds=recipe.clouds,
            offset=offset_of(when),
        )
        entries.append(write_item(out, recipe, index=index, sensed=sensed))
        if progress is not None:
            progress(index + 1, len(recipe.dates))
    return Simulated(
        root=out,
        aoi=_write_aoi(out, recipe),
        zones=_write_zones(out, recipe),
        dem=write_cog(out / "dem.tif", world.land.elevation_m, recipe, nodata=None),
        rivers=_write_rivers(out, recipe, world.land),
        catalog=write_catalogue(out, recipe, entries),
        truth=truth,
        scenes=len(entries),
        config=_write_config(out, recipe),
    )


def make_world(recipe: Recipe) -> World:
    """Draw the landscape, its mines and its disturbances; no pixel is painted yet."""
    land, climate = make_landscape(recipe), make_climate(recipe)
    sites = make_sites(recipe, land)
    diggings = make_diggings(recipe, sites)
    mined = _around(recipe, diggings)
    village = make_village(recipe, land)
    occupied = mined.copy()
    occupied.reshape(-1)[village.cells] = True
    return World(
        recipe=recipe,
        land=land,
        climate=climate,
        sites=sites,
        diggings=diggings,
        fields=make_fields(recipe, land, climate, occupied),
        roads=make_roads(recipe, mined | land.channels.water()),
        village=village,
        sandbanks=make_sandbanks(recipe, land),
        fires=make_fires(recipe),
        floods=make_floods(recipe, land),
    )


def scenery_of(world: World) -> Scenery:
    """Stack the overlays of a world, mines on top."""
    return make_scenery(
        world.recipe,
        world.land,
        world.climate,
        fires=world.fires,
        floods=world.floods,
        overlays=(world.sandbanks, world.fields, world.roads, world.village, world.diggings),
    )


def _around(recipe: Recipe, diggings: Diggings) -> BoolArray:
    """Cells within the keep-off distance of any pit."""
    near = np.zeros((recipe.cells, recipe.cells), dtype=np.bool_)
    reach = int(_KEEP_OFF_M / CELL_M)
    rows, columns = diggings.cells // recipe.cells, diggings.cells % recipe.cells
    for down in range(-reach, reach + 1, 2):
        for right in range(-reach, reach + 1, 2):
            near[np.clip(rows + down, 0, recipe.cells - 1), np.clip(columns + right, 0, recipe.cells - 1)] = True
    return near


def _write_aoi(out: Path, recipe: Recipe) -> Path:
    square = to_degrees(Polygon(corner_ring(recipe)))
    facts = {"id": f"sim-{recipe.name}", "name": f"Simulated {recipe.kind} landscape {recipe.name}"}
    return write_features(out / "aoi.geojson", "aoi", [feature(square, facts)])


def _write_zones(out: Path, recipe: Recipe) -> Path:
    zones = [
        feature(to_degrees(Polygon(ring)), {"id": f"sim-{name}", "name": f"Simulated zone {name}"})
        for name, ring in zone_rings(recipe).items()
    ]
    return write_features(out / "zones.geojson", "zones", zones)


def _write_rivers(out: Path, recipe: Recipe, land: Landscape) -> Path:
    """Write the channels as a map would have them: every 60 m, some metres off, without the smallest."""
    rng = rng_of(recipe.seed, DATES)
    features = []
    for number, line in enumerate(land.channels.lines, start=1):
        if line.half_width_m.max() < 1.6 and number > 1:
            continue
        path = line.path_m[::30] + rng.normal(0, 4, (len(line.path_m[::30]), 2))
        inside = np.all((path >= 0) & (path <= recipe.side_m), axis=1)
        if inside.sum() > 1:
            points = [recipe.map_xy(down, right) for down, right in path[inside]]
            kind = "river" if line.main else "stream"
            features.append(feature(to_degrees(LineString(points)), {"id": f"channel-{number}", "waterway": kind}))
    return write_features(out / "rivers.geojson", "rivers", features)


def _write_config(out: Path, recipe: Recipe) -> Path:
    spans = "\n".join(
        f"  {name}: [{first.isoformat()}, {last.isoformat()}]"
        for name, (first, last) in (("baseline", recipe.baseline), ("monitor", recipe.monitor))
    )
    path = out / "config.yaml"
    path.write_text(
        f"""# SIMULATED landscape ({recipe.kind}, seed {recipe.seed}); truth is in truth/
name: simulated-{recipe.name}
aoi: aoi.geojson
source:
  catalog: ./catalog.json
  collections: [{COLLECTION}]
period:
{spans}
context: {{dem: dem.tif, rivers: rivers.geojson}}
store: ./store
zones: zones.geojson
report: {{periods: [quarter]}}
""",
        encoding="utf-8",
    )
    return path
