"""Run an implementation in a process of its own: what ends it, hangs it or floods it is the outcome of one case.

The process is spawned, not forked from this one, so that it may use a GPU. When it has ended, the next one is a fork of
a spawned process that has loaded the implementation and never run a case, which takes milliseconds instead of an
import. Where loading has started threads or opened a GPU, forks aren't safe: then a spawned one is kept in reserve.
"""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

from oracle.contract import Call, Deviation, function_name
from oracle.running.arena import CLOSED, DEVIATION, Arena, Placed
from oracle.running.calls import Outcome
from oracle.running.scripted import Step
from oracle.said import escaped
from oracle.subjects import LoadError
from properties import Case
from properties.domain import DomainError, tuples

TIME_LIMIT = 20.0
"""Seconds for one call, compiling included."""

MEMORY_LIMIT = 4 << 30
"""Bytes that a call may add to what its process takes."""

SCRIPT_LIMIT = 10.0
"""Seconds for a call that is made as a script makes it."""

LOADING = 300.0
"""Seconds for loading the implementation."""

_REMEMBERED = 1 << 28  # bytes of the calls that are kept, to be run again
_GLANCE = 0.05  # seconds between two looks at the memory
_HURRIED = 2.0  # seconds that a call gets at least where others were fast: on a busy machine, memory grows slowly
_SHOWN = 200  # characters of what was printed
_ROOM = 16  # an array that is returned may be so many times larger than is right, and will still be looked at
_WORKER = os.path.join("oracle", "running", "worker.py")
_START = (
    "import json, sys; setup = json.loads(sys.argv[1]); sys.path[:] = setup['path']; "
    "from oracle.running.worker import main; main(setup)"
)
# What the process is given, unless the user says otherwise: uninitialised and freed memory holds garbage (glibc), and
# OpenMP's threads don't spin while they wait, which would slow down the oracle beside them.
_ENVIRONMENT = {"MALLOC_PERTURB_": "165", "OMP_WAIT_POLICY": "PASSIVE"}

# What Python's faulthandler prints where a process crashes.
_FAULTHANDLERS = re.compile(
    r"  |Fatal Python error: |Current thread |Thread 0x|Stack |Extension modules: |<no Python frame>"
)


