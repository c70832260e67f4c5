"""The process in which an implementation runs by itself; :mod:`oracle.running.isolation` is what starts it and asks it.

It reads requests and writes replies, a line of JSON each, on a socket; arrays lie in the arena. Foreign code runs
here: whatever it does to this process, the other side sees it end, fall silent or talk nonsense.
"""

import contextlib
import ctypes
import dataclasses
import faulthandler
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from oracle.contract import DIRECTIONS, Deviation, deviation_of, domain_of, function_name, function_of
from oracle.running.arena import CLOSED, DEVIATION, Arena, Placed
from oracle.running.calls import Kept, Outcome, call
from oracle.running.scripted import Session, Step, own_words
from oracle.subjects import LoadError, load, source, version_of
from properties import Case
from properties.domain import DomainError, tuples
from refconv import operators

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_ACCELERATORS = ("/dev/nvidia", "/dev/kfd", "/dev/dri")


def main(setup: dict[str, Any]) -> None:
    """Load the implementation, and serve until the other side goes."""
    _die_with(setup["parent"])
    _expendable()
    threads = _threads()
    channel = socket.socket(fileno=setup["channel"])
    arena = Arena(setup["arena"])
    for file in (setup["channel"], setup["arena"]):
        os.set_inheritable(file, False)  # what the implementation starts must not keep them open
    try:
        implementation = load(setup["subject"], arithmetic=setup["arithmetic"])
        domain_of(implementation)
    except LoadError as error:
        _send(channel, {"refused": str(error)})
        return
    except DomainError as error:
        _send(channel, {"nowhere": str(error)})
        return
    _flush()  # what it has said while it was loaded belongs to no call
    deviations = tuple(getattr(implementation, "deviations", ()))
    lives = setup["lives"] and _can_fork(threads)
    made = source(setup["subject"], setup["arithmetic"])
    _send(channel, {**_described(implementation, deviations), "made": made, "lives": lives})
    if lives:
        _live(channel)
    _send(channel, {"alive": os.getpid()})
    faulthandler.enable(all_threads=False)
    _serve(channel, arena, implementation, deviations)


def _die_with(parent: int) -> None:
    """See to it that this process doesn't outlive the one that started it, however that ends."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _expendable() -> None:
    """Leave no core dumps behind, and be the first to go where memory runs out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def _threads() -> int:
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0


def _can_fork(threads: int) -> bool:
    """Whether a fork is as good as a fresh process: loading has started no thread, and opened no accelerator."""
    if sys.platform != "linux" or _threads() > threads:
        return False
    links = (f"/proc/self/fd/{file}" for file in os.listdir("/proc/self/fd"))
    opened = [os.readlink(link) for link in links if os.path.islink(link)]
    return not any(path.startswith(_ACCELERATORS) for path in opened)


def _live(channel: socket.socket) -> None:
    """Go on in a fork, and in another one when that has ended; this process has loaded, but never runs a case."""
    itself = os.getpid()
    while True:
        life = os.fork()
        if life == 0:
            _die_with(itself)
            os.setpgid(0, 0)
            return
        _, status = os.waitpid(life, 0)
        _send(channel, {"died": os.waitstatus_to_exitcode(status)})


def _described(implementation: object, deviations: tuple[Deviation, ...]) -> dict[str, Any]:
    offered = [
        function_name(operator, direction)
        for operator in operators
        for direction in DIRECTIONS
        if function_of(implementation, operator, direction)
    ]
    fields = [
        {field.name: getattr(known, field.name) for field in dataclasses.fields(known) if field.name != "matches"}
        for known in deviations
    ]
    domain = {name: list(values) for name, values in domain_of(implementation).items()}
    return {"offered": offered, "version": version_of(implementation), "deviations": fields, "domain": domain}


def _serve(channel: socket.socket, arena: Arena, implementation: object, deviations: tuple[Deviation, ...]) -> None:
    files = [0, 1, 2, channel.fileno(), arena.file]
    made = partial(_made, implementation, Kept(), [Session()])
    for line in _lines(channel):
        request = json.loads(line)
        arena.resize(request["size"])
        case, before = _case(request, arena)
        known = deviation_of(implementation, case, request["direction"])
        arena.flags[DEVIATION] = 0 if known is None else deviations.index(known) + 1
        try:
            outcome = made(request, case)
        except KeyboardInterrupt:
            outcome = Outcome("faulty", reason="raised KeyboardInterrupt")
        if outcome.status == "returned":
            outcome = _looked_over(outcome, request, arena, before)
        results = {} if outcome.status != "returned" else arena.store(outcome.results, request["free"])
        _flush()
        if not all(map(_is_open, files)):
            arena.flags[CLOSED] = 1
            os._exit(1)
        _send(
            channel,
            {
                "number": request["number"],
                "status": outcome.status,
                "reason": outcome.reason,
                "results": results,
                "seconds": outcome.seconds,
                "details": outcome.details,
            },
        )


def _made(implementation: object, kept: Kept, sessions: list[Session], request: dict[str, Any], case: Case) -> Outcome:
    """Make a call, as it is or as the step of a script makes it; or tell it in the library's own words."""
    direction = request["direction"]
    if request["words"]:
        return Outcome("spelled", details=own_words(implementation, case, direction))
    if request["step"] is None:
        return call(implementation, case, direction, kept)
    step = Step(*request["step"])
    if step.head:
        sessions[:] = [Session()]
    return sessions[0].outcome(step, case, direction)


def _case(request: dict[str, Any], arena: Arena) -> tuple[Case, bytes]:
    arrays: list[Any] = [None if place is None else arena.get(Placed(*place)) for place in request["arrays"]]
    grad_output, *inputs = arrays
    attributes = {name: tuples(value) for name, value in request["attributes"].items()}
    return Case(request["operator"], tuple(inputs), attributes, grad_output), _region(request, arena)


def _region(request: dict[str, Any], arena: Arena) -> bytes:
    return arena.bytes[arena.flags.nbytes : request["free"]].tobytes()


def _looked_over(outcome: Outcome, request: dict[str, Any], arena: Arena, before: bytes) -> Outcome:
    """Find what was written beside the arrays: that the arrays themselves are unchanged has been seen."""
    after = _region(request, arena)
    if after == before:
        return outcome
    changed = np.flatnonzero(np.frombuffer(after, np.uint8) != np.frombuffer(before, np.uint8))
    return Outcome("faulty", reason=f"wrote {changed.size} bytes outside of its arguments")


def _flush() -> None:
    """Send what was printed on its way, by native code, too."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    _LIBC.fflush(None)


def _is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True


def _lines(channel: socket.socket) -> Iterator[bytes]:
    received = b""
    while chunk := channel.recv(1 << 16):
        *lines, received = (received + chunk).split(b"\n")
        yield from lines


def _send(channel: socket.socket, message: dict[str, Any]) -> None:
    channel.sendall(json.dumps(message).encode() + b"\n")
