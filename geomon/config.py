"""The job's configuration: one YAML file in, one frozen tree of options out, or a `ConfigError` that says what to edit.

The only module that knows pydantic. The file is untrusted: read with the safe loader, bounded in size, without
aliases, and with duplicate keys refused. Unknown keys are refused by name. Validators check and never rewrite; where a
path points is asked of the properties (`aoi_path`, `store_path`, ...), which resolve it against the file's own
directory.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from geomon.errors import ConfigError
from geomon.model import Period, PeriodKind

MAX_BYTES = 1_000_000
PROJECT_AOI = Path(__file__).resolve().parents[1] / "aoi"
"""Where a bare AOI or zone name is looked up after the config's own directory."""

Scalar = bool | int | float | str


def _day(value: object) -> object:
    """A date from YAML or ISO text; numbers and times of day are not dates."""
    if isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("must be a date such as 2022-07-01")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _printable(value: object) -> object:
    if isinstance(value, str) and not (value.isprintable() and value == value.strip()):
        raise ValueError("must be printable text without spaces around it")
    return value


Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, Field(min_length=1, max_length=2000), BeforeValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=80), BeforeValidator(_printable)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Options):
    """Where scenes are looked for."""

    catalog: Text = Field(description="static STAC catalogue: path (relative to this file) or http(s) URL")
    collections: tuple[Text, ...] = Field(
        default=("sentinel-2-l2a",), min_length=1, description="collections to take scenes from"
    )


