"""Whatever a call is given, it returns what is right or refuses with an error that the docstring names."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import config

from properties.arbitrary import arbitrary_calls
from refconv.arguments import InvalidTypeError, InvalidValueError

CALLS = int(os.environ.get("REFCONV_CALLS", "0"))


def bits(results):
    arrays = results if isinstance(results, tuple) else (results,)
    return [None if array is None else (array.dtype, array.shape, array.tobytes()) for array in arrays]


@pytest.mark.slow
@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="as plain Python, what is drawn takes too long")
# Calls that are refused cost little: twice as many as of others; REFCONV_CALLS asks for more.
@settings(max_examples=CALLS or 2 * settings.default.max_examples, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_call_is_right_or_refused(operator, data):
    call = data.draw(arbitrary_calls(operator))
    before = [
        value.tobytes() if isinstance(value, np.ndarray) and value.size < 10**6 else None for value in call.arguments
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            results = call.run()
        except (InvalidTypeError, InvalidValueError) as error:
            refusal = error
        else:
            refusal = None
    if refusal is not None:
        assert f"{refusal.argument} must {refusal.rule}, got " in str(refusal)
        return
    if (
        sum(array.nbytes for array in (results if isinstance(results, tuple) else (results,)) if array is not None)
        < 2**26
    ):
        assert bits(results) == bits(call.plainly().run())
    assert before == [
        value.tobytes() if isinstance(value, np.ndarray) and value.size < 10**6 else None for value in call.arguments
    ]
