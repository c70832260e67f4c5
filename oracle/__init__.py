"""The oracle: run an implementation over generated cases, judge it by error bounds, and shrink what fails."""

from oracle.deviations import Deviation
from oracle.judge import Unsupported, Verdict, compare
from oracle.report import Failure, Report, Tally
from oracle.search import check
from oracle.subjects import LoadError, load, subject

__all__ = [
    "Deviation",
    "Failure",
    "LoadError",
    "Report",
    "Tally",
    "Unsupported",
    "Verdict",
    "check",
    "compare",
    "load",
    "subject",
]
