"""A report as JUnit XML: a suite for each operator, in it a test for each direction."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from oracle.reporting import words
from oracle.reporting.presentable import presentable
from oracle.reporting.report import Failure, Report, Tally


def as_junit(report: Report) -> str:
    """Return `report` as JUnit XML.

    An operator's seconds are its suite's; its tests share them out by their cases, which are judged in turns.
    """
    report = presentable(report)
    root = Element("testsuites", name=f"refconv check {report.subject}", time=f"{report.seconds:.3f}")
    for operator in dict.fromkeys(tally.operator for tally in report.tallies):
        _add_suite(root, report, operator)
    if not report.complete:
        suite = SubElement(root, "testsuite", name="complete")
        test = SubElement(suite, "testcase", classname=report.subject, name="complete")
        SubElement(test, "error", message="the check was interrupted")
    for element in (*root.findall("testsuite"), root):
        for count, tag in {"tests": "testcase", "failures": "failure", "errors": "error"}.items():
            element.set(count, str(len(list(element.iter(tag)))))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _add_suite(root: Element, report: Report, operator: str) -> None:
    suite = SubElement(root, "testsuite", name=operator)
    tallies = [tally for tally in report.tallies if tally.operator == operator]
    cases = sum(tally.cases for tally in tallies)
    seconds = next((each.seconds for each in report.coverage if each.operator == operator), None)
    if seconds is not None:
        suite.set("time", f"{seconds:.3f}")
    for tally in tallies:
        test = SubElement(suite, "testcase", classname=report.subject, name=f"{operator} {tally.direction}")
        if seconds is not None:
            test.set("time", f"{seconds * tally.cases / max(cases, 1):.3f}")
        _add_outcome(test, report, tally)


def _add_outcome(test: Element, report: Report, tally: Tally) -> None:
    """Say what failed; all in one element, for most readers look at the first alone."""
    failures = words.failures_of(report, tally)
    if failures:
        kinds = dict.fromkeys(failure.diagnosis or failure.law for failure in failures)
        said = SubElement(test, "failure", message=_message(failures), type=", ".join(kinds))
        said.text = "\n\n\n".join(map(words.in_full, failures))
    elif tally in report.undecided:
        SubElement(test, "failure", message=tally.declined_words, type="declined")


def _message(failures: list[Failure]) -> str:
    if len(failures) == 1:
        return str(failures[0])
    return f"{words.counted(len(failures), 'failure')}: {'; '.join(map(words.name, failures))}"
