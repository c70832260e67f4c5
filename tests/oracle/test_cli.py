"""The command line, as a process; what it refuses, in this one."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from refconv import operators
from refconv.cli import main

pytestmark = pytest.mark.slow

MINE = """
import refconv
from refconv import conv_backward

def conv(input, weight, bias=None, **attributes):
    return refconv.conv(input, weight, bias, **attributes) + 1
"""


def refconv_command(*arguments, cwd=None):
    command = [str(Path(sys.executable).with_name("refconv")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd)


def test_an_implementation_that_conforms():
    run = refconv_command("check", "refconv", "--operator", "conv", "--examples", "10")
    assert run.returncode == 0
    assert re.search(r"refconv conforms: \d+ cases, ", run.stdout)  # more where a first call is slow
    assert run.stderr == "checking conv\n"


def test_an_implementation_that_does_not(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    reports = ["--json", "report.json", "--junit", "report.xml", "--html", "report.html"]
    run = refconv_command("check", "mine", "--operator", "conv", "--examples", "100", *reports, cwd=tmp_path)
    assert run.returncode == 1
    assert "mine doesn't conform: 1 failure, " in run.stdout
    assert "import mine as implementation" in run.stdout
    read = json.loads((tmp_path / "report.json").read_text())
    assert [failure["direction"] for failure in read["failures"]] == ["forward"]
    assert (tmp_path / "report.xml").stat().st_size > 100
    assert (tmp_path / "report.html").stat().st_size > 100


TWO = """
import numpy as np
import refconv

def relu(input):
    output = np.where(np.isnan(input), np.float32(0), np.maximum(input, 0))
    return output + 1 if input.ndim == 2 else output
"""


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], ["two-relu-forward-2.json", "two-relu-forward.json"]),
        (["--no-specials"], ["two-relu-forward.json"]),
    ],
)
def test_failures_are_kept_apart_and_special_values_may_be_left_out(tmp_path, monkeypatch, capfd, options, kept):
    (tmp_path / "two.py").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "two", raising=False)
    given = ["two", "--operator", "relu", "--no-isolate", "--examples", "200", *options]
    monkeypatch.setattr(sys, "argv", ["refconv", "check", *given])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert sorted(file.name for file in (tmp_path / ".refconv").iterdir()) == kept
    assert ("special values" in capfd.readouterr().out) is not bool(options)


def test_torch_conforms():
    run = refconv_command("check", "torch", "--examples", "10")
    assert run.returncode == 0, run.stdout
    assert run.stdout.startswith("torch 2.")
    concluded = re.match(r"torch conforms but for what it declines: (\d+) cases, ", run.stdout.splitlines()[-1])
    assert int(concluded[1]) >= 20 * len(operators)


def test_the_operators_are_listed():
    run = refconv_command("operators")
    assert run.returncode == 0
    assert "\nnon_local(input, theta, phi, g, *, mode='embedded_gaussian')\n" in run.stdout
    assert [block.partition("(")[0] for block in run.stdout.strip().split("\n\n")] == list(operators)
    assert "gradients: input, transform, gate\n" in run.stdout


REFUSED = [
    (["--operator", "conv2d"], "; did you mean conv (with --only rank=2)?\n"),
    (["--operator", "AveragePool"], "; did you mean avg_pool?\n"),
    (["--operator", "GlobalAveragePooling2D"], "; did you mean adaptive_avg_pool (with --only output_size=1 --only rank=2)?\n"),
    (["--dtype", "float3"], "; did you mean float32?\n"),
    (["--arithmetic", "float16-acumulated"], "; did you mean float16-accumulated?\n"),
    (["--operator", "conv", "--only", "grops=1"], ", got 'grops'; did you mean groups?\n"),
    (["--operator", "conv", "--only", "padding_mode=zero"], ", got 'zero'; did you mean zeros?\n"),
    (["--examles", "3"], "; did you mean --examples?\n"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "end"), REFUSED)
def test_what_may_have_been_meant_is_asked(monkeypatch, capfd, arguments, end):
    monkeypatch.setattr(sys, "argv", ["refconv", "check", "refconv", *arguments])
    monkeypatch.setattr(sys, "path", list(sys.path))  # to which a command adds
    with pytest.raises(SystemExit) as left:
        main()
    printed = capfd.readouterr()
    assert (left.value.code, printed.out) == (2, "")
    assert printed.err.endswith(end)
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["chek"], 2, "refconv: no such command: chek; known: bench, check, laws, operators, power, replay; did you mean check?\n"),
        (["check"], 2, "refconv: Missing argument 'SUBJECT'.\n"),
        (["check", "torch", "--operators"], 2, "refconv: no such option: --operators; known: --operator, --dtype, "),
        (["--foo"], 2, "refconv: no such option: --foo; known: --version, "),
        (["check", "refconv", "--operator", "foo"], 2, "refconv: Invalid value for '--operator': 'foo' is not one of 'conv', "),
        (["check", "refconv", "--dtype", "int8"], 2, "refconv: Invalid value for '--dtype': 'int8' is not one of 'float32', "),
        (["check", "refconv", "--arithmetic", "float64"], 2, "refconv: arithmetic must be one of float32, "),
        (["check", "refconv", "--examples", "0"], 2, "refconv: Invalid value for '--examples': 0 is not in the range x>=1."),
        (["check", "refconv", "--seed", "-1"], 2, "refconv: Invalid value for '--seed': -1 is not in the range x>=0."),
        (["check", "refconv", "--json", "no/where"], 2, "refconv: Invalid value for '--json': no such folder: no\n"),
        (["check", "refconv", "-v", "-q"], 2, "refconv: --verbose and --quiet exclude each other"),
        (["check", "nowhere"], 3, "refconv: cannot load 'nowhere': ModuleNotFoundError: No module named 'nowhere' (known: torch, "),
        (["check", "refconv:nothing"], 3, "refconv: cannot load 'refconv:nothing': AttributeError: "),
    ],
)  # fmt: skip
def test_a_command_that_makes_no_sense_is_refused_in_one_line(monkeypatch, capfd, arguments, status, line):
    monkeypatch.setattr(sys, "argv", ["refconv", *arguments])
    monkeypatch.setattr(sys, "path", list(sys.path))  # to which a command adds
    with pytest.raises(SystemExit) as left:
        main()
    printed = capfd.readouterr()
    assert (left.value.code, printed.out) == (status, "")
    assert printed.err.startswith(line)
    assert printed.err.count("\n") == 1


DOMAINS = """
import refconv

