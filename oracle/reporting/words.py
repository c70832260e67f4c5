"""What is said of a report, in the words of all writers: what each of them lays out in its way."""

from collections.abc import Iterator
from typing import NamedTuple

from oracle.contract import Deviation
from oracle.reporting.report import SPECIALS, Failure, Report, Tally
from properties.plan import Coverage
from refconv import ARITHMETICS

OUTCOME = "outcome"
"""The column that says "ok", "FAILED" or "DECLINED"."""
_FEW = 8  # absent operators that are named one by one
_LINE = 160  # characters of a reason that stands for a name
_OTHERS = {
    "empty": "cases of empty arrays",
    "refilled": "cases of zeros refilled",
    "refused": "calls that make no sense refused",
}


class Said(NamedTuple):
    """A paragraph about a failure."""

    label: str  # "" where the text says itself what it is
    text: str


def title(report: Report) -> str:
    """Return the name of what was checked, and its version."""
    return f"{report.subject} {report.version}" if report.version else report.subject


def settings(report: Report) -> str:
    """Say how it was checked, and of which part of all calls the verdict is."""
    extent = "" if report.examples is None else f"{report.examples} examples, "
    only = [f"{name} {' or '.join(sorted(map(str, values)))}" for name, values in report.only.items()]
    domain = f"; only {', '.join(only)}" if only else ""
    return f"{report.dtype}, {report.arithmetic} arithmetic, {extent}seed {report.seed}{domain}"


def verdict(report: Report) -> str:
    """Return the verdict in a sentence."""
    if not report.complete:
        return f"{report.subject}: interrupted"
    if report.passed:
        declined = " but for what it declines" * any(each.declined for each in report.coverage)
        return f"{report.subject} conforms{' in that part' * bool(report.only)}{declined}"
    return f"{report.subject} doesn't conform"


def grounds(report: Report) -> str:
    """Say on what the verdict rests."""
    if report.complete and not report.tallies:
        return "it offers nothing that could be checked"
    cases = sum(tally.cases for tally in report.tallies)
    took = f"{cases} cases, {report.seconds:.1f} s"
    if not report.complete or report.passed:
        return took
    declined = [f"{tally.operator} {tally.direction} {tally.declined_words}" for tally in report.undecided]
    return f"{'; '.join([counted(len(report.failures), 'failure'), *declined])}, {took}"


def conclusion(report: Report) -> str:
    """Return the verdict and its grounds on a line."""
    return f"{verdict(report)}{': ' if report.complete else ' after '}{grounds(report)}"


def counted(number: int, thing: str) -> str:
    """Return a number of things."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def outcome(report: Report, tally: Tally) -> str:
    """Return what became of an operator in one direction, in a word."""
    if failures_of(report, tally):
        return "FAILED"
    return "DECLINED" if tally in report.undecided else "ok"


def failures_of(report: Report, tally: Tally) -> list[Failure]:
    """Return the failures of an operator in one direction, or with special values."""
    return [
        failure for failure in report.failures if (failure.operator, failure.row) == (tally.operator, tally.direction)
    ]


def counts(report: Report, tally: Tally) -> dict[str, str]:
    """Return the cells of a tally's row by the names of their columns."""
    named = {"operator": tally.operator, "direction": tally.direction, OUTCOME: outcome(report, tally)}
    if report.laws:
        numbers = {"laws": tally.laws, "cases": tally.cases, "exact": tally.exact, "declined": tally.declined}
        return {**named, **{name: str(number) for name, number in numbers.items()}}
    return {
        **named,
        "cases": str(tally.cases),
        "exact": str(tally.exact),
        "vacuous": str(tally.vacuous),
        "declined": str(tally.declined),
        "worst error": "" if tally.direction == SPECIALS else f"{tally.worst:.2f} B",
        "bits": "" if tally.bits is None else str(tally.bits),
    }


def covered(coverage: Coverage) -> dict[str, str]:
    """Return the cells of the row that says what was covered of an operator's calls, by the names of their columns."""
    return {
        "covered": coverage.operator,
        "layers of networks": f"{coverage.layers} of {coverage.of_layers}",
        "pairs": _share(coverage.pairs, coverage.of_pairs),
        "triples": _share(coverage.triples, coverage.of_triples),
        "at random": str(coverage.free),
        "largest": "x".join(map(str, coverage.largest)),
        "longest sum": f"{coverage.sum:,}",
        "seconds": f"{coverage.seconds:.1f}",
    }


