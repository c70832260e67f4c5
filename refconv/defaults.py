"""Defaults of the command's options, from the table ``tool.refconv`` of a ``pyproject.toml``.

::

    [tool.refconv]             # for each command that has the option
    dtype = "float64"

    [tool.refconv.check]       # for one command
    only = ["rank=2", "groups=1"]

    [tool.refconv.bench.gate]
    slower = "3%"
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.types import FloatParamType, IntParamType

from refconv.words import did_you_mean


class _Value(NamedTuple):
    """What is set, and by which key."""

    value: Any
    key: str


_Values = Mapping[str, _Value]


def defaults(ctx: click.Context, name: str, folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return a file, and the defaults that it has for the command called `name` of the group of `ctx`, as click does.

    The file is the nearest ``pyproject.toml`` that has the table, in `folder` or above. None if there is none.

    Raises
    ------
    click.UsageError
        For a file that can't be read, a name that isn't known, and a value of another type, or out of its range.
    """
    found = _found(folder)
    if found is None:
        return None
    file, table = found
    group = ctx.command
    assert isinstance(group, click.Group)
    tables, values = _parted(table, f"{file}: tool.refconv")
    _require_known(tables, group.list_commands(ctx), f"{file}: tool.refconv", "table")
    command = group.get_command(ctx, name)
    assert command is not None
    others = values.keys() - _options_below(command, ctx).keys()
    if others:
        _require_known_to_some(others, ctx, group, f"{file}: tool.refconv")
    return file, _of(ctx, command, tables.get(name, {}), values, f"{file}: tool.refconv.{name}")


def _found(folder: Path) -> tuple[Path, Any] | None:
    """Return the nearest file that has the table, and the table."""
    for file in (above / "pyproject.toml" for above in (folder, *folder.parents)):
        if file.is_file():
            try:
                document = tomllib.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise click.UsageError(f"cannot read {file}: {error}") from error
            tool = document.get("tool")
            if isinstance(tool, dict) and "refconv" in tool:
                return file, tool["refconv"]
    return None


def _parted(table: Any, where: str) -> tuple[dict[str, Any], dict[str, _Value]]:
    """Return the tables in a table, and the values beside them."""
    if not isinstance(table, dict):
        raise click.UsageError(f"{where} must be a table, got {table!r}")
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    return tables, {key: _Value(value, f"{where}.{key}") for key, value in table.items() if key not in tables}


def _require_known(keys: Iterable[str], known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    for key in keys:
        if key not in known:
            said = ", ".join(known) or "none"
            raise click.UsageError(f"{where} has no {kind} {key!r}; known: {said}{did_you_mean(key, known)}")


def _require_known_to_some(keys: Iterable[str], ctx: click.Context, group: click.Group, where: str) -> None:
    try:
        commands = _below(group, ctx)
    except click.UsageError:  # a command of an extra that isn't installed may have them
        return
    known = {option for _, command in commands for option in _options_below(command, ctx)}
    _require_known(keys, sorted(known), where, "option")


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by the keys that set them."""
    options = [known for known in command.params if isinstance(known, click.Option) and known.expose_value]
    return {option.opts[-1].lstrip("-"): option for option in options}


def _options_below(command: click.Command, ctx: click.Context) -> dict[str, click.Option]:
    """Return the options of a command, or of all commands of a group."""
    return _options(command) | {
        key: option for _, below in _below(command, ctx) for key, option in _options_below(below, ctx).items()
    }


def _below(command: click.Command, ctx: click.Context) -> list[tuple[str, click.Command]]:
    """Return the commands of a group with their names."""
    if not isinstance(command, click.Group):
        return []
    found = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
    return [(name, below) for name, below in found if below is not None]


def _of(ctx: click.Context, command: click.Command, table: Any, inherited: _Values, where: str) -> dict[str, Any]:
    """Return the defaults of a command, or of each command of a group by its name."""
    tables, own = _parted(table, where)
    below = dict(_below(command, ctx))
    _require_known(own, _options_below(command, ctx), where, "option")
    _require_known(tables, below, where, "table")
    values = {**inherited, **own}
    if below:
        return {name: _of(ctx, of, tables.get(name, {}), values, f"{where}.{name}") for name, of in below.items()}
    options = _options(command)
    inner = click.Context(command, parent=ctx, info_name=command.name)
    set_here = [key for key in options if key in values]
    return {options[key].name or key: _checked(inner, options[key], *values[key]) for key in set_here}


def _checked(ctx: click.Context, option: click.Option, value: Any, key: str) -> Any:
    """Return a value that an option takes."""
    kind, types = _kind(option)
    entries = value if option.multiple and isinstance(value, list) else [value]
    if (option.multiple and not isinstance(value, list)) or any(type(entry) not in types for entry in entries):
        rule = f"a list of {kind}s" if option.multiple else f"a {kind}"
        raise click.UsageError(f"{key} must be {rule}, got {value!r}")
    try:
        option.process_value(ctx, value)
    except click.UsageError as error:
        raise click.UsageError(f"{key}: {error.message}") from error
    return value


def _kind(option: click.Option) -> tuple[str, tuple[type, ...]]:
    """Return what the values of an option are called, and of which types they are."""
    if option.is_flag:
        return "boolean", (bool,)
    if isinstance(option.type, IntParamType):
        return "whole number", (int,)
    if isinstance(option.type, FloatParamType):
        return "number", (int, float)
    return "string", (str,)
