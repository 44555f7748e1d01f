"""The rules of the house, each a function from one module's syntax tree to what breaks it.

`test_architecture.py` runs them over geomon/ and pipelines/, and over small bad snippets to see that they bite.
"""

import ast
import graphlib
import io
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 7
MAX_TOTAL_LINES = 8_700

KERNELS_MAY_IMPORT = {"numpy", "scipy", "skimage", "numba", "geomon"}
NETWORK_MODULES = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "urllib", "urllib3"}
WRITING_METHODS = {
    "imsave", "normalize_and_save", "save", "save_object", "savez", "savez_compressed", "symlink_to", "to_feather",
    "to_file", "to_netcdf", "to_parquet", "to_pickle", "to_zarr", "write_arrow", "write_bytes", "write_dataframe",
    "write_table", "write_text",
}  # fmt: skip
WRITING_FUNCTIONS = {
    "os.link", "os.rename", "os.replace", "os.symlink", "shutil.copy", "shutil.copy2", "shutil.copyfile",
    "shutil.copytree", "shutil.move", "sqlite3.connect",
}  # fmt: skip
WRITING_MODES = set("wax+")

Finding = tuple[str, int]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name and its text."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    def within(self, *rooms: str) -> bool:
        return any(self.name == room or self.name.startswith(f"{room}.") for room in rooms)


@dataclass(frozen=True)
class Rule:
    """What is checked, where it is allowed all the same, and a snippet each that breaks and keeps it."""

    check: Callable[[Module], Iterator[Finding]]
    allowed_in: tuple[str, ...]
    bad: tuple[str, ...]
    good: str = "x = 1"
    only_in: tuple[str, ...] = ("geomon", "pipelines")

    def findings(self, module: Module) -> list[Finding]:
        if module.within(*self.allowed_in) or not module.within(*self.only_in):
            return []
        return list(self.check(module))


