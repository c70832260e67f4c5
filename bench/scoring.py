"""What measurements of the oracle have in common: checks that begin afresh, and are timed."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import settings

import oracle


@contextmanager
def nothing_remembered() -> Iterator[None]:
    """Find nothing that an earlier check has left in Hypothesis's database."""
    before = settings.get_current_profile_name()
    settings.register_profile("power", parent=settings.get_profile(before), database=None)
    settings.load_profile("power")
    try:
        yield
    finally:
        settings.load_profile(before)


def studied(subject: Callable[[], object], operators: Iterable[str], **options: Any) -> tuple[oracle.Report, float]:
    """Check what `subject` makes anew for each check; return the report, and the seconds from the failure to it."""
    operators = list(operators)
    for _ in range(2):  # the first one loads what is compiled
        began = time.perf_counter()
        oracle.check(subject(), operators, shrink=False, failures=1, **options)
        search = time.perf_counter() - began
    report = oracle.check(subject(), operators, failures=1, **options)
    return report, max(report.seconds - search, 0.0)
