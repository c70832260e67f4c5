"""JAX's convolution conforms, forward and by its vector-Jacobian product."""

import jax_function

import oracle

TestConvolution = oracle.conformance_tests(jax_function)
