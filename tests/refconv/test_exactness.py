"""Where nothing is rounded, nothing but equality passes; where something may be, more does."""

import numpy as np
import pytest

from refconv import ARITHMETICS, operators
from refconv.rounding import Rounded, exactly

FLOAT32, ABSOLUTE = ARITHMETICS["float32"], ARITHMETICS["absolute"]
X = np.array([[[0.1, -0.7, 3.3]]])
NORMS = {  # of one value each; batch and instance norm refuse such
    "layer_norm": (X.reshape(3, 1), {"normalized_shape": 1}, 1),
    "group_norm": (X.reshape(1, 3, 1), {"num_groups": 3}, 3),
}


def limits(operator, *inputs, arithmetic=FLOAT32, grad=None, **attributes):
    """Return what may differ of the output, and of each gradient."""
    row = operators[operator]
    inputs = (*inputs, *[None] * (len(row.inputs) - len(inputs)))
    attributes = {**row.attributes, **attributes}
    output = row.forward(*inputs, **attributes)
    bound = row.bound(arithmetic, output, *inputs, **attributes)
    first = output[0] if isinstance(output, tuple) else output
    grad = np.random.default_rng(0).standard_normal(first.shape) if grad is None else grad
    grads = row.backward(grad, *inputs, **attributes)
    backward = row.backward_bound(arithmetic, grads, grad, *inputs, **attributes)
    forward = bound[0] if isinstance(output, tuple) else bound
    return forward.limit, *(None if each is None else each.limit for each in backward)


@pytest.mark.parametrize("operator", NORMS)
def test_a_value_is_its_own_mean(operator):
    input, attributes, channels = NORMS[operator]
    weight, bias = np.random.default_rng(0).standard_normal((2, channels))
    for parameters in ((weight, bias), (weight, None), (None, None)):
        output, grad_input, *grads = limits(operator, input, *parameters, **attributes)
        assert not output.any()
        assert not grad_input.any()
        assert parameters[0] is None or not grads[0].any()


def test_two_values_have_a_mean_that_is_rounded():
    assert all(limit.all() for limit in limits("layer_norm", X[0, :, :2], *np.ones((2, 2)), normalized_shape=2)[:3])
    assert all(limit.all() for limit in limits("group_norm", X, *np.ones((2, 1)), num_groups=1))


@pytest.mark.parametrize("operator", NORMS)
def test_a_folded_norm_of_one_value_is_accurate_beside_that(operator):
    input, attributes, channels = NORMS[operator]
    weight, bias = np.ones(channels), np.zeros(channels)
    limit = limits(operator, input, weight, bias, arithmetic=ABSOLUTE, **attributes)[0]
    r = 1 / np.sqrt(1e-5)
    folded = np.float32(input) * np.float32(r) - (np.float32(input) * np.float32(r)).astype(float)
    assert (abs(folded) <= limit).all()
    assert limit.max() > abs(X).max() * r * 2.0**-24


def test_without_eps_one_value_is_nothing_by_nothing():
    with np.errstate(all="ignore"):
        assert np.isinf(limits("layer_norm", X.reshape(3, 1), normalized_shape=1, eps=0.0)[0]).all()


@pytest.mark.parametrize("operator", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "absolute"])
def test_one_entry_has_the_whole_share(operator, dtype):
    output, grad_input = limits(operator, X.reshape(3, 1), axis=1, arithmetic=ARITHMETICS[dtype])
    assert not output.any()
    assert not grad_input.any() or dtype not in ("float32", "float64")
    assert limits(operator, X.reshape(1, 3), axis=1)[0].all()


def test_of_one_class_nothing_is_lost():
    loss, grad_input = limits("cross_entropy", X.reshape(3, 1), np.zeros(3, int), grad=np.array(1.3))
    assert not loss.any()
    assert not grad_input.any()


