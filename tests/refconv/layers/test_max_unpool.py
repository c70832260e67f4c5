import numpy as np
import pytest
from hypothesis import given

from properties import cases
from refconv import InvalidTypeError, InvalidValueError, max_pool, max_unpool, max_unpool_backward

X = np.array([[[1.0, 2.0]]])


@given(cases("max_unpool", dtype="float64"))
def test_it_writes_one_element_after_the_other(case):
    input, indices = case.inputs
    expected = np.zeros(case.grad_output.shape)
    for n, c in np.ndindex(*input.shape[:2]):
        plane = expected[n, c].reshape(-1)
        for value, place in zip(input[n, c].ravel(), indices[n, c].ravel(), strict=True):
            plane[place] = value
    assert (max_unpool(input, indices, **case.attributes) == expected).all()


def test_values_go_where_they_came_from():
    indices = np.array([[[3, 0]]])
    assert max_unpool(X, indices, output_size=4).tolist() == [[[2, 0, 0, 1]]]
    grads = max_unpool_backward(np.array([[[1.0, 10.0, 100.0, 1000.0]]]), X, indices, output_size=4)
    assert grads.input.tolist() == [[[1000, 1]]]


def test_it_undoes_maximum_pooling_but_for_what_was_lost():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6))
    output, indices = max_pool(x, kernel_size=2, return_indices=True)
    restored = max_unpool(output, indices, output_size=(4, 6))
    assert (restored[restored != 0] == x[restored != 0]).all()
    assert np.count_nonzero(restored) == output.size


def test_of_elements_that_go_to_one_place_the_last_is_kept_and_has_the_gradient():
    indices = np.array([[[1, 1]]])
    assert max_unpool(X, indices, output_size=2).tolist() == [[[0, 2]]]
    assert max_unpool_backward(np.array([[[5.0, 7.0]]]), X, indices, output_size=2).input.tolist() == [[[0, 7]]]


def test_an_empty_batch_gives_an_empty_output():
    x, indices = np.zeros((0, 2, 3)), np.zeros((0, 2, 3), np.int64)
    assert max_unpool(x, indices, output_size=5).shape == (0, 2, 5)
    assert max_unpool_backward(np.zeros((0, 2, 5)), x, indices, output_size=5).input.shape == x.shape


@pytest.mark.parametrize("place", [-1, 4, 2**62, np.iinfo(np.int64).min])
def test_an_index_outside_of_the_output_is_refused_never_written(place):
    indices = np.array([[[0, place]]])
    message = rf"^indices must be between 0 and 3 everywhere, got {place}$"
    with pytest.raises(InvalidValueError, match=message):
        max_unpool(X, indices, output_size=4)
    with pytest.raises(InvalidValueError, match=message):
        max_unpool_backward(np.zeros((1, 1, 4)), X, indices, output_size=4)


@pytest.mark.parametrize(
    ("kind", "indices", "message"),
    [
        (InvalidTypeError, np.zeros((1, 1, 2), np.int32), "indices must have dtype int64, got int32"),
        (InvalidTypeError, [[[0, 1]]], "indices must be a NumPy array, got list"),
        (InvalidTypeError, np.ma.masked_array(np.zeros((1, 1, 2), np.int64)), "indices must be a NumPy array, got MaskedArray"),
        (InvalidValueError, np.zeros((1, 2), np.int64), "indices must have shape (1, 1, 2), got (1, 2)"),
    ],
)  # fmt: skip
def test_indices_that_make_no_sense_are_refused(kind, indices, message):
    with pytest.raises(kind) as caught:
        max_unpool(X, indices, output_size=4)
    assert str(caught.value) == message


def test_indices_that_are_giant_by_a_stride_of_0_are_refused():
    giant = np.broadcast_to(np.zeros((), np.int64), (2**20, 2**20, 2))
    with pytest.raises(InvalidValueError, match=r"^indices must fit into a quarter of memory"):
        max_unpool(X, giant, output_size=4)
