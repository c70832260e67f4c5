"""One more axis of size 1 changes nothing: ties each rank to the next, and each axis' attributes to that axis."""

from collections.abc import Iterator
from typing import Any

from properties.axes import WINDOWED, lifted, rank_of
from properties.case import Case
from properties.laws.law import Calls, Equation, Laws, generator
from refconv.rounding import Rounded

law = Laws()


def _with_an_axis(case: Case) -> tuple[Case, int] | None:
    """Return `case` with one more axis, and the place of that axis; None where there are three, or two for cubic."""
    rank = rank_of(case)
    if rank == 3 or case.attributes.get("mode") == "cubic":
        return None
    place = int(generator(case).integers(rank + 1))
    return lifted(case, place), place


def _without(values: Rounded, axes: int | tuple[int, ...]) -> Rounded:
    return values.moved(lambda plain: plain.squeeze(axes))


@law(*WINDOWED)
def axis_of_size_one_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """An axis of size 1 more, with a window of 1 along it, gives the same, with that axis.

    Sums over it have one term. So each attribute belongs to its own axis.
    """
    more = _with_an_axis(case)
    if more is not None:
        outputs, others = calls.outputs(case), calls.outputs(more[0])
        for name, output in outputs.items():
            yield Equation(_without(others[name], 2 + more[1]), output, name)


@law(*WINDOWED, backward=True, forward=False)
def axis_of_size_one_has_no_gradient_of_its_own(calls: Calls, case: Case) -> Iterator[Equation]:
    """An axis of size 1 more gives the same gradients, with that axis."""
    more = _with_an_axis(case)
    if more is None:
        return
    other, place = more
    gradients = calls.backward(other)
    axes: dict[str, Any] = {"input": 2 + place, "weight": 2 + place, "bias": ()}
    if case.operator == "locally_connected":  # (out, *output, in, *kernel) and (out, *output)
        axes |= {"weight": (1 + place, 3 + rank_of(case) + place), "bias": 1 + place}
    for name, gradient in calls.backward(case).items():
        yield Equation(_without(gradients[name], axes[name]), gradient, f"grad_{name}")
