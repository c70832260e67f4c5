import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.judging.judge import expectation
from properties import cases, from_fields, to_fields
from properties.arrays import DTYPES
from properties.strategies import STRATEGIES
from refconv import ARITHMETICS, operators

OPERATORS = pytest.mark.parametrize("operator", operators)


def test_every_operator_has_a_strategy():
    assert sorted(STRATEGIES) == sorted(operators)


@OPERATORS
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(data=st.data())
def test_arrays_have_the_dtype_that_was_asked_for(operator, dtype, data):
    case = data.draw(cases(operator, dtype=dtype))
    held = {name: str(array.dtype) for name, array in case.arrays.items() if array is not None}
    indices = {name for name in held if held[name] == "int64"}
    assert indices <= {"indices", "target"}
    assert {held[name] for name in held if name not in indices} == {dtype}


@OPERATORS
def test_every_case_is_valid_whole_and_of_the_output_s_shape(operator, drawn):
    for case in drawn(operator):
        assert set(case.attributes) == set(case.row.attributes)
        returned = case.row.forward(*case.inputs, **case.attributes)
        output = returned[0] if isinstance(returned, tuple) else returned
        assert output.shape == case.grad_output.shape


@pytest.mark.parametrize("direction", ["forward", "backward"])
@OPERATORS
def test_hardly_any_case_but_empty_batches_proves_nothing(operator, direction, drawn):
    def proves_nothing(case):
        expected = expectation(case, direction, ARITHMETICS["float32"]).values()
        floats = [item for item in expected if item is not None and item.value.dtype.kind == "f"]
        return any((item.bound.limit >= abs(item.value)).all() for item in floats)

    vacuous = [case for case in drawn(operator) if case.inputs[0].size and proves_nothing(case)]
    assert len(vacuous) <= 0.02 * len(drawn(operator))  # sums of a few integers that happen to be zero


@OPERATORS
def test_the_same_seed_draws_the_same_cases(operator, collect):
    one, other = (collect(cases(operator), 30, seed=7) for _ in range(2))
    assert [repr(case) for case in one] == [repr(case) for case in other]
    assert all(a.grad_output.tobytes() == b.grad_output.tobytes() for a, b in zip(one, other, strict=True))


@OPERATORS
def test_cases_can_be_written_down_and_read_back(operator, collect):
    for case in collect(cases(operator), 30):
        again = from_fields(json.loads(json.dumps(to_fields(case), allow_nan=False)))
        assert repr(again) == repr(case)
        for one, other in zip(again.arrays.values(), case.arrays.values(), strict=True):
            assert one is other is None or (one.tobytes(), one.dtype, one.shape) == (
                other.tobytes(),
                other.dtype,
                other.shape,
            )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operator": "convolve"}, "^operator must be one of conv, conv_transpose, .*got 'convolve'$"),
        (
            {"operator": "conv", "dtype": "int8"},
            "^dtype must be one of float32, float64, float16, bfloat16, got 'int8'$",
        ),
    ],
)
def test_what_isnt_known_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cases(**arguments)


DRAWN = """
import hashlib, sys
from hypothesis import HealthCheck, Phase, given, seed, settings
import properties, refconv
if sys.argv[1] == "more":
    import constants

digest = hashlib.blake2b()
quietly = {"database": None, "deadline": None, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}
for operator in refconv.operators:
    for strategy in properties.cases(operator, specials=True), properties.contradictory_cases(operator):
        @seed(0)
        @settings(max_examples=25, **quietly)
        @given(strategy)
        def draw(case):
            digest.update(repr(case).encode())
            for array in case.arrays.values():
                digest.update(b"" if array is None else array.tobytes())

        draw()
    print(operator, digest.hexdigest())
"""


def test_what_is_drawn_does_not_depend_on_the_constants_of_other_modules(tmp_path):
    numbers = [*range(100, 4000, 7), 0.37, -12.5, 3e7]
    (tmp_path / "constants.py").write_text(f"INTEGERS = {numbers}\nWORDS = ['zeros', 'reflect', 'mean', 'other']\n")
    alone, more = (
        subprocess.run(
            [sys.executable, "-c", DRAWN, which], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for which in ("alone", "more")
    )
    assert alone == more
    assert len(alone) == len(operators)
