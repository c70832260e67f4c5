"""The convolution in C conforms; its first try doesn't, and the report names the bug."""

import shutil

import pytest

import oracle

if not any(map(shutil.which, ("cc", "gcc", "clang"))):
    pytest.skip("needs a C compiler", allow_module_level=True)

from c_convolution import convolution, first_try

TestConvolution = oracle.conformance_tests(convolution)


def test_the_bug_of_the_first_try_is_found_and_named() -> None:
    report = oracle.check(first_try)
    named = {failure.direction: failure.diagnosis for failure in report.failures}
    assert set(named) == {"forward", "backward"}
    assert named["backward"] == "padding swapped between axes"
    assert named["forward"] in {None, "padding swapped between axes, but not in the output's size"}
