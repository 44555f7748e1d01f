import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape
from shapely.ops import unary_union

from geomon.model import BANDS, to_day
from geomon.simulate import TINY, Recipe, make_world, simulate
from geomon.simulate.atmosphere import CLOUD_CODES, sense
from geomon.simulate.fields import DATES, block_mean, rng_of, rough_field, smooth_field
from geomon.simulate.landscape import Cover
from geomon.simulate.mining import first_dug
from geomon.simulate.recipe import OVERSAMPLE
from geomon.simulate.surface import make_scenery
from geomon.simulate.truth import dug_layers
from geomon.simulate.world import World

QUICK = replace(TINY, name="quick", revisit_days=60, clouds="usual")
SHARE = 0.02


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(QUICK, tmp_path_factory.mktemp("simulated")).parent


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(replace(TINY, size_px=128, mine_share=SHARE))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def items_of(made: Path) -> list[pystac.Item]:
    return list(pystac.Catalog.from_file(str(made / "catalog.json")).get_items(recursive=True))


def test_same_recipe_same_bytes(made: Path, tmp_path: Path) -> None:
    """The same recipe gives the same files to the byte, into a folder of any name."""
    assert digests(simulate(QUICK, tmp_path / "again").parent) == digests(made)


def test_seed_changes_the_land() -> None:
    """Another seed is another landscape."""
    covers = [make_world(replace(QUICK, seed=seed)).land.cover for seed in (1, 2)]
    assert (covers[0] != covers[1]).mean() > 0.1


def test_dates_do_not_depend_on_each_other(made: Path) -> None:
    """A date made alone is the date as made in the series."""
    index = 7
    when = QUICK.dates[index]
    world = make_world(QUICK)
    day = to_day(when)
    alone = sense(
        make_scenery(world).reflectance(day),
        world.climate.at(day),
        rng_of(QUICK.seed, DATES, day),
        clouds=QUICK.clouds,
        offset=1000,
    )
    item = items_of(made)[index]
    assert item.datetime is not None
    assert item.datetime.date() == when
    np.testing.assert_array_equal(read(Path(item.assets["nir"].get_absolute_href() or "")), alone.fine[3])


def test_progress_counts_every_date(tmp_path: Path) -> None:
    """The callback hears of each date once, in order."""
    heard: list[tuple[int, int]] = []
    few = replace(QUICK, revisit_days=400)
    simulate(few, tmp_path, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(i + 1, len(few.dates)) for i in range(len(few.dates))]


def test_catalogue_is_shaped_like_an_archive(made: Path) -> None:
    """Every item holds seven COGs on the 20 m lattice, named bands, and says that it is simulated."""
    items = items_of(made)
    assert len(items) == len(QUICK.dates)
    assert {item.properties["platform"] for item in items} == {"sentinel-2a", "sentinel-2b"}
    for item in items:
        assert item.properties["geomon:simulated"] is True
        assert set(item.assets) == {*BANDS, "scl"}
        written = json.loads(Path(item.get_self_href() or "").read_text())["properties"]  # pystac renames on reading
        assert written["proj:epsg"] == 32633
    for name, asset in items[0].assets.items():
        with rasterio.open(asset.get_absolute_href()) as source:
            assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert list(source.transform)[:6] == asset.extra_fields["proj:transform"]
            assert list(source.shape) == asset.extra_fields["proj:shape"]
            assert source.transform.c % 20 == source.transform.f % 20 == 0
            assert source.dtypes[0] == ("uint8" if name == "scl" else "uint16")
            assert source.nodata == 0


def test_offset_follows_the_processing_baseline(made: Path) -> None:
    """From 2022-01-25 on numbers carry 1000 and the item says so; reflectance does not jump."""
    darkest = {}
    for item in items_of(made):
        assert item.datetime is not None
        late = item.datetime.date() >= date(2022, 1, 25)
        described = item.assets["blue"].extra_fields["raster:bands"][0]
        assert item.properties["s2:processing_baseline"] == ("04.00" if late else "03.01")
        assert described["offset"] == (-0.1 if late else 0)
        image = read(Path(item.assets["blue"].get_absolute_href() or "")).astype(float)
        darkest.setdefault(late, []).append(np.percentile(image[image > 0], 1) * 1e-4 + described["offset"])
    assert all(0 <= value < 0.9 for values in darkest.values() for value in values)
    assert abs(min(darkest[True]) - min(darkest[False])) < 0.03


def test_no_data_is_the_same_in_all_assets(made: Path) -> None:
    """Outside the swath every band is 0 and SCL is 0; inside no band is."""
    for item in items_of(made):
        scl = read(Path(item.assets["scl"].get_absolute_href() or ""))
        for band in BANDS:
            image = read(Path(item.assets[band].get_absolute_href() or ""))
            factor = image.shape[0] // scl.shape[0]
            np.testing.assert_array_equal(image == 0, np.kron(scl == 0, np.ones((factor, factor), dtype=bool)))


