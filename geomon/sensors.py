"""What is fixed about each sensor: its collections, bands, numbers and pixel sizes, as records.

In: the name of a collection (and what an item says of its constellation). Out: a `Sensor`, or None. Sensors differ in
facts, so each is a record in one literal table; nothing here reads an item, opens a file or decides what is clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

QA_BAND = "scl"
"""Key under which a scene keeps its quality layer (`Scene.assets[QA_BAND]`)."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One instrument's facts.

    Parameters
    ----------
    name : str
        Key in `SENSORS`, written into scenes and products.
    collections : tuple of str
        Collection ids that mean this sensor at this processing level.
    constellations : tuple of str
        Spellings of an item's `constellation`, lower case with `-` for blanks; used where the collection has a name of
        its own.
    bands : mapping
        STAC common name -> asset keys, tried in order where common names do not decide.
    qa_keys : tuple of str
        Asset keys of the quality layer.
    scale, offset, nodata : float
        Reflectance is `dn * scale + offset`; used where an item declares nothing.
    offset_since : tuple of int
        First processing baseline whose numbers carry `offset`; older ones carry none.
    pixel_m : tuple of float
        Pixel sides [m] that its rasters come in; anything else is a mistaken item.
    """

    name: str
    collections: tuple[str, ...]
    constellations: tuple[str, ...]
    bands: Mapping[str, tuple[str, ...]]
    qa_keys: tuple[str, ...]
    scale: float
    offset: float
    nodata: float
    offset_since: tuple[int, ...]
    pixel_m: tuple[float, ...]

    def default_offset(self, baseline: tuple[int, ...]) -> float:
        """Offset of numbers processed with `baseline`; an unknown one, `()`, has none.

        Examples
        --------
        >>> SENTINEL2.default_offset((5, 11)), SENTINEL2.default_offset((2, 12)), SENTINEL2.default_offset(())
        (-0.1, 0.0, 0.0)
        """
        return self.offset if baseline >= self.offset_since else 0.0


# Band names: Sentinel-2 MSI, ESA. Radiometry: ESA, "Sentinel-2 products: processing baseline 04.00" (25 January
# 2022): quantification value 10000, BOA_ADD_OFFSET -1000; reprocessed Collection-1 scenes carry it on older dates
# too, so the date is no test. Pixels: ESA, Sentinel-2 User Handbook, table 1 (spatial resolution by band).
SENTINEL2 = Sensor(
    name="sentinel-2",
    collections=("sentinel-2-l2a", "sentinel-2-c1-l2a", "sentinel-s2-l2a-cogs", "sentinel-s2-l2a"),
    constellations=("sentinel-2",),
    bands=MappingProxyType(
        {
            "blue": ("blue", "B02", "B02_10m"),
            "green": ("green", "B03", "B03_10m"),
            "red": ("red", "B04", "B04_10m"),
            "nir": ("nir", "B08", "B08_10m"),
            "swir16": ("swir16", "B11", "B11_20m"),
            "swir22": ("swir22", "B12", "B12_20m"),
        }
    ),
    qa_keys=("scl", "SCL", "SCL_20m"),
    scale=1e-4,
    offset=-0.1,
    nodata=0.0,
    offset_since=(4, 0),
    pixel_m=(10.0, 20.0, 60.0),
)

SENSORS: Mapping[str, Sensor] = MappingProxyType({SENTINEL2.name: SENTINEL2})


def sensor_of(collection: str, *, constellation: str = "") -> Sensor | None:
    """Find the sensor that a collection holds, by its id or else by what its items call their constellation.

    Examples
    --------
    >>> sensor_of("sentinel-2-c1-l2a").name, sensor_of("our-own", constellation="Sentinel 2").name
    ('sentinel-2', 'sentinel-2')
    >>> sensor_of("landsat-c2-l2") is None
    True
    """
    spelled = constellation.strip().lower().replace(" ", "-")
    for sensor in SENSORS.values():
        if collection in sensor.collections:
            return sensor
    return next((sensor for sensor in SENSORS.values() if spelled in sensor.constellations), None)