class Periods(_Options):
    """Which time is learnt from and which is watched."""

    baseline: tuple[Day, ...] = Field(min_length=2, max_length=2, description="first and last day to learn from")
    monitor: tuple[Day, ...] = Field(
        min_length=1, max_length=2, description="first and last day to watch; without a last day: as-of"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Periods:
        for name, days in (("baseline", self.baseline), ("monitor", self.monitor)):
            if days[-1] < days[0]:
                raise ValueError(f"{name} must end on or after its start, got {days[0]}..{days[-1]}")
        if self.monitor[0] <= self.baseline[1]:
            raise ValueError(f"monitor must start after the baseline's end {self.baseline[1]}, got {self.monitor[0]}")
        return self


class Context(_Options):
    """Optional layers that inform the attribution."""

    dem: Text | None = Field(default=None, description="elevation raster, path relative to this file")
    rivers: Text | None = Field(default=None, description="river lines, path relative to this file")


class Report(_Options):
    """How results are grouped in time."""

    periods: tuple[PeriodKind, ...] = Field(
        default=(PeriodKind.QUARTER,), min_length=1, description="month quarter half year season"
    )


class Tiles(_Options):
    """How the ground is cut into units of work."""

    size_px: int = Field(default=512, ge=64, le=2048, multiple_of=16, description="edge of a tile [pixels]")


class Detector(_Options):
    """Which detector runs; keys not listed here are the detector's own options."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Scalar] = Field(init=False)

    name: Text = Field(default="sequential", description="which detector of geomon.change.DETECTORS")
    checkpoints: int = Field(
        default=3, ge=1, le=100, description="states kept per tile, besides the baseline, to resume from"
    )

    @property
    def options(self) -> Mapping[str, Scalar]:
        """The detector's own options."""
        return dict(self.__pydantic_extra__ or {})


class Engine(_Options):
    """Where tiles are worked on: in this process (default), in local workers, or on a dask cluster that is there."""

    workers: int | None = Field(default=None, ge=1, le=1024, description="local worker processes, ending with this one")
    scheduler: Text | None = Field(
        default=None, pattern=r"^(tcp|tls)://", description="address of a dask scheduler, tcp://host:8786"
    )
    timeout_s: float = Field(default=60.0, gt=0, le=86400, description="how long to wait for workers to appear [s]")

    @model_validator(mode="after")
    def _one_place(self) -> Engine:
        if self.workers is not None and self.scheduler is not None:
            raise ValueError("workers and scheduler exclude each other: local workers, or a cluster that is there")
        return self


class JobConfig(_Options):
    """One monitoring job."""

    name: Name = Field(description="name of the job; written into products")
    aoi: Text = Field(description="area of interest: GeoJSON, path relative to this file or a name in aoi/")
    source: Source = Field(description="where scenes are looked for")
    period: Periods = Field(description="which time is learnt from and which is watched; dates UTC, inclusive")
    store: Text = Field(description="directory of results, path relative to this file")
    zones: Text | None = Field(default=None, description="zones file; default: each AOI feature is a zone")
    context: Context = Field(default_factory=Context, description="optional layers that inform the attribution")
    report: Report = Field(default_factory=Report, description="how results are grouped in time")
    tiles: Tiles = Field(default_factory=Tiles, description="how the ground is cut into units of work")
    detector: Detector = Field(default_factory=Detector, description="which detector runs, and its own options")
    engine: Engine = Field(default_factory=Engine, description="where tiles are worked on; default: in this process")

    _file: Path = PrivateAttr(default=Path("config.yaml"))

    def model_post_init(self, context: Any, /) -> None:
        """Remember the file that this came from: paths are relative to it."""
        if isinstance(context, Path):
            self._file = context

    @property
    def file(self) -> Path:
        """The file that this was read from."""
        return self._file

    @property
    def base(self) -> Path:
        """Directory that relative paths start from."""
        return self._file.resolve().parent

    @property
    def aoi_path(self) -> Path:
        """The AOI file."""
        return self._area_file("aoi", self.aoi)

    @property
    def zones_path(self) -> Path | None:
        """The zones file, if one is named."""
        return None if self.zones is None else self._area_file("zones", self.zones)

    @property
    def catalog(self) -> str:
        """The catalogue's URL or absolute path."""
        href = self.source.catalog
        return href if "://" in href else str(self.base / Path(href).expanduser())

    @property
    def store_path(self) -> Path:
        """The store's directory, absolute."""
        return self.base / Path(self.store).expanduser()

    @property
    def context_paths(self) -> Mapping[str, Path]:
        """The context files that are named, absolute."""
        named = {"dem": self.context.dem, "rivers": self.context.rivers}
        return {key: self.base / Path(value).expanduser() for key, value in named.items() if value is not None}

    @property
    def baseline(self) -> Period:
        """The time learnt from."""
        return Period(self.period.baseline[0], self.period.baseline[1])

    def monitor(self, as_of: date) -> Period:
        """The time watched, cut at `as_of`."""
        start = self.period.monitor[0]
        if as_of < start:
            raise ConfigError(
                f"{self.file}: as-of must not be before the monitor start {start}, got {as_of}; choose a later date."
            )
        return Period(start, self.as_of(as_of))

    def as_of(self, asked: date) -> date:
        """The earlier of the date asked for and the monitor end."""
        return min(asked, self.period.monitor[1]) if len(self.period.monitor) == 2 else asked

    def identity(self) -> dict[str, object]:
        """What of the configuration a run is made of: no places, no engine, nothing that only saves time."""
        dumped: dict[str, Any] = self.model_dump(mode="json", exclude={"store", "engine", "aoi", "zones", "context"})
        dumped["source"].pop("catalog")
        dumped["detector"].pop("checkpoints")
        return dumped

    def _area_file(self, key: str, name: str) -> Path:
        beside = self.base / Path(name).expanduser()
        choices = [beside, PROJECT_AOI / name, PROJECT_AOI / f"{name}.geojson"] if Path(name).name == name else [beside]
        found = next((path for path in choices if path.is_file()), None)
        if found is None:
            known = ", ".join(sorted(path.stem for path in PROJECT_AOI.glob("*.geojson"))) or "none"
            raise ConfigError(
                f"{self.file}: key '{key}' must name a file beside it or in aoi/, got '{name}': neither {beside} "
                f"nor one of aoi/ ({known}). Correct the name or put the file there."
            )
        return found


def load(path: Path) -> JobConfig:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        With the file, the key, what was expected and what came, one fault a line.
    """
    raw = _parse(path)
    try:
        return JobConfig.model_validate(raw, context=path)
    except ValidationError as err:
        lines = [f"{path}: {_fault(fault)}" for fault in err.errors(include_url=False)]
        raise ConfigError(
            "\n".join(lines) + "\nCorrect the file and run again; `geomon config` prints all keys."
        ) from err


def commented_yaml(config: JobConfig) -> str:
    """The effective configuration as YAML, each key with its meaning as a comment."""
    return "\n".join([f"# effective configuration of {config.file}", *_lines(config, "")]) + "\n"


class _Loader(yaml.SafeLoader):
    """The safe loader, less aliases (a few bytes could become gigabytes) and less keys written twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken; write the value out", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key.value}' is written twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _parse(path: Path) -> dict[Any, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as err:
        raise ConfigError(
            f"{path} must be a readable configuration file, but: {err.strerror}. Give another path."
        ) from err
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} must be at most {MAX_BYTES} bytes, and is longer. Is it a configuration file?")
    try:
        raw = yaml.load(content, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as err:
        reason = " ".join(str(err).split()) or type(err).__name__
        raise ConfigError(
            f"{path} must be YAML as in configs/, but: {reason}. Correct the file and run again."
        ) from err
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold keys such as 'name:' and 'aoi:', got {type(raw).__name__}. See configs/.")
    return raw


def _fault(fault: Mapping[str, Any]) -> str:
    """One line for one of pydantic's findings: the key, what came, what is expected."""
    where = [str(part) for part in fault["loc"]]
    key = ".".join(where)
    if fault["type"] == "extra_forbidden":
        return _unknown(where)
    if fault["type"] == "missing":
        return f"key '{key}' is missing: {_model_at(where[:-1]).model_fields[where[-1]].description}."
    expected = str(fault["msg"]).removeprefix("Value error, ")
    got = repr(fault["input"])
    return f"key '{key or 'file'}': {expected}; got {got if len(got) <= 80 else got[:77] + '...'}."


def _unknown(where: Sequence[str]) -> str:
    known = sorted(_model_at(where[:-1]).model_fields)
    near = difflib.get_close_matches(where[-1][:100], known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return f"key '{'.'.join(where)[:200]}' is not known{hint} Known keys here: {', '.join(known)}."


def _model_at(where: Sequence[str]) -> type[BaseModel]:
    model: type[BaseModel] = JobConfig
    for part in where:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model


def _lines(options: BaseModel, indent: str) -> Iterator[str]:
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        yield f"{indent}# {field.description}"
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {_scalar(value)}"
    for name, value in (options.model_extra or {}).items():
        yield f"{indent}{name}: {_scalar(value)}"


def _scalar(value: object) -> str:
    plain = [str(v) if isinstance(v, PeriodKind) else v for v in value] if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(plain, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()
