"""One simulated landscape from recipe to raw numbers: simulate, run geomon as a user would, read products and truth.

The truly clear looks come from the simulator's own sky: the generator of each date is started again and drawn up to
the clouds, as `geomon.simulate.atmosphere.sense` does. Ground outside the swath is told by the nodata of the scene
classification.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import rasterio
from _common import geomon
from _scoring import NO_ROW, Bools, Footprint, Ints, Mapped, Truth, score
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine

from geomon.model import to_day
from geomon.simulate import DEMO, Recipe, simulate
from geomon.simulate.atmosphere import NODATA, _register, _sky, _sunlit
from geomon.simulate.catalogue import COLLECTION
from geomon.simulate.climate import make_climate
from geomon.simulate.fields import DATES, rng_of

KINDS = ("forest", "mosaic", "dike")
WEALTH = {"rich": (256, DEMO.mine_share), "rare": (384, 0.0008)}
"""Side [px] and aimed share of newly dug ground. Rare aims below 0.1 % because sites overshoot their plan by up to a
fifth (seeds 11-13)."""
CLOUDS = ("usual", "bad_wet")
CLEAR_CLOUD, CLEAR_SHADOW = 0.06, 0.2
"""Truly clear: no more cloud and lost light than the simulator's classification passes on its most careful date."""
MINED = 0.1
"""An object is a mine if this share of it was ever dug: outlines hold undug rims, and false objects touch a pit."""
NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Landscape:
    """One landscape of the benchmark."""

    kind: str
    wealth: str
    clouds: str
    seed: int

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.kind}-{self.wealth}-{self.clouds}-{self.seed}"

    @property
    def recipe(self) -> Recipe:
        """What is simulated."""
        size, share = WEALTH[self.wealth]
        return replace(
            DEMO, name=self.name, kind=self.kind, clouds=self.clouds, seed=self.seed, size_px=size, mine_share=share
        )


def measure(landscape: Landscape, folder: Path) -> dict[str, Any]:
    """Simulate into a folder of its own (not again when a whole one is there), run, score."""
    began, recipe, root = time.monotonic(), landscape.recipe, folder / landscape.name
    if not (root / "config.yaml").exists():
        simulate(recipe, root)
    simulated = time.monotonic()
    _, cpu = geomon("run", root / "config.yaml")
    ran = time.monotonic()
    truth = read_truth(root, recipe)
    start, end = recipe.monitor
    facts = {
        **asdict(landscape),
        "size_px": recipe.size_px,
        "km2": (recipe.side_m / 1e3) ** 2,
        "years": ((end - start).days + 1) / 365.25,
        "new_share": float(truth.new.mean()),
        "clear_share": float(truth.clear.mean()),
        "code": json.loads((root / "store" / "latest" / "run.json").read_text(encoding="utf-8"))["parts"]["code"][:12],
    }
    raw = score(truth, read_mapped(root, recipe))
    spent = {"simulate": simulated - began, "run": ran - simulated, "run_cpu": cpu, "score": time.monotonic() - ran}
    raw["judged"] = read_judged(root, truth)
    return {**facts, **raw, "seconds": {name: round(value, 1) for name, value in spent.items()}}


def read_truth(root: Path, recipe: Recipe) -> Truth:
    """Read the layers of `truth/`, and find the truly clear looks of the monitor period."""
    layers = [_band(root / "truth" / f"{name}.tif") for name in ("fraction_new", "fraction_all", "new_dug_on")]
    days = [day for day in map(to_day, recipe.dates) if day >= recipe.days[1]]
    return Truth(*layers, clear=clear_looks(root, recipe), look_days=np.array(days, dtype=np.int32))


def clear_looks(root: Path, recipe: Recipe) -> Bools:
    """Truly clear ground on every date of the monitor period, (dates, rows, columns)."""
    climate, shape = make_climate(recipe), (recipe.size_px, recipe.size_px)
    dark = np.zeros((6, *shape), dtype=np.float32)  # only the draws matter, not the ground
    found = []
    for when in recipe.dates:
        day = to_day(when)
        if day < recipe.days[1]:
            continue
        rng = rng_of(recipe.seed, DATES, day)
        _register(_sunlit(dark, rng), rng)
        cloud, shadow, _ = _sky(climate.at(day), rng, shape, recipe.clouds)
        (scl,) = (root / COLLECTION).glob(f"SIM_*_{when:%Y%m%d}_*/scl.tif")
        swath = np.kron(_band(scl) != NODATA, np.ones((2, 2), dtype=np.bool_))
        found.append(swath & (cloud <= CLEAR_CLOUD) & (shadow <= CLEAR_SHADOW))
    return np.stack(found)


