"""The pages of docs/: their code runs, their commands are ones that there are, and their site is built."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from refconv import operators
from refconv.cli import cli
from refconv.defaults import defaults

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
PYTHON = [
    pytest.param(page, code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
    if page.stem != "conventions"  # whose blocks are doctests, which have a test of their own
]
COMMANDS = [
    pytest.param(line[2:], id=f"{page.stem}: {line[2:]}")
    for page in PAGES
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("$ ") and "pip install" not in line
]
POOL = next(code.values[1] for code in PYTHON if code.id == "getting_started-0")


TOML = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module `mine`, the one of the first steps, mended."""
    (tmp_path / "mine.py").write_text(POOL.replace("[::-1]", ""))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


@pytest.mark.parametrize(("page", "code"), PYTHON)
def test_code_runs(page, code, folder):
    script = "" if "import" in code.partition("\n\n")[0] else "import mine\n"
    run = subprocess.run([sys.executable, "-c", script + code], capture_output=True, text=True, cwd=folder)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("text", TOML)
def test_defaults_are_ones_that_there_are(text, tmp_path):
    (tmp_path / "pyproject.toml").write_text(text)
    context = click.Context(cli)
    for name in cli.list_commands(context):
        assert defaults(context, name, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_there_is(command):
    words = shlex.split(command.replace(".venv/bin/", "").rpartition("&& ")[2])
    program, *arguments = words
    assert program == "refconv", command
    context, known = click.Context(cli), cli
    while isinstance(known, click.Group):
        context = known.make_context(known.name, list(arguments), parent=context, resilient_parsing=False)
        name, known, arguments = known.resolve_command(context, [*context._protected_args, *context.args])
    known.make_context(name, list(arguments), parent=context)


def refconv_command(folder, *arguments):
    command = [Path(sys.executable).with_name("refconv"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def test_the_first_steps_end_as_they_say(folder):
    assert refconv_command(folder, "check", "mine", "--operator", "avg_pool").returncode == 0
    (folder / "mine.py").write_text(POOL)
    run = refconv_command(folder, "check", "mine", "--operator", "avg_pool")
    assert run.returncode == 1
    assert "looks like: stride swapped between axes" in run.stdout
    assert "absent: avg_pool_backward" in run.stdout


def test_the_contract_s_example_conforms():
    code = next(code.values[1] for code in PYTHON if code.id == "contract-0")
    run = subprocess.run([sys.executable, "-c", f"{code}\nprint(report)"], capture_output=True, text=True)
    assert "mine conforms: " in run.stdout, run.stdout


def test_the_site_is_built_of_all_pages(tmp_path, monkeypatch):
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", tmp_path],
        capture_output=True,
        text=True,
        cwd=DOCS.parent,
    )
    assert run.returncode == 0, run.stderr
    page = (tmp_path / "operators" / "conv" / "index.html").read_text()
    assert "<math" in page
    assert "impulse gives the rotated kernel" in page
    assert "<code>groups</code>" in page
    covered = (tmp_path / "coverage" / "index.html").read_text()
    assert "<code>depthwise</code>" in covered
    assert all(f'<h3 id="{name}">' in covered for name in operators)
    assert "<!-- " not in covered.partition("<article")[2].partition("</article>")[0]
