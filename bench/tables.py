"""What was measured, as text: a table for each direction, means, and what wasn't timed."""

import statistics
from collections.abc import Iterator, Sequence

from rich.table import Table

from bench.gate import SLOWER, UNDECIDED, Change, Limits
from bench.history import Entry, History
from bench.peaks import Peaks
from bench.ratios import CARRIED, CONFIDENCE, NOT_MEASURABLE, Ratio, ratio, spread
from bench.settings import Settings
from bench.workloads import NAMES, Workload, workload
from oracle.contract import DIRECTIONS

_UNITS = (("s", 1.0), ("ms", 1e3), ("us", 1e6))


def median(entry: Entry) -> float:
    """Return the median time of a call in seconds."""
    return statistics.median(turn for turns in entry.turns for turn in turns)


def share(entry: Entry, peaks: Peaks) -> float:
    """Return the least time that the machine's peaks allow, over the time that was taken (the roofline)."""
    return max(entry.flops / peaks.flops, entry.bytes_moved / peaks.bandwidth) / median(entry)


def seconds(time: float) -> str:
    """Return a time with three digits and its unit."""
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if time * factor >= 1), _UNITS[-1])
    number = time * factor
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}"


def rate(entry: Entry) -> str:
    """Return how much it does in a second: operations, or bytes where it has no products to sum."""
    if entry.flops:
        return f"{entry.flops / median(entry) / 1e9:.1f} GFLOP/s"
    return f"{entry.bytes_moved / median(entry) / 1e9:.1f} GB/s"


def report(history: History) -> Iterator[Table | str]:
    """Yield what is printed of one run."""
    settings = history.settings
    for direction in dict.fromkeys(entry.direction for entry in history.entries):
        yield _layers(history, direction)
        yield ""
    if history.entries:
        yield _means(history)
        yield ""
    yield from _withheld(history)
    yield from (f"{one['implementation']}: {one['task']}: {one['status']}: {one['reason']}" for one in history.untimed)
    if history.peaks is not None:
        flops, bandwidth = history.peaks.flops / 1e9, history.peaks.bandwidth / 1e9
        yield f"the machine's peak: {flops:.1f} GFLOP/s (product of matrices), {bandwidth:.1f} GB/s (copy)"
    yield _how(settings, history)


def _layers(history: History, direction: str) -> Table:
    numbers = ("median", "spread", f"x {history.settings.yardstick}", "rate", "of peak")
    table = _table(direction, "implementation", numbers=numbers)
    before = None
    for entry in history.entries:
        if entry.direction == direction:
            name = "" if entry.layer == before else f"{entry.layer}{f' ({entry.times} times)' * (entry.times > 1)}"
            table.add_row(name, entry.implementation, *_figures(entry, history))
            before = entry.layer
    return table


def _figures(entry: Entry, history: History) -> list[str]:
    return [
        seconds(median(entry)),
        f"± {spread([turn for process in entry.turns for turn in process]):.0%}",
        str(ratio(entry.logarithms) or ""),
        rate(entry),
        "" if history.peaks is None else f"{share(entry, history.peaks):.0%}",
    ]


def _means(history: History) -> Table:
    """Return geometric means of the ratios, by implementation and operator, and the whole network's time."""
    numbers = ("layers", f"x {history.settings.yardstick}", "all of them")
    table = _table("geometric mean", "implementation", numbers=numbers)
    for direction in dict.fromkeys(entry.direction for entry in history.entries):
        entries = [entry for entry in history.entries if entry.direction == direction]
        kinds = list(dict.fromkeys(entry.operator for entry in entries))
        for kind in [*kinds, None] if len(kinds) > 1 else [None]:
            for name in history.implementations:
                own = [entry for entry in entries if entry.implementation == name and kind in {None, entry.operator}]
                if own:
                    table.add_row(f"{kind or 'all layers'} {direction}", name, *_mean(own))
    return table


