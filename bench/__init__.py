"""How fast an implementation is, beside whom, and since when slower; and how good the oracle is.

>>> TestSpeed = bench.suite(my_implementation, workload="mobilenet", operators=["conv"])
"""

from bench.suites import suite
from bench.workloads import NAMES as WORKLOADS

__all__ = ["WORKLOADS", "suite"]
