"""The script's table, shortened."""

import importlib.util
import sys
from pathlib import Path

import pytest

from oracle.searching import entanglement, reduction, studying

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def script():
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("reliability", HERE / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def faults():
    text = (HERE / "faults.py").read_text().partition("FAULTS = {")[2]
    return [line.split('"')[1] for line in text.partition("\n}")[0].splitlines() if '"' in line]


@pytest.mark.skipif(sys.platform != "linux", reason="some faults are Linux's")
@pytest.mark.parametrize("fault", faults())
def test_a_planted_fault_is_reported_as_what_it_is(script, fault, monkeypatch, fresh_database):
    monkeypatch.setattr(reduction, "SHRINKING", 0.3)  # a fault is found, not studied
    for name in ("SIMPLIFYING", "PROBING", "PARTING"):
        monkeypatch.setattr(studying, name, 0.3)
    monkeypatch.setattr(studying, "PROBES", 5)
    monkeypatch.setattr(entanglement, "TRIES", 3)
    assert script.attempt(fault, seed=0).problems == []
