"""The oracle: run an implementation over generated cases, judge it by error bounds, and shrink what fails."""

from oracle.checking import check
from oracle.conformance import conformance_tests
from oracle.contract import Deviation, Unsupported
from oracle.judging.judge import Verdict, compare
from oracle.replay import replay
from oracle.reporting.files import FileError
from oracle.reporting.report import Failure, Report, Tally
from oracle.subjects import LoadError, load, subject

__all__ = [
    "Deviation",
    "Failure",
    "FileError",
    "LoadError",
    "Report",
    "Tally",
    "Unsupported",
    "Verdict",
    "check",
    "compare",
    "conformance_tests",
    "load",
    "replay",
    "subject",
]
