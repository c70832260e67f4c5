"""What docs/conventions.md computes and calls is so."""

import ast
import doctest
import math
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "conventions.md"
FUNCTIONS = {"abs": abs, "min": min, "max": max, "ceil": math.ceil}
ARITHMETIC = re.findall(r"`([^`]*\d[^`=]*) = ([^`=]*)`", PAGE.read_text())


def value(expression):
    return eval(compile(ast.parse(expression, mode="eval"), "conventions.md", "eval"), {"__builtins__": FUNCTIONS})


@pytest.mark.parametrize(("expression", "result"), ARITHMETIC)
def test_a_line_of_arithmetic_is_right(expression, result):
    assert value(expression) == pytest.approx(value(result), rel=1e-12)


def test_there_is_arithmetic_in_every_section():
    sections = PAGE.read_text().split("\n## ")[1:]
    assert len(ARITHMETIC) >= 40
    assert all(re.search(r"`[^`]*\d[^`=]* = [^`=]*`", section) for section in sections)


def test_the_calls_print_what_is_shown():
    text = re.sub(r"^```.*$", "", PAGE.read_text(), flags=re.MULTILINE)  # a fence isn't output
    calls = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    failed, attempted = doctest.DocTestRunner().run(calls)
    assert failed == 0
    assert attempted > 20
