"""The CUDA kernel conforms. Without a GPU, ``NUMBA_ENABLE_CUDASIM=1`` runs it in a simulator, slowly."""

import numba_cuda_kernel
import pytest
from numba import cuda

import oracle

if not cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

pytestmark = pytest.mark.cuda

TestConvolution = oracle.conformance_tests(numba_cuda_kernel)