def read_mapped(root: Path, recipe: Recipe) -> Mapped:
    """Read footprints, alerts and quarters of the newest run."""
    latest = root / "store" / "latest"
    with rasterio.open(root / "truth" / "fraction_new.tif") as source:
        grid, crs = source.transform, source.crs
    shape = (recipe.size_px, recipe.size_px)
    frame, alerts = (geopandas.read_file(latest / f"{name}.geojson") for name in ("mining_footprints", "alerts"))
    frame, alerts = (one if one.empty else one.to_crs(crs) for one in (frame, alerts))
    rows = pd.read_parquet(latest / "footprint_periods.parquet")
    return Mapped(
        number=_burn(frame.geometry, range(1, len(frame) + 1), shape, grid),
        candidate_on=_earliest([(frame, "first_seen"), (alerts, "first_seen")], shape, grid),
        confirmed_on=_earliest([(frame, "confirmed_on")], shape, grid),
        footprints=[
            Footprint(one.area_ha, one.area_low_ha, one.area_high_ha, float(np.nan_to_num(one.area_new_ha)), quarters)
            for one in frame.itertuples()
            for quarters in [_quarters(rows[rows["footprint_id"] == one.footprint_id], recipe)]
        ],
    )


def read_judged(root: Path, truth: Truth) -> list[tuple[float, bool]]:
    """Every confirmed object, rejected ones too: probability told, and whether a tenth of it was dug."""
    with rasterio.open(root / "truth" / "fraction_new.tif") as source:
        grid, crs = source.transform, source.crs
    frame = geopandas.read_file(root / "store" / "latest" / "sites.geojson")
    shapes = (frame if frame.empty else frame.to_crs(crs)).geometry
    number = _burn(shapes, range(1, len(frame) + 1), truth.ever.shape, grid)
    pixels = np.bincount(number.ravel(), minlength=len(frame) + 1)[1:]
    dug = np.bincount(number.ravel(), weights=truth.ever.ravel(), minlength=len(frame) + 1)[1:]
    seen = pixels > 0
    shares = dug[seen] / pixels[seen]
    return [(float(told), bool(share >= MINED)) for told, share in zip(frame["confidence"][seen], shares, strict=True)]


def _quarters(rows: pd.DataFrame, recipe: Recipe) -> list[tuple[int, int, str]]:
    """Activity by calendar quarter of the monitor period, `NO_ROW` before the first one told."""
    rows = rows[rows["period_kind"] == "quarter"]
    told = dict(zip(pd.to_datetime(rows["period_start"]).dt.to_period("Q"), rows["activity"], strict=True))
    spans = pd.period_range(*recipe.monitor, freq="Q")
    return [
        (to_day(span.start_time.date()), to_day(span.end_time.date()), str(told.get(span, NO_ROW))) for span in spans
    ]


def _earliest(sources: Sequence[tuple[Any, str]], shape: tuple[int, int], grid: Affine) -> Ints:
    """Earliest day that any polygon on a pixel tells, 0 for none."""
    burnt = np.full(shape, NEVER, dtype=np.int32)
    for frame, column in sources:
        known = frame[frame[column].notna()] if column in frame else frame.iloc[:0]
        if known.empty:
            continue
        days = pd.to_datetime(known[column]).to_numpy().astype("datetime64[D]").astype(np.int32)
        order = np.argsort(-days)  # what is burnt last stays
        layer = _burn(known.geometry.iloc[order], days[order].tolist(), shape, grid)
        burnt = np.where(layer > 0, np.minimum(burnt, layer), burnt)
    return np.where(burnt == NEVER, 0, burnt).astype(np.int32)


def _burn(shapes: Any, values: Any, shape: tuple[int, int], grid: Affine) -> Ints:
    """Give pixels whose centre lies in a shape its value, later shapes over earlier ones, 0 elsewhere."""
    pairs = list(zip(shapes, values, strict=True))
    if not pairs:
        return np.zeros(shape, dtype=np.int32)
    return np.asarray(rasterize(pairs, shape, transform=grid, dtype="int32"), dtype=np.int32)


def _band(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as source:
        return source.read(1)


def load(path: Path) -> dict[str, Any]:
    """Read results written by `save`."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def save(path: Path, content: dict[str, Any]) -> None:
    """Write results whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(content) + "\n", encoding="utf-8")
    draft.replace(path)
