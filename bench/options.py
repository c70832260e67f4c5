"""Options that several commands of ``refconv bench`` take."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import click

from bench.workloads import NAMES
from oracle.cli import JUDGED_BY
from oracle.contract import DIRECTIONS
from properties.arrays import DTYPES
from properties.cli import OPERATOR
from refconv import ARITHMETICS
from refconv.choices import Known

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Share(click.ParamType[float]):
    """A percentage, or a share: 5% or 0.05."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        try:
            number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            number = -1.0
        if not 0 < number < 1:
            self.fail(f"must be between 0 and 100%, such as 5% or 0.05, got {value!r}", param, ctx)
        return number


_MEASURED = (
    click.option(
        "--workload", type=Known(NAMES), metavar="WORKLOAD",
        help="Layers to time: refconv bench workloads lists them.  [default: resnet50]",
    ),
    click.option(
        "--operator", "operators", multiple=True, type=OPERATOR, metavar="OPERATOR",
        help="Only layers of this one; may be given again.",
    ),
    click.option("--direction", type=Known([*DIRECTIONS, "both"]), help="[default: both]"),
    click.option("--dtype", type=Known(DTYPES), help="Of the arrays.  [default: float32]"),
    click.option(
        "--batch", type=click.IntRange(min=1), metavar="N",
        help="Samples; in a series, so many times its own.  [default: 1]",
    ),
    click.option(
        "--threads", type=click.IntRange(min=1), metavar="N",
        help="Of each implementation; as many as it likes by default.",
    ),
    click.option("--arithmetic", type=Known(ARITHMETICS), metavar="ARITHMETIC", help=JUDGED_BY),
    click.option(
        "--processes", type=click.IntRange(min=1), metavar="N",
        help="Of each implementation, one after the other.  [default: 3, of a gate 5]",
    ),
    click.option(
        "--rounds", type=click.IntRange(min=1), metavar="N",
        help="Turns of each implementation in a process.  [default: 5, of a gate 6]",
    ),
)  # fmt: skip
_JUDGED = (
    click.option("--slower", type=_Share(), default="5%", show_default=True, help="That a layer may get."),
    click.option("--confidence", type=_Share(), default="95%", show_default=True, help="Of each layer's interval."),
    click.option("--anyway", is_flag=True, help="Compare ratios to the yardstick, though machines or settings differ."),
)


def _with(options: Sequence[Decorator]) -> Decorator:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


measured_options = _with(_MEASURED)
"""The options that say what is measured: the fields of :class:`bench.settings.Settings`."""
judged_options = _with(_JUDGED)
"""The options of a verdict."""
