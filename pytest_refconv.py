"""Options of pytest for :func:`oracle.conformance_tests`: how many cases, which, and which tests are known to fail.

A file of known deviations has a test's id and a reason on each line; empty lines, and those that begin with #, are
passed over::

    TestMine::test_law[conv-backward-adjoint]  # mine/issues/12: gradient of the weight where groups > 1

Every run of pytest imports this, whatever it tests, so it imports none of the packages.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest


class Known(NamedTuple):
    """A test that is known to fail."""

    line: int
    test: str
    reason: str


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Have OpenMP's threads sleep while they wait, in pytest-xdist's workers, before a library with OpenMP is loaded.

    By default they spin, and with as many threads as processors in each worker, they take each other's time: PyTorch's
    tests take four times as long.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("refconv", "conformance tests of refconv")
    group.addoption(
        "--refconv-xfails",
        metavar="FILE",
        help="Tests that are known to fail, one on each line: its id, #, and the reason.",
    )
    group.addoption(
        "--refconv-examples", type=_positive, metavar="N", help="Cases of each test; as Hypothesis's profile has it."
    )
    group.addoption("--refconv-seed", type=int, metavar="N", help="Of the cases.")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is known to fail, strictly: what passes after all fails, until its line is taken out."""
    file = config.getoption("refconv_xfails")
    if file is None:
        return
    known = read(Path(file))
    for item in items:
        for entry in known:
            if item.nodeid.endswith(f"::{entry.test}"):
                item.add_marker(pytest.mark.xfail(strict=True, reason=entry.reason))
    if not any("::" in argument for argument in config.args):  # where the whole of a class was collected
        _require_all(known, items, file)


def _require_all(known: list[Known], items: list[pytest.Item], file: str) -> None:
    """Refuse lines that name no test of a class that was collected."""
    found = [item.nodeid for item in items]
    for line, test, _ in known:
        collected = "::" not in test or any(f"::{test.partition('::')[0]}::" in name for name in found)
        if collected and not any(name.endswith(f"::{test}") for name in found):
            raise pytest.UsageError(f"{file}, line {line}: no such test: {test}")


def read(file: Path) -> list[Known]:
    """Read a file of known deviations.

    Raises
    ------
    pytest.UsageError
        For a file that can't be read, and for a line that isn't an id and a reason, or names a test again.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise pytest.UsageError(f"--refconv-xfails: cannot read {file}: {said}") from error
    known: dict[str, Known] = {}
    for entry in _entries(file, text):
        if entry.test in known:
            raise pytest.UsageError(
                f"{file}, line {entry.line}: {entry.test} is in line {known[entry.test].line} already"
            )
        known[entry.test] = entry
    return list(known.values())


def _entries(file: Path, text: str) -> Iterator[Known]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        test, separator, reason = (part.strip() for part in line.partition(" #"))
        if not separator or not reason or not test or " " in test:
            raise pytest.UsageError(f"{file}, line {number}: must be a test's id, # and a reason, got {line.strip()!r}")
        yield Known(number, test, reason)
