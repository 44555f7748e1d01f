"""The shape of the code: sizes, floors and who may do what. The rules are in `house_rules.py`."""

import ast
from pathlib import Path

import pytest

from tests.house_rules import MAX_TOTAL_LINES, RULES, Module, Rule, code_lines, find_cycle, functions, read_modules

ROOT = Path(__file__).resolve().parent.parent
MODULES = read_modules(ROOT, "geomon", "pipelines")

# (rule, module) -> why. A waiver that is not needed any more fails the tests.
WAIVERS: dict[tuple[str, str], str] = {}

# package -> (its own budget of code-only lines, why it is not counted with the product)
COUNTED_APART = {"geomon.simulate": (1_650, "an instrument for demo, tests and benchmarks; no run reads a line of it")}


def broken(rule: Rule) -> dict[str, list[str]]:
    """Module -> what in it breaks the rule."""
    found = {module.name: rule.findings(module) for module in MODULES}
    return {name: [f"line {line}: {what}" for what, line in each] for name, each in found.items() if each}


@pytest.mark.parametrize("title", RULES)
def test_rule_holds(title: str) -> None:
    """Every rule of the house holds in every module of geomon and pipelines, save what a waiver names."""
    found = broken(RULES[title])
    assert {name: each for name, each in found.items() if (title, name) not in WAIVERS} == {}


def test_waivers_are_needed() -> None:
    """A waiver has a reason and something to waive."""
    assert all(WAIVERS.values())
    assert [(title, name) for title, name in WAIVERS if name not in broken(RULES[title])] == []


def test_every_test_states_its_law() -> None:
    """Every test has a docstring."""
    silent = [
        f"{module.name}.{function.name}"
        for module in read_modules(ROOT, "tests")
        for function in functions(module)
        if function.name.startswith("test_") and ast.get_docstring(function) is None
    ]
    assert silent == []


def test_code_stays_small() -> None:
    """Code-only lines of geomon and pipelines stay within the budget, those counted apart within their own."""
    apart = [module for module in MODULES if module.name.startswith(tuple(COUNTED_APART))]
    assert sum(len(code_lines(module)) for module in MODULES if module not in apart) <= MAX_TOTAL_LINES
    for name, (budget, reason) in COUNTED_APART.items():
        held = sum(len(code_lines(module)) for module in apart if module.name.startswith(name))
        assert reason
        assert held <= budget


def test_imports_have_no_cycle() -> None:
    """No module imports itself by way of others, inside functions neither."""
    assert find_cycle(MODULES) == []


def bad_snippets() -> list[tuple[str, str]]:
    return [(title, snippet) for title, rule in RULES.items() for snippet in rule.bad]


def room_of(rule: Rule, name: str) -> str:
    """Give a module name that the rule looks at."""
    return f"{rule.only_in[0]}.{name}"


@pytest.mark.parametrize(("title", "snippet"), bad_snippets())
def test_rule_bites(title: str, snippet: str) -> None:
    """Each rule finds each snippet made to break it, and looks away where it is allowed."""
    rule = RULES[title]
    assert rule.findings(Module(room_of(rule, "anything"), snippet))
    assert all(rule.findings(Module(room, snippet)) == [] for room in rule.allowed_in)


@pytest.mark.parametrize("title", RULES)
def test_rule_spares_the_good(title: str) -> None:
    """Each rule finds nothing in the snippet that keeps it."""
    rule = RULES[title]
    assert rule.findings(Module(room_of(rule, "anything"), rule.good)) == []


def test_code_lines_leave_out_words() -> None:
    """Blank lines, comments and docstrings are not code; each line of a statement or a text is."""
    source = '"""Doc\nstring."""\n\n# why\nx = (1,\n     2)\ny = """a\nb"""\n\ndef f():\n    """Doc."""\n    return 1\n'
    assert code_lines(Module("geomon.a", source)) == {5, 6, 7, 8, 10, 12}


@pytest.mark.parametrize(
    "sources",
    [
        {"geomon.a": "from geomon.b import x", "geomon.b": "import geomon.a"},
        {"geomon.a": "from geomon import b", "geomon.b": "def f():\n    from geomon import a"},
        {"geomon.a": "import geomon.b", "geomon.b": "from geomon.c import x", "geomon.c": "from geomon.a import y"},
    ],
)
def test_cycles_are_found(sources: dict[str, str]) -> None:
    """A cycle is found however its imports are written."""
    assert set(find_cycle([Module(name, source) for name, source in sources.items()])) == set(sources)
    assert find_cycle([Module(name, "import numpy") for name in sources]) == []
