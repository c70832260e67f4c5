import hypothesis.strategies as st
import pytest
from hypothesis import given

from refconv import InvalidTypeError, InvalidValueError
from refconv.geometry import Window, lifted, output_size, read_pool_window, read_window, transposed_output_size

AXES = st.lists(
    st.tuples(
        st.integers(1, 5),  # kernel
        st.integers(1, 4),  # stride
        st.integers(1, 3),  # dilation
        st.tuples(st.integers(0, 6), st.integers(0, 6)),
        st.integers(1, 12),  # size
    ),
    min_size=1,
    max_size=3,
)


def window_of(axes):
    kernel, stride, dilation, padding, size = zip(*axes, strict=True)
    return read_window(kernel, stride=stride, padding=padding, dilation=dilation), size


def test_an_int_holds_for_every_axis_and_both_sides():
    window = read_window((3, 2), stride=2, padding=1, dilation=3)
    assert window == Window((3, 2), (2, 2), ((1, 1), (1, 1)), (3, 3))


def test_padding_takes_ints_and_pairs_side_by_side():
    assert read_window((3, 2), stride=1, padding=(4, (0, 2)), dilation=1).padding == ((4, 4), (0, 2))


def test_valid_is_no_padding():
    assert read_window((3,), stride=2, padding="valid", dilation=1, words=True).padding == ((0, 0),)


@pytest.mark.parametrize(
    ("kernel", "dilation", "padding"), [(1, 1, (0, 0)), (2, 1, (0, 1)), (3, 1, (1, 1)), (4, 3, (4, 5)), (2, 2, (1, 1))]
)
def test_same_pads_the_odd_one_after(kernel, dilation, padding):
    window = read_window((kernel,), stride=1, padding="same", dilation=dilation, words=True)
    assert window.padding == (padding,)
    assert output_size((7,), window) == (7,)


@given(AXES)
def test_the_output_has_an_entry_for_each_window_that_fits(axes):
    window, size = window_of(axes)
    counted = tuple(
        sum(
            start % stride == 0 and start + dilation * (kernel - 1) < length + before + after
            for start in range(length + before + after)
        )
        for length, kernel, stride, (before, after), dilation in zip(size, *window, strict=True)
    )
    if 0 in counted:
        with pytest.raises(InvalidValueError, match="weight must span at most the padded input's size"):
            output_size(size, window)
    else:
        assert output_size(size, window) == counted


@given(AXES, st.data())
def test_the_transposed_size_is_one_that_convolution_maps_back(axes, data):
    window, size = window_of(axes)
    extra = tuple(data.draw(st.integers(0, stride - 1)) for stride in window.stride)
    uncropped = window._replace(padding=((0, 0),) * len(size))
    full = transposed_output_size(size, uncropped, extra)
    cropped = tuple(length - sum(pair) for length, pair in zip(full, window.padding, strict=True))
    if min(cropped) < 1:
        with pytest.raises(InvalidValueError, match=r"^padding must leave an output of at least 1"):
            transposed_output_size(size, window, extra)
    else:
        assert transposed_output_size(size, window, extra) == cropped
        assert output_size(cropped, window) == size


def test_shapes_are_lifted_by_unit_axes_in_front():
    assert lifted((2, 3, 7)) == (2, 3, 1, 1, 7)
    assert lifted((2, 3, 5, 7)) == (2, 3, 1, 5, 7)
    assert lifted((2, 3, 4, 5, 7)) == (2, 3, 4, 5, 7)


def test_windows_are_lifted_by_windows_of_one_tap():
    window = read_window((3, 2), stride=(2, 3), padding=((1, 0), (4, 5)), dilation=(2, 1))
    assert window.loop_form() == ((1, 2, 3), (0, 1, 4), (1, 2, 1))


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"stride": 0}, InvalidValueError, r"^stride must be between 1 and 2147483647, got 0$"),
        ({"stride": (1, -1)}, InvalidValueError, r"^stride must be between 1 and 2147483647, got \(1, -1\)$"),
        ({"stride": (1, 1, 1)}, InvalidTypeError, r"^stride must be an int or a sequence of 2 ints, got \(1, 1, 1\)$"),
        ({"stride": float("nan")}, InvalidTypeError, r"^stride must be an int or a sequence of 2 ints, got nan$"),
        ({"stride": True}, InvalidTypeError, r"^stride must be an int or a sequence of 2 ints, got True$"),
        ({"dilation": 2**31}, InvalidValueError, r"^dilation must be between 1 and 2147483647, got 2147483648$"),
        (
            {"padding": (0, (0, -1))},
            InvalidValueError,
            r"^padding must be between 0 and 2147483647, got \(0, \(0, -1\)\)$",
        ),
        (
            {"padding": (0, (1, 2, 3))},
            InvalidTypeError,
            r"^padding must be an int or a sequence of 2 ints or \(before, ",
        ),
        ({"padding": "full"}, InvalidValueError, r"^padding must be 'valid' or 'same' if it is a word, got 'full'$"),
        (
            {"padding": "same", "stride": 2},
            InvalidValueError,
            r"^stride must be 1 where padding is 'same', got \(2, 2\)$",
        ),
    ],
)
def test_an_attribute_that_makes_no_sense_is_refused_by_name(attributes, error, message):
    with pytest.raises(error, match=message):
        read_window((3, 3), **{"stride": 1, "padding": 0, "dilation": 1, **attributes}, words=True)


def test_a_word_is_refused_where_padding_takes_none():
    with pytest.raises(InvalidTypeError, match=r"^padding must be an int or a sequence of 1 ints or .* got 'same'$"):
        read_window((3,), stride=1, padding="same", dilation=1)


def test_output_padding_must_be_below_stride_or_dilation():
    window = read_window((3,), stride=2, padding=0, dilation=3)
    assert transposed_output_size((4,), window, 2) == (15,)
    with pytest.raises(
        InvalidValueError, match=r"^output_padding must be smaller than stride \(2,\) or dilation \(3,\)"
    ):
        transposed_output_size((4,), window, 3)


def test_padding_must_leave_something_of_a_transposed_output():
    window = read_window((3,), stride=1, padding=3, dilation=1)
    with pytest.raises(
        InvalidValueError, match=r"^padding must leave an output of at least 1 .* got output size \(0,\)$"
    ):
        transposed_output_size((4,), window, 0)


def test_a_pooling_window_moves_by_its_size_unless_told_otherwise():
    window = read_pool_window((2, 3), 2, stride=None, padding=(1, (0, 2)))
    assert window == Window((2, 3), stride=(2, 3), padding=((1, 1), (0, 2)), dilation=(1, 1))
    assert read_pool_window(2, 1, stride=1, padding=0, dilation=3) == Window((2,), (1,), ((0, 0),), (3,))
    with pytest.raises(InvalidValueError, match=r"^kernel_size must be between 1 and 2147483647, got 0$"):
        read_pool_window(0, 1, stride=None, padding=0)
