"""What was measured, as pictures: roofline, ratios by layer, scaling, and history."""

import statistics
from collections.abc import Callable, Iterator, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.history import Entry, History
from bench.ratios import CONFIDENCE, Ratio, ratio
from bench.tables import median
from bench.workloads import SERIES, workload
from properties.layer import Layer

_MARKERS = {"forward": "o", "backward": "^"}
_DPI = 120

matplotlib.rcParams["svg.hashsalt"] = "refconv"  # the same figures, the same file


def drawn(histories: Sequence[History]) -> Iterator[tuple[str, Figure]]:
    """Yield the pictures of the last of `histories`, and of all of them, with their names."""
    last = histories[-1]
    if last.peaks is not None and any(entry.flops for entry in last.entries):
        yield "roofline", roofline(last)
    for direction in _directions(last):
        if any(entry.yardstick for entry in _others(last, direction)):
            yield f"ratios-{direction}", ratios(last, direction)
    if last.settings.workload in SERIES:
        yield "scaling", scaling(last)
    if len(histories) > 1:
        yield "history", lines(histories)


def roofline(history: History) -> Figure:
    """Draw operations a second over operations a byte, below what the machine can do (Williams et al., 2009)."""
    assert history.peaks is not None
    figure, axes = _axes(8, 5)
    entries = [entry for entry in history.entries if entry.flops]
    intensities = [entry.flops / entry.bytes_moved for entry in entries]
    flops, bandwidth = history.peaks.flops / 1e9, history.peaks.bandwidth / 1e9
    ends = min(*intensities, flops / bandwidth) / 2, max(*intensities, flops / bandwidth) * 2
    shown = [ends[0], flops / bandwidth, ends[1]]
    axes.plot(shown, [min(flops, bandwidth * at) for at in shown], color="black", label="the machine's peak")
    for number, name in enumerate(history.implementations):
        for direction in _directions(history):
            own = [entry for entry in entries if (entry.implementation, entry.direction) == (name, direction)]
            axes.plot(
                [entry.flops / entry.bytes_moved for entry in own],
                [entry.flops / median(entry) / 1e9 for entry in own],
                _MARKERS[direction], color=f"C{number}", alpha=0.7, label=f"{name} {direction}",
            )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="operations for each byte that must be moved", ylabel="GFLOP/s")
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    axes.set_title(f"{_titled(history)}: layers that sum products")
    axes.legend(fontsize="small")
    return figure


def ratios(history: History, direction: str) -> Figure:
    """Draw how many times as fast as the yardstick each layer is, with its interval, or that it isn't measurable."""
    entries = [entry for entry in _others(history, direction) if entry.yardstick]
    layers = list(dict.fromkeys(entry.layer for entry in entries))
    names = [name for name in history.implementations if name != history.settings.yardstick]
    figure, axes = _axes(9, 1.2 + 0.22 * len(layers) * len(names))
    for number, name in enumerate(names):
        own = [(entry.layer, ratio(entry.logarithms)) for entry in entries if entry.implementation == name]
        found = [(layers.index(layer) + 0.8 * (number + 0.5) / len(names) - 0.4, of) for layer, of in own if of]
        places = [place for place, of in found if of.carried]
        low, estimates, high = _ends([of for _, of in found if of.carried])
        axes.barh(places, [of - 1 for of in estimates], 0.8 / len(names), left=1, color=f"C{number}", label=name)
        axes.hlines(places, low, high, color="black", linewidth=0.8)
        for place, of in found:
            if not of.carried:
                axes.text(1, place, f" {of}", va="center", fontsize="xx-small")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(layers)), layers, fontsize="x-small")
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel=f"times as fast as {history.settings.yardstick}, with {CONFIDENCE:.0%} intervals")
    _plain(axes.xaxis)
    axes.set_title(f"{_titled(history)}: {direction}")
    if len(names) > 1:
        axes.legend(fontsize="small")
    return figure


