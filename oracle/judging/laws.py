"""Judge laws: run the calls that a law makes, and compare the two sides of its equations."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from oracle.contract import Call, arguments_of
from oracle.judging.judge import Refused, by_conventions, expectation
from oracle.running.calls import Outcome
from oracle.running.runner import Caller
from properties import Case
from properties.case import but, doubled
from properties.laws import Equation, Law
from refconv import Arithmetic
from refconv.arguments import Array
from refconv.bounds import FLOAT64
from refconv.rounding import Rounded, exactly


class LawVerdict(NamedTuple):
    """What became of a law on one case."""

    status: str  # "held", "broken", "declined", "silent" where the law says nothing about the case, or "faulty"
    reason: str | None = None
    exact: bool = False  # no result was allowed a rounding error
    calls: tuple[Call, ...] = ()  # that were made; the last of them gave no results to compare, where that is faulty
    details: str | None = None  # what was raised, as a whole


class _FaultyError(Exception):
    """A call that has no results to compare."""

    def __init__(self, reason: str | None, details: str | None = None) -> None:
        super().__init__(reason)
        self.details = details


class _DeclinedError(Exception):
    """A call that the implementation refused, or one of which something else is known."""


class _Calls:
    """An implementation's functions, whose results carry the bounds on their rounding errors."""

    def __init__(self, runner: Caller, arithmetic: Arithmetic) -> None:
        self.made: list[Call] = []
        self.exact = True
        self._runner = runner
        self._arithmetic = arithmetic

    def forward(self, case: Case) -> Rounded:
        return next(iter(self.outputs(case).values()))

    def outputs(self, case: Case) -> Mapping[str, Rounded]:
        return self._bounded(case, "forward")

    def backward(self, case: Case) -> Mapping[str, Rounded]:
        return {name.removeprefix("grad_"): value for name, value in self._bounded(case, "backward").items()}

    def _bounded(self, case: Case, direction: str) -> dict[str, Rounded]:
        """Run a call, and give its results the bounds on their rounding errors."""
        limits = self._limits(case, direction)
        got = self._run(_whole(case, limits) if direction == "forward" else case, direction)
        results = {}
        for name, limit in limits.items():
            value = got[name]
            if (value is None) != (limit is None):
                raise _FaultyError(f"{name} must be {'None' if limit is None else 'an array'}")
            if value is not None and limit is not None:
                if value.shape != limit.shape:
                    raise _FaultyError(f"{name} must have shape {limit.shape}, got {value.shape}")
                self.exact &= not limit.any()
                known = np.isfinite(limit)  # what may overflow can be anything
                results[name] = Rounded(np.where(known, value, 0.0), _largest(limit), FLOAT64)
        return results

    def _limits(self, case: Case, direction: str) -> dict[str, Array | None]:
        """Return how far each result may be off, in its shape; None where it must be None."""
        if _sums_are_exact(case, direction, self._arithmetic):
            shapes = _shapes(case, direction)
            return {name: None if shape is None else np.zeros(shape) for name, shape in shapes.items()}
        expected = expectation(case, direction, self._arithmetic)
        assert not isinstance(expected, Refused), (case, expected)
        limits = {name: None if item is None else item.bound.limit for name, item in expected.items()}
        for convention, results in by_conventions(case, direction, self._arithmetic, expected):
            for name, item in results.items() if convention.rule is None else ():
                known = limits[name]
                limits[name] = known if known is None or item is None else np.maximum(known, item.bound.limit)
        return limits

    def _run(self, case: Case, direction: str) -> dict[str, Array | None]:
        self.made.append((case, direction))
        outcome: Outcome = self._runner.start(case, direction)()
        if outcome.status == "declined" or outcome.deviation is not None:
            raise _DeclinedError(outcome.reason or "a known deviation")
        if outcome.status != "returned":
            raise _FaultyError(outcome.reason, outcome.details)
        for name, value in outcome.results.items():
            if value is not None and value.dtype != case.dtype and value.dtype.kind != "i":
                raise _FaultyError(f"{name} must have dtype {case.dtype}, got {value.dtype}")
        return {name: value if value is None else value.astype(np.float64) for name, value in outcome.results.items()}


