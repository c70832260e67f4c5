from contextlib import nullcontext

import numpy as np
import pytest

import refconv
from bench.measuring import Measuring, NothingError, Task
from bench.side import EndedError, Here
from oracle import Unsupported, subject
from properties.layer import Layer

CONV = Task(Layer("conv", ((1, 2, 6), (3, 2, 3))), "forward", "float32")
BACKWARD = CONV._replace(direction="backward")
NORM = Task(Layer("batch_norm", ((4, 2, 3), (2,), (2,))), "forward", "float64")


class Recorded(Here):
    """A side that notes what it is asked for, and takes as long as it is told."""

    def __init__(self, implementation, name, times=(1.0,), log=None):
        super().__init__(implementation, name)
        self.times, self.log = times, [] if log is None else log

    def run(self, function, arrays, attributes, names):
        self.log.append((self.name, "run"))
        return super().run(function, arrays, attributes, names)

    def time(self):
        self.log.append((self.name, "time"))
        return list(self.times)


def measure(*sides, tasks=(CONV,), generations=1, rounds=2, subjects=()):
    measuring = Measuring(lambda: [nullcontext(side) for side in sides], rounds=rounds, subjects=subjects)
    for _ in range(generations):
        measuring.generation(tasks)
    return measuring


def of(conv, *, name="mine", **more):
    return Recorded(subject(conv=conv, **more), name)


def test_each_turn_s_median_and_least_are_kept_by_generation():
    timing = measure(Recorded(refconv, "refconv", (3.0, 1.0, 2.0)), generations=3).found[CONV]["refconv"]
    assert timing.timed
    assert [[tuple(turn) for turn in turns] for turns in timing.turns] == [[(2.0, 1.0)] * 2] * 3
    assert timing.median == 2.0


def test_sides_take_turns_and_each_begins_in_turn():
    log = []
    measure(Recorded(refconv, "one", log=log), Recorded(refconv, "other", log=log), rounds=3)
    timed = [name for name, did in log if did == "time"]
    assert timed == ["one", "other", "other", "one", "one", "other"]


def test_results_are_judged_before_and_after_and_in_the_first_generation_alone():
    log = []
    measure(Recorded(refconv, "refconv", log=log), generations=2, rounds=1)
    assert [did for _, did in log] == ["run", "time", "run", "run", "time"]


def test_a_wrong_result_is_not_timed():
    side = of(lambda *arrays, **attributes: refconv.conv(*arrays, **attributes) * 1.01)
    timing = measure(side).found[CONV]["mine"]
    assert timing.status == "wrong"
    assert timing.reason.startswith("output[")
    assert ("mine", "time") not in side.log


@pytest.mark.parametrize("task", [CONV, BACKWARD, NORM], ids=str)
def test_a_result_that_was_remembered_is_wrong_on_other_inputs(task):
    remembered = {}

    def remembering(function):
        def call(*arrays, **attributes):
            key = tuple(None if array is None else array.shape for array in arrays)
            if key not in remembered:
                remembered[key] = function(*arrays, **attributes)
            return remembered[key]

        return call

    name = task.function
    side = Recorded(subject(**{name: remembering(getattr(refconv, name))}), "mine")
    timing = measure(side, tasks=[task]).found[task]["mine"]
    assert timing.status == "wrong"
    assert timing.reason.endswith("(on other inputs, after it was timed)")


def test_what_is_lacking_declined_or_raising_is_told():
    def declining(*_, **__):
        raise Unsupported("groups")

    def raising(*_, **__):
        raise ZeroDivisionError("by zero")

    sides = [of(declining, name="declining"), of(raising, name="raising"), Recorded(refconv, "refconv")]
    found = measure(*sides, tasks=[CONV, BACKWARD]).found
    assert found[CONV]["declining"].status == "declined"
    assert found[CONV]["raising"].reason == "ZeroDivisionError: by zero"
    assert found[BACKWARD]["declining"].status == "absent"
    assert found[BACKWARD]["declining"].reason == "declining has no conv_backward"
    assert found[CONV]["refconv"].timed


def test_what_can_t_be_read_is_wrong():
    timing = measure(of(lambda *_, **__: "a string of its own")).found[CONV]["mine"]
    assert timing.status == "wrong"
    assert timing.reason


def test_a_process_that_ends_is_told_and_the_others_go_on():
    class Ending(Recorded):
        def time(self):
            raise EndedError("the process of mine ended with status -9")

    found = measure(Ending(refconv, "mine"), Recorded(refconv, "refconv"), rounds=3).found[CONV]
    assert found["mine"].status == "ended"
    assert len(found["refconv"].turns[0]) == 3


@pytest.mark.parametrize("before", [0, 1])
def test_nothing_is_kept_of_a_task_that_is_cut_short(before):
    class Interrupted(Recorded):
        def time(self):
            if sum(did == "time" for _, did in self.log) == 2 * before + 1:
                raise KeyboardInterrupt
            return super().time()

    measuring = measure(Recorded(refconv, "refconv"), Interrupted(refconv, "mine"), generations=before)
    with pytest.raises(KeyboardInterrupt):
        measuring.generation([CONV])
    assert [len(timing.turns) for timing in measuring.found[CONV].values()] == 2 * before * [before]


def test_a_subject_must_have_something_to_time():
    with pytest.raises(NothingError, match=r"^mine has none of conv_backward: choose what it has with --operator"):
        measure(of(refconv.conv), tasks=[BACKWARD], subjects=["mine"])


def test_other_tasks_of_a_generation():
    measuring = measure(Recorded(refconv, "refconv"), tasks=[CONV, NORM])
    measuring.generation([NORM])
    assert [len(measuring.found[task]["refconv"].turns) for task in (CONV, NORM)] == [1, 2]


def test_the_arithmetic_that_is_asked_for_judges():
    def by_half(input, weight, bias, **attributes):
        halved = refconv.conv(input, weight.astype(np.float16).astype(np.float32), **attributes)
        return halved.astype(np.float32)

    assert not measure(of(by_half)).found[CONV]["mine"].timed
    loose = CONV._replace(arithmetic="tf32")
    assert measure(of(by_half), tasks=[loose]).found[loose]["mine"].timed
