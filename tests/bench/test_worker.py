import time
from types import SimpleNamespace

import numpy as np
import pytest

from bench import worker
from bench.worker import Held, batch, elapsed, results
from oracle import Unsupported


class Clock:
    """A clock that only calls move on."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(worker.time, "perf_counter", lambda: self.now)

    def call(self, seconds):
        def called():
            self.calls.append(self.now)
            self.now += seconds

        return called


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_a_batch_takes_the_time_that_it_is_given(clock):
    assert batch(clock.call(0.002)) == pytest.approx([0.002] * 5)
    assert len(clock.calls) == 4 + 5  # the first four warm up


def test_a_long_call_is_made_once(clock):
    assert batch(clock.call(0.03)) == [0.03]
    assert len(clock.calls) == 1


def test_a_call_of_middling_length_warms_up_once(clock):
    assert batch(clock.call(0.015)) == pytest.approx([0.015])
    assert len(clock.calls) == 2


def test_short_calls_are_timed_together(clock):
    times = batch(clock.call(1e-5))
    assert times == pytest.approx([1e-5] * 20)  # fifty at a time
    assert abs(len(clock.calls) - (800 + 20 * 50)) <= 50


def test_the_clock_stops_when_a_result_can_be_read():
    class Late:
        def __array__(self, dtype=None, copy=None):
            time.sleep(0.02)
            return np.zeros(1)

    assert elapsed(lambda: Late(), 1) >= 0.02
    assert elapsed(lambda: (None, Late()), 1) >= 0.02
    assert elapsed(lambda: np.zeros(1), 1) < 0.02


def test_an_implementation_s_own_clock_is_taken():
    class Call:
        def __call__(self):
            return np.zeros(1)

        def elapsed(self, number):
            return 7.0 * number

    assert elapsed(Call(), 3) == 21.0


def test_calls_are_prepared_on_arrays_of_their_own():
    class Mine:
        @staticmethod
        def conv():
            raise AssertionError

        @staticmethod
        def prepare(function, *arrays, **attributes):
            assert (function, attributes) == ("conv", {"stride": 2})

            def call():
                return ["on the device", *arrays]

            call.fetch = lambda returned: np.array(returned[1:])
            return call

    status, returned = Held(Mine()).run("conv", [1.0, 2.0], {"stride": 2}, [])
    assert status == "returned"
    assert returned.tolist() == [1.0, 2.0]


def test_results_by_name_in_order_and_alone():
    both = results(lambda: SimpleNamespace(input=np.ones(1), weight=None), ["input", "weight"])
    assert both.input.tolist() == [1.0]
    assert both.weight is None
    one, none = results(lambda: (np.ones(2), None), ["input", "weight"])
    assert one.tolist() == [1.0, 1.0]
    assert none is None
    assert results(lambda: np.ones(3), ["output"]).tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (Unsupported("groups"), "declined", "Unsupported: groups"),
        (ZeroDivisionError("by zero\nand more"), "raised", "ZeroDivisionError: by zero"),
    ],
)
def test_what_raises_is_told_and_not_held(raised, status, said):
    def conv(*_):
        raise raised

    held = Held(SimpleNamespace(conv=conv))
    assert held.run("conv", [], {}, []) == (status, said)
    assert held.call is None


def test_what_is_offered():
    held = Held(SimpleNamespace(conv=print, relu=None))
    assert held.offers(["conv", "relu", "tanh"]) == ["conv"]