def _whole(case: Case, limits: Mapping[str, Array | None]) -> Case:
    """Return a forward's `case` with a gradient of the output's shape, as predicates on cases know them."""
    output = next(iter(limits.values()))
    if output is None or output.shape == case.grad_output.shape:
        return case
    return but(case, grad_output=np.zeros(output.shape, case.dtype))


def _largest(limit: Array) -> Array:
    """Return the largest limit of the array for each element: what is wrong may be as large as any of the others.

    An implementation may obey a law though its elements stand in each other's place, with errors of their own.
    """
    finite = np.isfinite(limit)
    return np.where(finite, np.max(limit, initial=0, where=finite), limit)


_SUMS = ("conv", "conv_transpose", "locally_connected", "linear", "graph_conv")
_FACTORS = {"graph_conv": 3}


def _sums_are_exact(case: Case, direction: str, arithmetic: Arithmetic) -> bool:
    """Whether all sums of products are of integers so small that they are exact, as can be told at a glance.

    Then nothing need be known of the errors, whatever the size.
    """
    given = [array for array in arguments_of(case, direction).values() if array is not None]
    if case.operator not in _SUMS or arithmetic.normwise:
        return False
    integers = all((array == np.rint(array)).all() for array in given)
    largest = max((float(abs(array).max(initial=0)) for array in given), default=0.0)
    terms = max(array.size for array in given)
    unit = max(arithmetic.accumulation, arithmetic.storage, arithmetic.product)
    return integers and largest ** _FACTORS.get(case.operator, 2) * (terms + 1) < 1 / unit


def _shapes(case: Case, direction: str) -> dict[str, tuple[int, ...] | None]:
    """Return the shapes of the results of what has sums of products, without computing any."""
    if direction == "backward":
        given = {name: case.arrays[name] for name in case.row.differentiable}
        return {f"grad_{name}": None if array is None else array.shape for name, array in given.items()}
    first, *others = map(doubled, case.inputs)
    assert first is not None
    if first.ndim < 2:
        return {"output": case.row.forward(first, *others, **case.attributes).shape}
    empty = case.row.forward(first[:0], *others, **case.attributes)
    return {"output": (len(first), *empty.shape[1:])}


def judge_law(law: Law, runner: Caller, case: Case, arithmetic: Arithmetic) -> LawVerdict:
    """Run the calls that `law` makes of a case, and compare."""
    calls = _Calls(runner, arithmetic)
    status = "silent"
    try:
        with np.errstate(all="ignore"):
            for equation in law.statement(calls, case):
                status = "held"
                reason = _difference(equation)
                if reason is not None:
                    return LawVerdict("broken", reason, calls.exact, tuple(calls.made))
    except _DeclinedError as declined:
        return LawVerdict("declined", str(declined))
    except _FaultyError as fault:
        return LawVerdict("faulty", str(fault), calls=tuple(calls.made), details=fault.details)
    return LawVerdict(status, exact=calls.exact)


def _difference(equation: Equation) -> str | None:
    """Return in what the two sides differ; None where they don't."""
    left, name = equation.left, equation.name
    right = equation.right
    if not isinstance(right, Rounded):
        right = exactly(np.asarray(right, np.float64), FLOAT64)
    if left.shape != right.shape:
        return f"{name} has shape {left.shape}, by the law {right.shape}"
    limit = left.error + right.error
    errors = abs(left.value - right.value)
    finite = np.isfinite(left.value) & np.isfinite(right.value)
    fine = (errors <= limit) | (left.value == right.value) | (np.isnan(left.value) & np.isnan(right.value))
    fine |= np.isposinf(limit) | (finite & np.isnan(limit))  # nothing is known of the errors
    if fine.all():
        return None
    index = tuple(int(i) for i in np.argwhere(~fine)[0])
    where = f"{name}[{', '.join(map(str, index))}]" if index else name
    margin = f"± {limit[index]:.2g}" if limit[index] else "exactly"
    wrong = f"({np.count_nonzero(~fine)} of {fine.size} wrong)"
    return f"{where} = {left.value[index]:.9g}, by the law {right.value[index]:.9g} {margin} {wrong}"
