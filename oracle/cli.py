"""The command ``refconv check``."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from oracle.search import Progress as OnProgress
from oracle.search import check
from oracle.subjects import LoadError
from oracle.terminal import show
from properties.strategies import DTYPES
from refconv import ARITHMETICS, operators


class NotLoadedError(click.ClickException):
    """The implementation could not be loaded."""

    exit_code = 3


def _writable(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a path that couldn't be written, before the check has run for nothing."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"no such folder: {path.parent}")
    return path


_REPORT: dict[str, Any] = {
    "type": click.Path(dir_okay=False, writable=True, path_type=Path),
    "callback": _writable,
    "metavar": "FILE",
}


@click.command(
    "check", epilog="Exit status: 0 conforms, 1 doesn't, 2 the command was wrong, 3 SUBJECT couldn't be loaded."
)
@click.argument("subject")
@click.option(
    "--operator", "chosen", multiple=True, type=click.Choice(list(operators)), help="Only these; all by default."
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True, help="Of the arrays.")
@click.option(
    "--arithmetic",
    type=click.Choice(list(ARITHMETICS)),
    help="By whose error bounds to judge; that of the dtype by default. tf32 also has torch@cuda use TF32.",
)
@click.option(
    "--examples", type=click.IntRange(min=1), default=100, show_default=True, help="For each operator and direction."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the generated cases.")
@click.option("--json", "to_json", **_REPORT, help="Write the report as JSON.")
@click.option("--junit", "to_junit", **_REPORT, help="Write the report as JUnit XML.")
@click.option("--html", "to_html", **_REPORT, help="Write the report as an HTML page.")
def check_command(
    subject: str,
    chosen: tuple[str, ...],
    dtype: str,
    arithmetic: str | None,
    examples: int,
    seed: int,
    to_json: Path | None,
    to_junit: Path | None,
    to_html: Path | None,
) -> int:
    """Check whether SUBJECT computes what the reference does.

    SUBJECT is an adapter (torch, torch@cuda), refconv itself, or package.module[:object], which is looked for in the
    current folder, too.
    """
    sys.path.append(os.getcwd())  # last, so that a checkout of PyTorch, say, does not shadow PyTorch
    names = list(dict.fromkeys(chosen)) or list(operators)
    with _progress(names, examples) as progress:
        try:
            report = check(
                subject, names, dtype=dtype, examples=examples, seed=seed, arithmetic=arithmetic, progress=progress
            )
        except LoadError as error:
            raise NotLoadedError(str(error)) from error
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    show(report, Console())
    for write, path in ((report.to_json, to_json), (report.to_junit, to_junit), (report.to_html, to_html)):
        if path is not None:
            write(path)
    return 0 if report.passed else 1


@contextmanager
def _progress(names: list[str], examples: int) -> Iterator[OnProgress]:
    """Show how far the check is: a bar on a terminal, elsewhere a line for each operator."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=len(names) * examples)
        yield lambda operator, cases: bar.update(
            task, completed=names.index(operator) * examples + cases, description=operator
        )


def _line(operator: str, cases: int) -> None:
    if cases == 1:
        click.echo(f"checking {operator}", err=True)
