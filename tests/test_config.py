from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from geomon import config
from geomon.errors import ConfigError
from geomon.model import Period, PeriodKind

ROOT = Path(__file__).resolve().parent.parent
GOOD: dict[str, Any] = {
    "name": "tiny",
    "aoi": "aoi.geojson",
    "source": {"catalog": "./catalog.json"},
    "period": {"baseline": ["2021-01-01", "2021-12-31"], "monitor": ["2022-01-01", "2022-06-30"]},
    "store": "./store",
}


def write(path: Path, **changes: object) -> Path:
    """Write the good configuration with keys changed; None takes one away."""
    merged = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(merged), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "aoi.geojson").write_text("{}")
    return write(tmp_path / "job.yaml")


def test_the_least_config_gets_every_default(file: Path) -> None:
    """Name, aoi, source, period and store suffice; paths start at the file's own directory."""
    loaded = config.load(file)
    assert loaded.store_path == file.parent / "store"
    assert loaded.aoi_path == file.parent / "aoi.geojson"
    assert loaded.catalog == str(file.parent / "catalog.json")
    assert loaded.zones_path is None
    assert loaded.report.periods == (PeriodKind.QUARTER,)
    assert (loaded.engine.workers, loaded.engine.scheduler) == (None, None)
    assert loaded.source.collections == ("sentinel-2-l2a",)


def test_a_url_stays_a_url(file: Path) -> None:
    """A catalogue on the network is not resolved against the file."""
    loaded = config.load(write(file, source={"catalog": "https://example.org/c/catalog.json"}))
    assert loaded.catalog == "https://example.org/c/catalog.json"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peroid": {}}, "key 'peroid' is not known; did you mean 'period'?"),
        (
            {"source": {"catalog": "c", "colections": []}},
            "key 'source.colections' is not known; did you mean 'collections'?",
        ),
        ({"name": None}, "key 'name' is missing: name of the job"),
        ({"period": {"baseline": ["2021-01-01", "2021-12-31"]}}, "key 'period.monitor' is missing"),
        (
            {"period": GOOD["period"] | {"monitor": ["2021-06-01"]}},
            "monitor must start after the baseline's end 2021-12-31",
        ),
        (
            {"period": GOOD["period"] | {"monitor": ["2022-06-01", "2022-01-01"]}},
            "monitor must end on or after its start",
        ),
        ({"period": GOOD["period"] | {"monitor": [2022]}}, "must be a date such as 2022-07-01; got 2022"),
        ({"period": GOOD["period"] | {"monitor": ["2022-02-30"]}}, "period.monitor.0"),
        ({"period": GOOD["period"] | {"monitor": []}}, "at least 1"),
        ({"engine": {"workers": 0}}, "greater than or equal to 1; got 0"),
        ({"engine": {"workers": 2, "scheduler": "tcp://a:1"}}, "workers and scheduler exclude each other"),
        ({"engine": {"scheduler": "file:///etc"}}, "engine.scheduler"),
        ({"report": {"periods": ["week"]}}, "'month', 'quarter', 'half', 'year' or 'season'; got 'week'"),
        ({"tiles": {"size_px": 100}}, "multiple of 16; got 100"),
        ({"detector": {"threshold": [1]}}, "detector.threshold"),
        ({"name": "two\nlines"}, "must be printable text"),
        ({"name": "x" * 81}, "at most 80 characters"),
        ({"store": ""}, "at least 1 character"),
    ],
)
def test_a_fault_is_named_with_its_key(file: Path, changes: dict[str, object], message: str) -> None:
    """Every fault gives the file, the key, what was expected and what came; the exit code says: edit a file."""
    with pytest.raises(ConfigError) as caught:
        config.load(write(file, **changes))
    assert str(caught.value).startswith(f"{file}: key '")
    assert message in str(caught.value)
    assert caught.value.exit_code == 78


