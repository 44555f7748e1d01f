"""A tiny job on disk: hand-made scenes of 48 x 48 px over four tiles, with one pit that opens on a known day."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import rasterio
import shapely
from affine import Affine

from geomon import config
from geomon.grid import to_wgs84
from pipelines.run import Report, Request, Watch, run
from tests._stac import make_asset, make_item, write_catalog, write_json

SIZE = 48
LEFT, TOP = 500_300, 450_000  # the 64 px tiles meet inside: columns at 50048, rows at -44992
CRS = "EPSG:32633"
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
GREEN = (300, 600, 350, 3200, 1500, 700)
BARE = (1100, 1500, 1900, 2400, 2900, 2600)
TURBID = (1000, 1400, 1500, 900, 250, 150)
BASELINE = tuple(date(2021, 1, 5) + timedelta(days=15 * n) for n in range(24))
MONITOR = tuple(date(2022, 1, 5) + timedelta(days=10 * n) for n in range(9))
GROWS = (MONITOR[1], MONITOR[2], MONITOR[3], MONITOR[4])
OPENS = GROWS[0]
END = date(2022, 6, 30)
HISTORY = ("run.json", "collection.json", "sites.geojson", "sites.parquet", "geomon.gpkg")
"""What may tell of the runs before, and what holds or lists it; `content` compares the rest of these."""


@dataclass
class Job:
    """A catalogue, an AOI and a config in a directory; `days` are the scenes that the catalogue lists."""

    root: Path
    days: list[date] = field(default_factory=lambda: [*BASELINE, *MONITOR])
    extra: str = ""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        outline = shapely.box(LEFT + 20, TOP - 10 * SIZE + 20, LEFT + 10 * SIZE - 20, TOP - 20)
        shape = to_wgs84(shapely.segmentize(outline, 50), CRS)
        facts = {"id": "Z1", "name": "Zone one"}
        feature = {"type": "Feature", "properties": facts, "geometry": shapely.geometry.mapping(shape)}
        write_json(self.root / "aoi.geojson", {"type": "FeatureCollection", "features": [feature]})
        for day in self.days:
            self.write_scene(day)
        self.write()

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def latest(self) -> Path:
        return self.store / "latest"

    def scene(self, day: date, band: str = "red") -> Path:
        return self.root / "items" / f"{day:%Y%m%d}" / f"{band}.tif"

    def write(self) -> None:
        """Write config and catalogue anew."""
        self.config.write_text(
            "name: tiny\naoi: aoi.geojson\nsource: {catalog: ./catalog.json}\n"
            f"period: {{baseline: [2021-01-01, 2021-12-31], monitor: [2022-01-01, {END}]}}\n"
            f"store: ./store\ntiles: {{size_px: 64}}\n{self.extra}"
        )
        write_catalog(self.root)
        links = [{"rel": "item", "href": f"./items/{day:%Y%m%d}/item.json"} for day in sorted(self.days)]
        path = self.root / "collection.json"
        collection = json.loads(path.read_text())
        write_json(path, collection | {"links": collection["links"] + links})

    def add(self, *days: date) -> None:
        """Let the catalogue list more scenes."""
        for day in days:
            self.write_scene(day)
        self.days += days
        self.write()

    def write_scene(self, day: date) -> None:
        """Write the rasters and the item of a day; the pit opens on `OPENS` and grows on each of `GROWS`."""
        rng = np.random.default_rng(day.toordinal())
        pit = np.zeros((SIZE, SIZE))
        for number, opened in enumerate(GROWS):
            if day >= opened:
                pit[18:24, 14 + 3 * number : 17 + 3 * number] = 1.0
        wet = np.zeros((SIZE, SIZE), bool)
        wet[20:22, 15:25] = True
        item = make_item(f"S2A_33NXE_{day:%Y%m%d}", day=day.isoformat())
        grid = {"proj:shape": [SIZE, SIZE], "proj:transform": [10, 0, LEFT, 0, -10, TOP]}
        for index, band in enumerate(BANDS):
            dug = np.where(wet, TURBID[index], BARE[index])
            values = GREEN[index] * (1 - pit) + dug * pit + rng.normal(0, 25, pit.shape)
            _write(self.scene(day, band), np.clip(values, 1, 10_000).astype(np.uint16))
            facts = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": 0.0}
            item["assets"][band] = make_asset(band, **grid, **{"raster:bands": [facts]})
        _write(self.scene(day, "scl"), np.full((SIZE, SIZE), 4, np.uint8))
        item["assets"]["scl"] = {"href": "./scl.tif", "roles": ["data"], **grid}
        corners = to_wgs84(shapely.box(LEFT, TOP - 10 * SIZE, LEFT + 10 * SIZE, TOP), CRS)
        item |= {"geometry": shapely.geometry.mapping(corners), "bbox": list(corners.bounds)}
        write_json(self.root / "items" / f"{day:%Y%m%d}" / "item.json", item)

    def request(self, *, asked: date = END, **options: object) -> Request:
        return Request(config.load(self.config), store=self.store, asked=asked, **options)  # type: ignore[arg-type]

    def run(self, *, asked: date = END, **options: object) -> Report:
        """Run in this process."""
        return run(self.request(asked=asked, **options), Watch(waiting=lambda: None, tiles=lambda done, total: None))


def products(folder: Path, *, but: Iterable[str] = ("run.json",)) -> dict[str, str]:
    """Digest of every file of a published run by its path, save those that may differ."""
    files = sorted(path for path in folder.resolve().rglob("*") if path.is_file())
    named = {path.relative_to(folder.resolve()).as_posix(): path for path in files}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named.items() if name not in but}


def content(folder: Path, *, kept: Iterable[str] = ()) -> dict[str, object]:
    """As `products`, less what may tell of the runs before: `event` and `lineage` of the sites, and the columns `kept`.

    Of the sites' table all other columns are compared, of the GeoPackage all layers but the sites', each row by row;
    GeoJSON and STAC documents that hold or list the sites are left out.
    """
    sites = pq.read_table(folder / "sites.parquet").drop_columns(["event", "lineage", *kept]).to_pylist()
    return {**products(folder, but=HISTORY), "sites": sites, **_layers(folder / "geomon.gpkg")}


def _layers(path: Path) -> dict[str, object]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as box:
        names = [name for (name,) in box.execute("SELECT table_name FROM gpkg_contents ORDER BY table_name")]
        assert {"sites", "mining_footprints", "alerts", "footprint_periods", "zones"} <= set(names)
        return {f"layer {name}": box.execute(f'SELECT * FROM "{name}"').fetchall() for name in names if name != "sites"}


def leftovers(root: Path) -> list[Path]:
    """Everything in a store that is not whole."""
    return list(root.rglob(".tmp-*"))


def _write(path: Path, values: np.ndarray) -> None:  # type: ignore[type-arg]
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "count": 1, "height": SIZE, "width": SIZE, "dtype": values.dtype, "crs": CRS}
    with rasterio.open(path, "w", **profile, transform=Affine(10, 0, LEFT, 0, -10, TOP), nodata=0) as target:
        target.write(values, 1)