class Isolated:
    """A runner that calls the implementation in a process of its own.

    Parameters
    ----------
    subject : str
        The implementation's name, as :func:`oracle.load` takes it.
    arithmetic : str, optional
        What an adapter is asked to compute in.
    time_limit : float
        Seconds for one call.
    memory_limit : int
        Bytes that a call may add to what its process takes.

    Raises
    ------
    LoadError
        If the implementation can't be loaded, or takes its process down.
    """

    def __init__(
        self,
        subject: str,
        arithmetic: str | None = None,
        *,
        time_limit: float = TIME_LIMIT,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        if os.name != "posix":
            raise LoadError(f"cannot load {subject!r} into a process of its own: that needs Linux or macOS")
        self.time_limit = time_limit
        self.memory_limit = memory_limit
        self.calls: deque[Call] = deque()  # those of the present life
        self.hurried = False
        self.took = 0.0
        self._slowest = 0.0  # seconds that a call took which returned
        self._subject = subject, arithmetic
        self._arena = Arena()
        self._number = 0
        self._bytes = 0  # of the calls that are kept
        self._reserve: _Process | None = None
        self._process = self._spawn(lives=False)
        self._described: dict[str, Any] | None = None

    def close(self) -> None:
        """End the process, and what it has started."""
        for process in (self._process, self._reserve):
            if process is not None:
                process.close()
        self._arena.close()

    @property
    def version(self) -> str | None:
        """The implementation's version, where it says one."""
        version: str | None = self._description["version"]
        return version

    @property
    def made(self) -> str | None:
        """Python that makes the implementation."""
        made: str | None = self._description["made"]
        return made

    @property
    def domain(self) -> dict[str, frozenset[Any]]:
        """The part of all calls that the implementation says it is for."""
        return {name: frozenset(map(tuples, values)) for name, values in self._description["domain"].items()}

    def offers(self, operator: str, direction: str) -> bool:
        """Whether the implementation has the function."""
        return function_name(operator, direction) in self._description["offered"]

    def start(self, case: Case, direction: str, step: Step | None = None) -> Callable[[], Outcome]:
        """Send the call, made as the `step` of a script makes it, and return what waits for its outcome."""
        return self._sent(case, direction, step=step)

    def own_words(self, case: Case, direction: str) -> str | None:
        """Return Python by which the library itself makes the call."""
        return self._sent(case, direction, words=True)().details

    def _sent(
        self, case: Case, direction: str, *, step: Step | None = None, words: bool = False
    ) -> Callable[[], Outcome]:
        known = self._description["deviations"]
        if not self._process.alive:
            self.renew()
        arrays = [case.grad_output, *case.inputs]
        room = _ROOM * sum(array.nbytes for array in arrays if array is not None) + 4096
        placed, free = self._arena.put(arrays, room)
        self._arena.flags[:] = 0
        self._number += 1
        request = {
            "number": self._number,
            "operator": case.operator,
            "direction": direction,
            "attributes": dict(case.attributes),
            "arrays": placed,
            "free": free,
            "size": len(self._arena.memory),
            "step": step,
            "words": words,
        }
        self._remember(case, direction)
        self._process.silence()
        began = time.perf_counter()
        self._process.send(request)

        def outcome() -> Outcome:
            reached = self._reached(began, min(self.time_limit, SCRIPT_LIMIT) if step or words else self.time_limit)
            number = int(self._arena.flags[DEVIATION])
            return reached._replace(deviation=known[number - 1] if 0 < number <= len(known) else None)

        return outcome

    def _remember(self, case: Case, direction: str) -> None:
        """Keep the call, and of those before it the last, as far as there is room for their arrays."""
        self.calls.append((case, direction))
        self._bytes += _size(case)
        while self._bytes > _REMEMBERED and len(self.calls) > 1:
            self._bytes -= _size(self.calls.popleft()[0])

    def renew(self) -> None:
        """Have the next call run in a life that has seen no other."""
        self.calls.clear()
        self._bytes = 0
        self._process.end_life()
        if not self._process.has_lives:
            self._process.close()
            self._process, self._reserve = self._reserve or self._spawn(lives=True), None
        if not self._process.begin_life()["lives"]:
            self._reserve = self._spawn(lives=True)

    @property
    def _description(self) -> dict[str, Any]:
        if self._described is None:
            hello = self._process.begin_life()
            known = [Deviation(matches=_elsewhere, **fields) for fields in hello["deviations"]]
            self._described = {**hello, "deviations": known}
        return self._described

    def _spawn(self, *, lives: bool) -> "_Process":
        return _Process(*self._subject, self._arena.file, lives=lives)

    def _reached(self, began: float, limit: float) -> Outcome:
        process = self._process
        if self.hurried:
            limit = min(limit, max(_HURRIED, 20 * self._slowest))
        message = process.answer(began + limit, self.memory_limit)
        took = time.perf_counter() - began
        if "status" in message:
            outcome = self._returned(message)
            self._slowest = max(self._slowest, took)
        else:
            outcome = Outcome("ended", reason=self._ended(message, limit))
        if process.printed:
            said = process.printed_excerpt()
            wrote = f"wrote {process.printed} bytes to stdout: {said}"
            silent = outcome.status in {"returned", "declined"}
            outcome = outcome._replace(
                status="faulty" if silent else outcome.status,
                results={},
                reason=wrote if silent else f"{outcome.reason}; {wrote}",
            )
        return outcome

    def _returned(self, message: dict[str, Any]) -> Outcome:
        try:
            results = {
                name: None if place is None else np.array(self._arena.get(Placed(*place)))
                for name, place in message["results"].items()
            }
            if message["number"] == self._number:
                self.took = float(message["seconds"])
                return Outcome(message["status"], results, message["reason"], details=message["details"])
        except (AttributeError, KeyError, TypeError, ValueError):  # not what our worker wrote
            pass
        self._process.end_life()
        return Outcome("ended", reason="wrote into the oracle's own channel")

    def _ended(self, message: dict[str, Any], limit: float) -> str:
        process = self._process
        if "died" in message:
            closed = self._arena.flags[CLOSED] or message["died"] is None
            return "closed the file descriptors of its process" if closed else _death(message["died"], process.errors)
        process.end_life()
        if "late" in message:
            state = "is busy" if message["late"] > 0.1 else "waits, using no processor time"
            return f"did not return within {limit:.3g} s: it {state}"
        if "exhausted" in message:
            return f"took more than {self.memory_limit / 2**30:.3g} GiB of memory"
        return "wrote into the oracle's own channel"


class _Process:
    """A worker, or what forks workers; its socket, and what it prints."""

    def __init__(self, subject: str, arithmetic: str | None, arena: int, *, lives: bool) -> None:
        self.hello: dict[str, Any] | None = None
        self.lives = lives
        self.life: psutil.Process | None = None
        self.printed = 0
        self.errors = b""
        self._subject = subject
        self._excerpt = b""
        self._received = b""
        self._messages: deque[dict[str, Any]] = deque()
        self._memory = 0
        self._channel, theirs = socket.socketpair()
        with theirs:
            setup = {
                "parent": os.getpid(),
                "path": sys.path,
                "subject": subject,
                "arithmetic": arithmetic,
                "channel": theirs.fileno(),
                "arena": arena,
                "lives": lives,
            }
            self._popen = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(setup)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno(), arena],
                start_new_session=True,
                env={**_ENVIRONMENT, **os.environ},
            )
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._stdout, self._stderr = self._popen.stdout.fileno(), self._popen.stderr.fileno()
        self._poll = select.poll()
        for file in (self._channel.fileno(), self._stdout, self._stderr):
            self._poll.register(file, select.POLLIN)

    @property
    def alive(self) -> bool:
        """Whether it can be sent a request."""
        return self.life is not None

    @property
    def has_lives(self) -> bool:
        """Whether it gives another process that can be sent requests, when one has ended."""
        return self.lives and self._popen.poll() is None

    def begin_life(self) -> dict[str, Any]:
        """Wait for what will take requests; return what the implementation offers."""
        until = time.perf_counter() + LOADING
        while self.life is None:
            message = self._next(until)
            if "offered" in message:
                self.hello = message
                self.lives = message["lives"]
            elif "alive" in message:
                with contextlib.suppress(psutil.Error):  # if it has died since, the next message says so
                    life = psutil.Process(message["alive"])
                    self._memory = life.memory_info().rss
                    self.life = life
            elif "nowhere" in message:
                self.close()
                raise DomainError(message["nowhere"])
            else:
                reason = message.get("refused") or f"cannot load {self._subject!r}: {self._failure(message)}"
                self.close()
                raise LoadError(reason)
        assert self.hello is not None
        return self.hello

    def _failure(self, message: dict[str, Any]) -> str:
        if "died" in message:
            return f"its process {_death(message['died'], self.errors)}"
        return f"it took more than {LOADING:.0f} s" if "late" in message else "it wrote into the oracle's own channel"

    def end_life(self) -> None:
        """End what takes requests, and all that it has started."""
        if self.life is not None:
            _kill(self.life)
            until = time.perf_counter() + LOADING
            while self.life is not None and "late" not in self._next(until):
                pass

    def close(self) -> None:
        """End everything."""
        if self.life is not None:
            _kill(self.life)
        self._popen.kill()
        self._popen.wait()
        for stream in (self._channel, self._popen.stdout, self._popen.stderr):
            assert stream is not None
            stream.close()
        self.life = None

    def send(self, request: dict[str, Any]) -> None:
        """Send a request; if nobody is there, the answer says so."""
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(request).encode() + b"\n")

    def silence(self) -> None:
        """Forget what was printed so far."""
        self._read(0)
        self.printed, self.errors, self._excerpt = 0, b"", b""

    def printed_excerpt(self) -> str:
        """Return the beginning of what was printed."""
        return repr(self._excerpt[:_SHOWN].decode(errors="replace"))

    def answer(self, until: float, memory: int) -> dict[str, Any]:
        """Wait for the reply to a request, or what comes instead of it."""
        message = self._next(until, memory)
        self._read(0)  # what was printed before it
        return message

    def _next(self, until: float, memory: int | None = None) -> dict[str, Any]:
        """Return the next message; "died", "late" and "exhausted" are messages, too."""
        used: float | None = None
        began = glanced = time.perf_counter()
        while not self._messages:
            read = self._read(max(0.0, min(until - time.perf_counter(), _GLANCE)))
            now = time.perf_counter()
            if self._messages:
                break
            if not read and self._popen.poll() is not None:
                self._messages.append({"died": self._popen.returncode})
            elif now > until:
                return {"late": 1.0 if used is None or now == glanced else (self._cpu() - used) / (now - glanced)}
            elif used is None and now - began >= _GLANCE:
                used, glanced = self._cpu(), now
            if memory is not None and now - began >= _GLANCE and self._rss() - self._memory > memory:
                return {"exhausted": True}
        message = self._messages.popleft()
        if "died" in message:
            self.life = None
        return message

    def _read(self, timeout: float) -> bool:
        """Read what there is; return whether there was any."""
        events = self._poll.poll(timeout * 1000)
        for file, _ in events:
            data = _available(file)
            if not data:
                self._poll.unregister(file)
                if file == self._channel.fileno():
                    self._messages.append({"died": self._returncode()})
            elif file == self._stdout:
                self.printed += len(data)
                self._excerpt = (self._excerpt + data)[:4096]
            elif file == self._stderr:
                self.errors = (self.errors + data)[-(1 << 16) :]
            else:
                *lines, self._received = (self._received + data).split(b"\n")
                self._messages.extend(map(_parsed, lines))
        return bool(events)

    def _returncode(self) -> int | None:
        """Return how the process ended; None if it is there, but has closed its side."""
        try:
            return self._popen.wait(1.0)
        except subprocess.TimeoutExpired:
            if self.life is not None:
                _kill(self.life)
            self._popen.kill()
            self._popen.wait()
            return None

    def _cpu(self) -> float:
        with contextlib.suppress(psutil.Error):
            if self.life is not None:
                times = self.life.cpu_times()
                return float(times.user + times.system)
        return 0.0

    def _rss(self) -> int:
        with contextlib.suppress(psutil.Error):
            if self.life is not None:
                return int(self.life.memory_info().rss)
        return 0


