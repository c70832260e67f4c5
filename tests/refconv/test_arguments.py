import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, arguments

VALUES = np.arange(24.0).reshape(2, 3, 4)


def unaligned(array):
    room = np.zeros(array.nbytes + 1, np.uint8)
    view = room[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def read_only(array):
    view = array.view()
    view.flags.writeable = False
    return view


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(VALUES),
        VALUES[::-1, :, ::-1][::-1, :, ::-1],
        VALUES.astype(">f8"),
        unaligned(VALUES),
        read_only(VALUES),
        VALUES.view(type("Subclass", (np.ndarray,), {})),
    ],
    ids=["fortran", "reversed", "byte-swapped", "unaligned", "read-only", "subclass"],
)
def test_the_loops_get_plain_arrays_whatever_was_given(array):
    plain = arguments.array("input", array)
    assert type(plain) is np.ndarray
    assert plain.dtype == np.dtype("=f8")
    assert plain.flags.c_contiguous
    assert plain.flags.aligned
    assert plain.flags.writeable
    assert (plain == VALUES).all()


def test_a_plain_array_isnt_copied():
    assert np.shares_memory(arguments.array("input", VALUES), VALUES)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "input must be a NumPy array, got NoneType"),
        ("x", "input must be a NumPy array, got str"),
        ([[1.0]], "input must be a NumPy array, got list"),
        (np.ma.masked_array([1.0]), "input must have no mask, got MaskedArray"),
        (np.zeros(1, np.int32), "input must have dtype float32, float64 or complex128, got int32"),
        (np.zeros(1, object), "input must have dtype float32, float64 or complex128, got object"),
    ],
)
def test_what_is_no_array_of_floats_is_refused(value, message):
    with pytest.raises(InvalidTypeError, match=f"^{re.escape(message)}$"):
        arguments.array("input", value)


def test_dtypes_arent_mixed():
    with pytest.raises(InvalidTypeError, match=r"^weight must have the dtype of input, float32, got float64$"):
        arguments.array("weight", VALUES, like=VALUES.astype(np.float32))


def test_a_view_larger_than_memory_is_refused_before_it_is_copied():
    giant = np.broadcast_to(np.zeros(1), (2**20, 2**20, 2**10))
    with pytest.raises(
        InvalidValueError, match=r"^input must fit into a quarter of memory \(\d+ bytes\), got shape \(1048576, "
    ):
        arguments.array("input", giant)


def test_numpy_integers_are_ints_and_bools_arent():
    assert arguments.integer("groups", np.int16(3), at_least=1) == 3
    for value in (True, np.True_, 3.0):
        with pytest.raises(InvalidTypeError, match=r"^groups must be an int, got "):
            arguments.integer("groups", value, at_least=1)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int8(1), Fraction(1, 2)])
def test_numbers_are_real(value):
    found = arguments.real("eps", value, at_least=0, at_most=1)
    assert (type(found), found) == (float, float(value))


@pytest.mark.parametrize("value", [True, np.True_, "1", 1j, None, np.array(1.0)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InvalidTypeError, match=r"^eps must be a real number, got "):
        arguments.real("eps", value)


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (float("inf"), {}, "eps must be finite, got inf"),
        (10**400, {}, "eps must be finite, got 1000"),
        (-1, {"at_least": 0}, "eps must be finite and at least 0, got -1"),
        (float("nan"), {"at_least": 0}, "eps must be finite and at least 0, got nan"),
        (1.5, {"at_least": 0, "at_most": 1}, "eps must be between 0 and 1, got 1.5"),
        (-0.5, {"at_least": 0, "at_most": 1}, "eps must be between 0 and 1, got -0.5"),
    ],
)
def test_a_number_out_of_its_range_is_refused(value, limits, message):
    with pytest.raises(InvalidValueError, match=f"^{re.escape(message)}"):
        arguments.real("eps", value, **limits)


def test_numpy_s_bools_are_true_or_false_and_numbers_arent():
    assert arguments.boolean("training", np.True_) is True
    for value in (1, 0, None, "True"):
        with pytest.raises(InvalidTypeError, match=r"^training must be True or False, got "):
            arguments.boolean("training", value)


def test_a_value_that_cannot_be_shown_is_refused_all_the_same():
    with pytest.raises(InvalidValueError, match=r"^groups must be between 1 and 2147483647, got a value of type int$"):
        arguments.integer("groups", 10**5000, at_least=1)


def test_only_true_and_false_are_booleans():
    for value in (True, np.True_):
        assert arguments.boolean("ceil_mode", value) is True
    with pytest.raises(InvalidTypeError, match=r"^ceil_mode must be True or False, got 1$"):
        arguments.boolean("ceil_mode", 1)


def test_a_word_must_be_one_of_the_choices():
    with pytest.raises(InvalidValueError, match=r"^mode must be one of 'a', 'b', got 'c'$"):
        arguments.one_of("mode", "c", ("a", "b"))
    with pytest.raises(InvalidTypeError, match=r"^mode must be one of 'a', 'b', got 1$"):
        arguments.one_of("mode", 1, ("a", "b"))


def test_refusals_are_value_and_type_errors_that_pickle():
    for kind, base in ((InvalidValueError, ValueError), (InvalidTypeError, TypeError)):
        error = pickle.loads(pickle.dumps(kind("stride", "be an int", "2")))
        assert isinstance(error, base)
        assert (error.argument, error.rule, error.got) == ("stride", "be an int", "2")
        assert str(error) == "stride must be an int, got 2"
