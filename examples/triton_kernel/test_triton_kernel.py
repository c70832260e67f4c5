"""The Triton kernel conforms. Without a GPU, ``TRITON_INTERPRET=1`` runs it in an interpreter, slowly."""

import os

import pytest

import oracle

triton = pytest.importorskip("triton", reason="needs Triton")
torch = pytest.importorskip("torch", reason="needs PyTorch")
if not torch.cuda.is_available() and not os.environ.get("TRITON_INTERPRET"):
    pytest.skip("needs a GPU", allow_module_level=True)

import triton_kernel  # noqa: E402  # which needs Triton

pytestmark = pytest.mark.cuda

TestLayerNorm = oracle.conformance_tests(triton_kernel)
