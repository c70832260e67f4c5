"""ONNX Runtime's convolution conforms; it has no backward, whose tests are skipped."""

import onnx_model

import oracle

TestConvolution = oracle.conformance_tests(onnx_model)
