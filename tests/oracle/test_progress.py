"""How far a check is, as it is shown on terminals of any width, and where there is none."""

import re
from types import SimpleNamespace

import pytest

from bench import cli as bench_cli
from bench.settings import Settings
from oracle import cli
from refconv import operators


def report(operator, tried=0, expected=12345):
    coverage = SimpleNamespace(tried=tried, expected=expected)
    return SimpleNamespace(tallies=[SimpleNamespace(operator=operator, cases=tried)], coverage=[coverage])


@pytest.fixture
def terminal(monkeypatch):
    """Has rich believe that stderr is a terminal of some width and kind."""

    def of(columns, kind="xterm"):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", kind)
        monkeypatch.setenv("COLUMNS", str(columns))
        for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
            monkeypatch.delenv(name, raising=False)

    return of


def lines(printed):
    return [
        line.rstrip() for line in re.split("[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)) if line.strip()
    ]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_no_word_is_cut_on_a_terminal(terminal, capsys, columns):
    terminal(columns)
    names = list(operators)
    longest = max(names, key=len)
    with cli._progress(names, quiet=False) as progress:
        progress(report(longest))
        progress(report(longest, 1234))
    shown = lines(capsys.readouterr().err)
    assert shown[-1].startswith(f"{longest}, case 1234 of about 12345 ")
    assert shown[-1].endswith(" left")
    assert not any("…" in line for line in shown)
    assert max(map(len, shown)) <= columns
    assert ("━" in shown[-1]) == (columns >= 110)


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_what_cannot_be_written_over_has_a_line_for_each_operator(terminal, capsys, kind):
    terminal(80, kind)
    with cli._progress(["conv", "relu"], quiet=False) as progress:
        for operator in ("conv", "conv", "relu"):
            progress(report(operator, 1))
    assert capsys.readouterr().err == "checking conv\nchecking relu\n"


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_bench_s_tasks_are_shown_in_whole_words(terminal, capsys, columns):
    terminal(columns)
    settings = Settings(workload="mobilenet")
    longest = max(settings.tasks(), key=lambda task: len(str(task)))
    with bench_cli._progress(settings) as advanced:
        advanced(longest)
    last = lines(capsys.readouterr().err)[-1]
    said, _, done = last.partition(" [...] ") if columns < 80 else last.partition("backward ")
    assert str(longest).startswith(said.strip())
    assert f"1/{len(settings.tasks()) * settings.processes}" in done
    assert len(last) <= columns