def read_modules(root: Path, *packages: str) -> list[Module]:
    """Read every module under the packages of `root`."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return [Module(dotted_name(path.relative_to(root)), path.read_text(encoding="utf-8")) for path in paths]


def dotted_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# ---------------------------------------------------------------- size


def docstring_lines(tree: ast.AST) -> set[int]:
    """Lines that a docstring covers."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node, clean=False) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def code_lines(module: Module) -> set[int]:
    """Lines that hold code: no blank ones, no comments, no docstrings."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(module.tree)


def functions(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def count_parameters(function: Function) -> int:
    """All parameters, keyword-only ones too, but self and cls."""
    args = function.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")]) + bool(args.vararg) + bool(args.kwarg)


def find_long_module(module: Module) -> Iterator[Finding]:
    count = len(module.source.splitlines())
    if count > MAX_MODULE_LINES:
        yield f"{count} lines", 1


def find_long_functions(module: Module) -> Iterator[Finding]:
    code = code_lines(module)
    for function in functions(module):
        count = len(code & set(range(function.lineno, (function.end_lineno or 0) + 1)))
        if count > MAX_FUNCTION_LINES:
            yield f"{function.name} has {count} lines of code", function.lineno


def find_many_parameters(module: Module) -> Iterator[Finding]:
    for function in functions(module):
        count = count_parameters(function)
        if count > MAX_PARAMETERS:
            yield f"{function.name} has {count} parameters", function.lineno


# ---------------------------------------------------------------- imports


def imported_names(module: Module) -> Iterator[tuple[str, int]]:
    """Dotted names that a module imports, at its top or inside a function; `from a import b` gives a.b.

    Relative imports need no thought: ruff's TID252 forbids them.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def find_cycle(modules: list[Module]) -> list[str]:
    """Give one cycle of imports, or nothing."""
    known = {module.name for module in modules}

    def target(name: str) -> str | None:
        return next((each for each in (name, name.rpartition(".")[0]) if each in known), None)

    graph = {
        module.name: {found for name, _ in imported_names(module) if (found := target(name)) not in (None, module.name)}
        for module in modules
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def find_imports_of(*roots: str, harmless: tuple[str, ...] = ()) -> Callable[[Module], Iterator[Finding]]:
    """Make a check that finds imports of any of `roots`, save what lies under `harmless`."""

    def check(module: Module) -> Iterator[Finding]:
        for name, line in imported_names(module):
            if name.split(".")[0] in roots and not name.startswith(harmless or ("\0",)):
                yield f"imports {name}", line

    return check


def find_heavy_kernel_imports(module: Module) -> Iterator[Finding]:
    allowed = KERNELS_MAY_IMPORT | set(sys.stdlib_module_names) - NETWORK_MODULES - {"logging"}
    for name, line in imported_names(module):
        if name.split(".")[0] not in allowed:
            yield f"imports {name}", line


# ---------------------------------------------------------------- words and calls


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with what is called, as written: time.time, Path(x).open, print."""
    return ((node, ast.unparse(node.func)) for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def find_banned_words(module: Module) -> Iterator[Finding]:
    """Ways to take a failed read for no data, in code or in strings; a docstring or comment may name them."""
    docstrings = docstring_lines(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "fail_on_error" and ast.unparse(node.value) == "False":
            yield "fail_on_error=False", node.lineno
        if isinstance(node, ast.keyword) and node.arg == "errors_as_nodata":
            yield "errors_as_nodata", node.lineno
        if isinstance(node, ast.Constant) and node.value == "errors_as_nodata" and node.lineno not in docstrings:
            yield "errors_as_nodata", node.lineno
    yield from find_imports_of("stackstac")(module)


def find_broad_handlers(module: Module) -> Iterator[Finding]:
    """Handlers that would swallow a bug; `except BaseException` may tidy up if it ends with a bare raise."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = {"bare except"} if node.type is None else {ast.unparse(each) for each in caught_types(node.type)}
        last = node.body[-1]
        if isinstance(last, ast.Raise) and last.exc is None:
            caught.discard("BaseException")
        for name in sorted(caught & {"bare except", "Exception", "BaseException"}):
            yield f"catches {name}", node.lineno


def caught_types(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def find_clocks(module: Module) -> Iterator[Finding]:
    """Calls that read the calendar; monotonic clocks are free."""
    for node, called in calls(module):
        head, _, last = called.rpartition(".")
        if last in ("now", "utcnow", "today") and head:
            yield f"calls {called}", node.lineno
        if head == "time" and last in ("time", "time_ns", "localtime", "gmtime", "ctime", "strftime"):
            yield f"calls {called}", node.lineno
        if last == "datetime64" and node.args and ast.unparse(node.args[0]) in ("'now'", "'today'"):
            yield f"calls {called} of the clock", node.lineno
    for name, line in imported_names(module):
        if name in ("time.time", "time.time_ns"):
            yield f"imports {name}", line


def find_prints(module: Module) -> Iterator[Finding]:
    for node, called in calls(module):
        if called in ("print", "sys.stdout.write", "sys.stderr.write"):
            yield f"calls {called}", node.lineno


def find_writes(module: Module) -> Iterator[Finding]:
    """Calls that write, replace or rename files."""
    for node, called in calls(module):
        head, _, last = called.rpartition(".")
        if (head and last in WRITING_METHODS) or called in WRITING_FUNCTIONS:
            yield f"calls {called}", node.lineno
        if last in ("to_csv", "to_json") and node.args and ast.unparse(node.args[0]) != "sys.stdout":
            yield f"calls {called} with a target", node.lineno
        if last == "open" and opens_to_write(node, method=head not in ("", "io", "gzip", "rasterio")):
            yield f"opens to write: {ast.unparse(node)[:60]}", node.lineno


def opens_to_write(call: ast.Call, *, method: bool) -> bool:
    """Whether a call of open has a writing mode; a path's own method takes the mode first, the others second."""
    place = 0 if method else 1
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[place : place + 1]
    return any(isinstance(m, ast.Constant) and isinstance(m.value, str) and WRITING_MODES & set(m.value) for m in modes)


def find_areas(module: Module) -> Iterator[Finding]:
    """Measures of area: geodesic ones, and the plain .area of a shape."""
    names = {"Geod", "area", "geometry_area_perimeter", "polygon_area_perimeter"}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr in names:
            yield f"reads {ast.unparse(node)}", node.lineno
    for name, line in imported_names(module):
        if name in ("pyproj.Geod", "shapely.area"):
            yield f"imports {name}", line


RULES: dict[str, Rule] = {
    "a module has at most 350 lines": Rule(find_long_module, (), bad=("x = 1\n" * 351,), good="x = 1\n" * 350),
    "a function has at most 60 lines of code": Rule(
        find_long_functions,
        (),
        bad=("def f():\n" + "    x = 1\n" * 60,),
        good='def f():\n    """Long.\n' + "\n    told\n" * 60 + '    """\n' + "    x = 1  # why\n    # told\n\n" * 57,
    ),
    "a function has at most 7 parameters": Rule(
        find_many_parameters,
        (),
        bad=("def f(a, b, c, d, *, e, f, g, h): ...", "def f(a, b, c, d, e, f, *g, **h): ..."),
        good="class A:\n    def f(self, a, b, *, c, d, e, f, g): ...",
    ),
    "a failed read is never no-data": Rule(
        find_banned_words,
        (),
        bad=(
            "load(items, fail_on_error = False)",
            "load(items, errors_as_nodata=(IOError,))",
            "options = {'errors_as_nodata': ()}",
            "import stackstac",
            "from stackstac import stack",
        ),
        good='"""stackstac has errors_as_nodata."""\nload(items, fail_on_error=True)',
    ),
    "only job catches everything": Rule(
        find_broad_handlers,
        ("pipelines.job",),
        bad=(
            "try:\n    f()\nexcept:\n    g()",
            "try:\n    f()\nexcept Exception:\n    raise",
            "try:\n    f()\nexcept (OSError, Exception) as e:\n    g()",
            "try:\n    f()\nexcept BaseException:\n    g()",
        ),
        good="try:\n    f()\nexcept OSError:\n    g()\nexcept BaseException:\n    h()\n    raise",
    ),
    "only job reads the calendar": Rule(
        find_clocks,
        ("pipelines.job",),
        bad=(
            "datetime.now(UTC)",
            "dt.date.today()",
            "pd.Timestamp.now('UTC')",
            "import time\ntime.time()",
            "from time import time",
            "np.datetime64('now')",
        ),
        good="import time\ntime.monotonic()\nnp.datetime64('2020-01-01')",
    ),
    "nothing prints but the command": Rule(
        find_prints, ("pipelines.__main__",), bad=("print('x')", "sys.stderr.write('x')"), good="log.info('x')"
    ),
    "only config knows pydantic": Rule(
        find_imports_of("pydantic", "pydantic_core", "pydantic_settings"),
        ("geomon.config",),
        bad=("import pydantic", "def f():\n    from pydantic import Field"),
    ),
    "only catalog and cube touch the network": Rule(
        find_imports_of(*NETWORK_MODULES, harmless=("urllib.parse", "http.HTTPStatus")),
        ("geomon.catalog", "geomon.cube"),
        bad=("import urllib.request", "from urllib import request", "import requests", "import socket"),
        good="from urllib.parse import urlsplit",
    ),
    "only store writes our files, simulate its catalogue": Rule(
        find_writes,
        ("geomon.store", "geomon.simulate"),
        bad=(
            "open(path, 'w')",
            "open(path, mode='ab')",
            "path.open('x')",
            "rasterio.open(path, 'w', driver='COG')",
            "path.write_text('x')",
            "frame.to_parquet(path)",
            "frame.to_file(path)",
            "frame.to_csv(path)",
            "sqlite3.connect(path)",
            "os.replace(a, b)",
            "np.save(path, x)",
            "shutil.copyfile(a, b)",
        ),
        good="open(path)\npath.open('rb')\nrasterio.open(path, 'r')\nx.to_csv(sys.stdout)\ntext.replace('a', 'b')",
    ),
    "only grid measures area": Rule(
        find_areas,
        ("geomon.grid", "geomon.kernels"),  # kernels count pixels: a region's area there is a number of them
        bad=("geom.area", "geod.geometry_area_perimeter(g)", "from pyproj import Geod", "pyproj.Geod(ellps='WGS84')"),
        good="from geomon.grid import area_m2\narea_m2(geom)",
    ),
    "kernels are numpy, scipy, skimage and numba": Rule(
        find_heavy_kernel_imports,
        (),
        bad=("import xarray", "import pandas as pd", "from shapely import Polygon", "import logging", "import socket"),
        good="import math\nimport numpy as np\nfrom scipy import ndimage\nfrom geomon.errors import DataError",
        only_in=("geomon.kernels",),
    ),
}
