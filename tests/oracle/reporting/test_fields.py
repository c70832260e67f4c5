import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import oracle
import refconv
from oracle.reporting.report import Report

SCHEMA = json.loads(files("oracle.reporting").joinpath("report.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def valid():
    """Raises for what the schema doesn't describe."""
    validator = pytest.importorskip("fastjsonschema", reason="needs the extra test")
    return validator.compile(SCHEMA)


def test_json_has_the_fields_by_their_names(full, tmp_path):
    text = full.to_json(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_text() == text + "\n"
    read = json.loads(text)
    assert (read["format"], read["format_version"]) == ("refconv report", 2)
    for name in ("subject", "version", "dtype", "examples", "seed", "passed", "complete", "declined", "absent"):
        assert read[name] == getattr(full, name)
    for name in ("operator", "direction", "law", "reason", "diagnosis", "condition", "symptom", "threshold", "script"):
        assert [failure[name] for failure in read["failures"]] == [getattr(each, name) for each in full.failures]
    assert [tally["operator"] for tally in read["tallies"]] == [tally.operator for tally in full.tallies]
    assert read["deviations"][0]["failed"] == 2


def test_json_has_the_arrays_and_which_elements_are_wrong(full):
    given, got, expected = json.loads(full.to_json())["failures"][0]["shown"]
    assert (given["role"], given["name"], given["shape"], given["wrong"]) == ("given", "input", [2, 1, 3, 4], None)
    assert got["wrong"] == [5, 17]
    assert [got["values"][5], expected["values"][5]] == [99.0, 5.0]


def test_the_schema_describes_a_report(full, valid):
    valid(json.loads(full.to_json()))
    valid(json.loads(Report("empty", None, "float32", "float32", 10, 0).to_json()))


@pytest.mark.parametrize("laws", [False, True])
def test_the_schema_describes_what_a_check_finds(valid, laws):
    def relu(input):
        return refconv.relu(input) + np.float32(np.inf)

    report = oracle.check(oracle.subject(relu=relu, name="mine"), ["relu"], examples=5, laws=laws)
    assert report.failures
    valid(json.loads(report.to_json()))


@pytest.mark.parametrize("where", [(), ("failures", 0), ("failures", 0, "case"), ("tallies", 0), ("coverage", 0)])
def test_the_schema_describes_all_that_there_is(full, valid, where):
    read = json.loads(full.to_json())
    part = read
    for step in where:
        part = part[step]
    part["new"] = 1
    with pytest.raises(ValueError, match="must not contain"):
        valid(read)
    del part["new"]
    part.popitem()
    with pytest.raises(ValueError, match="must contain"):
        valid(read)


def test_what_is_not_finite_is_spelled(full):
    full.failures[0].case.inputs[0].fill(np.nan)
    full.failures[0].shown[1].values[0, 0, 0] = np.inf, -np.inf, np.nan, 1
    failure = json.loads(full.to_json())["failures"][0]
    assert set(failure["case"]["arrays"]["input"]["values"]) == {"nan"}
    assert failure["shown"][1]["values"][:4] == ["inf", "-inf", "nan", 1]


def test_the_docs_have_each_field():
    page = (Path(__file__).parents[3] / "docs" / "reports.md").read_text()
    definitions = SCHEMA["definitions"]
    for name in (*SCHEMA["properties"], *definitions["failure"]["properties"], "wrong", "matched", "failed"):
        assert f"`{name}`" in page