def _mean(entries: Sequence[Entry]) -> list[str]:
    found = [faster for entry in entries if (faster := ratio(entry.logarithms))]
    total = sum(entry.times * median(entry) for entry in entries)
    return [str(len(entries)), _mean_ratio(found), seconds(total)]


def _mean_ratio(found: Sequence[Ratio]) -> str:
    """Return the mean of the ratios that are carried; where others aren't, of how many it is."""
    carried = [faster.interval.estimate for faster in found if faster.carried]
    if not carried:
        return NOT_MEASURABLE if found else ""
    mean = f"{statistics.geometric_mean(carried):.2f}"
    return mean if len(carried) == len(found) else f"{mean} (of {len(carried)} of them)"


def _withheld(history: History) -> Iterator[str]:
    """Say why some ratios aren't told."""
    others = (entry for entry in history.entries if entry.implementation != history.settings.yardstick)
    found = [faster for entry in others if (faster := ratio(entry.logarithms))]
    withheld = sum(not faster.carried for faster in found)
    if withheld:
        yield (
            f"{withheld} of {len(found)} ratios are {NOT_MEASURABLE} (their {CONFIDENCE:.0%} intervals reach further "
            f"from them than by a factor of {CARRIED:g}): measure on a quieter machine, or with more --rounds and "
            "--processes"
        )


def _how(settings: Settings, history: History) -> str:
    versions = ", ".join(f"{name} {version or ''}".strip() for name, version in history.versions.items())
    threads = "as many threads as they like" if settings.threads is None else f"{settings.threads} threads"
    return (
        f"{settings.workload}: {settings.dtype}, batch {settings.batch}, {threads}; {versions}; "
        f"{settings.processes} processes each, {settings.rounds} rounds; x: times as fast as {settings.yardstick}"
    )


def verdicts(changes: Sequence[Change], limits: Limits) -> Iterator[Table | str]:
    """Yield what is printed of a comparison."""
    table = _table("layer", numbers=("slower by", f"{limits.confidence:.0%} interval"), last=[""])
    for change in changes:
        low, estimate, high = (f"{ratio - 1:+.1%}" for ratio in change.ratio)
        table.add_row(change.task, estimate, f"{low} to {high}", change.verdict)
    yield table
    yield ""
    for verdict, said in ((SLOWER, f"slower by more than {limits.slower:.1%}"), (UNDECIDED, "undecided")):
        named = [change.task for change in changes if change.verdict == verdict]
        if named:
            yield f"{len(named)} of {len(changes)} {said}: {'; '.join(named)}"
    if not any(change.verdict in {SLOWER, UNDECIDED} for change in changes):
        yield f"none of {len(changes)} slower by more than {limits.slower:.1%}"


def workloads() -> Table:
    """Return what workloads there are."""
    table = _table("workload", "", numbers=("distinct layers", "layers", "multiply-adds"))
    for name in NAMES:
        listed = workload(name)
        layers = sum(layer.times for layer in listed.layers)
        table.add_row(name, listed.title, str(len(listed.layers)), str(layers), f"{listed.multiply_adds():,}")
    return table


def layers(listed: Workload) -> Table:
    """Return the layers of a workload."""
    numbers = ("times", "multiply-adds", "backward", "bytes moved", "backward")
    table = _table(listed.title, numbers=numbers)
    for layer in listed.layers:
        sums = [layer.multiply_adds(direction) for direction in DIRECTIONS]
        moved = [layer.bytes_moved(direction, 4) for direction in DIRECTIONS]
        table.add_row(str(layer), str(layer.times), *(f"{number:,}" for number in (*sums, *moved)))
    return table


def _table(*texts: str, numbers: Sequence[str], last: Sequence[str] = ()) -> Table:
    """Return an empty table: columns of text, of numbers, and of text again."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for text in texts:
        table.add_column(text)
    for number in numbers:
        table.add_column(number, justify="right")
    for text in last:
        table.add_column(text)
    return table