class Mine:
    conv = staticmethod(refconv.conv)

class Unknown(Mine):
    domain = {"grops": 1}

class Word(Mine):
    domain = "rank=2"

class Raising(Mine):
    @property
    def domain(self):
        raise OSError("no device")
"""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["someones:Unknown"], r"^refconv: the domain of someones:Unknown must name some of .*, got 'grops'; did you mean groups\?$"),
        (["someones:Word"], r"^refconv: the domain must be a mapping, got str$"),
        (["someones:Raising"], r"^refconv: the domain can't be read: OSError: no device$"),
        (["refconv", "--only", "rank=2", "--only", "stride=(1, 2, 3)"], r"^refconv: only leaves no stride of conv: .*, got \(1, 2, 3\)$"),
        (["refconv", "--only", "rank=[1, [2]]"], r"^refconv: only leaves no rank of conv: it must be of 2, 1, 3, got \(1, \(2,\)\)$"),
        (["refconv", "--only", "rank={}"], r"^refconv: only leaves no rank of conv: it must be of 2, 1, 3, got '{}'$"),
        (["refconv", "--only", "rank"], r"^refconv: Invalid value for '--only': must be NAME=VALUE, got 'rank'$"),
        (["refconv", "--seconds", "0"], r"^refconv: Invalid value for '--seconds': 0.0 is not in the range x>0.$"),
        (["refconv", "--seconds", "nan"], r"^refconv: seconds must be positive, got nan$"),
    ],
)  # fmt: skip
def test_a_domain_that_makes_no_sense_is_refused_in_one_line(tmp_path, monkeypatch, capfd, arguments, line):
    (tmp_path / "someones.py").write_text(DOMAINS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["refconv", "check", *arguments, "--operator", "conv"])
    monkeypatch.setattr(sys, "path", list(sys.path))  # to which a command adds
    with pytest.raises(SystemExit) as left:
        main()
    printed = capfd.readouterr()
    assert (left.value.code, printed.out) == (2, "")
    assert re.search(line, printed.err)
    assert printed.err.count("\n") == 1


def test_a_refusal_is_the_exit_status_of_the_process():
    run = refconv_command("chek")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)


def test_help_and_version():
    assert refconv_command("--version").stdout.startswith("refconv, version ")
    assert "Exit status: 0 conforms" in refconv_command("check", "--help").stdout
    bare = refconv_command()
    assert bare.returncode == 2
    assert "Commands:" in bare.stderr


def test_laws_are_listed_with_what_they_need():
    listed = refconv_command("laws", "conv")
    assert listed.returncode == 0
    assert "conv forward: impulse gives the rotated kernel\n    An input that is 1 in one place" in listed.stdout
    assert "conv forward: kernel of size one is linear  (needs linear)\n" in listed.stdout
    assert "max_pool" not in listed.stdout
    assert "capsule_routing backward: gradient theorem\n" in refconv_command("laws").stdout


HOSTILE = r"""
import os, sys
import refconv

