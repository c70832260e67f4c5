"""What holds for every operator, over generated cases."""

import inspect
from dataclasses import replace
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numba import config

from properties import LAYOUTS, cases, content, lay_out
from properties.invalid import ROWS, broken
from properties.sizes import MANY
from refconv import ARITHMETICS, Bound, operators
from refconv.bounds import FLOAT64

DATA = st.data()
SEEDS = st.integers(0, 2**32 - 1)
SHUFFLES = SEEDS.map(Random)
STEP = 2.0**-300  # of a complex step: its square is beyond the precision of anything


def some_cases(operator, **given):
    """Cases; as plain Python those with 65,537 samples would cost minutes, and run no other line than those with two."""
    drawn = cases(operator, **given)
    return drawn.filter(lambda case: case.inputs[0].shape[:1] != (MANY,)) if config.DISABLE_JIT else drawn


def integers(case):
    """The case with small integers in float64, on which sums are exact, wherever there are gradients."""
    changed = {"grad_output", *case.row.differentiable}
    arrays = {
        name: content("integer", array.shape, "float64", index)
        if name in changed and array is not None
        else as_dtype(array, np.float64)
        for index, (name, array) in enumerate(case.arrays.items())
    }
    return replace(case, grad_output=arrays.pop("grad_output"), inputs=tuple(arrays.values()))


def is_float(array):
    return array is not None and array.dtype.kind == "f"


def as_dtype(array, dtype):
    return array.astype(dtype) if is_float(array) else array


def each(returned):
    """What a forward returns, as a tuple."""
    return returned if isinstance(returned, tuple) else (returned,)


def first(returned):
    """The one that has gradients."""
    return each(returned)[0]


