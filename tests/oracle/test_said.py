import numpy as np
import pytest

import oracle
import refconv
from oracle.said import CHARACTERS, LINE, LINES, line_of, lines_of, said_by, whole


def raising(message):
    raise RuntimeError(message)


def caught(function, *arguments):
    with pytest.raises(Exception) as raised:  # noqa: PT011  # whatever it is
        function(*arguments)
    return raised.value


HOSTILE = {
    "an escape sequence": ("\x1b[2Jgone", "\\x1b[2Jgone"),
    "NUL": ("a\x00b", "a\\x00b"),
    "a lone surrogate": ("a\ud800b", "a\\ud800b"),
    "a change of direction": ("a\u202eb", "a\\u202eb"),
    "markup": ("[red]<b>", "[red]<b>"),
    "another script": ("日本", "日本"),
}


@pytest.mark.parametrize(("said", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_what_cant_be_printed_is_spelled_out(said, shown):
    assert line_of(said) == lines_of(said) == shown
    assert said_by(RuntimeError(said)) == shown
    assert shown in whole(caught(raising, said))


def test_what_is_short_stays_as_it_is():
    assert lines_of("one\n\n  two") == "one\n\n  two"
    assert line_of("\none\ntwo") == "one"
    assert line_of(" \n") == ""


def test_five_megabytes_are_cut():
    assert line_of("x" * 5_000_000) == "x" * LINE + "..."
    assert len(lines_of("x" * 5_000_000)) <= CHARACTERS + len("...\n...")
    assert lines_of("x\n" * 2_500_000).splitlines() == ["x"] * LINES + ["..."]
    assert len(whole(caught(raising, "\x1b" * 5_000_000))) < 2 * CHARACTERS


def test_an_exception_is_told_with_all_its_lines_where_it_was_raised_and_why():
    def converting():
        try:
            int("many")
        except ValueError as error:
            raise RuntimeError("Exception from src/core.cpp:105:\nCheck failed\nno such layer") from error

    lines = whole(caught(converting)).splitlines()
    assert lines[:3] == ["RuntimeError: Exception from src/core.cpp:105:", "Check failed", "no such layer"]
    assert lines[-3].startswith("  File '")
    assert "test_said.py', line " in lines[-3]
    assert lines[-3].endswith("in converting")
    assert lines[-2].strip().startswith("raise RuntimeError(")
    assert lines[-1].startswith("because of ValueError: invalid literal for int()")


def test_a_place_is_told_from_the_folder_on_that_it_is_imported_from():
    raised = caught(np.reshape, np.zeros(3), (2, 2))
    assert "  File 'numpy/" in whole(raised)


def test_a_message_that_cant_be_read_is_said_to_be_so():
    class MuteError(Exception):
        def __str__(self):
            raise OSError

    assert said_by(MuteError()) == "its message can't be read: OSError"


def test_a_failure_shows_what_was_raised_in_the_subject_and_nothing_of_ours():
    def conv(input, weight, bias=None, **attributes):
        raise RuntimeError("Exception from src/core.cpp:105:\n\x1b[2JCheck failed\n" + "x" * 5_000_000)

    report = oracle.check(oracle.subject(conv=conv), ["conv"], examples=2)
    (failure,) = report.failures
    assert failure.reason == "raised RuntimeError: Exception from src/core.cpp:105:"
    assert failure.details.splitlines()[:2] == [
        "RuntimeError: Exception from src/core.cpp:105:",
        "\\x1b[2JCheck failed",
    ]
    assert failure.details.count("  File ") == 1
    assert "in conv" in failure.details
    assert "    \\x1b[2JCheck failed\n" in str(report)
    assert len(str(report)) < 10_000


def test_what_a_law_meets_is_shown_as_a_whole_too():
    def conv(input, weight, bias=None, **attributes):
        raise RuntimeError("one\ntwo")

    (failure,) = oracle.check(oracle.subject(conv=conv), ["conv"], examples=2, laws=True).failures
    assert failure.details.startswith("RuntimeError: one\ntwo\n")


def test_what_is_said_in_a_process_of_its_own_arrives_whole(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loud.py").write_text("def relu(input):\n    raise RuntimeError('one\\n\\ud800two')\n")
    (failure,) = oracle.check("loud", ["relu"], isolate=True, examples=2).failures
    assert failure.details.startswith("RuntimeError: one\n\\ud800two\n")
    assert "in relu" in failure.details


def test_a_gradient_by_itself_is_taken_where_there_is_one():
    subject = oracle.subject(relu_backward=lambda grad_output, x: refconv.relu_backward(grad_output, x).input)
    assert oracle.check(subject, ["relu"], examples=30).passed
    nothing = oracle.subject(relu_backward=lambda grad_output, x: None)
    (failure,) = oracle.check(nothing, ["relu"], examples=2).failures
    assert failure.reason == "a backward must return a gradient for each of input, got NoneType"


class Tensor:
    """What a framework has in place of an array."""


def of_tensors(input):
    if not isinstance(input, Tensor):
        raise TypeError(f"relu(): argument 'input' (position 1) must be Tensor, not {'numpy.ndarray'}")


def of_methods(input):
    return input.clamp(0)


@pytest.mark.parametrize("function", [of_tensors, of_methods])
def test_a_function_of_tensors_is_told_what_it_gets(function):
    (failure,) = oracle.check(oracle.subject(relu=function), ["relu"], examples=2).failures
    assert failure.reason.startswith("must take NumPy arrays, and convert them where it wants tensors, but raised ")


def test_a_function_without_keywords_is_told_what_it_must_take():
    def apply(*arguments, **attributes):
        raise TypeError("apply() takes no keyword arguments")

    (failure,) = oracle.check(oracle.subject(leaky_relu=apply), ["leaky_relu"], examples=2).failures
    assert failure.reason.startswith("must take (input, *, negative_slope=0.01), but raised TypeError: ")
