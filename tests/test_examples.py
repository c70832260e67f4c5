"""Each example, as a stranger runs it: its own tests, in its own folder."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"jax_function": ["jax"], "onnx_model": ["onnx", "onnxruntime"], "triton_kernel": ["triton"]}
FEW = {"jax_function": ["--refconv-examples", "12"]}  # which compiles for each
ON_A_GPU = ("numba_cuda_kernel", "triton_kernel")


@pytest.mark.parametrize("folder", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_an_example_s_tests_pass(folder, tmp_path):
    lacking = [name for name in NEEDS.get(folder, []) if find_spec(name) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    if folder == "c_convolution" and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("needs a C compiler")
    copy = shutil.copytree(EXAMPLES / folder, tmp_path / folder)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *FEW.get(folder, [])],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    passed = re.search(r"(\d+) passed", run.stdout)
    if run.returncode == pytest.ExitCode.NO_TESTS_COLLECTED and folder in ON_A_GPU:
        pytest.skip("needs a GPU")
    assert run.returncode == 0, run.stdout
    assert int(passed[1]) > 10
