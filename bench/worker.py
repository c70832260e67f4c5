"""The process in which one implementation is timed: ``python worker.py SUBJECT ARITHMETIC FOLDER...``.

It imports nothing of this package but what the subject's name asks for, so that it times any revision of an
implementation, the reference's as well, in the same way. Requests and answers are pickled, over stdin and stdout; what
the implementation prints goes to stderr.

A call is timed on arrays that it is given beforehand. An implementation that holds arrays of its own (on a GPU, say)
may offer ``prepare(function, *arrays, **attributes)``, which returns the call without arguments on its own arrays. What
it returns there may offer ``fetch(returned)``, what NumPy can read, and ``elapsed(number)``, the seconds that so many
calls take, by the device's own clock. Otherwise the clock stops when the last result can be read.
"""

import gc
import importlib
import inspect
import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import numpy as np

Call = Callable[[], Any]


def load(subject: str, arithmetic: str | None) -> Any:
    """Return the implementation called `subject`: an adapter, or ``package.module[:object]``."""
    if subject.partition("@")[0] == "torch":
        return importlib.import_module("oracle.subjects").load(subject, arithmetic=arithmetic)
    module, _, path = subject.partition(":")
    loaded = importlib.import_module(module)
    for attribute in filter(None, path.split(".")):
        loaded = getattr(loaded, attribute)
    return loaded() if inspect.isclass(loaded) else loaded


def prepared(implementation: Any, function: str, arrays: Sequence[Any], attributes: dict[str, Any]) -> Call:
    """Return the call of the implementation's `function` on `arrays`."""
    prepare = getattr(implementation, "prepare", None)
    if prepare is not None:
        call: Call = prepare(function, *arrays, **attributes)
        return call
    return partial(getattr(implementation, function), *arrays, **attributes)


def elapsed(call: Call, number: int) -> float:
    """Return the seconds that `number` calls take."""
    own = getattr(call, "elapsed", None)
    if own is not None:
        return float(own(number))
    collecting = gc.isenabled()
    gc.disable()
    try:
        began = time.perf_counter()
        for _ in repeat(None, number):
            returned = call()
        _settled(returned)
        return time.perf_counter() - began
    finally:
        if collecting:
            gc.enable()


def _settled(returned: Any) -> None:
    """Wait for results that are still being computed: until NumPy can read them."""
    for result in returned if isinstance(returned, tuple | list) else [returned]:
        if result is not None and not isinstance(result, np.ndarray):
            _read(result)


def batch(call: Call) -> list[float]:
    """Return the times of single calls, those of one turn: calls that warm up first, or a single long one."""
    began = time.perf_counter()
    taken = elapsed(call, 1)
    if taken > WARM + TURN:
        return [taken]
    while time.perf_counter() - began < WARM:
        taken = elapsed(call, 1)
    together = max(1, int(_SHORT / taken))
    return [elapsed(call, together) / together for _ in range(max(1, int(TURN / (taken * together))))]


TURN = 0.01
"""Seconds for which a call is repeated before another's turn, if it takes less."""
WARM = 0.008
"""Seconds for which it is repeated before: another's threads may spin for 5 to 8 ms after its last call."""
_SHORT = 5e-4
"""Seconds; shorter calls are timed several at a time, so that reading the clock costs nothing."""


def results(call: Call, names: Sequence[str]) -> Any:
    """Return what a call returns as arrays: one, several in a list, or by `names`."""
    returned = call()
    fetch = getattr(call, "fetch", None)
    if fetch is not None:
        returned = fetch(returned)
    if names and all(hasattr(returned, name) for name in names):
        return SimpleNamespace(**{name: _read(getattr(returned, name)) for name in names})
    return [_read(result) for result in returned] if isinstance(returned, tuple | list) else _read(returned)


def _read(result: Any) -> Any:
    if result is None:
        return None
    if hasattr(result, "__dlpack__") and not hasattr(result, "__array__"):
        return np.from_dlpack(result)
    return np.asarray(result)


class Held:
    """An implementation, and the call of it that is held ready."""

    def __init__(self, implementation: Any) -> None:
        self.implementation = implementation
        self.call: Call | None = None

    def offers(self, functions: Sequence[str]) -> list[str]:
        """Return which of `functions` the implementation has."""
        return [function for function in functions if getattr(self.implementation, function, None) is not None]

    def run(
        self, function: str, arrays: Sequence[Any], attributes: dict[str, Any], names: Sequence[str]
    ) -> tuple[str, Any]:
        """Hold a call ready, and run it: ("returned", results), or ("declined" or "raised", why not)."""
        self.call = None  # its arrays may be large
        try:
            call = prepared(self.implementation, function, arrays, attributes)
            returned = results(call, names)
        except Exception as error:  # whatever foreign code raises is told
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return ("declined" if type(error).__name__ == "Unsupported" else "raised"), said
        self.call = call
        return "returned", returned

    def time(self) -> list[float]:
        """Return the times of single calls, those of one turn."""
        assert self.call is not None
        return batch(self.call)


def main(subject: str, arithmetic: str, *folders: str) -> None:
    """Serve requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path[0:1] = folders  # in place of this file's own folder
    sys.path.append(os.getcwd())
    try:
        implementation = load(subject, arithmetic or None)
    except (Exception, SystemExit) as error:
        _answer(answers, ("failed", f"{type(error).__name__}: {error}".splitlines()[0]))
        return
    named = getattr(implementation, "version", None) or getattr(implementation, "__version__", None)
    _answer(answers, ("loaded", named if isinstance(named, str) else None))
    held = Held(implementation)
    while True:
        try:
            method, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _answer(answers, getattr(held, method)(*arguments))


def _answer(answers: Any, answer: Any) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