def test_job_and_boundaries(made: Path) -> None:
    """The job names files that are there, and the zones cover the area without overlap."""
    job = yaml.safe_load((made / "config.yaml").read_text())
    assert job["name"].startswith("simulated")
    for key in (job["aoi"], job["zones"], job["source"]["catalog"], *job["context"].values()):
        assert (made / key).exists()
    area = shape(json.loads((made / "aoi.geojson").read_text())["features"][0]["geometry"])
    zones = [shape(feature["geometry"]) for feature in json.loads((made / "zones.geojson").read_text())["features"]]
    assert unary_union(zones).symmetric_difference(area).area < 1e-12
    assert sum(zone.area for zone in zones) == pytest.approx(area.area, rel=1e-9)


def test_truth_layers_agree(made: Path) -> None:
    """New ground is part of all dug ground, days belong to pixels a quarter dug, sites add up to the layer."""
    new, every, day = (read(made / "truth" / f"{name}.tif") for name in ("fraction_new", "fraction_all", "dug_on"))
    assert new.dtype == every.dtype == np.float32
    assert ((new >= 0) & (new <= every) & (every <= 1)).all()
    np.testing.assert_array_equal(day > 0, every >= 0.25)
    assert day.max() <= QUICK.days[2]
    sites = [f["properties"] for f in json.loads((made / "truth" / "sites.geojson").read_text())["features"]]
    assert sum(site["area_ha"] for site in sites) == pytest.approx(every.sum() / 100, rel=1e-3)
    assert sum(site["area_new_ha"] for site in sites) == pytest.approx(new.sum() / 100, rel=1e-3)
    assert all(site["predates_baseline"] == (site["first_dug"] < "2021-01-01") for site in sites)


def test_new_ground_grows_pit_by_pit(world: World) -> None:
    """Pits are 3-26 m, sites 0.05-5 ha and dug over weeks, lives differ, and pits keep out of the river."""
    radii = np.concatenate([site.pits["radius_m"] for site in world.sites])
    assert 3 <= radii.min() <= radii.max() <= 26
    assert {"new", "old"} <= {site.life for site in world.sites}
    new = [site for site in world.sites if site.life == "new" and len(site.pits) > 10]
    assert new
    assert all(site.last_dug - site.first_dug > 20 for site in new)
    cells, _, _ = first_dug(world.diggings)
    assert world.land.channels.water().reshape(-1)[cells].mean() < 0.2


@pytest.mark.parametrize(("share", "low", "high"), [(0.01, 0.005, 0.016), (0.0008, 0.0002, 0.0016), (0.0, 0.0, 0.0)])
def test_abundance_is_what_was_asked_for(share: float, low: float, high: float) -> None:
    """Mine-rich, rare and empty landscapes can be made."""
    world = make_world(replace(TINY, size_px=192, mine_share=share))
    assert low <= dug_layers(world.recipe, world.diggings)["fraction_new"].mean() <= high


