"""Figures that benchmarks find, printed when all have run."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest

_figures = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Take a line for the summary."""
    return request.config.stash.setdefault(_figures, []).append


@pytest.fixture(scope="session")
def ratios(figure: Callable[[str], None]) -> Iterator[defaultdict[str, dict[str, float]]]:
    """Take PyTorch's time over ours, by group and layer; of each group, geometric mean and least are figures."""
    taken: defaultdict[str, dict[str, float]] = defaultdict(dict)
    yield taken
    for group, named in taken.items():
        least = min(named, key=lambda layer: named[layer])
        mean = statistics.geometric_mean(named.values())
        figure(f"{group}: {mean:.2f} times as fast as PyTorch (geometric mean); least {least} ({named[least]:.2f})")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures."""
    lines = config.stash.get(_figures, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
