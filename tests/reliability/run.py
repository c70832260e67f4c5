"""Plant faults in an implementation, and call the public functions with anything: is a run lost, or a fault misnamed?

    python tests/reliability/run.py [--tries 20] [--calls 100000] [--write]

prints a table; with --write, docs/reliability.md has it, too. The exit status is 1 if anything was lost.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
from hypothesis import settings

import oracle
import oracle.searching.reduction
import refconv

HERE = Path(__file__).parent
sys.path.append(str(HERE))

from faults import FAULTS, HANGS, strikes  # noqa: E402  # found by the path above

PAGE = HERE.parents[1] / "docs/reliability.md"
MARKERS = "<!-- what the script prints -->", "<!-- that was it -->"
SHM = Path("/dev/shm")


class Try(NamedTuple):
    """One check of a faulty implementation."""

    problems: list[str]
    reason: str
    seconds: float


def shared() -> set[Path]:
    """What lies in shared memory, but for the semaphores of process pools, which tests beside this one may have."""
    return {path for path in SHM.iterdir() if not path.name.startswith("sem.mp-")} if SHM.is_dir() else set()


def attempt(fault: str, seed: int) -> Try:
    """Check an implementation with `fault`, and see whether the report says so and nothing is left behind."""
    before = shared()
    began = time.perf_counter()
    limit = 1.0 if fault in HANGS else 20.0
    report = oracle.check(
        f"faults:{fault}", ["conv"], isolate=True, seed=seed, examples=200, time_limit=limit, memory_limit=1 << 30
    )
    seconds = time.perf_counter() - began
    problems = [] if report.complete else ["the run was lost"]
    reasons = [failure.reason for failure in report.failures]
    if len(reasons) != 1 or not re.search(FAULTS[fault], reasons[0]):
        problems.append(f"reported as {reasons}")
    elif fault != "cached_by_pointer" and not strikes(
        report.failures[0].case.inputs[0], report.failures[0].case.attributes
    ):
        problems.append(f"blamed on {report.failures[0].case}")
    named = [failure.diagnosis for failure in report.failures]
    if fault == "heap_corruption" and named != ["writes out of bounds"]:  # in whichever call it ends its process
        problems.append(f"called {named}")
    problems += [f"left {child}" for child in psutil.Process().children(recursive=True)]
    problems += [f"left {path}" for path in shared() - before]
    return Try(problems, reasons[0] if reasons else "", seconds)


def faults_table(faults: list[str], tries: int) -> Iterator[tuple[str, bool]]:
    """Yield the lines, and whether each is as it should be."""
    yield "| fault | reported as | tries | reported, run completed | seconds a try |", True
    yield "|---|---|---|---|---|", True
    for fault in faults:
        done = [attempt(fault, seed) for seed in range(tries)]
        problems = [problem for one in done for problem in one.problems]
        for problem in problems:
            print(f"{fault}: {problem}", file=sys.stderr)
        right = sum(not one.problems for one in done)
        seconds = sum(one.seconds for one in done) / tries
        reason = re.sub(r'File ".*/', 'File "', done[0].reason)
        shown = (reason if len(reason) < 100 else f"{reason[:97]}...").replace("|", "\\|")
        yield f"| {fault.replace('_', ' ')} | {shown} | {tries} | {right} | {seconds:.1f} |", right == tries


def calls_table(calls: int) -> Iterator[tuple[str, bool]]:
    """Yield the lines for calls with arbitrary arguments, with and without bounds checks."""
    yield "| calls of the public functions | lost | seconds |", True
    yield "|---|---|---|", True
    for words, environment in {"": {}, ", each index checked": {"NUMBA_BOUNDSCHECK": "1"}}.items():
        began = time.perf_counter()
        each = -(-calls // len(refconv.operators))
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/refconv/test_arbitrary.py"],
            cwd=HERE.parents[1],
            env={**os.environ, **environment, "REFCONV_CALLS": str(each)},
            capture_output=True,
            text=True,
        )
        right = run.returncode == 0
        if not right:
            print(run.stdout, run.stderr, file=sys.stderr)
        lost = "none: no crash, no undocumented exception, no warning" if right else "see above"
        yield f"| {each * len(refconv.operators):,}{words} | {lost} | {time.perf_counter() - began:.0f} |", right


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Plant faults, and call with anything.")
    parser.add_argument("--tries", type=int, default=20, help="for each fault; 0 for none")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="only these; all by default")
    parser.add_argument("--calls", type=int, default=100_000, help="with arbitrary arguments; 0 for none")
    parser.add_argument("--write", action="store_true", help="the tables into docs/reliability.md")
    options = parser.parse_args()
    settings.register_profile("reliability", database=None)
    settings.load_profile("reliability")
    oracle.searching.reduction.SHRINKING = 0.3  # a fault is found, not studied
    lines = []
    right = True
    tables = [faults_table(options.fault or list(FAULTS), options.tries)] * bool(options.tries) + [
        calls_table(options.calls)
    ] * bool(options.calls)
    for table in tables:
        for line, holds in table:
            print(line, flush=True)
            lines.append(line)
            right &= holds
        lines.append("")
        print()
    if options.write:
        head, _, rest = PAGE.read_text().partition(MARKERS[0])
        tail = rest.partition(MARKERS[1])[2]
        PAGE.write_text("\n".join([f"{head}{MARKERS[0]}", "", *lines, f"{MARKERS[1]}{tail}"]))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
