"""Defaults of the command's options, from a pyproject.toml."""

import sys
from importlib.metadata import EntryPoint, EntryPoints

import click
import pytest

from refconv import cli

SEEN = []


@click.command("check")
@click.argument("subject")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32")
@click.option("--examples", "number", type=click.IntRange(min=1))
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True))
@click.option("--only", multiple=True)
@click.option("--isolate/--no-isolate", default=True)
def check(**options):
    SEEN.append(options)


@click.group("bench")
def bench():
    pass


@bench.command("gate")
@click.option("--slower", default="5%")
@click.option("--dtype", default="float32")
def gate(**options):
    SEEN.append(options)


@bench.command("run")
@click.option("--dtype", default="float32")
def run_command(**options):
    SEEN.append(options)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder below the one that has the file; returns its options, or its one line."""
    points = [EntryPoint(name, f"{__name__}:{name}", "refconv.commands") for name in ("check", "bench")]
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.name])
    monkeypatch.setattr(cli, "entry_points", lambda group, **given: EntryPoints(points).select(**given))
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")

    def run(text, *arguments):
        SEEN.clear()
        (tmp_path / "pyproject.toml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["refconv", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr().err.replace(str(tmp_path), "HERE")
        assert printed.count("\n") <= 1
        assert (left.value.code == 2) is not bool(SEEN)
        return SEEN[0] if SEEN else printed

    return run


def test_a_command_has_the_defaults_of_its_table(command):
    text = """
[tool.refconv.check]
dtype = "float64"
examples = 7
seconds = 2
only = ["rank=2", "groups=1"]
isolate = false
"""
    expected = {"dtype": "float64", "number": 7, "seconds": 2.0, "only": ("rank=2", "groups=1"), "isolate": False}
    assert command(text, "check", "mine") == {"subject": "mine", **expected}


def test_the_command_line_wins(command):
    text = "[tool.refconv.check]\ndtype = 'float64'\nexamples = 7\nonly = ['rank=2']\nisolate = false\n"
    options = command(text, "check", "mine", "--dtype", "float32", "--only", "rank=3", "--isolate")
    assert options["dtype"] == "float32"
    assert options["only"] == ("rank=3",)
    assert options["isolate"] is True
    assert options["number"] == 7


def test_what_is_set_for_all_commands_is_for_those_that_have_it(command):
    text = "[tool.refconv]\ndtype = 'float64'\nslower = '3%'\n[tool.refconv.bench.run]\ndtype = 'float16'\n"
    assert command(text, "check", "mine")["dtype"] == "float64"
    assert command(text, "bench", "gate") == {"dtype": "float64", "slower": "3%"}
    assert command(text, "bench", "run") == {"dtype": "float16"}


def test_the_nearest_file_that_has_the_table_is_read(command, tmp_path):
    text = "[tool.refconv]\ndtype = 'float64'\n"
    (tmp_path / "inner" / "pyproject.toml").write_text("[project]\nname = 'inner'\n[tool.other]\nx = 1\n")
    assert command(text, "check", "mine")["dtype"] == "float64"
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.refconv]\nexamples = 3\n")
    options = command(text, "check", "mine")
    assert (options["dtype"], options["number"]) == ("float32", 3)


def test_it_is_said_where_defaults_are_from(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["refconv", "check", "mine"])
    for text, said in (
        ("[tool.refconv]\nexamples = 3\n", f"defaults are those of {tmp_path / 'pyproject.toml'}\n"),
        ("[tool]\n", ""),
    ):
        (tmp_path / "pyproject.toml").write_text(text)
        with pytest.raises(SystemExit):
            cli.main()
        assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool.refconv.check]\nexmples = 3", "HERE/pyproject.toml: tool.refconv.check has no option 'exmples'; known: dtype, examples, seconds, only, isolate; did you mean examples?"),
        ("[tool.refconv]\nslwer = 3", "HERE/pyproject.toml: tool.refconv has no option 'slwer'; known: dtype, examples, isolate, only, seconds, slower; did you mean slower?"),
        ("[tool.refconv.chek]\nexamples = 3", "HERE/pyproject.toml: tool.refconv has no table 'chek'; known: bench, check; did you mean check?"),
        ("[tool.refconv.check.more]\nexamples = 3", "HERE/pyproject.toml: tool.refconv.check has no table 'more'; known: none"),
        ("[tool.refconv.check]\nexamples = '3'", "HERE/pyproject.toml: tool.refconv.check.examples must be a whole number, got '3'"),
        ("[tool.refconv.check]\nexamples = true", "HERE/pyproject.toml: tool.refconv.check.examples must be a whole number, got True"),
        ("[tool.refconv]\nexamples = 0", "HERE/pyproject.toml: tool.refconv.examples: 0 is not in the range x>=1."),
        ("[tool.refconv.check]\nseconds = 'ten'", "HERE/pyproject.toml: tool.refconv.check.seconds must be a number, got 'ten'"),
        ("[tool.refconv.check]\nisolate = 'no'", "HERE/pyproject.toml: tool.refconv.check.isolate must be a boolean, got 'no'"),
        ("[tool.refconv.check]\nonly = 'rank=2'", "HERE/pyproject.toml: tool.refconv.check.only must be a list of strings, got 'rank=2'"),
        ("[tool.refconv.check]\nonly = [2]", "HERE/pyproject.toml: tool.refconv.check.only must be a list of strings, got [2]"),
        ("[tool.refconv.check]\ndtype = 'int8'", "HERE/pyproject.toml: tool.refconv.check.dtype: 'int8' is not one of 'float32', 'float64'."),
        ("[tool.refconv]\ncheck = 3", "HERE/pyproject.toml: tool.refconv has no option 'check'; known: dtype, "),
        ("[tool]\nrefconv = 3", "HERE/pyproject.toml: tool.refconv must be a table, got 3"),
        ("[tool.refconv\n", "cannot read HERE/pyproject.toml: "),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_line(command, text, line):
    assert command(text, "check", "mine").startswith(f"refconv: {line}")


def test_a_file_that_is_no_text_is_refused(command, tmp_path):
    (tmp_path / "inner" / "pyproject.toml").write_bytes(b"\xff\xfe")
    assert command("", "check", "mine").startswith("refconv: cannot read HERE/inner/pyproject.toml: 'utf-8' codec ")


def test_what_a_command_that_is_not_installed_may_have_is_let_pass(command, monkeypatch):
    def load(point):
        if point.name == "bench":
            raise ModuleNotFoundError(name="scipy")
        return check

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr(EntryPoint, "extras", ["bench"])
    assert command("[tool.refconv]\nslower = '3%'\ndtype = 'float64'", "check", "mine")["dtype"] == "float64"
