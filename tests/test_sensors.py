import pytest

from geomon.model import BANDS
from geomon.sensors import QA_BAND, SENSORS, Sensor, sensor_of


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=lambda s: s.name)
class TestEverySensor:
    def test_its_bands_are_common_names(self, sensor: Sensor) -> None:
        """A sensor's bands are among geomon's, and the quality layer is none of them."""
        assert set(sensor.bands) <= set(BANDS)
        assert QA_BAND not in sensor.bands

    def test_no_asset_key_means_two_bands(self, sensor: Sensor) -> None:
        """One asset key never stands for two bands."""
        keys = [key for keys in (*sensor.bands.values(), sensor.qa_keys) for key in keys]
        assert len(keys) == len(set(keys))

    def test_its_pixels_are_whole_multiples_of_the_finest(self, sensor: Sensor) -> None:
        """Its rasters nest in one lattice."""
        assert all(side % min(sensor.pixel_m) == 0 for side in sensor.pixel_m)

    def test_collections_lead_to_it(self, sensor: Sensor) -> None:
        """Each of its collection ids finds it."""
        assert all(sensor_of(name) is sensor for name in sensor.collections)


@pytest.mark.parametrize(
    ("baseline", "offset"), [((), 0.0), ((2, 14), 0.0), ((3, 1), 0.0), ((4, 0), -0.1), ((5, 11), -0.1)]
)
def test_offset_begins_with_baseline_four(baseline: tuple[int, ...], offset: float) -> None:
    """Numbers carry the offset from processing baseline 04.00 on, whatever the date."""
    assert SENSORS["sentinel-2"].default_offset(baseline) == offset


def test_constellation_decides_for_a_collection_with_its_own_name() -> None:
    """A catalogue may name its collection as it likes, but a known collection id wins."""
    assert sensor_of("car-west", constellation="Sentinel-2") is SENSORS["sentinel-2"]
    assert sensor_of("sentinel-2-l2a", constellation="landsat") is SENSORS["sentinel-2"]
    assert sensor_of("car-west") is None
    assert sensor_of("landsat-c2-l2", constellation="landsat") is None
