"""The command ``refconv operators``: which there are, and all that is said of one."""

import inspect
from collections.abc import Callable, Iterator
from textwrap import fill, indent
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from properties.models import MODELS
from properties.naming import meant
from refconv.choices import Known
from refconv.table import Operator, operators

OPERATOR = Known(operators, lambda given, _: meant([given]))
"""Of an argument that names an operator."""


@click.command("operators")
@click.argument("names", nargs=-1, type=OPERATOR, metavar="[OPERATOR]...")
def operators_command(names: tuple[str, ...]) -> None:
    """List the operators: signature, summary, and the inputs that have gradients.

    Of those that are named, say all: the formulas, each attribute with its type and default, and the classes of calls
    that a check covers, by which --only narrows it.
    """
    console = Console(highlight=False, markup=False)
    for row in map(operators.__getitem__, names or operators):
        console.print(Text.assemble((row.name, "bold"), _signature(row.forward)), soft_wrap=True)
        for part in _details(row, console.width) if names else _summary(row, console.width):
            console.print(indent(part, "    "), soft_wrap=True)
        console.print()


def _summary(row: Operator, width: int) -> Iterator[str]:
    yield fill(_documented(row.forward).partition("\n")[0], width - 4)
    yield fill(_gradients(row), width - 4)


def _details(row: Operator, width: int) -> Iterator[str]:
    yield f"\n{_documented(row.forward)}\n"
    if row.attributes:
        yield _listed("attributes, their types and defaults", dict(_attributes(row)), width)
    formulas, *_ = _documented(row.backward).partition("\nParameters\n")
    yield f"{row.backward.__name__}{_signature(row.backward)}\n{indent(formulas.rstrip(), '    ')}\n"
    yield f"{_gradients(row)}\n"
    classes = {feature.name: ", ".join(known.name for known in feature.classes) for feature in MODELS[row.name].counted}
    yield _listed("classes of calls (refconv check --only FEATURE=CLASS)", classes, width).rstrip()


def _attributes(row: Operator) -> Iterator[tuple[str, str]]:
    """Yield the type of each attribute, and its default."""
    for name, parameter in inspect.signature(row.forward).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            kind = inspect.formatannotation(parameter.annotation)
            default = "required" if parameter.default is parameter.empty else f"by default {parameter.default!r}"
            yield name, f"{kind}; {default}"


def _listed(title: str, entries: dict[str, str], width: int) -> str:
    """Return what is said of each of some names, wrapped."""
    lines = [
        fill(f"{name}: {said}", width - 4, initial_indent=" " * 4, subsequent_indent=" " * 8, break_on_hyphens=False)
        for name, said in entries.items()
    ]
    return "\n".join([f"{title}:", *lines, ""])


def _gradients(row: Operator) -> str:
    return f"gradients: {', '.join(row.differentiable)}"


def _documented(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function) or ""


def _signature(function: Callable[..., Any]) -> str:
    """Return a signature without its types."""
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))
