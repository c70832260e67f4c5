import io

import pytest
from rich.console import Console

from oracle.reporting.terminal import show, show_verdict

WIDTHS = (60, 61, 80, 95, 120, 200)


def printed(report, width=120, *, terminal=True, printing=show, **options):
    """What is printed on a terminal of some width, or to a file."""
    file = io.StringIO()
    size = {"width": width, "height": 25}  # without a height, a terminal that is called dumb has 80 columns
    printing(report, Console(file=file, force_terminal=terminal, color_system=None, **size), **options)
    return file.getvalue()


def test_the_text_is_a_table_and_a_conclusion(full):
    lines = str(full).splitlines()
    assert lines[0] == "mine 1.0: float32, float32 arithmetic, seed 0"
    columns = ["operator", "direction", "cases", "exact", "vacuous", "declined", "worst", "error", "bits"]
    assert lines[2].split() == columns
    assert lines[3].split() == ["conv", "forward", "1000", "0", "0", "0", "0.50", "B", "24", "ok"]
    assert lines[4].endswith(" FAILED")
    assert lines[-1] == "mine doesn't conform: 4 failures, 73269 cases, 12.3 s"


def test_the_text_of_a_failure_has_all_that_is_known(full):
    assert """
relu forward: output[0, 0] = 2.0, expected 1 exactly (1 of 2 wrong)
condition: exactly when the padding differs between axes
symptom: the last column is that of the row before
looks like: padding swapped between axes
The padding is read from the last axis to the first. (https://example.org/1 was one)
relu(input[2, 1, 3, 4])

    input [2, 1, 3, 4] = [[[[""" in str(full)
    assert "\n    print(1)\n    print(2)\n" in str(full)
    assert "\nadd forward: breaks the law: linear\n" in str(full)
    assert "\n    ValueError: no\n      File 'mine.py'\n" in str(full)
    assert "\nconv backward: raised ValueError: no\n    second line\n" in str(full)  # which can't pose as the oracle's


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(full, width):
    known = set(printed(full, 1000, verbose=True).split())
    lines = printed(full, width, verbose=True).splitlines()
    assert max(map(len, lines)) <= width
    assert {word for line in lines if not line.startswith("(no room") for word in line.split()} <= known


@pytest.mark.parametrize(
    ("width", "of_results", "of_coverage"),
    [
        (60, "vacuous, exact, bits, declined, worst error", "seconds, longest sum, at random, largest"),
        (80, "vacuous, exact", "seconds, longest sum"),
        (120, None, None),
    ],
)
def test_a_narrow_table_drops_columns_in_an_order_and_says_which(full, width, of_results, of_coverage):
    notes = [line for line in printed(full, width).splitlines() if line.startswith("(no room")]
    dropped = [given for given in (of_results, of_coverage) if given]
    assert notes == [f"(no room for: {columns})" for columns in dropped]


def test_what_is_to_be_pasted_is_never_wrapped(full):
    long = f"print({', '.join(['1'] * 100)})"
    vars(full.failures[0])["script"] = long
    assert f"    {long}\n" in printed(full, 60)
    assert f"    {long}\n" in str(full)


def test_a_file_has_a_statement_on_a_line(full):
    full.failures[0].__dict__["reason"] = "a word " * 100
    assert f"\nrelu forward: {'a word ' * 100}\n" in printed(full, terminal=False)


def test_known_deviations_are_a_line_that_counts_them(full):
    assert "\n2 known deviations, 1 of which showed, in 2 of 7 cases (-v lists them)\n" in printed(full)
    assert "never seen" not in printed(full)


def test_verbose_lists_known_deviations_and_what_is_absent(full):
    full.absent = [name for number in range(20) for name in (f"op{number}", f"op{number}_backward")]
    assert "20 other operators" in printed(full, 1000)
    text = printed(full, 1000, verbose=True)
    assert "known deviation, 2 of 4 cases: relu backward: the gradient of nothing (2.0)\n" in text
    assert "known deviation, did not show in 3 cases: relu backward: never seen (2.0)\n" in text
    assert ", ".join(full.absent) in text


def test_quiet_is_a_line_for_each_failure_and_the_verdict(full):
    assert printed(full, terminal=False, printing=show_verdict).splitlines() == [
        "relu forward: padding swapped between axes (exactly when the padding differs between axes): relu(input[2, 1, 3, 4])",
        "relu forward: output[0, 0] = 2.0, expected 1 exactly (1 of 2 wrong): relu(input[2, 1, 3, 4])",
        "conv backward: raised ValueError: no: relu(input[1, 2])",
        "add forward: output[0, 0] = 2.0, expected 1 exactly (1 of 2 wrong): relu(input[1, 2])",
        "mine doesn't conform: 4 failures, 73269 cases, 12.3 s",
    ]


def test_a_reason_that_stands_for_a_name_is_short(full):
    full.failures[0].__dict__.update(reason="many words " * 100, diagnosis=None, symptom=None)
    (line, *_) = printed(full, terminal=False, printing=show_verdict).splitlines()
    assert len(line) < 300
    assert "many words many ..." in line
