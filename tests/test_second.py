"""The second simulator of the benchmarks: small landscapes, a few of their dates."""

import importlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from shapely.geometry import shape

from geomon.catalog import CatalogSource, search
from geomon.model import Period

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SIZE = 64
EVERY = 45


@pytest.fixture(scope="module")
def second() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("second")


@pytest.fixture(scope="module")
def made(second: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = second.Recipe("mosaic", "rare", seed=17, size=SIZE, every=EVERY)
    return second.write_landscape(tmp_path_factory.mktemp("second"), recipe).parent


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def layer(made: Path, name: str) -> np.ndarray:
    with rasterio.open(made / "truth" / f"{name}.tif") as source:
        return source.read(1)


def features(made: Path, name: str) -> list[dict]:
    return json.loads((made / name).read_text(encoding="utf-8"))["features"]


def test_same_seed_same_bytes_and_dates_stand_alone(second: ModuleType, made: Path, tmp_path: Path) -> None:
    """A recipe gives the same files to the byte, and a date is the same however many others are made."""
    recipe = second.Recipe("mosaic", "rare", seed=17, size=SIZE, every=2 * EVERY)
    fewer, all_made = contents(second.write_landscape(tmp_path / "again", recipe).parent), contents(made)
    same = {name for name in fewer if name.endswith((".tif", "L2A.json")) or name == "truth/sites.geojson"}
    assert len(same) > 7
    assert [name for name in same if fewer[name] != all_made[name]] == []


def test_truth_layers_agree(made: Path) -> None:
    """New ground is part of all ground, days stand where a quarter is new, and sites add up to the layers."""
    new, ever, day = (layer(made, name) for name in ("fraction_new", "fraction_all", "new_dug_on"))
    assert (new <= ever).all()
    assert ((day > 0) == (new >= 0.25)).all()
    assert (layer(made, "fraction_spoil_new") <= new).all()
    assert (new + layer(made, "fraction_apron_new") <= 1).all()
    sites = [one["properties"] for one in features(made, "truth/sites.geojson")]
    assert new.sum() > 0
    for column, share in (("area_ha", ever), ("area_new_ha", new)):
        assert sum(one[column] for one in sites) == pytest.approx(0.01 * share.sum(), abs=1e-3)


def test_catalogue_is_accepted(made: Path) -> None:
    """Every scene is found, none is refused."""
    (area,) = features(made, "aoi.geojson")
    span = Period(date(2021, 1, 1), date(2024, 1, 1))
    found = search(
        CatalogSource(str(made / "catalog.json")), area=shape(area["geometry"]), span=span, as_of=date(2024, 1, 1)
    )
    assert found.refused == ()
    assert len(found.scenes) == len(list(made.rglob("scl.tif"))) > 2


def test_none_has_no_mines(second: ModuleType, tmp_path: Path) -> None:
    """Without mines nothing is dug, and there is still much to be mistaken."""
    recipe = second.Recipe("dike", "none", seed=1, size=SIZE, every=10**3)
    made = second.write_landscape(tmp_path / "none", recipe).parent
    assert layer(made, "fraction_all").max() == 0
    assert features(made, "truth/sites.geojson") == []
    assert len(features(made, "truth/cover_events.geojson")) > 3