def test_all_faults_are_told_at_once(file: Path) -> None:
    """Two faults are two lines: nobody edits the file twice for nothing."""
    with pytest.raises(ConfigError) as caught:
        config.load(write(file, peroid={}, engine={"workers": 0}))
    assert str(caught.value).count(f"{file}: key '") == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: a\nname: b\n", "key 'name' is written twice"),
        (b"a: &a [x, x]\nb: [*a, *a]\n", "aliases"),
        (b"<<: {a: 1}\n? [1, 2]\n: 3\n", "a key must be plain text"),
        (b"- a\n- b\n", "got list"),
        (b"", "got NoneType"),
        (b"name: !!python/object/apply:os.system [true]\n", "python/object"),
        (b"[" * 100_000, "must be YAML"),
        (b"name: \xff\xfe\n", "must be YAML"),
        (b"when: 2021-02-31\n", "must be YAML"),
        (b"#" * (config.MAX_BYTES + 1), "at most 1000000 bytes"),
    ],
    ids=["twice", "alias", "key", "list", "empty", "object", "deep", "bytes", "date", "long"],
)
def test_a_hostile_file_is_a_config_error(file: Path, content: bytes, message: str) -> None:
    """Whatever stands in the file, it is refused with a message; nothing is run and nothing grows."""
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"(?s){file}.*{message}"):
        config.load(file)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_config_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No content whatever is a bug of ours."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        config.load(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """A config that is not there is a config error that names it."""
    with pytest.raises(ConfigError, match=r"nothing\.yaml must be a readable configuration"):
        config.load(tmp_path / "nothing.yaml")


def test_an_area_may_be_a_name_of_the_project(file: Path) -> None:
    """A bare name is looked up beside the config, then in aoi/; an unknown one lists what there is."""
    assert config.load(write(file, aoi="car_west")).aoi_path == config.PROJECT_AOI / "car_west.geojson"
    with pytest.raises(ConfigError, match=r"'car_wset'.*aoi/ \(car_west, civ_north\)"):
        _ = config.load(write(file, aoi="car_wset")).aoi_path


def test_the_effective_config_is_a_config_again(file: Path) -> None:
    """What `geomon config` prints loads as the same configuration, and every key has a comment."""
    loaded = config.load(write(file, engine={"workers": 2}, report={"periods": ["month", "season"]}))
    text = config.commented_yaml(loaded)
    again = file.with_name("again.yaml")
    again.write_text(text, encoding="utf-8")
    assert config.load(again).model_dump() == loaded.model_dump()
    lines = text.splitlines()
    assert all(lines[n - 1].strip().startswith("#") for n, line in enumerate(lines) if not line.strip().startswith("#"))


def test_as_of_is_the_earlier_of_the_day_asked_for_and_the_end(file: Path) -> None:
    """The monitor end cuts as-of; without an end the day asked for stands."""
    closed = config.load(file)
    assert closed.as_of(date(2030, 1, 1)) == date(2022, 6, 30)
    assert closed.monitor(date(2022, 3, 1)) == Period(date(2022, 1, 1), date(2022, 3, 1))
    still_open = config.load(write(file, period=GOOD["period"] | {"monitor": ["2022-01-01"]}))
    assert still_open.as_of(date(2030, 1, 1)) == date(2030, 1, 1)


def test_identity_leaves_out_places_and_engine(file: Path) -> None:
    """Two configs that differ in where and how alone have one identity."""
    there = write(
        file.with_name("there.yaml"),
        aoi="other.geojson",
        store="/elsewhere",
        engine={"workers": 4},
        source={"catalog": "/moved/catalog.json"},
        detector={"checkpoints": 9},
    )
    assert config.load(there).identity() == config.load(file).identity()
    assert config.load(write(there, detector={"name": "ewma_ndvi"})).identity() != config.load(file).identity()


@pytest.mark.parametrize("name", ["car", "cote_divoire"])
def test_the_examples_load(name: str) -> None:
    """The configs that come with the project are configs, and their areas are there."""
    loaded = config.load(ROOT / "configs" / f"{name}.yaml")
    assert loaded.aoi_path.is_file()