def within(value, exact, limit):
    """Whether all of `value` lies as close to `exact` as `limit` says, or is the same where that isn't finite."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(exact), abs(value - exact) <= limit, same(value, exact)).all()


def same(one, other):
    return (one == other) | (np.isnan(one) & np.isnan(other))


def forward(case, inputs):
    return operators[case.operator].forward(*inputs, **case.attributes)


def gradients(case, inputs, grad_output):
    return operators[case.operator].backward(grad_output, *inputs, **case.attributes)


def moved(case, name, change):
    """The inputs, the one called `name` changed."""
    return [array if key != name else change(array) for key, array in zip(case.row.inputs, case.inputs, strict=True)]


def differentiable(case):
    return [name for name in case.row.differentiable if case.arrays[name] is not None]


@given(data=DATA, seed=SEEDS)
def test_gradients_are_central_differences_exact_on_integers(exact_operator, data, seed):
    case = integers(data.draw(some_cases(exact_operator)))
    grads = gradients(case, case.inputs, case.grad_output)
    for name in differentiable(case):
        step = content("integer", case.arrays[name].shape, "float64", seed)
        ahead = first(forward(case, moved(case, name, lambda array, step=step: array + step)))
        behind = first(forward(case, moved(case, name, lambda array, step=step: array - step)))
        assert ((ahead - behind) * case.grad_output).sum() == 2 * (step * getattr(grads, name)).sum(), name


@given(data=DATA, seed=SEEDS)
def test_gradients_are_complex_steps(operator, data, seed):
    case = data.draw(some_cases(operator, dtype="float64"))
    complex_inputs = [as_dtype(array, complex) for array in case.inputs]
    grads = gradients(case, case.inputs, case.grad_output)
    with np.errstate(all="ignore"):
        bounds = case.row.backward_bound(FLOAT64, grads, case.grad_output, *case.inputs, **case.attributes)
    limits = dict(zip(case.row.differentiable, bounds, strict=True))
    for name in differentiable(case):
        index = list(case.row.inputs).index(name)
        step = content("normal", case.arrays[name].shape, "float64", seed)
        if step.size == 0:  # there is no direction to step in
            continue
        inputs = [*complex_inputs[:index], complex_inputs[index] + 1j * STEP * step, *complex_inputs[index + 1 :]]
        terms = first(forward(case, inputs)).imag / STEP * case.grad_output
        gradient = step * getattr(grads, name)
        # Both are sums of what is within its bound, and their own roundings.
        error = (abs(step) * limits[name].rigorous).sum() + 1e-13 * (abs(gradient).sum() + abs(terms).sum())
        assert abs(terms.sum() - gradient.sum()) <= 2 * error, name


@given(data=DATA)
def test_complex_gradients_have_the_real_ones_as_real_part(operator, data):
    case = integers(data.draw(some_cases(operator)))
    complex_inputs = [as_dtype(array, complex) for array in case.inputs]
    complex_grads = gradients(case, complex_inputs, case.grad_output.astype(complex))
    grads = gradients(case, case.inputs, case.grad_output)
    bounds = case.row.backward_bound(FLOAT64, grads, case.grad_output, *case.inputs, **case.attributes)
    for grad, complex_grad, bound in zip(grads, complex_grads, bounds, strict=True):
        if grad is not None:
            limit = bound.rigorous + 1e-13 * abs(grad).max(initial=0)
            assert (abs(complex_grad - grad) <= limit).all()
        else:
            assert complex_grad is None


@given(data=DATA)
def test_float32_keeps_the_bounds_around_float64(operator, data):
    case = data.draw(some_cases(operator))
    row = case.row
    grad_output, *doubles = (as_dtype(array, np.float64) for array in case.arrays.values())
    output, grads = forward(case, doubles), gradients(case, doubles, grad_output)
    bound = row.bound(ARITHMETICS["float32"], output, *doubles, **case.attributes)
    bounds = row.backward_bound(ARITHMETICS["float32"], grads, grad_output, *doubles, **case.attributes)
    computed = *each(forward(case, case.inputs)), *gradients(case, case.inputs, case.grad_output)
    limits = *((bound,) if isinstance(bound, Bound) else bound), *bounds
    for value, exact, limit in zip(computed, (*each(output), *grads), limits, strict=True):
        assert value is exact is limit is None or within(value, exact, limit.limit)


@given(data=DATA)
def test_results_have_the_shapes_and_dtype_of_the_contract(operator, data):
    case = data.draw(st.sampled_from(("float32", "float64")).flatmap(lambda dtype: some_cases(operator, dtype=dtype)))
    results = each(forward(case, case.inputs))
    assert len(results) == len(case.row.outputs(**case.attributes))
    assert (results[0].shape, results[0].dtype) == (case.grad_output.shape, case.dtype)
    grads = gradients(case, case.inputs, case.grad_output)
    for name in case.row.differentiable:
        array, grad = case.arrays[name], getattr(grads, name)
        assert grad is array is None or (grad.shape, grad.dtype) == (array.shape, case.dtype)


@given(data=DATA)
def test_the_memory_layout_changes_no_bit_and_no_input(operator, data):
    case = data.draw(some_cases(operator))
    for layout in LAYOUTS:
        arrays = [array if array is None else lay_out(array, layout) for array in case.arrays.values()]
        grad_output, *inputs = arrays
        copies = [None if array is None else array.copy() for array in arrays]
        expected = *each(forward(case, copies[1:])), *gradients(case, copies[1:], copies[0])
        for array in arrays:
            if array is not None:
                array.flags.writeable = False
        computed = *each(forward(case, inputs)), *gradients(case, inputs, grad_output)
        for one, other in zip(expected, computed, strict=True):
            assert one is other is None or one.tobytes() == other.tobytes(), layout


@settings(max_examples=-(-settings.default.max_examples // 3))
@given(data=DATA)
def test_calls_that_make_no_sense_are_refused_by_argument_and_rule(operator, data):
    """Each case breaks a dozen of some hundred rules."""
    case = data.draw(some_cases(operator))
    rows = ROWS[operator]
    for row in data.draw(SHUFFLES).sample(rows, min(len(rows), 12)):
        invalid = broken(case, row)
        calls = [lambda invalid=invalid: gradients(invalid, invalid.inputs, invalid.grad_output)]
        if invalid.argument != "grad_output":
            calls.append(lambda invalid=invalid: forward(invalid, invalid.inputs))
        for call in calls:
            with pytest.raises((ValueError, TypeError)) as caught:
                call()
            assert str(caught.value).startswith(f"{invalid.argument} must {invalid.rule}")
            assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("operator", operators)
def test_the_backward_takes_the_gradient_and_then_what_the_forward_takes(operator):
    row = operators[operator]
    grad_output, *parameters = inspect.signature(row.backward).parameters.values()
    assert grad_output.name == "grad_output"
    assert [(p.name, p.default, p.kind) for p in parameters] == [
        (p.name, p.default, p.kind) for p in inspect.signature(row.forward).parameters.values()
    ]
    assert row.backward.__name__ == f"{operator}_backward"
    assert set(row.differentiable) <= set(row.inputs)


def test_a_row_is_read_off_the_signature():
    row = operators["conv"]
    assert dict(row.inputs) == {"input": False, "weight": False, "bias": True}
    assert dict(row.attributes) == {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
