"""Where calls are run: protocols, and the runner that calls an implementation where it is."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from oracle.contract import Call, deviation_of, domain_of, function_of
from oracle.running.calls import Kept, Outcome, call
from oracle.running.scripted import Session, Step, own_words
from oracle.subjects import version_of
from properties import Case


class Caller(Protocol):
    """What makes calls."""

    def offers(self, operator: str, direction: str) -> bool:
        """Whether the implementation has the function."""

    def start(self, case: Case, direction: str) -> Callable[[], Outcome]:
        """Begin the call, and return what waits for its outcome."""


class Runner(Caller, Protocol):
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

    def start(self, case: Case, direction: str, step: Step | None = None) -> Callable[[], Outcome]:
        """Begin the call, made as the `step` of a script makes it, and return what waits for its outcome."""

    def own_words(self, case: Case, direction: str) -> str | None:
        """Return Python by which the library itself makes the call, where the implementation says it."""

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
        self._session = Session()

    def offers(self, operator: str, direction: str) -> bool:
        """Whether the implementation has the function."""
        return function_of(self.implementation, operator, direction) is not None

    def start(self, case: Case, direction: str, step: Step | None = None) -> Callable[[], Outcome]:
        """Run the call."""
        known = deviation_of(self.implementation, case, direction)
        if known is not None and known.crashes:
            outcome = Outcome("declined", reason=f"would crash this process: {known.reason}", deviation=known)
        elif step is not None:
            if step.head:
                self._session = Session(None if self.made else self.implementation)
            outcome = self._session.outcome(step, case, direction)
        else:
            outcome = call(self.implementation, case, direction, self._kept)
        self.took = outcome.seconds
        return lambda: outcome

    def own_words(self, case: Case, direction: str) -> str | None:
        """Return Python by which the library itself makes the call."""
        return own_words(self.implementation, case, direction)

    def renew(self) -> None:
        """Go on in this process: there is no other. What was returned before is forgotten."""
        self._kept = Kept()

    def close(self) -> None:
        """Leave this process as it is."""


class Scripted:
    """The functions of a runner, called as the steps of a script make them, one after the other."""

    def __init__(self, runner: Runner, steps: Sequence[Step]) -> None:
        self._runner = runner
        self._steps = iter(steps)

    def offers(self, operator: str, direction: str) -> bool:
        """Whether the implementation has the function."""
        return self._runner.offers(operator, direction)

    def start(self, case: Case, direction: str) -> Callable[[], Outcome]:
        """Make the next call."""
        return self._runner.start(case, direction, next(self._steps, None))


def offers_all(runner: Caller, functions: Iterable[str]) -> bool:
    """Return whether the implementation has all `functions`, by their names."""
    for name in functions:
        operator = name.removesuffix("_backward")
        if not runner.offers(operator, "forward" if name == operator else "backward"):
            return False
    return True
