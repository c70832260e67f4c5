"""The reference on workloads, beside PyTorch: ``pytest bench/test_workloads.py --benchmark-...``."""

from bench.suites import suite

TestOperators = suite("refconv", workload="operators")
TestResNet50 = suite("refconv", workload="resnet50")