def scaling(history: History) -> Figure:
    """Draw time over the size that grows, on logarithmic scales, with the middle half of the rounds."""
    growing = _growing(history.settings.workload)
    layers = list(dict.fromkeys(entry.layer for entry in history.entries))
    figure, axes = _axes(7, 5)
    for number, name in enumerate(history.implementations):
        for direction in _directions(history):
            own = [entry for entry in history.entries if (entry.implementation, entry.direction) == (name, direction)]
            at = [growing[layers.index(entry.layer)] for entry in own]
            style = ("-" if direction == "forward" else "--") + _MARKERS[direction]
            milliseconds = [median(entry) * 1e3 for entry in own]
            axes.plot(at, milliseconds, style, color=f"C{number}", label=f"{name} {direction}")
            turns = [[turn * 1e3 for process in entry.turns for turn in process] for entry in own]
            quartiles = [statistics.quantiles(of, n=4) for of in turns]
            low, high = [of[0] for of in quartiles], [of[2] for of in quartiles]
            axes.fill_between(at, low, high, color=f"C{number}", alpha=0.2)
    axes.set(xscale="log", yscale="log", xlabel=history.settings.workload, ylabel="ms")
    axes.set_xticks(growing, [str(size) for size in growing])
    axes.minorticks_off()
    _plain(axes.yaxis)
    axes.set_title(_titled(history))
    axes.legend(fontsize="small")
    return figure


def lines(histories: Sequence[History]) -> Figure:
    """Draw how the ratios went from run to run: each operator's geometric mean over its layers, with its interval."""
    last = histories[-1]
    yardstick = last.settings.yardstick
    names = [name for name in last.implementations if name != yardstick]
    pairs = [(name, direction) for name in names for direction in _directions(last)]
    figure = Figure(figsize=(9, 3.5 * len(pairs)), layout="constrained", dpi=_DPI)
    for axes, (name, direction) in zip(figure.subplots(len(pairs), squeeze=False).flat, pairs, strict=True):
        runs = [_by_operator(history, name, direction) for history in histories]
        for number, operator in enumerate(dict.fromkeys(operator for found in runs for operator in found)):
            at = [run for run, found in enumerate(runs) if operator in found]
            low, estimates, high = _ends([runs[run][operator] for run in at])
            axes.plot(at, estimates, "o-", color=f"C{number}", label=operator)
            axes.fill_between(at, low, high, color=f"C{number}", alpha=0.2)
        axes.set_xticks(range(len(histories)), [_dated(history) for history in histories], fontsize="small")
        axes.set(yscale="log", ylabel=f"times as fast as {yardstick}")
        _plain(axes.yaxis)
        axes.set_title(f"{name}: {_titled(last)}, {direction}, with {CONFIDENCE:.0%} intervals")
        if axes.lines:
            axes.legend(fontsize="small")
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=_DPI)
    return figure, figure.subplots()


def _plain(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis as they are."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _directions(history: History) -> list[str]:
    return list(dict.fromkeys(entry.direction for entry in history.entries))


def _others(history: History, direction: str) -> list[Entry]:
    """Return the entries in `direction` but for the yardstick's own."""
    yardstick = history.settings.yardstick
    return [entry for entry in history.entries if entry.direction == direction and entry.implementation != yardstick]


def _ends(found: Sequence[Ratio]) -> tuple[list[float], list[float], list[float]]:
    """Return the lower ends of the intervals, the ratios themselves, and the upper ends."""
    intervals = [of.interval for of in found]
    return [of.low for of in intervals], [of.estimate for of in intervals], [of.high for of in intervals]


def _by_operator(history: History, name: str, direction: str) -> dict[str, Ratio]:
    """Return the geometric means, over the layers of each operator, of the ratios that are carried."""
    entries = [entry for entry in _others(history, direction) if entry.implementation == name]
    carried = [entry for entry in entries if (of := ratio(entry.logarithms)) and of.carried]
    found = {}
    for operator in dict.fromkeys(entry.operator for entry in carried):
        layers = [entry.logarithms for entry in carried if entry.operator == operator]
        mean = ratio([_means(processes) for processes in zip(*layers, strict=False)])
        if mean:
            found[operator] = mean
    return found


def _means(layers: Sequence[Sequence[float]]) -> list[float]:
    """Return the means over the layers, by round."""
    return [statistics.fmean(of) for of in zip(*layers, strict=False)]


def _titled(history: History) -> str:
    settings = history.settings
    return f"{workload(settings.workload).title}, {settings.dtype}, batch {settings.batch}"


def _dated(history: History) -> str:
    return f"{history.made[:10]}\n{str(history.commit.get('id', ''))[:7]}"


def _growing(name: str) -> list[int]:
    """Return the sizes of a series, as they grow."""
    axis: dict[str, Callable[[Layer], int]] = {
        "batch": lambda layer: layer.input[0],
        "channels": lambda layer: layer.input[1],
        "size": lambda layer: layer.input[2],
        "kernel": lambda layer: (layer.weight or (0, 0, 0))[2],
    }
    return [axis[name](layer) for layer in SERIES[name]]
