"""The command ``refconv``; its subcommands are the entry points of the group ``refconv.commands``."""

import inspect
import os
import sys
from importlib.metadata import entry_points
from textwrap import fill, indent

import click
from rich.console import Console
from rich.text import Text

from refconv.table import Operator, operators


class Commands(click.Group):
    """A group that finds its commands through entry points, so that this package imports none of those above it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands that are installed."""
        return sorted(entry_points(group="refconv.commands").names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
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
        raise click.UsageError(f"no such command: {cmd_name}; known: {', '.join(self.list_commands(ctx))}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="refconv")
def cli() -> None:
    """Find out whether the layers of a CNN, forward and backward, are right."""


@click.command("operators")
def operators_command() -> None:
    """List the operators: signature, summary, and the inputs that have gradients."""
    console = Console(highlight=False)
    for row in operators.values():
        console.print(Text.assemble((row.name, "bold"), _signature(row)), soft_wrap=True)
        summary = (inspect.getdoc(row.forward) or "").partition("\n")[0]
        for line in (summary, f"gradients: {', '.join(row.differentiable)}"):
            console.print(indent(fill(line, console.width - 4), "    "), soft_wrap=True, markup=False)
        console.print()


def _signature(row: Operator) -> str:
    """Return the forward's signature without its types."""
    signature = inspect.signature(row.forward)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def main() -> None:
    """Run the command; what is wrong with it is said in one line, with exit status 2."""
    try:
        status = cli.main(standalone_mode=False)
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
        line = f"no such option: {error.option_name}; known: {', '.join(known)}"
    return line
