"""What users meet is written down: every command, config key, layer and column; and help is quick to get."""

import dataclasses
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"xarray", "dask", "distributed", "geopandas", "rasterio", "numba", "sklearn", "skimage", "scipy", "pyarrow"}


def load(name: str) -> ModuleType:
    """Import a module of ours; skip while nobody has written it."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not written yet")
    return importlib.import_module(name)


@pytest.fixture
def documented() -> set[str]:
    """Words that stand in the README as code: in backticks or in a block."""
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not written yet")
    return code_words(readme.read_text(encoding="utf-8"))


def code_words(markdown: str) -> set[str]:
    blocks = re.findall(r"^```.*?^```", markdown, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL))
    return set(re.findall(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*", "\n".join([*blocks, *spans])))


def option_classes(annotation: Any) -> Iterator[type]:
    """Classes with fields of their own inside an annotation: X, X | None, tuple[X, ...]."""
    if isinstance(annotation, type) and (hasattr(annotation, "model_fields") or dataclasses.is_dataclass(annotation)):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from option_classes(inner)


def own_fields(options: type) -> dict[str, Any]:
    """Key -> annotation of a pydantic model or a dataclass, as a config file spells them."""
    if hasattr(options, "model_fields"):
        return {field.alias or name: field.annotation for name, field in options.model_fields.items()}
    hints = typing.get_type_hints(options)
    return {field.name: hints[field.name] for field in dataclasses.fields(options)}


def config_keys(options: type, above: str = "") -> Iterator[str]:
    """Every key of a config tree, dotted."""
    for key, annotation in own_fields(options).items():
        yield f"{above}{key}"
        for inner in option_classes(annotation):
            yield from config_keys(inner, f"{above}{key}.")


def all_commands() -> dict[str, Any]:
    """Every command of the `geomon` program by name, those of its groups as "group name"."""
    main = pytest.importorskip("typer.main")

    def walk(group: Any, above: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            yield above + name, command
            if hasattr(command, "commands"):
                yield from walk(command, f"{above}{name} ")

    commands = dict(walk(main.get_command(load("pipelines.__main__").app), ""))
    assert commands
    return commands


def test_every_command_is_in_the_readme(documented: set[str]) -> None:
    """A command that exists is named as code in the README."""
    assert [name for name in all_commands() if not set(name.split()) <= documented] == []


def test_every_command_has_help() -> None:
    """Every command and every option says what it does."""
    commands = all_commands()
    silent = [name for name, command in commands.items() if not command.help]
    silent += [
        f"{name} {parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert silent == []


def test_every_config_key_is_in_the_readme(documented: set[str]) -> None:
    """A key that a config file may hold is named as code in the README."""
    keys = list(config_keys(load("geomon.config").JobConfig))
    assert keys
    assert [key for key in keys if key.rpartition(".")[2] not in documented] == []


def test_every_layer_is_in_the_readme(documented: set[str]) -> None:
    """A raster layer that is written is named as code in the README."""
    names = {layer.name for layer in load("geomon.schema").LAYERS}
    assert names
    assert names - documented == set()


def test_every_column_is_in_the_readme(documented: set[str]) -> None:
    """A column that is written is named as code in the README."""
    tables = load("geomon.schema").TABLES
    missing = {
        table: [column.name for column in columns if column.name not in documented] for table, columns in tables.items()
    }
    assert {table: names for table, names in missing.items() if names} == {}


HELP = """
import json, sys
sys.argv = ["geomon", "--help"]
from pipelines.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_help_imports_nothing_heavy() -> None:
    """`geomon --help` answers without loading the libraries that do the work."""
    if importlib.util.find_spec("pipelines.__main__") is None:
        pytest.skip("pipelines.__main__ is not written yet")
    done = subprocess.run(
        [sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.splitlines()[-1])) & HEAVY == set()


def test_code_words_are_read_from_spans_and_blocks() -> None:
    """Prose does not count as documentation of a name."""
    text = "Run prose and `geomon run --as-of`.\n```yaml\nname: x\n```\n`area_ha`\n"
    assert code_words(text) == {"geomon", "run", "as-of", "yaml", "name", "x", "area_ha"}


@dataclasses.dataclass(frozen=True)
class Engine:
    workers: int = 1


@dataclasses.dataclass(frozen=True)
class Job:
    name: str
    engine: Engine | None = None
    many: tuple[Engine, ...] = ()


def test_config_keys_are_read_from_nested_classes() -> None:
    """Keys of option classes inside unions and tuples are found."""
    assert list(config_keys(Job)) == ["name", "engine", "engine.workers", "many", "many.workers"]