print("\x1b[31mprinted\x1b]0;title\x07")
os.write(2, b"\x1b[32mprinted\n")
version = "1\x1b[33m"

def relu(input):
    print("\x1b[34mprinted")
    os.write(1, b"\x9b2J")
    print("\x1b[35mprinted", file=sys.stderr)
    if input.size > 1:
        os.abort()
    raise type("\x1b[36mError", (Exception,), {})("\x1b[37m" + "y" * 5_000_000)

def relu_backward(grad_output, input):
    raise ValueError("\x1b[38m[red]\x00\ud800")
"""


def test_nothing_that_a_subject_prints_or_says_reaches_the_terminal_raw(tmp_path):
    (tmp_path / "hostile.py").write_text(HOSTILE)
    run = refconv_command("check", "hostile", "--operator", "relu", "--examples", "2", cwd=tmp_path)
    assert r"raised ValueError: \x1b[38m[red]\x00\ud800" in run.stdout
    assert len(run.stdout) < 20_000
    (kept,) = tmp_path.glob(".refconv/*-forward.json")
    again = refconv_command("replay", str(kept), "hostile", cwd=tmp_path)
    assert (run.returncode, again.returncode) == (1, 1)
    assert all(line.isprintable() for line in (run.stdout + run.stderr + again.stdout + again.stderr).split("\n"))


@pytest.fixture
def check(monkeypatch, capfd, tmp_path):
    """Runs the command on a module in this process; returns its exit status and what it printed."""
    (tmp_path / "wrong.py").write_text("def relu(input):\n    raise ValueError('é汉')", encoding="utf-8")
    (tmp_path / "broken.py").write_text("raise ValueError('\\x1b[31m' + 'y' * 5_000_000)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # to which a command adds

    def run(*arguments, subject="wrong"):
        monkeypatch.setattr(
            sys,
            "argv",
            ["refconv", "check", subject, "--operator", "relu", "--examples", "5", "--no-isolate", *arguments],
        )
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capfd.readouterr()

    yield run
    sys.modules.pop("wrong", None)


def test_what_the_loading_of_a_subject_says_is_escaped_and_cut(check):
    status, out, err = check(subject="broken")
    assert (status, out) == (3, "")
    assert err.startswith(r"refconv: cannot load 'broken': ValueError: \x1b[31myyy")
    assert len(err) < 3000


def test_quiet_prints_the_verdict_and_failures_in_a_line_each(check):
    status, out, err = check("-q")
    failure, verdict = out.splitlines()
    assert failure.startswith("relu forward: raised ValueError: é汉")
    assert ": relu(input[" in failure
    assert verdict.startswith("wrong doesn't conform: 1 failure, ")
    assert (status, err) == (1, "")


def test_verbose_lists_all_that_is_absent(check):
    assert "absent: relu_backward\n" in check("--verbose")[1]


def test_what_the_encoding_lacks_is_escaped(check, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    check("-q")
    assert rb"raised ValueError: \xe9\u6c49" in sys.stdout.buffer.getvalue()
