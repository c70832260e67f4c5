"""A report as one page of HTML that holds all it needs: its style, its script, and nothing from elsewhere.

Texts become elements by way of ElementTree, which escapes them, and the page's policy lets no script run but its own.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from oracle.reporting import words
from oracle.reporting.arrays import Shown
from oracle.reporting.presentable import presentable
from oracle.reporting.report import Failure, Report
from refconv.arguments import Array

_WORDS = {"operator", "direction", "covered", "largest", words.OUTCOME}
"""Columns that hold no numbers."""
_MINOR = {"exact", "vacuous", "bits", "pairs", "at random", "largest", "longest sum"}
"""Columns that a phone does without."""
_OPEN = 1  # failures that aren't folded at first


def as_html(report: Report) -> str:
    """Return `report` as a page."""
    shown = presentable(report)
    style, script = _text("css"), _text("js")
    return Template(_text("html")).substitute(
        title=escape(words.verdict(shown)),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        body=ElementTree.tostring(_body(shown), encoding="unicode", method="html"),
    )


def _text(kind: str) -> str:
    return files(__package__).joinpath(f"page.{kind}").read_text("utf-8")


def _hash(text: str) -> str:
    """Return how a page's policy names the style or script that is `text`."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _element(tag: str, *content: Element | str, **attributes: str) -> Element:
    """Return an element; in names of attributes, ``_`` is a hyphen, or nothing at the end. Empty ones are left out."""
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value}
    element = Element(tag, given)
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + part
        else:
            element.text = (element.text or "") + part
    return element


def _body(report: Report) -> Element:
    parts = (_tools, _failures, _results, _coverage, _deviations, _absent)
    return _element("body", _header(report), *(element for part in parts for element in part(report)))


def _header(report: Report) -> Element:
    return _element(
        "header",
        _element("h1", words.verdict(report)),
        _element("p", words.grounds(report)),
        _element("p", f"{words.title(report)}: {words.settings(report)}", class_="faint"),
        class_="conforms" * report.passed,
    )


def _tools(report: Report) -> Iterator[Element]:
    if report.tallies:
        yield _element(
            "div",
            _element("input", type="search", id="words", placeholder="filter", aria_label="what is shown holds"),
            _element("label", _element("input", type="checkbox", id="failing"), " only what failed"),
            class_="tools",
        )  # fmt: skip


def _failures(report: Report) -> Iterator[Element]:
    if not report.failures:
        return
    yield _element("h2", words.counted(len(report.failures), "failure"))
    if len(report.failures) > 1:
        folding = [_element("button", f"{name} all", type="button", id=name) for name in ("unfold", "fold")]
        yield _element("div", *folding, class_="tools")
    for number, failure in enumerate(report.failures, 1):
        yield _failure(failure, f"failure-{number}", is_open=len(report.failures) <= _OPEN)


def _failure(failure: Failure, name: str, *, is_open: bool) -> Element:
    grids = [_element("div", *map(_array, failure.shown), class_="arrays")] if failure.shown else []
    content = _element(
        "div",
        *(_paragraph(*said) for said in words.about(failure)),
        *(_to_copy("raised", failure.details, f"{name}-raised", "broken") if failure.details else ()),
        *_to_copy("call", repr(failure.case), f"{name}-call", "broken"),
        *grids,
        *_to_copy("script", failure.script, f"{name}-script"),
        _element("p", _element("a", "link to this failure", href=f"#{name}"), " ", _copying(f"#{name}")),
    )
    state = {"open": "open"} if is_open else {}
    return _element(
        "details", _element("summary", words.headline(failure)), content, id=name, class_="failure", **state
    )


def _paragraph(label: str, text: str) -> Element:
    head = [_element("b", f"{label}: ")] if label else []
    return _element("p", *head, text, class_="text")


def _to_copy(heading: str, text: str, name: str, kind: str = "") -> Iterator[Element]:
    yield _element("div", _element("b", heading), _copying(name), class_="headed")
    yield _element("pre", text, id=name, class_=kind)


def _copying(name: str) -> Element:
    return _element("button", "copy", type="button", data_copies=name)


