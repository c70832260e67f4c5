"""What the README says is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONSOLE = [block.partition("\n")[::2] for block in re.findall(r"```console\n\$ (.*?)```", README, re.DOTALL)]
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def without_numbers(text):
    """The text, numbers and arrays (which depend on versions and machines), spacing and what few cases show aside."""
    text = re.sub(r"^\n?(known deviation, |\d+ cases of ).*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(np\.array\(|# expected output: ).*", r"\1", text)
    text = re.sub(r"\d+(\.\d+)*(\+cpu)?", "#", text)
    return re.sub(r"[ ]+", " ", re.sub(r"# [um]?s\b", "# s", text)).strip()


@pytest.mark.parametrize(("command", "output"), [shown for shown in CONSOLE if shown[1]])
def test_a_command_prints_what_the_readme_shows(command, output, tmp_path):
    (tmp_path / "mine.py").write_text(CODE[0])
    arguments = command.rpartition(".venv/bin/refconv ")[2].split()
    refconv = Path(sys.executable).with_name("refconv")
    run = subprocess.run(
        [refconv, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path, timeout=120
    )
    printed = re.sub(r" +$", "", run.stdout, flags=re.MULTILINE)
    assert without_numbers(printed) == without_numbers(output)


@pytest.mark.parametrize("code", CODE)
def test_code_runs(code):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_the_gate_is_the_test_command():
    (command,) = [command for command, output in CONSOLE if not output]
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == command