@pytest.mark.parametrize(
    ("operator", "attributes", "forward", "backward"),
    [
        ("avg_pool", {"kernel_size": 1}, True, True),
        ("avg_pool", {"kernel_size": 2, "stride": 1, "padding": 1, "count_include_pad": False}, [1, 0, 0, 1], False),
        ("avg_pool", {"kernel_size": 2, "stride": 2, "padding": 1}, [1, 0], True),  # halved
        ("adaptive_avg_pool", {"output_size": 3}, True, True),
        ("adaptive_avg_pool", {"output_size": 2}, False, [1, 0, 1]),
        ("blur_pool", {"kernel_size": 1, "stride": 1}, True, True),
        ("upsample", {"size": 3, "mode": "linear"}, True, True),
        ("upsample", {"size": 4, "mode": "linear", "align_corners": True}, [1, 0, 0, 0], False),
        ("upsample", {"size": 6, "mode": "nearest"}, True, False),
        ("pad", {"padding": 1, "mode": "replicate"}, True, [0, 1, 0]),
        ("max_pool", {"kernel_size": 1}, True, True),
        ("max_pool", {"kernel_size": 2, "stride": 1}, True, True),
        ("max_pool", {"kernel_size": 3, "stride": 1, "padding": 1}, True, [1, 1, 0]),
        ("adaptive_max_pool", {"output_size": 3}, True, True),
        ("lp_pool", {"norm_type": float("inf"), "kernel_size": 1}, True, True),
    ],
)
def test_what_is_alone_in_its_sum_is_moved(operator, attributes, forward, backward):
    found = limits(operator, X, **attributes)
    for limit, exact in zip(found, (forward, backward), strict=True):
        expected = np.broadcast_to(np.asarray(exact, bool), limit[0, 0].shape) if exact is not False else None
        assert limit.any() if expected is None else ((limit[0, 0] == 0) == expected).all(), (limit, exact)


def test_a_gradient_of_a_bias_is_a_plain_sum():
    rng = np.random.default_rng(0)
    for operator, shapes in (("conv", [(1, 2, 2), (3, 2, 2), 3]), ("linear", [(1, 2), (3, 2), 3])):
        *_, alone = limits(operator, *(rng.standard_normal(shape) for shape in shapes))
        assert not alone.any()
    *_, two = limits("linear", *(rng.standard_normal(shape) for shape in [(2, 2), (3, 2), 3]))
    assert two.all()
    *_, rounded = limits("linear", *map(rng.standard_normal, [(1, 2), (3, 2), 3]), arithmetic=ARITHMETICS["tf32"])
    assert rounded.all()  # it may be a product with ones


def test_what_is_too_small_may_be_lost_though_nothing_is_rounded():
    tiny = np.full((1, 1, 1), 2.0**-130)
    assert (limits("max_pool", tiny, kernel_size=1, grad=tiny)[1] >= tiny).all()


@pytest.mark.parametrize(
    "exact",
    [
        lambda x: x * 1.0,
        lambda x: x * exactly(np.ones(3), FLOAT32),
        lambda x: -1.0 * x,
        lambda x: x / 1.0,
        lambda x: x + 0.0,
        lambda x: 0.0 - x,
        lambda x: x - x,
        lambda x: x * 0.0,
        lambda x: (x * 0.0).exp(),
        lambda x: (x * 0.0).exp().log(),
        lambda x: x.moved(lambda array: array[:, None]).sum(1),
        lambda x: x.moved(lambda array: array[:, None]).mean(1),
    ],
)
def test_a_step_that_rounds_nothing_has_no_error(exact):
    assert not exact(exactly(X[0, 0], FLOAT32)).error.any()
    uncertain = exact(Rounded(X[0, 0], np.full(3, 1e-3), FLOAT32))
    assert (uncertain.error <= 2.1e-3).all()


@pytest.mark.parametrize("rounded", [lambda x: x * 3.0, lambda x: x / 3.0, lambda x: x + 1.0, lambda x: x.exp()])
def test_other_steps_have(rounded):
    assert rounded(exactly(X[0, 0], FLOAT32)).error.all()
