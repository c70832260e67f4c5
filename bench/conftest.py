"""Figures that benchmarks find, printed when all have run."""

import statistics
from collections.abc import Callable, Iterator

import pytest

_figures = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Take a line for the summary."""
    return request.config.stash.setdefault(_figures, []).append


@pytest.fixture(scope="session")
def ratios(request: pytest.FixtureRequest) -> Iterator[dict[str, float]]:
    """Take PyTorch's time over ours by layer; their geometric mean, and the least, are figures."""
    taken: dict[str, float] = {}
    lines = request.config.stash.setdefault(_figures, [])
    lines.append("          refconv | PyTorch, and that over ours | its backward alone |")
    yield taken
    for direction in ("forward", "backward"):
        named = {layer: ratio for layer, ratio in taken.items() if layer.endswith(direction)}
        if named:
            least = min(named, key=lambda layer: named[layer])
            mean = statistics.geometric_mean(named.values())
            lines.append(
                f"{direction}: {mean:.2f} times as fast as PyTorch (geometric mean); least {least} ({named[least]:.2f})"
            )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures."""
    lines = config.stash.get(_figures, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
