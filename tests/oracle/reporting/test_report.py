import json
from xml.etree import ElementTree

import numpy as np
import pytest

import oracle
import refconv
from oracle.reporting.report import Tally


def shifted(input, weight, bias=None, **attributes):
    return refconv.conv(input, weight, bias, **attributes) + 1


def raising(*inputs, **attributes):
    raise RuntimeError("</failure><script>\x00alert(1)</script>[red]")


@pytest.fixture(scope="module")
def passed():
    return oracle.check(refconv, ["conv"], examples=10)


@pytest.fixture(scope="module")
def failed():
    return oracle.check(oracle.subject(conv=shifted, conv_backward=raising, name="mine"), ["conv"], examples=10)


def test_the_text_is_a_table_and_a_conclusion(passed):
    lines = str(passed).splitlines()
    assert lines[0] == "refconv: float32, float32 arithmetic, 10 examples, seed 0"
    assert lines[2].split() == [
        "operator",
        "direction",
        "cases",
        "exact",
        "vacuous",
        "declined",
        "worst",
        "error",
        "bits",
    ]
    assert lines[3].split()[:3] == ["conv", "forward", "10"]
    assert lines[3].endswith("ok")
    assert lines[-1].startswith("refconv conforms: 20 cases, ")


def test_the_text_of_a_failure_has_reason_case_and_script(failed):
    text = str(failed)
    first = next(failure for failure in failed.failures if failure.direction == "forward")
    assert f"conv forward: {first.reason}\n" in text
    assert f"\n{first.case!r}\n" in text
    assert all(f"    {line}\n" in text for line in first.script.splitlines())
    assert "mine doesn't conform: 2 failures, " in text


def test_lines_to_be_pasted_are_never_wrapped():
    def wrong_for_many_channels(input, weight, bias=None, **attributes):
        output = refconv.conv(input, weight, bias, **attributes)
        return output + 1 if input.size > 100 else output

    report = oracle.check(oracle.subject(conv=wrong_for_many_channels), examples=1000)
    script = report.failures[0].script
    assert max(map(len, script.splitlines())) > 150
    assert all(f"    {line}\n" in str(report) for line in script.splitlines())


def test_json_has_the_fields_by_their_names(failed, tmp_path):
    text = failed.to_json(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_text() == text + "\n"
    read = json.loads(text)
    assert read["passed"] is False
    assert (read["subject"], read["dtype"], read["examples"], read["seed"]) == ("mine", "float32", 10, 0)
    assert read["declined"] == {}
    assert read["absent"] == []
    first = read["failures"][0]
    failure = failed.failures[0]
    for name in ("operator", "direction", "law", "reason", "diagnosis", "script"):
        assert first[name] == getattr(failure, name)
    weight = first["case"]["arrays"]["weight"]
    assert (
        np.array(weight["values"], weight["dtype"]).reshape(weight["shape"]).tolist() == failure.case.inputs[1].tolist()
    )
    assert [tally["direction"] for tally in read["tallies"]] == ["forward", "backward"]


def test_json_spells_what_is_not_finite():
    case = oracle.check(oracle.subject(conv=shifted), examples=100).failures[0].case
    case.inputs[0].fill(np.nan)
    report = oracle.check(refconv, ["conv"], examples=1)
    report.failures.append(
        oracle.Failure("conv", "forward", "law", case, "reason", None, lambda: "script", ((case, "forward"),))
    )
    assert json.loads(report.to_json())["failures"][0]["case"]["arrays"]["input"]["values"] == ["nan"]


def test_junit_has_a_test_for_each_operator_and_direction(failed, passed, tmp_path):
    failed.to_junit(tmp_path / "report.xml")
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    tests = {test.get("name"): test for test in suite}
    assert list(tests) == ["conv forward", "conv backward"]
    for failure in failed.failures:
        assert tests[f"conv {failure.direction}"].find("failure").text == failure.script
    assert ElementTree.fromstring(passed.to_junit().partition("\n")[2]).get("failures") == "0"


def test_junit_escapes_what_implementations_say(failed):
    suite = ElementTree.fromstring(failed.to_junit().partition("\n")[2])
    message = suite.findall("testcase/failure")[1].get("message")
    assert message.startswith("raised RuntimeError: </failure><script>\\x00alert(1)</script>[red]  conv(")


def test_html_escapes_what_implementations_say(failed, tmp_path):
    page = failed.to_html(tmp_path / "report.html")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert (tmp_path / "report.html").read_text() == page + "\n"


def test_a_failure_reads_alone(failed):
    failure = failed.failures[0]
    assert str(failure) == f"{failure.reason}  {failure.case!r}"


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