def _available(file: int) -> bytes:
    try:
        return os.read(file, 1 << 16)
    except ConnectionResetError:  # who ended had left a request unread
        return b""


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {"garbled": True}


def _kill(process: psutil.Process) -> None:
    """Kill a process, and all that it has started."""
    with contextlib.suppress(psutil.Error):
        for child in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.Error):
                child.kill()


def _death(code: int, errors: bytes) -> str:
    """Say how a process ended, with what it left on stderr."""
    if code >= 0:
        return f"ended with exit status {code}"
    lines = errors.decode(errors="replace").splitlines()
    frames = [line.strip() for line in lines if line.startswith("  File ")]
    said = [line.strip() for line in lines if line.strip() and not _FAULTHANDLERS.match(line)]
    hints = [
        *(["its stack overflowed"] if "  ..." in lines else []),
        *said[-1:],
        *([_place(frames[0])] if frames and "  ..." not in lines else []),
    ]
    name = signal.Signals(-code).name
    return f"crashed with {name}" + (f" ({escaped('; '.join(hints)[:_SHOWN])})" if hints else "")


def _place(frame: str) -> str:
    """Say where a process ended: a frame of the worker's own means that the implementation had returned."""
    return "after the call had returned" if _WORKER in frame else frame


def _elsewhere(_: Case) -> bool:
    raise NotImplementedError("the predicate is in the implementation's own process")


def _size(case: Case) -> int:
    """Return the bytes of a case's arrays."""
    return sum(array.nbytes for array in case.arrays.values() if array is not None)
