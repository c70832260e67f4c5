"""Run an implementation on a case: what it returned, or what it did instead."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from inspect import Parameter, Signature, signature
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from oracle.deviations import Deviation, deviation_of
from oracle.subjects import version_of
from properties import Case, refilled
from properties.domain import alternatives
from refconv.arguments import Array

DIRECTIONS = ("forward", "backward")
_LARGE = 1 << 17  # bytes beyond which memory comes from the system, which clears it
_AT_ONCE = 3  # calls that each of two threads makes
_KEPT = 1 << 20  # bytes of a result that is looked at again after the next call
_SPOILED = 4  # blocks of memory of a result's size: intermediates take some of them
Results = Mapping[str, Array | None]
Call = tuple[Case, str]  # with its direction


class Unsupported(Exception):  # noqa: N818  # a refusal that the contract foresees, not an error
    """Raised by an implementation that doesn't offer what a case asks for: the case is declined, not failed."""


class _NoResultsError(Exception):
    """What was returned isn't what the contract asks for."""


class Outcome(NamedTuple):
    """What became of one call."""

    status: str  # "returned", "declined", "raised", "faulty", or "ended" if it took its process along
    results: Results = MappingProxyType({})  # what was returned, by name
    reason: str | None = None  # why it was declined, or what is wrong with the call, whatever the values
    deviation: Deviation | None = None  # the known one that the case matches
    seconds: float = 0.0  # that the function took


class Runner(Protocol):
    """Where calls are run: in this process, or in one of their own."""

    @property
    def version(self) -> str | None:
        """The implementation's version, where it says one."""

    @property
    def calls(self) -> Collection[Call]:
        """What was run since the process began, as far as it is remembered."""

    @property
    def made(self) -> str | None:
        """Python that makes the implementation; None if it has no name."""

    @property
    def domain(self) -> Mapping[str, frozenset[Any]]:
        """The part of all calls that the implementation says it is for."""

    took: float  # seconds of the last call that returned, what checks it apart
    hurried: bool  # whether a call that takes much longer than others did is taken to hang

    def offers(self, operator: str, direction: str) -> bool:
        """Whether the implementation has the function."""

    def start(self, case: Case, direction: str) -> Callable[[], Outcome]:
        """Begin the call, and return what waits for its outcome."""

    def renew(self) -> None:
        """Have the next call run in a process that has seen no other, if processes are to be had."""

    def close(self) -> None:
        """End the process."""


class InProcess:
    """A runner that calls the implementation where it is: a crash is ours, too."""

    calls: Collection[Call] = ()
    hurried = False
    took = 0.0

    def __init__(self, implementation: object, made: str | None = None) -> None:
        self.implementation = implementation
        self.made = made
        self.version = version_of(implementation)
        self.domain = domain_of(implementation)
        self._kept = Kept()

    def offers(self, operator: str, direction: str) -> bool:
        """Whether the implementation has the function."""
        return function_of(self.implementation, operator, direction) is not None

    def start(self, case: Case, direction: str) -> Callable[[], Outcome]:
        """Run the call."""
        known = deviation_of(self.implementation, case, direction)
        if known is not None and known.crashes:
            outcome = Outcome("declined", reason=f"would crash this process: {known.reason}", deviation=known)
        else:
            outcome = call(self.implementation, case, direction, self._kept)
        self.took = outcome.seconds
        return lambda: outcome

    def renew(self) -> None:
        """Go on in this process: there is no other. What was returned before is forgotten."""
        self._kept = Kept()

    def close(self) -> None:
        """Leave this process as it is."""


def domain_of(implementation: object) -> dict[str, frozenset[Any]]:
    """Return the part of all calls that an implementation says it is for: its attribute `domain`, all by default."""
    return alternatives(getattr(implementation, "domain", None) or {})


def function_name(operator: str, direction: str) -> str:
    """Return what the function for `operator` in `direction` is called."""
    return operator if direction == "forward" else f"{operator}_backward"


def function_of(implementation: object, operator: str, direction: str) -> Callable[..., Any] | None:
    """Return the implementation's function for `operator` in `direction`, None where it has none."""
    function: Callable[..., Any] | None = getattr(implementation, function_name(operator, direction), None)
    return function


def offers_all(runner: Runner, functions: Iterable[str]) -> bool:
    """Return whether the implementation has all `functions`, by their names."""
    for name in functions:
        operator = name.removesuffix("_backward")
        if not runner.offers(operator, "forward" if name == operator else "backward"):
            return False
    return True


