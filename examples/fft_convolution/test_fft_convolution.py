"""The convolution by FFT conforms by bounds that are norms, and not by those of sums of products."""

import fft_convolution

import oracle

TestConvolution = oracle.conformance_tests(fft_convolution, arithmetic="fast")


def test_errors_are_larger_than_those_of_sums() -> None:
    report = oracle.check(fft_convolution)
    assert not report.passed
    assert {failure.direction for failure in report.failures} == {"forward", "backward"}
