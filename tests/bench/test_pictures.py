import pytest

from bench.pictures import drawn, lines, ratios, roofline, scaling
from bench.workloads import workload


def test_what_is_drawn(some_history):
    assert [name for name, _ in drawn([some_history])] == ["roofline", "ratios-forward", "ratios-backward"]
    assert [name for name, _ in drawn([some_history, some_history])][-1] == "history"


def test_the_roofline_bends_where_both_peaks_bind(some_history):
    (axes,) = roofline(some_history).axes
    peak = axes.lines[0]
    assert peak.get_xdata()[1] == pytest.approx(1.5e11 / 2e10)
    assert peak.get_ydata()[1:] == pytest.approx([150, 150])
    assert peak.get_ydata()[0] == pytest.approx(20 * peak.get_xdata()[0])


def test_bars_are_ratios_to_the_yardstick(some_history):
    (axes,) = ratios(some_history, "forward").axes
    (bar,) = axes.patches
    assert bar.get_x() + bar.get_width() == pytest.approx(0.5, rel=0.02)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["conv 64x56x56, 64 of 3x3, padding 1"]


def test_scaling_is_drawn_over_what_grows(entry, history):
    layers = workload("channels").layers
    entries = [entry(f"{layer} forward", 1e-3 * (1 + number)) for number, layer in enumerate(layers)]
    (axes,) = scaling(history(*entries, workload="channels")).axes
    assert axes.lines[0].get_xdata().tolist() == [8, 16, 32, 64, 128, 256, 512]
    assert axes.lines[0].get_ydata() == pytest.approx([1, 2, 3, 4, 5, 6, 7], rel=0.02)


def test_a_history_has_a_line_for_each_operator(some_history):
    forward, backward = lines([some_history, some_history]).axes
    assert [line.get_label() for line in forward.lines] == ["conv"]
    assert [line.get_label() for line in backward.lines] == ["batch_norm"]
    assert forward.lines[0].get_ydata() == pytest.approx([0.5, 0.5], rel=0.02)