def arguments_of(case: Case, direction: str) -> Results:
    """Return the arrays that the function for `direction` takes, by name and in their order."""
    return {name: array for name, array in case.arrays.items() if direction == "backward" or name != "grad_output"}


class Kept:
    """What the call before has returned, to see whether later calls leave it alone."""

    def __init__(self) -> None:
        self._results: list[tuple[str, Array, bytes]] = []

    def overwritten(self) -> list[str]:
        """Return what is wrong with the results of the call before: they were overwritten by this one."""
        changed = [name for name, array, bits in self._results if _bits(array) != bits]
        return [f"overwrote {', '.join(changed)} of the call before"] if changed else []

    def keep(self, arguments: Results, results: Results) -> None:
        """Keep the results of this call, those in memory of their own."""
        self._results = [
            (name, value, _bits(value))
            for name, value in results.items()
            if value is not None and value.nbytes <= _KEPT and not _shared(arguments, {name: value})
        ]


def call(implementation: object, case: Case, direction: str, kept: Kept) -> Outcome:
    """Call the function for `direction`, which the implementation must have, and look at what it did."""
    deviation = deviation_of(implementation, case, direction)
    function: Any = function_of(implementation, case.operator, direction)
    arguments = arguments_of(case, direction)
    before = [_bits(array) for array in arguments.values()]
    _spoil(case, direction)
    try:
        if not _supports(implementation, case):
            return Outcome("declined", reason="supports() says no", deviation=deviation)
        began = time.perf_counter()
        with np.errstate(all="ignore"):  # as the reference: what isn't finite is compared as it is
            returned = function(*arguments.values(), **case.attributes)
        seconds = time.perf_counter() - began
        results = results_of(returned, case, direction)
        again = _again(implementation, function, case, direction, results)
    except Unsupported as refusal:
        return Outcome("declined", reason=_said(refusal), deviation=deviation)
    except _NoResultsError as error:
        return Outcome("faulty", reason=str(error), deviation=deviation)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever foreign code raises is a verdict on it
        return Outcome("raised", reason=_raised(error, function, case, direction), deviation=deviation)
    shared = [] if case.row.views else _shared(arguments, results)
    reasons = [*_modified(arguments, before), *kept.overwritten(), *shared, *_unreadable(results, case), *again]
    kept.keep(arguments, results)
    status = "faulty" if reasons else "returned"
    return Outcome(status, results, "; ".join(reasons) or None, deviation, seconds)


def _spoil(case: Case, direction: str) -> None:
    """Leave NaN in the memory that results may be given: whoever doesn't write all of theirs is seen."""
    wanted = (case.grad_output,) if direction == "forward" else case.inputs
    sizes = [array.nbytes for array in wanted if array is not None and array.nbytes <= _LARGE]
    kept = [np.empty(size, np.uint8) for size in sizes for _ in range(_SPOILED)]
    for block in kept:
        block.fill(0xFF)


def _supports(implementation: object, case: Case) -> bool:
    """Ask an implementation that has `supports` whether it takes a case."""
    supports = getattr(implementation, "supports", None)
    if supports is None:
        return True
    try:
        answer = supports(case)
    except Exception as error:
        raise _NoResultsError(
            f"supports(case) must return a bool, but raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(answer, bool | np.bool_):
        raise _NoResultsError(f"supports(case) must return a bool, got {type(answer).__name__}")
    return bool(answer)


def _again(
    implementation: object, function: Callable[..., Any], case: Case, direction: str, results: Results
) -> list[str]:
    """Call once more where the implementation claims to be deterministic; with other data at once, if to be safe."""

    def bits(of: Case) -> dict[str, bytes]:
        second = results_of(function(*arguments_of(of, direction).values(), **of.attributes), of, direction)
        return {name: _bits(value) for name, value in second.items()}

    def differing(known: Mapping[str, bytes], again: Mapping[str, bytes]) -> list[str]:
        return [name for name in known if again.get(name) != known[name]]

    first = {name: _bits(value) for name, value in results.items()}
    reasons = []
    if getattr(implementation, "deterministic", False):
        names = differing(first, bits(case))
        reasons += [f"{', '.join(names)} not the same bits for the same input, which it claims"] if names else []
    if getattr(implementation, "thread_safe", False):
        other = refilled(case, 1)
        alone = bits(other)
        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(bits, each) for each in (case, other) * _AT_ONCE]
            pairs = zip((first, alone) * _AT_ONCE, waiting, strict=True)
            names = [name for known, done in pairs for name in differing(known, done.result())]
        said = ", ".join(dict.fromkeys(names))
        reasons += (
            [f"{said} not the same bits beside another call in a thread of its own, which it claims"] if said else []
        )
    return reasons