def test_mines_change_their_own_pixels_only(world: World) -> None:
    """Before air and optics, pits move reflectance where they lie (with a fringe) and nowhere else."""
    scenery = make_scenery(world)
    unmined = replace(world, overlays=world.overlays[:-1])
    bare = replace(scenery, world=unmined, slots=scenery.slots[:-1])
    moved = np.abs(scenery.reflectance(world.recipe.days[2]) - bare.reflectance(world.recipe.days[2])).max(axis=0)
    fraction = dug_layers(world.recipe, world.diggings)["fraction_all"]
    touched = np.zeros(fraction.size, dtype=bool)
    rows, columns = np.divmod(world.diggings.cells, world.recipe.cells)
    touched[rows // OVERSAMPLE * world.recipe.size_px + columns // OVERSAMPLE] = True
    assert moved[~touched.reshape(fraction.shape)].max() < 1e-6
    fresh = dug_layers(world.recipe, world.diggings)["fraction_new"] > 0.8
    assert np.median(moved[fresh]) > 0.05


def test_sub_pixel_pits_weigh_what_they_cover(world: World) -> None:
    """Shares of still cover and of painted cells add up to one everywhere."""
    scenery = make_scenery(world)
    painted = np.bincount(scenery.pixel, minlength=world.recipe.size_px**2) / OVERSAMPLE**2
    still = sum(share for share in scenery.still.values())
    np.testing.assert_allclose(np.asarray(still).reshape(-1) + painted, 1, atol=1e-5)


def test_fields_are_cut_at_once_and_green_again(world: World) -> None:
    """A field loses its green when cut and has it back within ten months, as no mine does."""
    scenery = make_scenery(world)
    start, end = world.recipe.days[1] - 300, world.recipe.days[2] - 330
    farms = [c for c in world.clearings if c.kind == "farm" and start < c.cleared_on < end]
    assert farms
    for farm in farms:
        rows, columns = np.divmod(farm.cells, world.recipe.cells)
        inside = np.zeros((world.recipe.cells,) * 2, dtype=np.float32)
        inside[rows, columns] = 1
        core = block_mean(inside, OVERSAMPLE) > 0.99
        days = [farm.cleared_on + later for later in (20, 60, 120, 180, 240, 300)]
        ndvi = []
        for day in days:
            seen = scenery.reflectance(day)[:, core].mean(axis=1)
            ndvi.append(float((seen[3] - seen[2]) / (seen[3] + seen[2])))
        assert min(ndvi[:2]) < 0.45
        assert max(ndvi) > 0.55


def test_savanna_swings_and_forest_does_not(world: World) -> None:
    """Grass is straw in February and green in September; closed canopy stays green."""
    scenery = make_scenery(world)
    ndvi = []
    for when in (date(2022, 2, 10), date(2022, 9, 20)):
        seen = scenery.reflectance(to_day(when))
        ndvi.append((seen[3] - seen[2]) / (seen[3] + seen[2]))
    still = scenery.still
    grass = still[Cover.GRASS] > 0.95
    trees = still[Cover.GALLERY] > 0.95
    assert float((ndvi[1] - ndvi[0])[grass].mean()) > 0.2
    assert abs(float((ndvi[1] - ndvi[0])[trees].mean())) < 0.15


def test_sandbanks_come_out_in_the_dry_season(world: World) -> None:
    """More of the river bed is dry in February than in October, every year: bright in the infrared."""
    banks, climate = world.overlays[0], world.climate
    for year in (2021, 2022, 2023):
        dry, wet = (climate.at(to_day(date(year, month, 15))) for month in (2, 10))
        under = np.zeros((6, banks.cells.size), dtype=np.float32)
        assert banks.paint(under, dry)[4].mean() > 1.1 * banks.paint(under, wet)[4].mean()


def test_bad_wet_season_shows_less_ground() -> None:
    """The bad wet season is cloudier than the usual one, and no clouds means none but false ones."""
    cover = {}
    for clouds in ("none", "usual", "bad_wet"):
        world = make_world(replace(QUICK, clouds=clouds, mine_share=0.0))
        ground = make_scenery(world).reflectance(world.recipe.days[1])
        shares = []
        for day in range(world.recipe.days[1], world.recipe.days[1] + 100, 5):
            scene = sense(ground, world.climate.at(day), rng_of(1, DATES, day), clouds=clouds, offset=0)
            shares.append(np.isin(scene.scl, CLOUD_CODES).mean())
        cover[clouds] = np.mean(shares)
    assert cover["none"] < 0.1 < cover["usual"] < cover["bad_wet"]


@pytest.mark.parametrize("kind", ["forest", "mosaic", "dike"])
def test_where_mines_lie_depends_on_the_land(kind: str) -> None:
    """Alluvial mines keep to the channels; on dikes they lie off the water and hold almost none of it."""
    world = make_world(replace(TINY, kind=kind, size_px=192, mine_share=0.01))  # type: ignore[arg-type]
    cells, _, _ = first_dug(world.diggings)
    away = float(np.median(world.land.channels.distance_m.reshape(-1)[cells]))
    wet = np.concatenate([site.pits["pond_share"] for site in world.sites]).mean()
    assert (away > 150 and wet < 0.1) if kind == "dike" else (away < 120 and wet > 0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "moon"},
        {"clouds": "pink"},
        {"size_px": 63},
        {"seed": -1},
        {"revisit_days": 0},
        {"mine_share": 0.5},
        {"confusers": -1.0},
        {"monitor": (date(2020, 1, 1), date(2020, 2, 1))},
    ],
)
def test_a_wrong_recipe_is_refused(wrong: dict[str, object]) -> None:
    """The message names the recipe and the option."""
    with pytest.raises(ValueError, match=next(iter(wrong)) if "monitor" not in wrong else "periods"):
        Recipe(**wrong)  # type: ignore[arg-type]


@settings(max_examples=8, deadline=None)
@given(length=st.floats(1.0, 8.0), slope=st.floats(2.0, 4.0), seed=st.integers(0, 10_000))
def test_fields_have_unit_variance(length: float, slope: float, seed: int) -> None:
    """Over many draws both kinds of field have mean square 1, whatever their scale."""
    rng = np.random.default_rng(seed)
    smooth = [np.square(smooth_field(rng, (64, 64), length=length)).mean() for _ in range(30)]
    rough = [np.square(rough_field(rng, (64, 64), slope=slope, outer=32.0)).mean() for _ in range(60)]
    assert np.mean(smooth) == pytest.approx(1, abs=0.2)
    assert np.mean(rough) == pytest.approx(1, abs=0.4)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31), kind=st.sampled_from(["forest", "mosaic", "dike"]))
def test_any_seed_makes_a_physical_surface(seed: int, kind: str) -> None:
    """Reflectance stays within 0-0.6 on any day of any landscape."""
    recipe = replace(TINY, seed=seed, kind=kind)  # type: ignore[arg-type]
    world = make_world(recipe)
    scenery = make_scenery(world)
    for day in (recipe.days[0], recipe.days[1], recipe.days[2]):
        seen = scenery.reflectance(day)
        assert np.isfinite(seen).all()
        assert seen.min() > 0
        assert seen.max() < 0.6
