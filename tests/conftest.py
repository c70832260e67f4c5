"""Hypothesis profiles: in CI the same cases each time, with the blob that reproduces a failure."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import InMemoryExampleDatabase

ANYWHERE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", **ANYWHERE)
settings.register_profile("ci", **ANYWHERE, derandomize=True, print_blob=True)
settings.register_profile("quick", **ANYWHERE, max_examples=15)
settings.register_profile("few", parent=settings.get_profile("ci"), max_examples=15)  # where loops aren't compiled
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if "CI" in os.environ else "default"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the processes that tests start can be interrupted


@pytest.fixture
def fresh_database():
    """A database of Hypothesis's that knows of no failure."""
    kept = InMemoryExampleDatabase()
    before = settings.get_current_profile_name()
    settings.register_profile("fresh", parent=settings.get_profile(before), derandomize=False, database=kept)
    settings.load_profile("fresh")
    yield kept
    settings.load_profile(before)
