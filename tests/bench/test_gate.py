import math
from dataclasses import replace

import pytest

from bench.gate import FASTER, SAME, SLOWER, UNDECIDED, Change, Limits, changes_by, changes_since, decided, gated
from bench.history import HistoryError
from bench.intervals import Interval
from bench.settings import Settings

LIMITS = Limits(slower=0.05, confidence=0.95)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.06, 1.2, SLOWER),
        (1.04, 1.2, UNDECIDED),
        (0.99, 1.04, SAME),
        (1.01, 1.05, SAME),
        (0.9, 1.0, SAME),
        (0.8, 0.95, FASTER),
        (0.8, 1.3, UNDECIDED),
    ],
)
def test_an_alarm_is_raised_only_where_the_interval_lies_beyond_the_limit(low, high, verdict):
    assert decided(Interval(low, math.sqrt(low * high), high), 0.05) == verdict


@pytest.mark.parametrize(
    ("slowdown", "verdict"), [(1.0, SAME), (1.1, SLOWER), (1.5, SLOWER), (0.8, FASTER), (1.05, UNDECIDED)]
)
def test_a_ratio_to_the_yardstick_decides(entry, history, slowdown, verdict):
    others = entry(implementation="torch"), entry("linear 400, to 10 forward", implementation="torch")
    (change,) = changes_by(history(*others, entry(seconds=0.001 * slowdown)), "mine", LIMITS)
    assert change.verdict == verdict
    assert change.ratio.estimate == pytest.approx(slowdown, rel=0.02)


def test_a_machine_that_is_slower_throughout_changes_nothing(entry, history):
    old = entry(seconds=0.002)
    least, yardstick = ([[3 * time for time in times] for times in of] for of in (old.least, old.yardstick))
    slow = replace(old, least=least, yardstick=yardstick)
    (change,) = changes_since(history(old), history(slow), "mine", LIMITS)
    assert change.ratio.estimate == pytest.approx(1.0)
    assert change.verdict == SAME


@pytest.mark.parametrize(("slowdown", "verdict"), [(1.0, SAME), (1.1, SLOWER), (1 / 1.2, FASTER)])
def test_ratios_then_and_now_are_compared(entry, history, slowdown, verdict):
    old, new = history(entry(seed=1)), history(entry(seconds=0.002 * slowdown, seed=7))
    (change,) = changes_since(old, new, "mine", LIMITS)
    assert change.verdict == verdict


def test_a_higher_confidence_widens_each_interval(entry, history):
    old, new = history(entry(seed=1)), history(entry(seed=7))
    for judged in (
        lambda limits: changes_by(new, "mine", limits),
        lambda limits: changes_since(old, new, "mine", limits),
    ):
        ((loose,), (strict,)) = (judged(Limits(0.05, confidence)) for confidence in (0.5, 0.999))
        assert strict.ratio.low < loose.ratio.low < loose.ratio.high < strict.ratio.high


def test_noise_is_no_verdict(entry, history):
    (change,) = changes_by(history(entry(seconds=0.00115, noise=0.3)), "mine", LIMITS)
    assert change.verdict == UNDECIDED


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"processes": 1}, r"was timed in one process, and .* isn't known: measure with more --processes"),
        ({"processes": 2, "rounds": 2}, r"has 4 rounds, and a confidence of 0.95 needs 6: measure with more --rounds"),
    ],
)
def test_too_little_for_the_confidence(entry, history, more, said):
    with pytest.raises(HistoryError, match=said):
        changes_by(history(entry(**more)), "mine", LIMITS)


def test_all_tasks_that_both_have_are_compared(entry, history):
    old = history(entry(), entry("linear 400, to 10 forward"), entry(implementation="torch"))
    new = history(entry(seconds=0.0024), entry("conv 3x8x8, 4 of 1x1 forward"))
    (change,) = changes_since(old, new, "mine", LIMITS)
    assert change.verdict == SLOWER


def test_nothing_can_be_compared(entry, history):
    some = history(entry())
    with pytest.raises(HistoryError, match=r"^nothing can be compared: no layer was timed for yours and the yardstick"):
        changes_since(some, some, "yours", LIMITS)
    with pytest.raises(HistoryError, match=r"^nothing can be compared: no layer was timed for yours and torch$"):
        changes_by(some, "yours", LIMITS)


SLOWED = """
import os, time
import refconv
FACTOR = {factor}
def conv(*arrays, **attributes):
    began = time.perf_counter()
    result = refconv.conv(*arrays, **attributes)
    until = time.perf_counter() + (FACTOR - 1) * (time.perf_counter() - began)
    while time.perf_counter() < until:
        pass
    return result
"""


def test_what_is_undecided_is_measured_for_longer(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SLOWED.format(factor=1.0))
    monkeypatch.chdir(tmp_path)
    settings = Settings("lenet5", ("conv",), "forward", processes=2, rounds=3, yardstick="old")
    makers = [settings.side("mine"), settings.side("mine", "old")]
    seen = []

    def judged(history):
        seen.append(history)
        ratio = Interval(1.0, 1.1, 1.2)
        return [Change(history.entries[0].task, UNDECIDED if len(seen) < 3 else SAME, ratio)]

    _, history = gated(settings, "mine", makers, judged)
    assert len(seen) == 4
    assert [len(entry.least) for entry in history.entries] == [4, 4, 2, 2]


def test_a_slow_down_is_found_and_none_where_there_is_none(tmp_path, monkeypatch):
    for name, factor in (("new", 3.0), ("old", 1.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(SLOWED.format(factor=factor))
    monkeypatch.chdir(tmp_path)
    settings = Settings("kernel", ("conv",), "forward", processes=4, rounds=4, yardstick="old")
    tasks = settings.tasks()[1:2]
    limits = Limits(0.2, 0.95)
    for new, verdicts in (("new", {SLOWER}), ("old", {SAME, UNDECIDED})):  # a busy machine may leave it open
        makers = [settings.side("mine", folders=[tmp_path / new]), settings.side("mine", "old", [tmp_path / "old"])]
        (change,), _ = gated(
            settings, "mine", makers, lambda new: changes_by(new, "mine", limits), tasks=tasks, patience=30
        )
        assert change.verdict in verdicts
