"""What `peers.py` measures on: a simulated landscape as truth and a masked cube, and the score of detections on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from scipy import ndimage

from geomon.config import load
from geomon.cube import NODATA_REFLECTANCE, read_look
from geomon.kernels import evidence
from geomon.model import BANDS, to_day
from pipelines.detect import plan_tasks
from pipelines.observe import observe

DUG = 0.25
OBJECT_PX = 10
EIGHT = np.ones((3, 3))


@dataclass(frozen=True)
class Scene:
    """One landscape: truth on its grid, and the looks on it, NaN where a look is not usable."""

    new: np.ndarray
    ever: np.ndarray
    dug_on: np.ndarray
    days: np.ndarray
    bands: dict[str, np.ndarray]
    history: int

    @property
    def dug(self) -> np.ndarray:
        """Dug in the monitor period to a quarter at least."""
        return self.new >= DUG

    @property
    def never(self) -> np.ndarray:
        """Never dug at all."""
        return (self.new == 0) & (self.ever == 0)


@dataclass(frozen=True)
class Score:
    """Counts of one tool and setting; they add up over landscapes. `false_objects` is NaN where there are none."""

    found: float
    true: float
    false: float
    false_objects: float
    delays: tuple[int, ...]
    cpu_s: float
    scenes: int = 1

    def __add__(self, other: Score) -> Score:
        """Pool two landscapes."""
        names = ("found", "true", "false", "false_objects", "delays", "cpu_s", "scenes")
        return Score(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def precision(self) -> float:
        """Found among found and false."""
        return self.found / max(self.found + self.false, 1e-9)

    @property
    def recall(self) -> float:
        """Found among true."""
        return self.found / max(self.true, 1e-9)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def read_scene(config_path: Path) -> Scene:
    """Truth and the cube of a simulated job."""
    layers = {}
    for name in ("fraction_new", "fraction_all", "new_dug_on"):
        with rasterio.open(config_path.parent / "truth" / f"{name}.tif") as source:
            layers[name], grid = source.read(1), source.transform
    config = load(config_path)
    observed = observe(config, store=config.store_path, asked=config.period.monitor[1])
    (task,) = plan_tasks(observed)
    shape = layers["fraction_new"].shape
    left, top = (round(side) for side in ~task.tile.transform @ (grid.c, grid.f))
    window = (slice(top, top + shape[0]), slice(left, left + shape[1]))
    days, stack = [], []
    for look in task.looks:
        arrays = read_look(look, task.tile, bands=BANDS).arrays
        if arrays is None:
            continue
        values = arrays.reflectance[(slice(None), *window)].reshape(len(BANDS), -1)
        good = evidence.usable(values, arrays.quality[window].reshape(-1), bands=BANDS)
        good &= (values != NODATA_REFLECTANCE).all(axis=0)
        if not good.any():
            continue
        days.append(look.day)
        stack.append(np.where(good, values / np.float32(10_000), np.float32(np.nan)).reshape(len(BANDS), *shape))
    cube = np.stack(stack, axis=1)
    start = to_day(config.baseline.end)
    return Scene(
        layers["fraction_new"],
        layers["fraction_all"],
        layers["new_dug_on"].astype(np.int64),
        np.array(days),
        dict(zip(BANDS, cube, strict=True)),
        int(np.searchsorted(days, start, side="right")),
    )


def index_of(scene: Scene, name: str) -> np.ndarray:
    """A cube of one index."""
    b = scene.bands
    if name == "NDVI":
        return (b["nir"] - b["red"]) / np.maximum(b["nir"] + b["red"], 1e-3)
    if name == "BSI":
        bright, green = b["swir16"] + b["red"], b["nir"] + b["blue"]
        return (bright - green) / np.maximum(bright + green, 1e-3)
    return b[{"NIR": "nir", "SWIR1": "swir16"}[name]]


INDICES = ("NDVI", "NIR", "SWIR1", "BSI")


def judge(scene: Scene, found_on: np.ndarray, cpu_s: float, *, mask: np.ndarray | None = None) -> Score:
    """Score a map of detection days (0 = none), or of a mask with days for the delay, after the sieve."""
    detected = found_on > 0 if mask is None else mask
    regions, _ = ndimage.label(detected, EIGHT)
    sizes = np.bincount(regions.ravel())
    large = sizes >= OBJECT_PX
    large[0] = False
    kept = large[regions]
    touched = np.bincount(regions.ravel(), weights=(scene.ever > 0).ravel())
    hits = scene.dug & kept
    waits = (found_on.astype(np.int64) - scene.dug_on)[hits & (found_on > 0)]
    return Score(
        found=float(hits.sum()),
        true=float(scene.dug.sum()),
        false=float((scene.never & kept).sum()),
        false_objects=float((large & (touched == 0)).sum()),
        delays=tuple(waits[waits >= 0].tolist()),
        cpu_s=cpu_s,
    )
