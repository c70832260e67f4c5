"""No import runs up: each package knows only those before it."""

import ast
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
