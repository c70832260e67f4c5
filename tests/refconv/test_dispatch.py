"""Which way a correlation is computed."""

import threading

import numpy as np
import pytest

from properties import content
from refconv import (
    InvalidTypeError,
    InvalidValueError,
    conv,
    conv_backward,
    conv_transpose,
    correlation,
    dispatch,
    flat,
    using,
)


@pytest.fixture
def taken(monkeypatch):
    """The names of the modules whose `correlate` was called."""
    names = []
    for module in (correlation, flat):

        def called(*arguments, module=module, correlate=module.correlate):
            names.append(module.__name__)
            return correlate(*arguments)

        monkeypatch.setattr(module, "correlate", called)
    return names


def call(channels, dtype="float64"):
    return conv(content("integer", (1, channels, 4), dtype, 0), content("integer", (channels, channels, 1), dtype, 1))


def test_there_is_enough_to_do_from_so_many_products_on(taken, monkeypatch):
    monkeypatch.setattr(dispatch, "ENOUGH", 3 * 3 * 4)
    call(2)
    assert taken.pop() == "refconv.correlation"
    call(3)
    assert taken.pop() == "refconv.flat"


@pytest.mark.parametrize(("stride", "path"), [(1, "flat"), (2, "correlation")])
def test_each_sweep_of_a_transposed_correlation_needs_enough_to_do(monkeypatch, stride, path):
    taken = []
    for module in (correlation, flat):

        def called(*arguments, name=module.__name__, correlate=module.correlate_transposed):
            taken.append(name)
            return correlate(*arguments)

        monkeypatch.setattr(module, "correlate_transposed", called)
    monkeypatch.setattr(dispatch, "ENOUGH", 2 * 2 * 5 * 3)
    conv_transpose(
        content("integer", (1, 2, 5), "float64", 0), content("integer", (2, 2, 3), "float64", 1), stride=stride
    )
    assert taken == [f"refconv.{path}"]


def test_either_way_can_be_forced_and_blocks_nest(taken):
    with using("fast"):
        call(1)
        with using("definition"):
            call(1)
            with using("auto"):
                call(1)
        call(1)
    call(1)
    names = [name.removeprefix("refconv.") for name in taken]
    assert names == ["flat", "correlation", "correlation", "flat", "correlation"]


def test_an_error_ends_the_block(taken):
    with pytest.raises(RuntimeError), using("fast"):
        raise RuntimeError
    call(1)
    assert taken == ["refconv.correlation"]


def test_another_thread_is_not_forced(taken):
    with using("fast"):
        thread = threading.Thread(target=call, args=(1,))
        thread.start()
        thread.join()
    assert taken == ["refconv.correlation"]


@pytest.mark.parametrize(("path", "error"), [("slow", InvalidValueError), (1, InvalidTypeError)])
def test_there_are_three_paths(path, error):
    with pytest.raises(error, match=r"^path must be one of 'auto', 'definition', 'fast', got "), using(path):
        pass


def test_an_empty_batch_has_nothing_to_do(taken):
    with using("fast"):
        assert conv(np.ones((0, 2, 3)), np.ones((4, 2, 1))).shape == (0, 4, 3)
    assert taken == ["refconv.correlation"]


def test_only_what_is_not_finite_is_computed_by_the_definition(monkeypatch):
    computed = []
    at = correlation._output_at
    monkeypatch.setattr(correlation, "_output_at", lambda *indices: computed.append(indices[:5]) or at(*indices))
    signal = np.array([[[1.0, 2.0, np.inf, 4.0, 5.0]]])
    fill = getattr(correlation._fill_output, "py_func", correlation._fill_output)
    monkeypatch.setattr(correlation, "_fill_output", fill)
    with using("fast"):
        output = conv(signal, np.array([[[1.0, 0.0]]]), padding=1)
    assert np.array_equal(output, [[[0, 1, np.nan, np.inf, 4, 5]]], equal_nan=True)
    assert [indices[4] for indices in computed] == [2, 3]


def test_padding_is_skipped_and_not_multiplied_by_infinity():
    with using("fast"):
        output = conv(np.array([[[1.0, 2.0]]]), np.array([[[np.inf, 1.0]]]), padding=1)
    assert output.tolist() == [[[1, np.inf, np.inf]]]


def test_complex_arrays_are_exact_on_integers_too():
    shapes = (2, 3, 5, 6), (4, 3, 2, 3), (2, 4, 4, 4)
    signal, weight, grad = (
        content("integer", shape, "float64", 2 * index) + 1j * content("integer", shape, "float64", 2 * index + 1)
        for index, shape in enumerate(shapes)
    )
    results = []
    for path in ("definition", "fast"):
        with using(path):
            results.append([conv(signal, weight), *conv_backward(grad, signal, weight)[:2]])
    for expected, found in zip(*results, strict=True):
        assert found.dtype == "complex128"
        assert (found == expected).all()


def test_complex_infinities_are_left_to_the_definition():
    signal = np.array([[[1.0, complex(np.inf, 1), 3j, 2.0]]])
    weight = np.array([[[2j, 1.0]]])
    with using("definition"):
        expected = conv(signal, weight)
    with using("fast"):
        found = conv(signal, weight)
    assert np.array_equal(found, expected, equal_nan=True)
