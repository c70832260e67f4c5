from xml.etree import ElementTree

from oracle.reporting.report import Tally


def read(report):
    return ElementTree.fromstring(report.to_junit().partition("\n")[2])


def test_a_suite_for_each_operator_and_a_test_for_each_direction(full, tmp_path):
    full.to_junit(tmp_path / "report.xml")
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == ("testsuites", "73", "3", "0")
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites)[:2] == ["conv", "conv_transpose"]
    assert [test.get("name") for test in suites["conv"]] == ["conv forward", "conv backward"]
    assert {test.get("classname") for test in root.iter("testcase")} == {"mine"}
    assert (suites["relu"].get("tests"), suites["relu"].get("failures")) == ("2", "1")


def test_the_seconds_are_an_operator_s_and_shared_out_by_cases(full):
    full.tallies[:2] = [Tally("conv", "forward", cases=1), Tally("conv", "backward", cases=2)]
    suite = read(full).find("testsuite[@name='conv']")
    assert (suite.get("time"), [test.get("time") for test in suite]) == ("1.500", ["0.500", "1.000"])
    full.coverage.clear()  # as where laws are checked
    assert {suite.get("time") for suite in read(full)} == {None}


def test_a_failure_has_the_diagnosis_the_arrays_and_the_script(full):
    failure = read(full).find(".//testcase[@name='relu forward']/failure")
    assert failure.get("type") == "padding swapped between axes, equals the definition"
    first, second = failure.text.split("\n\n\n")
    for said in (
        "condition: exactly when the padding differs between axes",
        "symptom: the last column is that of the row before",
        "looks like: padding swapped between axes",
        "The padding is read from the last axis to the first.",
        "got output [2, 1, 3, 4] = [[[[",
    ):
        assert f"\n{said}" in first
    assert first.endswith("print(1)\nprint(2)")
    assert "fails from channels in 65 on" in second
    assert "ValueError: no\n  File 'mine.py'" in read(full).find(".//testcase[@name='conv backward']/failure").text


def test_all_failures_of_a_direction_are_in_one_element_for_readers_look_at_one(full):
    (failure,) = read(full).findall(".//testcase[@name='relu forward']/failure")
    assert failure.get("message").startswith("2 failures: padding swapped between axes (exactly when ")
    (failure,) = read(full).findall(".//testcase[@name='conv backward']/failure")
    assert failure.get("message") == "raised ValueError: no\nsecond line  relu(input[1, 2])"


def test_what_is_declined_or_interrupted_is_said(full):
    full.failures.clear()
    full.tallies[0].declined = 990
    full.complete = False
    root = read(full)
    assert (
        root.find(".//testcase[@name='conv forward']/failure").get("message").startswith("declined 990 of 1000 cases")
    )
    assert root.find("testsuite[@name='complete']/testcase/error").get("message") == "the check was interrupted"
    assert (root.get("failures"), root.get("errors")) == ("1", "1")
