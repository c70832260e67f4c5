"""The implementations that are timed beside each other: each in a process of its own, or one of them in this one.

Each process has its own libraries and threads, so none slows another down but by running at the same time, and they
take turns.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from bench import worker
from oracle.subjects import LoadError, version_of

_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}
"""Have glibc keep what is freed (its own limit is 32 MiB), or now and then it gives each result back to the system.

Whether it does depends on what else a process happens to hold. The next call then takes fresh pages, which the system
clears: seen to make PyTorch's convolutions of 1.6 MB 5 to 15 times slower in one process, and not in another.
"""


class EndedError(Exception):
    """The process of an implementation has ended by itself."""


class Side(Protocol):
    """An implementation that holds a call ready, and times it."""

    name: str
    version: str | None

    def loaded(self) -> None:
        """Wait until it is ready.

        Raises
        ------
        LoadError
            Where it can't be loaded.
        """

    def offers(self, functions: Sequence[str]) -> frozenset[str]:
        """Return which of `functions` it has."""

    def run(
        self, function: str, arrays: Sequence[Any], attributes: Mapping[str, object], names: Sequence[str]
    ) -> tuple[str, Any]:
        """Hold a call ready, and run it: ("returned", results), or ("declined" or "raised", why not)."""

    def time(self) -> list[float]:
        """Return the times of single calls, those of one turn."""


class Here:
    """An implementation in this process: an object that has no name."""

    def __init__(self, implementation: object, name: str) -> None:
        self.name = name
        self.version = version_of(implementation)
        self.held = worker.Held(implementation)

    def loaded(self) -> None:
        """Return: it was loaded before."""

    def offers(self, functions: Sequence[str]) -> frozenset[str]:
        """Return which of `functions` it has."""
        return frozenset(self.held.offers(functions))

    def run(
        self, function: str, arrays: Sequence[Any], attributes: Mapping[str, object], names: Sequence[str]
    ) -> tuple[str, Any]:
        """Hold a call ready, and run it."""
        return self.held.run(function, arrays, dict(attributes), names)

    def time(self) -> list[float]:
        """Return the times of single calls, those of one turn."""
        return self.held.time()

    def ready(self) -> float:
        """Run the call that is held ready, to the end."""
        assert self.held.call is not None
        return worker.elapsed(self.held.call, 1)


class Apart:
    """An implementation in a process of its own.

    Parameters
    ----------
    subject : str
        As :func:`oracle.load` takes it.
    name : str, optional
        What tables call it, by default `subject`.
    folders : sequence of Path
        Where its modules are looked for first.
    arithmetic : str, optional
        What an adapter is asked to compute in.
    threads : int, optional
        Which the usual libraries are told to use, by default as many as they like.
    """

    def __init__(
        self,
        subject: str,
        *,
        name: str | None = None,
        folders: Sequence[Path] = (),
        arithmetic: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.name = name or subject
        self.version: str | None = None
        self._command = [sys.executable, worker.__file__, subject, arithmetic or "", *map(str, folders)]
        threading = {} if threads is None else dict.fromkeys(_THREADS, str(threads))
        self._environment = {**_KEPT_MEMORY, **os.environ, **threading}
        self._subject = subject
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded = False

    def loaded(self) -> None:
        """Wait until the implementation is loaded, if it isn't."""
        if self._loaded:
            return
        try:
            status, said = self._answer()
        except EndedError as error:
            raise LoadError(f"cannot load {self._subject!r}: {error}") from error
        if status == "failed":
            raise LoadError(f"cannot load {self._subject!r}: {said}")
        self.version = said
        self._loaded = True

    def offers(self, functions: Sequence[str]) -> frozenset[str]:
        """Return which of `functions` it has."""
        return frozenset(self._ask("offers", list(functions)))

    def run(
        self, function: str, arrays: Sequence[Any], attributes: Mapping[str, object], names: Sequence[str]
    ) -> tuple[str, Any]:
        """Hold a call ready, and run it; in a new process, where the last one has ended."""
        if self._running.poll() is not None:
            self._end()
            self._start()
            self.loaded()
        status, returned = self._ask("run", function, list(arrays), dict(attributes), list(names))
        return status, returned

    def time(self) -> list[float]:
        """Return the times of single calls, those of one turn."""
        times: list[float] = self._ask("time")
        return times

    def __enter__(self) -> "Apart":
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        self._end()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt is ours alone
        )
        self._loaded = False

    def _end(self) -> None:
        self._running.kill()
        with suppress(BrokenPipeError):  # a request that it hasn't read
            self._running.communicate()

    def _ask(self, *request: Any) -> Any:
        requests = self._running.stdin
        assert requests is not None
        with suppress(BrokenPipeError):  # it has ended, which its answer tells
            pickle.dump(request, requests, pickle.HIGHEST_PROTOCOL)
            requests.flush()
        return self._answer()

    def _answer(self) -> Any:
        answers = self._running.stdout
        assert answers is not None
        try:
            return pickle.load(answers)
        except (EOFError, pickle.UnpicklingError):
            raise EndedError(f"the process of {self.name} ended with status {self._running.wait()}") from None