def _array(shown: Shown) -> Element:
    role = "" if shown.role == "given" else f"{shown.role} "
    wrong = "" if shown.wrong is None else f", {np.count_nonzero(shown.wrong)} of {shown.wrong.size} wrong"
    name = _element("p", _element("b", f"{role}{shown.name}"), f" {list(shown.shape)}, {shown.dtype}{wrong}")
    if shown.values is None or not shown.values.size:
        return _element("div", name, class_="array")
    planes = shown.values.reshape(-1, *(1, 1, *shown.shape)[-2:])
    marks = np.zeros(planes.shape, bool) if shown.wrong is None else shown.wrong.reshape(planes.shape)
    places = [str(list(place)) * (len(planes) > 1) for place in np.ndindex(shown.shape[:-2])]
    grids = map(_grid, planes, marks, places)
    return _element("div", name, _element("div", *grids, class_="wide"), class_="array")


def _grid(plane: Array, marks: Array, place: str) -> Element:
    """Return a plane of an array as a small table, under the indices of the other axes."""
    rows = [
        _element("tr", *(_element("td", _number(value), class_="wrong" * bool(mark)) for value, mark in pairs))
        for pairs in (zip(values, wrong, strict=True) for values, wrong in zip(plane, marks, strict=True))
    ]
    caption = [_element("caption", place)] if place else []
    return _element("table", *caption, *rows, class_="grid")


def _number(value: np.generic) -> str:
    """Return a number in as many digits as tell it apart, of float64 in some."""
    return (f"{value:.9g}" if isinstance(value, np.float64) else str(value)).removesuffix(".0")


def _results(report: Report) -> Iterator[Element]:
    if not report.tallies:
        return
    yield _element("h2", "Results")
    rows = []
    for tally in report.tallies:
        numbers = [report.failures.index(failure) + 1 for failure in words.failures_of(report, tally)]
        rows.append((words.counts(report, tally), numbers))
    yield _table([row for row, _ in rows], "results", [numbers for _, numbers in rows])
    for line in filter(None, (*words.warnings(report), *words.conventions(report), words.remark(report))):
        yield _element("p", line)


def _coverage(report: Report) -> Iterator[Element]:
    if not report.coverage:
        return
    yield _element("h2", "Coverage")
    yield _table([words.covered(coverage) for coverage in report.coverage], "coverage")
    for line in words.uncovered(report):
        yield _element("p", line)


def _table(rows: Sequence[Mapping[str, str]], name: str, failures: Sequence[Sequence[int]] | None = None) -> Element:
    """Return rows of cells, named as their columns, as a table; outcomes link to failures by their numbers."""
    headings = [
        _element("th", _element("button", column, type="button"), scope="col", class_=_kind(column))
        for column in rows[0]
    ]
    body = _element("tbody")
    for row, numbers in zip(rows, failures or [()] * len(rows), strict=True):
        cells = [_element("td", text, class_=_kind(column)) for column, text in row.items() if column != words.OUTCOME]
        if words.OUTCOME in row:
            cells.insert(list(row).index(words.OUTCOME), _outcome(row[words.OUTCOME], numbers))
        body.append(_element("tr", *cells))
    table = _element("table", _element("thead", _element("tr", *headings)), body, id=name, class_="listed")
    return _element("div", table, class_="wide")


def _kind(column: str) -> str:
    return " ".join(["word"] * (column in _WORDS) + ["minor"] * (column in _MINOR))


def _outcome(outcome: str, failures: Sequence[int]) -> Element:
    words_of = [outcome, *(str(number) for number in failures[1:])]
    links = [_element("a", word, href=f"#failure-{number}") for word, number in zip(words_of, failures, strict=False)]
    spaced = [part for link in links for part in (link, " ")]
    return _element("td", *(spaced or [outcome]), class_=f"word {outcome.lower()}")


def _deviations(report: Report) -> Iterator[Element]:
    if report.deviations:
        listed = _element("ul", *(_element("li", words.deviation(*known)) for known in report.deviations))
        yield _element("h2", "Known deviations")
        yield _element("details", _element("summary", words.deviations(report)), listed)


def _absent(report: Report) -> Iterator[Element]:
    if report.absent:
        yield _element("p", f"absent: {words.absent(report)}", class_="faint")
