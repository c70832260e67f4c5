"""The command ``refconv bench``: how fast an implementation is, beside whom, and since when slower."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from bench import tables
from bench.gate import SLOWER, Change, Limits, changes_by, changes_since, gated
from bench.history import History, HistoryError, differences, read, write
from bench.measuring import NothingError, Task
from bench.options import judged_options, measured_options
from bench.revision import RevisionError, checkout, importable, root
from bench.running import CutShortError, run
from bench.settings import Settings, SettingsError, best_yardstick
from bench.workloads import NAMES, workload
from oracle.cli import WRITTEN, NotLoadedError, is_redrawn, terminated
from oracle.subjects import LoadError
from refconv.choices import Known
from refconv.cli import Group


class _Bench(Group):
    """A group whose commands come first; without one of them, subjects are timed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command that times before what is no command."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return those that were given."""
    return {name: value for name, value in options.items() if value not in {None, ()}}


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in one line what was wrong with the command, or that something couldn't be loaded."""
    try:
        yield
    except LoadError as error:
        raise NotLoadedError(str(error)) from error
    except (HistoryError, NothingError, RevisionError, SettingsError) as error:
        raise click.UsageError(str(error)) from error


_EXIT = "Exit status: 0 {}, 1 {}, 2 the command was wrong, 3 SUBJECT couldn't be loaded."
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("bench", cls=_Bench, no_args_is_help=True, subcommand_metavar="SUBJECT... | COMMAND [ARGS]...")
def bench_command() -> None:
    """Time implementations beside each other: refconv bench SUBJECT... (refconv bench run --help has the options).

    They are run layer by layer in turns, with the reference and PyTorch, and judged before and after.
    """


@bench_command.command(
    "run",
    epilog=_EXIT.format("all that was timed is right", "something is wrong")
    + " What is interrupted tells and keeps what it had, and ends with 130 or 143.",
)
@click.argument("subjects", nargs=-1, required=True)
@measured_options
@click.option(
    "--yardstick",
    metavar="SUBJECT",
    help="What ratios are taken to; PyTorch by default, the reference where there is none.",
)
@click.option("--json", "to_json", **WRITTEN, help="Keep the figures, as pytest-benchmark's JSON.")
def run_command(subjects: tuple[str, ...], yardstick: str | None, to_json: Path | None, **options: Any) -> int:
    """Time SUBJECTS, the reference and PyTorch.

    SUBJECT is an adapter (torch, torch@cuda), refconv, or package.module[:object], which is looked for in the current
    folder, too.
    """
    with _refusing():
        peer = best_yardstick(subjects)
        settings = Settings(**_given(options), yardstick=yardstick or peer)
        names = list(dict.fromkeys([*subjects, settings.yardstick, peer, "refconv"]))
        makers = [settings.side(name) for name in names]
        try:
            with terminated(), _progress(settings) as advanced:
                history = run(settings, subjects, makers, with_peaks=True, advanced=advanced)
            status = int(bool(_spoiled(history, subjects)))
        except CutShortError as cut:
            history, status = cut.history, cut.status
    if to_json is not None:
        write(history, to_json)
    _print(tables.report(history))
    if status >= 128:
        click.echo("interrupted: the figures are of what was timed until then")
    return status


def _spoiled(history: History, subjects: Sequence[str]) -> list[Mapping[str, str]]:
    """Return what one of `subjects` has not done right."""
    wrong = {"wrong", "raised", "ended"}
    return [one for one in history.untimed if one["implementation"] in subjects and one["status"] in wrong]


_LONGEST = 70
"""Columns that the words of a task take at most."""
_NUMBERS = 12
"""Columns that are left for how many tasks are done."""
_ROOMY = 130
"""Columns from which on there is room for a bar, and the time."""


@contextmanager
def _progress(settings: Settings) -> Iterator[Callable[[Task], None]]:
    """Show how far it is: a bar on a terminal, elsewhere a line for each process."""
    tasks = len(settings.tasks())
    console = Console(stderr=True)
    if is_redrawn(console):
        columns: list[ProgressColumn] = [TextColumn("{task.description}"), MofNCompleteColumn()]
        if console.width >= _ROOMY:
            columns[1:] = [BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        words = min(console.width - _NUMBERS, _LONGEST)
        with Progress(*columns, console=console, transient=True) as bar:
            shown = bar.add_task(settings.workload, total=tasks * settings.processes)
            yield lambda task: bar.update(shown, advance=1, description=shorten(str(task), words).ljust(words))
        return
    done = 0

    def advance(_: Task) -> None:
        nonlocal done
        done += 1
        times, rest = divmod(done, tasks)
        if not rest and times <= settings.processes:
            click.echo(f"timed {tasks} tasks of {settings.workload}, {times} of {settings.processes} times", err=True)
        elif done == tasks * settings.processes + 1:
            click.echo("timing more of what is undecided", err=True)

    yield advance


def _print(parts: Iterator[object]) -> None:
    """Print tables as wide as they are, where there is no terminal."""
    terminal = Console(highlight=False, markup=False)
    console = terminal if terminal.is_terminal else Console(highlight=False, markup=False, width=160)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))


