"""One call: what it returned, or what it did instead, and what it did beside."""

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from inspect import Parameter, Signature, signature
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from oracle.contract import (
    Deviation,
    NoResultsError,
    Results,
    Unsupported,
    arguments_of,
    deviation_of,
    function_of,
    results_of,
)
from oracle.said import line_of, said_by, whole
from properties import Case, refilled
from refconv.arguments import Array

_LARGE = 1 << 17  # bytes beyond which memory comes from the system, which clears it
_AT_ONCE = 3  # calls that each of two threads makes
_KEPT = 1 << 20  # bytes of a result that is looked at again after the next call
_WANTS_TENSORS = re.compile(r"'numpy\.ndarray' object has no attribute|(not|of type) numpy\.ndarray|got \(numpy")
_NO_KEYWORDS = "takes no keyword arguments"  # as the `apply` of PyTorch's functions, whose signature takes any
_SPOILED = 4  # blocks of memory of a result's size: intermediates take some of them


class Outcome(NamedTuple):
    """What became of one call."""

    status: str  # "returned", "declined", "raised", "faulty", or "ended" if it took its process along
    results: Results = MappingProxyType({})  # what was returned, by name
    reason: str | None = None  # why it was declined, or what is wrong with the call, whatever the values
    deviation: Deviation | None = None  # the known one that the case matches
    seconds: float = 0.0  # that the function took
    details: str | None = None  # what was raised, as a whole


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
        return Outcome("declined", reason=said_by(refusal) or None, deviation=deviation)
    except NoResultsError as error:
        return Outcome("faulty", reason=str(error), deviation=deviation)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever foreign code raises is a verdict on it
        reason = _raised(error, function, case, direction)
        return Outcome("raised", reason=reason, deviation=deviation, details=whole(error))
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
        said = said_by(error)
        raised = line_of(type(error).__name__ + (f": {said}" if said else ""))
        raise NoResultsError(f"supports(case) must return a bool, but raised {raised}") from error
    if not isinstance(answer, bool | np.bool_):
        raise NoResultsError(f"supports(case) must return a bool, got {type(answer).__name__}")
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
    said = said_by(error)
    reason = f"raised {line_of(type(error).__name__)}" + (f": {said}" if said else "")
    if _WANTS_TENSORS.search(said) and isinstance(error, TypeError | AttributeError):
        return f"must take NumPy arrays, and convert them where it wants tensors, but {reason}"
    fits = _takes(function, arguments_of(case, direction), case.attributes) and _NO_KEYWORDS not in said
    if not isinstance(error, TypeError) or fits:
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


def outcome_of(returned: Any, case: Case, direction: str) -> Outcome:
    """Read what was returned elsewhere."""
    try:
        results = results_of(returned, case, direction)
    except NoResultsError as error:
        return Outcome("faulty", reason=str(error))
    return Outcome("returned", results)


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
