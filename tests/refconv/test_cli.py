import os
import sys
from importlib.metadata import EntryPoint

import click
import pytest

from refconv import cli


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["refconv", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


def test_the_operators_are_listed_with_signature_summary_and_gradients(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert not run(monkeypatch, "operators")
    described = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert described == [
        "conv(input, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, padding_mode='zeros')",
        "    Correlate `input` with `weight` over 1, 2 or 3 spatial axes.",
        "    gradients: input, weight, bias",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chek"], "refconv: no such command: chek; known: bench, check, laws, operators, power, replay\n"),
        (["--foo"], "refconv: no such option: --foo; known: --version, -h, --help\n"),
        (["operators", "--foo"], "refconv: no such option: --foo; known: -h, --help\n"),
        (["operators", "foo"], "refconv: Got unexpected extra argument (foo)\n"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_in_one_line(monkeypatch, capsys, arguments, line):
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(("extras", "said"), [("[bench]", "pip install 'refconv[bench]'"), ("", None)])
def test_a_command_of_an_extra_that_is_not_installed(monkeypatch, capsys, extras, said):
    point = EntryPoint("draw", f"nothing_like_it:draw {extras}", "refconv.commands")
    monkeypatch.setattr(cli, "entry_points", lambda group, name: [point])
    if said is None:
        monkeypatch.setattr(sys, "argv", ["refconv", "draw"])
        with pytest.raises(ModuleNotFoundError):
            cli.main()
        return
    assert run(monkeypatch, "draw") == 2
    assert capsys.readouterr().err == f"refconv: draw needs nothing_like_it, which isn't installed: {said}\n"


def test_without_a_command_the_help_says_what_there_is(monkeypatch, capsys):
    assert run(monkeypatch) == 2
    assert "operators" in capsys.readouterr().err


@click.command()
def aborted():
    raise click.Abort


@click.command()
def unread():
    raise BrokenPipeError


def test_ctrl_c_ends_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(cli, "cli", aborted)
    assert run(monkeypatch) == 130
    assert capsys.readouterr().err == "refconv: interrupted\n"


def test_a_reader_that_has_gone_is_no_error_to_speak_of(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(cli, "cli", unread)
        assert run(monkeypatch) == 1
        assert os.fstat(out.fileno()).st_rdev == os.stat(os.devnull).st_rdev
