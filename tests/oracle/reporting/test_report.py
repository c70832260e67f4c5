import numpy as np
import pytest

import oracle
import refconv
from oracle.reporting.report import Tally


def raising(*inputs, **attributes):
    raise RuntimeError("\x1b[31m</failure>[red]")


def shifted(input, weight, bias=None, **attributes):
    output = refconv.conv(input, weight, bias, **attributes)
    output.flat[-1] += 1
    return output


@pytest.fixture(scope="module")
def failed():
    return oracle.check(oracle.subject(conv=shifted, conv_backward=raising, name="mine"), ["conv"], examples=10)


def test_a_check_says_what_is_wrong(failed):
    first = next(failure for failure in failed.failures if failure.direction == "forward")
    text = str(failed)
    assert f"conv forward: {first.reason}\n" in text
    assert f"\n{first.case!r}\n" in text
    assert all(f"    {line}\n" in text for line in first.script.splitlines())
    assert "conv backward: raised RuntimeError: \\x1b[31m</failure>[red]\n" in text
    assert "mine doesn't conform: 2 failures, " in text


def test_a_check_shows_the_arrays_and_which_elements_are_wrong(failed):
    forward = next(failure for failure in failed.failures if failure.direction == "forward")
    arrays = {f"{shown.role} {shown.name}": shown for shown in forward.shown}
    got, expected = arrays["got output"], arrays["expected output"]
    assert (
        np.flatnonzero(got.wrong).tolist()
        == np.flatnonzero(got.values != expected.values).tolist()
        == [got.values.size - 1]
    )
    assert arrays["given weight"].values.tolist() == forward.case.inputs[1].tolist()


def test_each_format_is_written_to_a_file(full, tmp_path):
    for write in (full.to_json, full.to_junit, full.to_html):
        text = write(tmp_path / "report")
        assert (tmp_path / "report").read_text() == text + "\n"


def test_a_failure_reads_alone(failure):
    assert str(failure()) == "output[0, 0] = 2.0, expected 1 exactly (1 of 2 wrong)  relu(input[1, 2])"


@pytest.mark.parametrize(
    ("promised", "worst", "bits", "said"),
    [
        (24, 0.0, None, None),
        (24, 0.5, 24, None),  # no more than the dtype has
        (24, 2.0, 24, None),
        (24, 2.0**4, 21, None),
        (24, 2.0**5, 20, "20 bits of 24: TF32 or float16?"),
        (24, 2.0**14, 11, "11 bits of 24: TF32 or float16?"),
        (24, 2.0**15, 10, "10 bits of 24: TF32 or float16?"),
        (24, 2.0**16, 9, "9 bits of 24: bfloat16?"),
        (24, 2.0**17, 8, "8 bits of 24: bfloat16?"),
        (11, 2.0, 11, "11 bits of 24: TF32 or float16?"),
    ],
)
def test_the_bits_are_those_of_a_unit_roundoff_twice_whose_bound_is_the_worst_error(promised, worst, bits, said):
    tally = Tally("conv", "forward", promised, worst=worst)
    assert tally.bits == bits
    assert tally.imprecision == said