def _share(part: int, whole: int) -> str:
    """Return a share in per cent, rounded down: 100 % is all."""
    return "" if not whole else f"{100 * part // whole} %"


def warnings(report: Report) -> list[str]:
    """Say which operators worked in fewer bits than their dtype has."""
    return [
        f"{tally.operator} {tally.direction}: {report.dtype}, but {tally.imprecision}"
        for tally in report.tallies
        if tally.imprecision
    ]


def conventions(report: Report) -> list[str]:
    """Say by which conventions results are right that aren't by the definition."""
    return [
        f"{tally.operator} {tally.direction} takes: {name} ({counted(count, 'case')})"
        for tally in report.tallies
        for name, count in tally.takes.items()
    ]


def remark(report: Report) -> str:
    """Say how many cases were of another kind, or made anew; nothing where none was."""
    totals = {name: sum(getattr(tally, name) for tally in report.tallies) for name in _OTHERS}
    return ", ".join(f"{total} {_OTHERS[name]}" for name, total in totals.items() if total)


def uncovered(report: Report) -> Iterator[str]:
    """Say what wasn't covered of each operator's calls."""
    for each in report.coverage:
        if each.left_out:
            yield f"{each.operator}: {each.left_out} cases left out, for which there isn't the memory"
        if each.declined:
            yield f"{each.operator} declines: {'; '.join(each.declined)}"


def name(failure: Failure) -> str:
    """Say what is wrong in a line: the mistake, or else what comes out; and when."""
    what = failure.diagnosis or failure.symptom or _shortened(failure.reason)
    return f"{what} ({failure.condition})" if failure.condition else what


def headline(failure: Failure) -> str:
    """Say what fails, and what is wrong."""
    return f"{failure.operator} {failure.direction}: {name(failure)}"


def _shortened(text: str) -> str:
    """Return the first line of `text`, or the words at its beginning."""
    line, _, _ = text.partition("\n")
    return line if len(line) <= _LINE else f"{line[:_LINE].rpartition(' ')[0] or line[:_LINE]} ..."


def about(failure: Failure) -> Iterator[Said]:
    """Say what is known of a failure, but for what it raised, its call and its arrays."""
    if failure.statement:
        yield Said("breaks the law", failure.law)
    yield Said("", failure.reason)
    if failure.statement:
        yield Said("", failure.statement)
    if failure.condition:
        yield Said("condition", failure.condition)
    if failure.symptom:
        yield Said("symptom", failure.symptom)
    if failure.diagnosis:
        yield Said("looks like", failure.diagnosis)
        thread = f" ({failure.thread} was one)" if failure.thread else ""
        yield Said("", f"{failure.cause}{thread}")
    if failure.conforms_with:
        words = ARITHMETICS[failure.conforms_with].words
        yield Said("", f"conforms with --arithmetic {failure.conforms_with} ({words})")
    if failure.threshold:
        yield Said("", failure.threshold)


def in_full(failure: Failure) -> str:
    """Return all that is known of a failure as text."""
    paragraphs = [f"{label}: {text}" if label else text for label, text in about(failure)]
    arrays = "\n".join(map(str, failure.shown))
    blocks = ["\n".join(paragraphs), failure.details, repr(failure.case), arrays, failure.script]
    return "\n\n".join(filter(None, blocks))


def deviation(known: Deviation, matched: int, failed: int) -> str:
    """Say what became of a known deviation."""
    shows = f"{failed} of {matched} cases" if failed else f"did not show in {matched} cases"
    return f"known deviation, {shows}: {known.operator} {known.direction}: {known.reason} ({known.versions})"


def deviations(report: Report) -> str:
    """Say in a line how many known deviations there are, and how many of them showed."""
    showed = sum(failed > 0 for _, _, failed in report.deviations)
    matched = sum(matched for _, matched, _ in report.deviations)
    failed = sum(failed for _, _, failed in report.deviations)
    known = counted(len(report.deviations), "known deviation")
    return f"{known}, {showed} of which showed, in {failed} of {counted(matched, 'case')}"


def absent(report: Report) -> str:
    """Name the functions that an operator lacks of its two, and the operators of which there is neither, if few."""
    whole = [name for name in report.absent if f"{name}_backward" in report.absent]
    named = [name for name in report.absent if name.removesuffix("_backward") not in whole]
    if len(whole) > _FEW:
        return "; ".join([*filter(None, [", ".join(named)]), f"{len(whole)} other operators, forward and backward"])
    return ", ".join(report.absent)
