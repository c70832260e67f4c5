"""The command ``refconv``; its subcommands are the entry points of the group ``refconv.commands``."""

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click

from refconv.defaults import defaults
from refconv.words import did_you_mean


class Group(click.Group):
    """A group whose help has the whole first sentence of each command's, however narrow the terminal is."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._sentence(ctx, name)) for name in self.list_commands(ctx)])

    def _sentence(self, ctx: click.Context, name: str) -> str:
        try:
            command = self.get_command(ctx, name)
        except click.UsageError as error:  # of an extra that isn't installed
            return error.message
        return command.get_short_help_str(sys.maxsize) if command else ""


class Commands(Group):
    """A group that finds its commands through entry points, so that this package imports none of those above it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands that are installed."""
        return sorted(entry_points(group="refconv.commands").names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        for point in entry_points(group="refconv.commands", name=cmd_name):
            try:
                command: click.Command = point.load()
            except ModuleNotFoundError as error:
                if not point.extras:
                    raise
                install = f"pip install 'refconv[{','.join(point.extras)}]'"
                raise click.UsageError(f"{cmd_name} needs {error.name}, which isn't installed: {install}") from error
            return command
        if ctx.resilient_parsing:  # what is being typed is completed
            return None
        known = self.list_commands(ctx)
        raise click.UsageError(f"no such command: {cmd_name}; known: {', '.join(known)}{did_you_mean(cmd_name, known)}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="refconv")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find out whether the layers of a CNN, forward and backward, are right.

    Options have defaults in the table tool.refconv of a pyproject.toml, in the current folder or above.
    """
    assert ctx.invoked_subcommand is not None
    found = defaults(ctx, ctx.invoked_subcommand, Path.cwd())
    if found is not None:
        file, values = found
        ctx.default_map = {ctx.invoked_subcommand: values}
        click.echo(f"defaults are those of {file}", err=True)


def main() -> None:
    """Run the command; what is wrong with it is said in one line, with exit status 2."""
    try:
        status = cli.main(prog_name="refconv", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"refconv: {_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("refconv: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has gone; nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(status)


def _one_line(error: click.ClickException) -> str:
    line = " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [
            name for parameter in error.ctx.command.get_params(error.ctx) for name in parameter.opts if name[:1] == "-"
        ]
        line = f"no such option: {error.option_name}; known: {', '.join(known)}{did_you_mean(error.option_name, known)}"
    return line
