"""The page, as text and in a browser, as wide as a desktop's and as a phone's."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from oracle.reporting.report import Report, Tally

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package chromium)")
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
FRAME = """<!doctype html><meta charset="utf-8"><body style="margin: 0">
<iframe src="page.html" style="border: 0; width: {width}px; height: 900px"></iframe><pre id="seen"></pre>
<script>onmessage = (event) => {{ document.getElementById("seen").textContent = JSON.stringify(event.data); }};</script>"""
"""A window has a least width; what is in it may be narrower."""
PROBE = """<script>
const seen = {}, copied = [];
Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { copied.push(text); } } });
const click = (selector, within) => (within ?? document).querySelector(selector).click();
const shown = (selector) => all(selector).filter((element) => element.checkVisibility());
const column = (number) => shown("#results tbody tr").map((row) => row.cells[number].textContent.trim());
const type = (text) => { words.value = text; words.dispatchEvent(new Event("input")); };
const soon = () => new Promise((resolve) => setTimeout(resolve, 50));
const widths = () => [innerWidth, document.documentElement.scrollWidth];
onload = async () => {
  const verdict = document.querySelector("h1");
  seen.verdict = [verdict.textContent, verdict.getBoundingClientRect().bottom];
  seen.widths = [widths()];
  seen.loaded = performance.getEntriesByType("resource").length;
  seen.closed = all(".failure[open]").length;
  click("#unfold");
  seen.unfolded = all(".failure[open]").length;
  seen.widths.push(widths());
  seen.marked = shown(".grid .wrong").map((cell) => [cell.textContent, getComputedStyle(cell).backgroundColor]);
  seen.unmarked = getComputedStyle(document.querySelector(".grid td:not(.wrong)")).backgroundColor;
  click("#failure-1 button[data-copies='failure-1-call']");
  click("#failure-1 button[data-copies='failure-1-script']");
  click("#failure-1 button[data-copies='#failure-1']");
  await soon();
  seen.copied = copied;
  seen.told = document.querySelector("#failure-1 button").textContent;
  click("#fold");
  seen.folded = all(".failure[open]").length;
  click("#results td.failed a");
  await soon();
  seen.linked = [location.hash, all(".failure[open]").map((failure) => failure.id)];
  const [operator, , , cases] = all("#results th button");
  seen.order = { before: column(0) };
  operator.click();
  seen.order.ascending = column(0);
  operator.click();
  seen.order.descending = column(0);
  seen.sorted = operator.parentElement.getAttribute("aria-sort");
  cases.click();
  seen.order.numbers = column(3);
  type("RELU forward");
  seen.filtered = column(0);
  type("SWAPPED padding");
  seen.found = shown(".failure").map((failure) => failure.id);
  type("");
  failing.click();
  seen.failing = column(0).sort();
  parent.postMessage(seen, "*");
};
</script></html>"""


def dumped(folder, page, *options):
    """What a page has become after its scripts."""
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", profile, "--virtual-time-budget=5000", *options]
    run = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module", params=[1400, 390])
def width(request):
    return request.param


@pytest.fixture(scope="module")
def seen(width, tmp_path_factory, make_full):
    """What is seen of a page when it is used."""
    folder = tmp_path_factory.mktemp("page")
    report = make_full()
    vars(report.failures[1]).update(reason="a" * 1000, write=lambda: f"print({'1' * 1000})")
    report.tallies[3].declined = report.tallies[3].cases
    page = POLICY.sub("", report.to_html())  # which lets no script run but the page's own
    (folder / "page.html").write_text(page.replace("</html>", PROBE))
    (folder / "frame.html").write_text(FRAME.format(width=width))
    dom = dumped(folder, folder / "frame.html", "--window-size=1500,1000")
    found = re.search(r'<pre id="seen">(.*)</pre>', dom)[1]
    assert found, "the page's script has failed"
    return json.loads(unescape(found))


@in_chromium
def test_the_verdict_is_at_the_top(seen):
    text, bottom = seen["verdict"]
    assert text == "mine doesn't conform"
    assert bottom < 100


@in_chromium
def test_nothing_is_wider_than_the_window_folded_or_not(seen, width):
    assert [inner for inner, _ in seen["widths"]] == [width] * 2
    assert max(content for _, content in seen["widths"]) <= width


@in_chromium
def test_nothing_is_loaded(seen):
    assert seen["loaded"] == 0


@in_chromium
def test_failures_fold_and_a_link_unfolds_its_own(seen):
    assert (seen["closed"], seen["unfolded"], seen["folded"]) == (0, 4, 0)
    assert seen["linked"] == ["#failure-3", ["failure-3"]]


@in_chromium
def test_wrong_elements_are_marked(seen):
    assert [text for text, _ in seen["marked"]] == ["99", "99"]
    assert seen["unmarked"] not in {color for _, color in seen["marked"]}


@in_chromium
def test_calls_scripts_and_links_are_copied(seen):
    call, script, link = seen["copied"]
    assert (call, script) == ("relu(input[2, 1, 3, 4])", "print(1)\nprint(2)")
    assert link.startswith("file:///")
    assert link.endswith("/page.html#failure-1")
    assert seen["told"] == "copied"


@in_chromium
def test_the_table_sorts_by_each_column_either_way(seen):
    order = seen["order"]
    assert order["ascending"] == sorted(order["before"]) != order["before"]
    assert order["descending"] == order["ascending"][::-1]
    assert seen["sorted"] == "descending"
    assert order["numbers"] == sorted(order["numbers"], key=int, reverse=True)


@in_chromium
def test_the_table_and_the_failures_are_filtered(seen):
    assert (seen["filtered"], seen["found"]) == (["leaky_relu", "relu"], ["failure-1"])
    assert seen["failing"] == ["add", "conv", "conv_transpose", "relu"]


@in_chromium
def test_the_page_s_policy_lets_its_own_script_run_and_no_other(full, tmp_path):
    page = full.to_html()
    (tmp_path / "page.html").write_text(page.replace("</html>", "<script>document.title = 'other'</script></html>"))
    dom = dumped(tmp_path, tmp_path / "page.html")
    assert '<html lang="en" class="live">' in dom
    assert "<title>mine doesn't conform</title>" in dom


def test_the_page_is_one_small_file_that_names_no_other(full):
    page = full.to_html()
    assert POLICY.search(page)
    assert len(page) < 60_000
    assert not re.findall(r"\b(?:src|href)\s*=\s*[\"'](?!#)|@import|url\(|fetch\(|XMLHttpRequest", page)


def test_one_failure_is_unfolded_and_several_are_not(full):
    assert 'open="open"' not in full.to_html()
    del full.failures[1:]
    assert 'open="open"' in full.to_html()


def test_what_was_raised_is_shown_line_by_line(full):
    assert '<pre id="failure-3-raised" class="broken">ValueError: no\n  File \'mine.py\'</pre>' in full.to_html()


def test_arrays_are_grids_of_planes_under_their_indices(full):
    page = full.to_html()
    assert "<b>got output</b> [2, 1, 3, 4], float32, 2 of 24 wrong" in page
    assert page.count("<caption>[1, 0]</caption>") == 3
    assert '<tr><td>4</td><td class="wrong">99</td>' in page


def test_a_failed_row_links_to_each_of_its_failures(full):
    assert '<a href="#failure-1">FAILED</a> <a href="#failure-2">2</a>' in full.to_html()


def test_a_report_of_nothing_and_one_that_passes_are_pages_too():
    empty = Report("mine", None, "float32", "float32", 10, 0, complete=True)
    assert "it offers nothing that could be checked" in empty.to_html()
    passed = Report(
        "mine", None, "float32", "float32", 10, 0, complete=True, tallies=[Tally("relu", "forward", cases=1)]
    )
    assert '<header class="conforms"><h1>mine conforms</h1>' in passed.to_html()
