"""How Hypothesis is asked for cases, and where it keeps those that failed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any, TypeVar, cast

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from properties import Case

S = TypeVar("S", bound="Struck")

_keeping = ContextVar("keeping", default=True)


@contextmanager
def by_seed_alone() -> Iterator[None]:
    """Have no search in it begin with what failed before, nor keep what fails: its seed says which cases there are."""
    before = _keeping.set(False)
    try:
        yield
    finally:
        _keeping.reset(before)


def searching(examples: int, phases: Iterable[Phase], label: str | None = None) -> settings:
    """Return the settings of a search; what fails is kept under `label` in the database of the current profile."""
    database = settings.default.database if _keeping.get() else None  # type: ignore[union-attr]  # it is never None
    return settings(
        max_examples=examples,
        phases=list(phases),
        database=_Shelf(database, label) if database and label is not None else None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),  # how slow the implementation is isn't ours to judge
        verbosity=Verbosity.quiet,
    )


def fingerprint(case: Case) -> bytes:
    """Return what tells a case from any other, to know again what has failed."""
    digest = blake2b(repr(case).encode())
    for array in case.arrays.values():
        digest.update(repr(array is not None and (array.dtype, array.shape, array.strides)).encode())
        digest.update(b"" if array is None else array.tobytes())
    return digest.digest()


class _Shelf(ExampleDatabase):
    """The part of a database that holds the examples of one search."""

    def __init__(self, database: ExampleDatabase, label: str) -> None:
        super().__init__()
        self._database = database
        self._label = label.encode()

    def save(self, key: bytes, value: bytes) -> None:
        """Keep an example."""
        self._database.save(self._label + key, value)

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """Return the examples."""
        return self._database.fetch(self._label + key)

    def delete(self, key: bytes, value: bytes) -> None:
        """Drop an example."""
        self._database.delete(self._label + key, value)


class Struck(Exception):  # noqa: N818  # nobody sees it but who draws
    """A case that fails, on its way through Hypothesis."""

    def __init__(self, case: Case, verdict: Any) -> None:
        super().__init__(verdict.reason)
        self.case = case
        self.verdict = verdict


def smallest_struck(
    strategy: SearchStrategy[Case],
    attempt: Callable[[Case], S | None],
    examples: int,
    seed: int,
    label: str,
    *,
    steer: bool = False,
    shrink: bool = True,
) -> S | None:
    """Draw cases, and make the first that an `attempt` says to fail smaller, as Hypothesis does."""
    phases = [Phase.reuse, Phase.generate, *[Phase.target] * steer, *[Phase.shrink] * shrink]

    @searching(examples, phases, label)
    @hypothesis.seed(seed)  # under the settings, whose database it would take away
    @given(strategy)
    def search(case: Case) -> None:
        struck = attempt(case)
        if struck is not None:
            raise struck  # all from this line, by which Hypothesis tells bugs apart

    try:
        search()
    except Struck as struck:
        return cast(S, struck)
    except Unsatisfiable:  # hardly any case is within the domain, and not declined
        return None
    return None
