import os
import runpy
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from refconv import cli


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["refconv", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["chek"],
            "refconv: no such command: chek; known: bench, check, laws, operators, power, replay; did you mean check?\n",
        ),
        (["zzz"], "refconv: no such command: zzz; known: bench, check, laws, operators, power, replay\n"),
        (["--versoin"], "refconv: no such option: --versoin; known: --version, -h, --help; did you mean --version?\n"),
        (["--foo"], "refconv: no such option: --foo; known: --version, -h, --help\n"),
        (["operators", "--foo"], "refconv: no such option: --foo; known: -h, --help\n"),
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


def test_it_is_a_module_that_can_be_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["refconv", "--version"])
    with pytest.raises(SystemExit) as left:  # by its path: a module that pytest has rewritten can't be run by name
        runpy.run_path(str(Path(cli.__file__).with_name("__main__.py")), run_name="__main__")
    assert not left.value.code
    assert capsys.readouterr().out.startswith("refconv, version ")


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_help_has_whole_words(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert not run(monkeypatch, "--help")
    printed = capsys.readouterr().out
    assert "..." not in printed.replace("[ARGS]...", "").replace("SUBJECT...", "")
    assert max(map(len, printed.splitlines())) <= int(columns)
    assert "check Check whether SUBJECT computes what the reference does." in " ".join(printed.split())


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_the_help_of_each_command_fits(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    names = [(name,) for name in cli.cli.list_commands(click.Context(cli.cli))]
    below = [("bench", name) for name in ("compare", "draw", "gate", "run", "workloads")]
    for words in (*names, *below):
        assert not run(monkeypatch, *words, "--help")
        printed = capsys.readouterr().out
        assert printed.startswith(f"Usage: refconv {' '.join(words)} ")
        assert max(map(len, printed.splitlines())) <= int(columns), words
        assert "INTEGER RANGE" not in printed
        assert " TEXT" not in printed


def test_help_says_what_a_command_needs_that_cannot_be_loaded(monkeypatch, capsys):
    point = EntryPoint("draw", "nothing_like_it:draw [bench]", "refconv.commands")
    monkeypatch.setattr(cli, "entry_points", lambda group, name=None: EntryPoints([point]))
    assert not run(monkeypatch, "--help")
    assert "draw  draw needs nothing_like_it, which isn't installed: pip install" in capsys.readouterr().out


def completed(*words):
    *before, incomplete = words
    found = ShellComplete(cli.cli, {}, "refconv", "_REFCONV_COMPLETE").get_completions(before, incomplete)
    return [item.value for item in found]


def test_the_shell_completes_commands_options_and_operators():
    assert completed("la") == ["laws"]
    assert completed("check", "to") == ["torch", "torch@cuda"]
    assert completed("check", "mine", "--dt") == ["--dtype"]
    assert completed("check", "mine", "--operator", "conv_") == ["conv_transpose"]
    assert completed("bench", "mine", "--work") == ["--workload"]
    assert completed("bench", "g") == ["gate"]
    assert completed("nothing", "like") == []


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
