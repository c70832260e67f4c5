import io
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from oracle.reporting.plain import LONGEST, one_line, plain
from oracle.reporting.report import Report, Tally
from oracle.reporting.terminal import show, show_verdict

HOSTILE = (
    "\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\x00", "\ud800", "\udfff", "\u202e", "\u2028", "\ufffe", "\r", "\r\n", "\n", "\t", "\b",
    "[red]", "[/red]", "[link=x]", "</script>", "<script>alert(1)</script>", "<!--", "]]>", "<![CDATA[", "&amp;", "&#0;", '"', "'", "$body",
    "%s", "{0}", "\\", "\\x1b", "é", "汉", "👩‍🔬", "a" * 300,
)  # fmt: skip
ANY = st.characters(exclude_categories=())  # lone surrogates, too
TEXTS = (
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(ANY, max_size=5)), min_size=1).map("".join).filter(str.strip)
)
LONG = "\x1b[31m</script>" + "y" * 5_000_000 + "\x00the end"
TEXT_FIELDS = (
    "reason",
    "diagnosis",
    "cause",
    "thread",
    "statement",
    "law",
    "condition",
    "symptom",
    "threshold",
    "details",
)


@pytest.fixture(scope="session")
def report_of(failure, deviation):
    """Makes a report into which others have written a text wherever they can."""

    def make(text):
        known = deviation(reason=text, versions=text, smallest=text, script=text, thread=text)
        return Report(
            text, text, "float32", "float32", 1, 0, complete=True, only={"rank": frozenset([text])},
            failures=[failure(**dict.fromkeys(TEXT_FIELDS, text))],
            tallies=[Tally("relu", "forward", cases=1)], deviations=[(known, 1, 1)],
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def harmless(report_of):
    """What a page consists of where nobody has anything in mind."""
    return Reader(report_of("harmless").to_html()).elements


def printed(report, printing, width):
    file = io.StringIO()
    terminal = width is not None
    printing(report, Console(file=file, force_terminal=terminal, width=width or 120, height=25, color_system=None))
    return file.getvalue()


class Reader(HTMLParser):
    """What a page consists of, its texts, and what it says beside that."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, [name for name, _ in attributes]))

    def handle_endtag(self, tag):
        self.elements.append(f"/{tag}")

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.elements.append("comment")

    handle_pi = unknown_decl = handle_comment


def is_harmless(text):
    return all(line.isprintable() for line in text.split("\n"))


def check_terminal(report, text, harmless):
    for printing in (show, show_verdict):
        for width in (60, None):
            assert is_harmless(printed(report, printing, width))
    assert plain(text).replace("\n", "\n    ") in printed(report, show, None)


def check_json(report, text, harmless):
    written = report.to_json()
    read = json.loads(written)
    assert is_harmless(written.encode().decode())
    assert {read["failures"][0][name] for name in TEXT_FIELDS} == {plain(text)}
    assert read["deviations"][0]["reason"] == plain(text)
    assert (read["subject"], read["version"], read["only"]) == (
        one_line(text),
        one_line(text),
        {"rank": [one_line(text)]},
    )


def check_junit(report, text, harmless):
    written = report.to_junit()
    (found,) = ElementTree.fromstring(written.partition("\n")[2]).iter("failure")
    assert is_harmless(written)
    assert plain(text) in found.get("message")
    assert plain(text) in found.text


def check_page(report, text, harmless):
    page = report.to_html()
    read = Reader(page)
    assert is_harmless(page.encode().decode())
    assert read.elements == harmless
    assert plain(text) in read.text


@pytest.mark.parametrize("check", [check_terminal, check_json, check_junit, check_page])
@pytest.mark.parametrize(
    "text", [LONG, "".join(HOSTILE), *HOSTILE[:8], "<script>alert(1)</script>", "[red]x[/red]", "[/]"]
)
def test_what_others_write_is_shown_escaped_and_cut(check, text, report_of, harmless):
    check(report_of(text), text, harmless)


@settings(max_examples=40)
@given(text=TEXTS)
def test_whatever_others_write_is_shown_escaped_and_cut(text, report_of, harmless):
    report = report_of(text)
    for check in (check_terminal, check_json, check_junit, check_page):
        check(report, text, harmless)


def test_messages_of_megabytes_make_no_large_reports(report_of):
    report = report_of(LONG)
    assert max(map(len, (str(report), report.to_json(), report.to_junit(), report.to_html()))) < 100_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is: é, 汉, 'x'\nand [red] <b>", "as it is: é, 汉, 'x'\nand [red] <b>"),
        ("\x1b[31m\x00\t\x7f", r"\x1b[31m\x00\t\x7f"),
        ("\ud800 \u202e", r"\ud800 \u202e"),
        ("one\r\ntwo\rthree", "one\ntwo\\rthree"),
        ("a" * LONGEST, "a" * LONGEST),
    ],
)
def test_what_is_not_printable_is_spelled_as_in_python(text, expected):
    assert plain(text) == expected


def test_what_is_long_lacks_its_middle():
    assert plain("a" * 50 + "b" * 50, 60) == f"{'a' * 19} ... (100 characters) ... {'b' * 15}"
    assert plain("\0" * 50, 60) == r"\x00\x00\x00\x00\x00 ... (50 characters) ... x00\x00\x00\x00"


def test_a_name_is_on_one_line():
    assert one_line("one\ntwo\x1b") == r"one\ntwo\x1b"
    assert len(one_line("\n" * 5000)) == LONGEST


def test_a_failure_that_is_printed_is_plain(report_of):
    assert str(report_of(LONG).failures[0]) == f"{plain(LONG)}  relu(input[1, 2])"


@given(st.text(ANY))
@example("\ud83d\ude00")
@example("\0" * 1000)
def test_all_that_is_printable_stays_and_nothing_is_escaped_or_cut_twice(text):
    assert plain(text, None).replace("\n", "").isprintable()
    assert plain(plain(text, 40), 40) == plain(text, 40)
    assert len(plain(text, 40)) <= 40
    if text.isprintable():
        assert plain(text, None) == text
