"""Which call is blamed, where a process ends some calls later."""

from types import SimpleNamespace

import pytest

import oracle.searching.entanglement
from oracle.searching.entanglement import AFTERSHOCKS, disentangled


class _Allocator:
    """A process that is spoilt by "S": it ends with the call itself after an "a" has shaped the heap, else two later."""

    def __init__(self):
        self.renew()

    def renew(self):
        self.shaped, self.left = False, None

    def judge(self, case):
        self.shaped |= case == "a"
        if self.left is None and case == "S":
            self.left = 0 if self.shaped else 2
        elif self.left:
            self.left -= 1
        ended = self.left == 0
        return SimpleNamespace(unknown_failure=ended, ended=ended, reason="crashed")


@pytest.mark.parametrize("calls", ["abcS", "abSc", "xyzSabc", "xSSab", "SaSxyz"])
def test_what_spoils_the_process_is_blamed_wherever_that_ends(monkeypatch, calls):
    monkeypatch.setattr(oracle.searching.entanglement, "judge", lambda runner, case, *_: runner.judge(case))
    found = disentangled(_Allocator(), [(case, "forward") for case in calls], None, ended=True)
    assert found.calls[0][0] == "S"
    assert len(found.calls) <= AFTERSHOCKS
    assert found.reason.startswith(f"corrupts its process, which {len(found.calls) - 1} calls later crashed")
