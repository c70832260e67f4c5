"""What is printed of a run, told or withheld."""

import io
import json
from dataclasses import replace

from rich.console import Console

from bench import tables
from bench.history import read, write
from bench.page import page
from bench.pictures import drawn, lines, ratios
from bench.tables import report

FORWARD = "conv 64x56x56, 64 of 3x3, padding 1 forward"
DISTURBED = "linear 400, to 10 forward"


def printed(history):
    console = Console(file=io.StringIO(), width=160, highlight=False, markup=False)
    for part in report(history):
        console.print(part, soft_wrap=isinstance(part, str))
    return console.file.getvalue()


def some(entry, history):
    return history(entry(FORWARD), entry(DISTURBED, 0.0001, noise=1.5, seed=3))


def test_a_ratio_that_is_carried_is_told(entry, history):
    said = printed(history(entry(FORWARD)))
    row = next(line for line in said.splitlines() if line.startswith("conv"))
    assert " 0.50 " in row
    assert "not measurable" not in said


def test_a_ratio_that_its_spread_does_not_carry_is_withheld(entry, history):
    said = printed(some(entry, history))
    row = next(line for line in said.splitlines() if line.startswith("linear 400"))
    assert "not measurable here (spread " in row
    assert (
        "1 of 2 ratios are not measurable here (their 95% intervals reach further from them than by a factor of 1.5)"
        in said
    )
    means = said[said.index("geometric mean") :].splitlines()
    assert any(
        line.startswith("linear forward") and line.split()[-5:-2] == ["not", "measurable", "here"] for line in means
    )
    assert any(line.startswith("all layers forward") and "0.50 (of 1 of them)" in line for line in means)


def test_the_yardstick_is_no_ratio_to_speak_of(entry, history):
    alone = history(entry(FORWARD), entry(DISTURBED, implementation="torch", noise=1.5))
    assert "of 1 ratios" not in printed(alone)


def test_it_is_kept_and_read_again(entry, history, tmp_path):
    write(some(entry, history), tmp_path / "a.json")
    told, withheld = (
        benchmark["extra_info"]["refconv"]["ratio"]
        for benchmark in json.loads((tmp_path / "a.json").read_text())["benchmarks"]
    )
    assert told["low"] < told["estimate"] < told["high"]
    assert (told["confidence"], told["said"]) == (0.95, f"{told['estimate']:.2f}")
    assert withheld["estimate"] is None
    assert withheld["said"].startswith("not measurable here (spread ")
    assert printed(read(tmp_path / "a.json")) == printed(some(entry, history))


def test_it_is_kept_where_there_is_no_yardstick(entry, history, tmp_path):
    write(history(replace(entry(FORWARD), yardstick=())), tmp_path / "a.json")
    (benchmark,) = json.loads((tmp_path / "a.json").read_text())["benchmarks"]
    assert benchmark["extra_info"]["refconv"]["ratio"] is None


def test_no_bar_is_drawn_of_what_is_withheld(entry, history):
    (axes,) = ratios(some(entry, history), "forward").axes
    assert len(axes.patches) == 1
    (said,) = axes.texts
    assert said.get_text().startswith(" not measurable here (spread ")


def test_no_line_goes_through_what_is_withheld(entry, history):
    quiet = history(entry(FORWARD), entry(DISTURBED, 0.001))
    (axes,) = lines([quiet, some(entry, history), quiet]).axes
    at = {line.get_label(): line.get_xdata().tolist() for line in axes.lines}
    assert at == {"conv": [0, 1, 2], "linear": [0, 2]}


def test_where_all_is_withheld_there_is_still_a_page(entry, history):
    disturbed = history(entry(DISTURBED, noise=1.5, seed=3))
    shown = page([disturbed, disturbed], dict(drawn([disturbed, disturbed])))
    assert "not measurable here" in shown


def test_seconds_have_three_digits():
    assert [tables.seconds(time) for time in (1.234, 0.01234, 0.1234)] == ["1.23 s", "12.3 ms", "123 ms"]
