"""What the README says is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from properties.layers import layers
from properties.networks import ALL
from properties.plan import LARGEST
from refconv import operators

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONSOLE = [block.partition("\n")[::2] for block in re.findall(r"```console\n\$ (.*?)```", README, re.DOTALL)]
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def without_numbers(text):
    """The text, numbers and arrays (which depend on versions and machines), spacing and what some cases show aside."""
    text = re.sub(
        r"^\n?(\d+ known deviation|\w+ declines: |\d+ cases of |condition: ).*\n", "", text, flags=re.MULTILINE
    )
    text = re.sub(r"^[.s]+ +\[100%\]$", "dots", text, flags=re.MULTILINE)
    text = re.sub(r"(np\.array\(|# expected output: ).*", r"\1", text)
    text = re.sub(r"not measurable here \(spread \d+%\)", "1.00", text)  # on a machine that isn't quiet
    text = re.sub(r" \(of \d+ of them\)|^\d+ of \d+ ratios are not measurable here .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\d+(\.\d+)*(\+cpu)?", "#", text)
    return re.sub(r"[ ]+", " ", re.sub(r"# [um]?s\b", "# s", text)).strip()


@pytest.fixture
def stranger(tmp_path):
    """A folder with the README's convolution, and the tests of it, once it is mended."""

    def make(mended):
        code = CODE[0].replace("*reversed(window.padding)", "*window.padding") if mended else CODE[0]
        (tmp_path / "mine.py").write_text(code)
        (tmp_path / "test_mine.py").write_text(next(code for code in CODE if "conformance_tests(mine)" in code))
        return tmp_path

    return make


@pytest.mark.parametrize(("command", "output"), [shown for shown in CONSOLE if shown[1]])
def test_a_command_prints_what_the_readme_shows(command, output, stranger):
    program, *arguments = command.rpartition(".venv/bin/")[2].split()
    run = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=stranger(program == "pytest"), timeout=300,
    )  # fmt: skip
    printed = re.sub(r" +$", "", run.stdout, flags=re.MULTILINE)
    assert without_numbers(printed) == without_numbers(output)


@pytest.mark.parametrize("code", CODE)
def test_code_runs(code, stranger, monkeypatch):
    monkeypatch.syspath_prepend(stranger(mended=True))
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_the_layers_of_networks_are_as_many_as_it_says():
    distinct = sum(len(layers(name, LARGEST)) for name in operators)
    assert f"layers of {len(ALL)} networks, of which there are {distinct:,} distinct ones" in README


def test_the_gate_runs_the_test_command():
    (command,) = [command for command, output in CONSOLE if not output]
    assert command in (ROOT / ".ci/run").read_text().splitlines()
