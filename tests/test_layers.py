"""No import runs up: each package knows only those before it."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ORDER = ("refconv", "properties", "oracle", "bench")
ROOT = Path(__file__).parents[1]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_those_below_it(package):
    above = ORDER[ORDER.index(package) + 1 :]
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        assert not [name for name in imported(path) if name.partition(".")[0] in above], path


def at_once(path):
    """The modules that a file imports when it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", ORDER)
def test_no_modules_import_each_other(package):
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / package).rglob("*.py")}
    graph = {name: {known for known in at_once(path) if known in modules} for name, path in modules.items()}
    list(TopologicalSorter(graph).static_order())  # which refuses circles


def test_the_report_knows_none_of_its_writers():
    known = {name for name in at_once(ROOT / "oracle/reporting/report.py") if name.startswith("oracle.reporting")}
    assert known == {"oracle.reporting.plain", "oracle.reporting.plain.plain"}
