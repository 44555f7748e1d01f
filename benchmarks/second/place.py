"""Where a landscape lies on the map, and GeoJSON of what is on it.

In: local metres, x right and y down. Out: transforms in EPSG:32633, polygons in degrees. The corner is drawn from the
seed and means nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from rasterio.transform import Affine
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

from second.recipe import Doubles, Recipe

CRS = "EPSG:32633"
_TO_DEGREES = Transformer.from_crs(32633, 4326, always_xy=True)


@dataclass(frozen=True)
class Place:
    """A square of `size` pixels of 10 m with its upper left corner at (left, top)."""

    left: int
    top: int
    size: int
    crs: str = CRS

    @classmethod
    def of(cls, recipe: Recipe) -> Place:
        """Draw the place of a landscape."""
        rng = np.random.default_rng([recipe.seed, 5])
        left = 20 * round((609000 + rng.uniform(0, 4000)) / 20)
        top = 20 * round((476500 + rng.uniform(0, 2000)) / 20)
        return cls(left, top, recipe.size)

    def transform(self, pixel_m: int) -> Affine:
        """Transform of a grid of pixels."""
        return Affine(float(pixel_m), 0.0, float(self.left), 0.0, -float(pixel_m), float(self.top))

    @property
    def box(self) -> Polygon:
        """The square in local metres."""
        side = self.size * 10
        return Polygon([(0, 0), (side, 0), (side, side), (0, side)]).segmentize(self.size * 5)

    @property
    def outline(self) -> dict[str, Any]:
        """The square in degrees."""
        return self.in_degrees(self.box)

    @property
    def bounds(self) -> list[float]:
        """West, south, east, north."""
        east, north = zip(*self.outline["coordinates"][0], strict=True)
        return [min(east), min(north), max(east), max(north)]

    def in_degrees(self, ground: BaseGeometry) -> dict[str, Any]:
        """Turn local metres into longitude and latitude, to a centimetre."""
        return dict(mapping(shapely.transform(ground, self._to_degrees)))

    def collection(self, rows: list[tuple[BaseGeometry, dict[str, Any]]]) -> dict[str, Any]:
        """GeoJSON of grounds with their facts."""
        features = [
            {"type": "Feature", "properties": facts, "geometry": self.in_degrees(ground)} for ground, facts in rows
        ]
        return {"type": "FeatureCollection", "features": features}

    def _to_degrees(self, local: Doubles) -> Doubles:
        east, north = _TO_DEGREES.transform(self.left + local[:, 0], self.top - local[:, 1])
        return np.round(np.c_[east, north], 7)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON in the order given."""
    path.write_text(json.dumps(content), encoding="utf-8")