@bench_command.command("workloads")
@click.argument("names", nargs=-1, type=Known(NAMES), metavar="[WORKLOAD]...")
def workloads_command(names: tuple[str, ...]) -> int:
    """List the workloads, or the layers of some.

    How often each is run, its multiply-adds, and the least bytes that it moves in float32, forward and backward.
    """
    _print(tables.layers(workload(name)) for name in names) if names else _print(iter([tables.workloads()]))
    return 0


@bench_command.command("draw")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bench-pictures"),
    show_default=True,
    metavar="FOLDER",
    help="Where they are written.",
)
@click.option("--format", "kind", type=Known(["png", "svg"]), default="png", show_default=True, help="Of the pictures.")
def draw_command(files: tuple[Path, ...], folder: Path, kind: str) -> int:
    """Draw what is kept in FILES.

    Pictures are of the newest of them, and of how the ratios went; a page holds them and the tables.
    """
    if find_spec("matplotlib") is None:
        raise click.UsageError("drawing needs matplotlib: pip install 'refconv[bench]'")
    from bench.page import page  # an optional extra
    from bench.pictures import drawn

    with _refusing():
        histories = sorted(map(read, files), key=lambda history: history.made)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = dict(drawn(histories))
    for name, figure in pictures.items():
        figure.savefig(folder / f"{name}.{kind}")
        click.echo(folder / f"{name}.{kind}")
    (folder / "index.html").write_text(page(histories, pictures))
    click.echo(folder / "index.html")
    return 0


@bench_command.command("compare", epilog=_EXIT.format("nothing is slower", "something is"))
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.option(
    "--subject", metavar="NAME", help="Which implementation; by default all that both have, but for the yardstick."
)
@judged_options
def compare_command(old: Path, new: Path, subject: str | None, slower: float, confidence: float, anyway: bool) -> int:
    """Compare two files by ratios to the yardstick."""
    limits = Limits(slower, confidence)
    with _refusing():
        before, after = read(old), read(new)
        _alike(before, after, anyway)
        both = [name for name in after.implementations if name in before.implementations]
        names = [subject] if subject else [name for name in both if name != after.settings.yardstick]
        if not names:
            raise HistoryError(f"{old} and {new} have no implementation in common, beside the yardstick")
        found = {name: changes_since(before, after, name, limits) for name in names}
    return max(_told(name, changes, limits) for name, changes in found.items())


def _alike(old: History, new: History, anyway: bool) -> None:
    """Refuse to compare ratios of unlike machines or settings."""
    found = list(differences(old, new))
    if found and not anyway:
        raise HistoryError(
            f"measured otherwise: {'; '.join(found)}: measure both alike, or compare their ratios to the yardstick "
            "with --anyway"
        )


def _told(name: str, changes: Sequence[Change], limits: Limits) -> int:
    click.echo(f"{name}:")
    _print(tables.verdicts(changes, limits))
    return int(any(change.verdict == SLOWER for change in changes))


@bench_command.command("gate", epilog=_EXIT.format("nothing is slower", "something is, or wrong"))
@click.argument("subject", default="refconv")
@click.option("--against", required=True, metavar="REV_OR_FILE", help="A revision, or what refconv bench has kept.")
@click.option("--build", metavar="COMMAND", help="What to run in the revision's folder, such as make.")
@judged_options
@measured_options
def gate_command(
    subject: str, against: str, build: str | None, slower: float, confidence: float, anyway: bool, **options: Any
) -> int:
    """Find out whether SUBJECT got slower.

    SUBJECT is refconv by default. Against a revision of the repository that one is in, old and new are timed in turns.
    Against a file, both are compared by their ratios to the yardstick, measured as the file says. What is undecided is
    measured for longer.
    """
    limits = Limits(slower, confidence)
    with _refusing():
        if Path(against).is_file():
            changes, history = _since_file(subject, Path(against), limits, anyway, _given(options))
        else:
            changes, history = _since_revision(subject, against, build, limits, _given(options))
    status = _told(subject, changes, limits)
    spoiled = _spoiled(history, [subject])
    for one in spoiled:
        click.echo(f"{one['task']}: {one['status']}: {one['reason']}")
    return 1 if spoiled else status


def _since_file(
    subject: str, file: Path, limits: Limits, anyway: bool, given: dict[str, Any]
) -> tuple[list[Change], History]:
    old = read(file)
    settings = replace(old.settings, **given)
    if subject == settings.yardstick:
        raise HistoryError(f"{file} has {subject} for its yardstick: measure it beside another, with --yardstick")
    makers = [settings.side(name) for name in (subject, settings.yardstick)]

    def judged(new: History) -> list[Change]:
        _alike(old, new, anyway)
        return changes_since(old, new, subject, limits)

    with _progress(settings) as advanced:
        return gated(settings, subject, makers, judged, advanced=advanced)


def _since_revision(
    subject: str, revision: str, build: str | None, limits: Limits, given: dict[str, Any]
) -> tuple[list[Change], History]:
    """Time old and new in turns: the old one is the yardstick."""
    old = f"{subject} at {revision}"
    settings = Settings(**{"rounds": 6, "processes": 5, **given}, yardstick=old)
    folder = checkout(revision, build)
    makers = [settings.side(subject, folders=importable(root())), settings.side(subject, old, importable(folder))]
    with _progress(settings) as advanced:
        return gated(settings, subject, makers, lambda new: changes_by(new, subject, limits), advanced=advanced)
