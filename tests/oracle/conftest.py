"""Checks find nothing that other tests have left in Hypothesis's database."""

import pytest
from hypothesis import settings
from hypothesis.database import InMemoryExampleDatabase


@pytest.fixture(autouse=True)
def database(request):
    kept = InMemoryExampleDatabase()
    before = settings.get_current_profile_name()
    settings.register_profile("fresh", parent=settings.get_profile(before), derandomize=False, database=kept)
    settings.load_profile("fresh")
    yield kept
    settings.load_profile(before)