def _bits(array: Array | None) -> bytes:
    return b"" if array is None else array.tobytes()


def _raised(error: BaseException, function: Callable[..., Any], case: Case, direction: str) -> str:
    """Say what was raised; of a function that doesn't take the contract's arguments, what these are."""
    said = _said(error)
    reason = f"raised {type(error).__name__}" + (f": {said}" if said else "")
    if not isinstance(error, TypeError) or _takes(function, arguments_of(case, direction), case.attributes):
        return reason
    contract = signature(case.row.forward if direction == "forward" else case.row.backward)
    bare = [parameter.replace(annotation=Parameter.empty) for parameter in contract.parameters.values()]
    return f"must take {contract.replace(parameters=bare, return_annotation=Signature.empty)}, but {reason}"


def _takes(function: Callable[..., Any], arguments: Results, attributes: Mapping[str, object]) -> bool:
    """Whether a function's signature fits the call, as far as it can be read."""
    try:
        signature(function).bind(*arguments.values(), **attributes)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _said(error: BaseException) -> str | None:
    try:
        lines = str(error).strip().splitlines()
    except Exception as second:
        return f"its message can't be read: {type(second).__name__}"
    return lines[0] if lines else None


def names_of(case: Case, direction: str) -> tuple[str, ...]:
    """Return what a function for `direction` returns, by the names of its fields: the outputs, or the gradients."""
    return case.row.outputs(**case.attributes) if direction == "forward" else case.row.differentiable


def outcome_of(returned: Any, case: Case, direction: str) -> Outcome:
    """Read what was returned elsewhere."""
    try:
        results = results_of(returned, case, direction)
    except _NoResultsError as error:
        return Outcome("faulty", reason=str(error))
    return Outcome("returned", results)


def results_of(returned: Any, case: Case, direction: str) -> Results:
    """Read what was returned as arrays by name: the outputs, or the gradients."""
    names = names_of(case, direction)
    if direction == "forward":
        if len(names) == 1:
            return {names[0]: _read(names[0], returned)}
        return _named(names, _each(returned, names, f"a forward must return {', '.join(names)}"))
    gradients = _each(returned, names, f"a backward must return a gradient for each of {', '.join(names)}")
    return _named([f"grad_{name}" for name in names], gradients)


def _each(returned: Any, names: Sequence[str], rule: str) -> list[Any]:
    """Return what was `returned` under each of `names`, or in their order."""
    if all(hasattr(returned, name) for name in names):
        return [getattr(returned, name) for name in names]
    if isinstance(returned, tuple | list) and len(returned) == len(names):
        return list(returned)
    raise _NoResultsError(f"{rule}, got {type(returned).__name__}")


def _named(names: Sequence[str], values: Sequence[Any]) -> Results:
    return {name: None if value is None else _read(name, value) for name, value in zip(names, values, strict=True)}


def _read(name: str, returned: Any) -> Array:
    kind = type(returned).__name__
    if isinstance(returned, list | tuple):
        raise _NoResultsError(f"{name} must be an array, got {kind}")
    try:
        array = _as_numpy(returned)
    except Exception as error:  # what lies on another device, say
        rule = "must be an array that NumPy can read (by DLPack or __array__)"
        raise _NoResultsError(f"{name} {rule}, got {kind}: {_said(error)}") from error
    if array.dtype == object and not hasattr(returned, "__array__"):
        raise _NoResultsError(f"{name} must be an array, got {type(returned).__name__}")
    return array


def _as_numpy(returned: Any) -> Array:
    by_dlpack = hasattr(returned, "__dlpack__") and not hasattr(returned, "__array__")
    return np.from_dlpack(returned) if by_dlpack else np.asarray(returned)


def _modified(arguments: Results, before: list[bytes]) -> list[str]:
    modified = [name for (name, array), bits in zip(arguments.items(), before, strict=True) if bits != _bits(array)]
    return [f"modified {', '.join(modified)} in place"] if modified else []


def _shared(arguments: Results, results: Results) -> list[str]:
    return [
        f"{result} shares memory with {name}"
        for result, value in results.items()
        for name, array in arguments.items()
        if array is not None and value is not None and np.may_share_memory(array, value)
    ]


def _unreadable(results: Results, case: Case) -> list[str]:
    return [
        f"{name} must have dtype {case.dtype}, got {value.dtype}"
        for name, value in results.items()
        if value is not None and (value.dtype.hasobject or value.dtype.kind in "SUMm")
    ]
