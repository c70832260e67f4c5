"""What failed is kept, and drawn first the next time; where a seed says which cases there are, it isn't."""

from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis.database import InMemoryExampleDatabase

from oracle.searching.drawing import Struck, by_seed_alone, smallest_struck
from properties import cases


@pytest.fixture
def _live():
    """A profile that keeps what fails."""
    before = settings.get_current_profile_name()
    settings.register_profile("live", database=InMemoryExampleDatabase(), derandomize=False)
    settings.load_profile("live")
    yield
    settings.load_profile(before)


def rarely(seen):
    """An attempt that fails on one case in some fifty."""

    def attempt(case):
        seen.append(case.number % 50 == 7)
        return Struck(case, SimpleNamespace(reason="wrong")) if seen[-1] else None

    return attempt


def search(seed):
    seen = []
    found = smallest_struck(cases("relu"), rarely(seen), 1000, seed, "mine", shrink=False)
    assert found is not None
    return seen


@pytest.mark.usefixtures("_live")
def test_what_failed_is_drawn_first_the_next_time():
    first, again = search(1), search(2)
    assert first.index(True) > 0
    assert again[0]


@pytest.mark.usefixtures("_live")
def test_by_a_seed_alone_it_is_not():
    first = search(1)
    with by_seed_alone():
        assert search(1) == first
        again = search(2)
    assert again.index(True) > 0
