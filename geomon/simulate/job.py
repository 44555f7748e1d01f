"""From a recipe to files: the one function that others call.

In: a `Recipe` and an empty folder. Out: a STAC catalogue, area and zones, map context, truth, and a job's
`config.yaml`, written last. Every date has a generator of its own, so that dates can be made in any order or in parts.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely

from geomon.model import to_day
from geomon.simulate.atmosphere import sense
from geomon.simulate.catalogue import COLLECTION, make_item, offset_of, write_catalogue
from geomon.simulate.fields import DATES, rng_of
from geomon.simulate.files import square, write_cog, write_features
from geomon.simulate.recipe import Recipe
from geomon.simulate.surface import make_scenery
from geomon.simulate.truth import write_truth
from geomon.simulate.world import World, make_world


def simulate(recipe: Recipe, out: Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
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
    Path
        The job's `config.yaml`; beside it `catalog.json`, `aoi.geojson`, `zones.geojson`, `dem.tif`, `rivers.geojson`
        and the folder `truth`.
    """
    out.mkdir(parents=True, exist_ok=True)
    world = make_world(recipe)
    write_truth(out / "truth", world)
    write_cog(out / "dem.tif", world.land.elevation_m, recipe, nodata=None)
    _write_boundaries(out, recipe)
    _write_rivers(out / "rivers.geojson", world)
    scenery = make_scenery(world)
    items = []
    for index, when in enumerate(recipe.dates):
        day = to_day(when)
        ground, rng = scenery.reflectance(day), rng_of(recipe.seed, DATES, day)
        sensed = sense(ground, world.climate.at(day), rng, clouds=recipe.clouds, offset=offset_of(when))
        items.append(make_item(out, recipe, index=index, sensed=sensed))
        if progress is not None:
            progress(index + 1, len(recipe.dates))
    write_catalogue(out, recipe, items)
    return _write_config(out / "config.yaml", recipe)


def _write_boundaries(out: Path, recipe: Recipe) -> None:
    """Write the square, and its split into a western half and two eastern quarters."""
    facts = {"id": f"sim-{recipe.name}", "name": f"Simulated {recipe.kind} landscape {recipe.name}"}
    write_features(out / "aoi.geojson", [facts], [square(recipe)])
    zones = {
        "west": square(recipe, (0, 0), (0, 0.5), (0.5, 0.5), (1, 0.5), (1, 0)),
        "north-east": square(recipe, (0, 0.5), (0, 1), (0.5, 1), (0.5, 0.5)),
        "south-east": square(recipe, (0.5, 0.5), (0.5, 1), (1, 1), (1, 0.5)),
    }
    rows = [{"id": f"sim-{name}", "name": f"Simulated zone {name}"} for name in zones]
    write_features(out / "zones.geojson", rows, list(zones.values()))


def _write_rivers(path: Path, world: World) -> None:
    """Write the channels as a map would have them: every 60 m, some metres off, without the smallest."""
    recipe, rng = world.recipe, rng_of(world.recipe.seed, DATES)
    rows, lines = [], []
    for number, channel in enumerate(world.land.channels.lines, start=1):
        if channel.half_width_m.max() < 1.6 and number > 1:
            continue
        mapped = channel.path_m[::30] + rng.normal(0, 4, channel.path_m[::30].shape)
        inside = np.all((mapped >= 0) & (mapped <= recipe.side_m), axis=1)
        if inside.sum() > 1:
            lines.append(shapely.LineString(recipe.map_xy(mapped[inside])))
            rows.append({"id": f"channel-{number}", "waterway": "river" if channel.main else "stream"})
    write_features(path, rows, lines)


def _write_config(path: Path, recipe: Recipe) -> Path:
    baseline, monitor = (f"[{first}, {last}]" for first, last in (recipe.baseline, recipe.monitor))
    path.write_text(
        f"""# SIMULATED landscape ({recipe.kind}, seed {recipe.seed}); truth is in truth/
name: simulated-{recipe.name}
aoi: aoi.geojson
source:
  catalog: ./catalog.json
  collections: [{COLLECTION}]
period:
  baseline: {baseline}
  monitor: {monitor}
context: {{dem: dem.tif, rivers: rivers.geojson}}
store: ./store
zones: zones.geojson
report: {{periods: [quarter]}}
""",
        encoding="utf-8",
    )
    return path
