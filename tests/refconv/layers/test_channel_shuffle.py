import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, channel_shuffle, channel_shuffle_backward


def channels(*values):
    return np.array(values, float).reshape(1, -1, 1)


def test_channels_of_all_groups_are_dealt_out_in_turn():
    output = channel_shuffle(channels(0, 1, 2, 10, 11, 12), groups=2)
    assert output.ravel().tolist() == [0, 10, 1, 11, 2, 12]


def test_the_gradient_goes_back_to_where_each_channel_was():
    grads = channel_shuffle_backward(channels(0, 10, 1, 11, 2, 12), channels(*[0] * 6), groups=2)
    assert grads.input.ravel().tolist() == [0, 1, 2, 10, 11, 12]


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_it_is_undone_by_a_shuffle_with_as_many_groups_as_a_group_had_channels(groups):
    input = np.arange(2 * 12 * 3 * 2.0).reshape(2, 12, 3, 2)
    shuffled = channel_shuffle(input, groups=groups)
    assert (channel_shuffle(shuffled, groups=12 // groups) == input).all()
    assert (channel_shuffle_backward(shuffled, input, groups=groups).input == input).all()
    assert (shuffled == input).all() == (groups in (1, 12))


def test_each_channel_keeps_its_positions():
    input = np.arange(2 * 4 * 6.0).reshape(2, 4, 2, 3)
    assert (channel_shuffle(input, groups=2) == input[:, [0, 2, 1, 3]]).all()


@pytest.mark.parametrize("groups", [1, 3])
def test_results_are_no_views(groups):
    input, grad_output = np.zeros((1, 3, 1)), np.zeros((1, 3, 1))
    assert not np.shares_memory(channel_shuffle(input, groups=groups), input)
    assert not np.shares_memory(channel_shuffle_backward(grad_output, input, groups=groups).input, grad_output)


def test_an_empty_batch_stays_empty():
    empty = np.zeros((0, 4, 5, 6))
    assert (
        channel_shuffle(empty, groups=2).shape
        == channel_shuffle_backward(empty, empty, groups=2).input.shape
        == (0, 4, 5, 6)
    )


@pytest.mark.parametrize(
    ("shape", "groups", "error", "message"),
    [
        ((1, 4, 1), 3, InvalidValueError, "groups must divide channels=4, got 3"),
        ((1, 4, 1), 8, InvalidValueError, "groups must divide channels=4, got 8"),
        ((1, 4, 1), 0, InvalidValueError, "groups must be between 1 and 2147483647, got 0"),
        ((1, 4, 1), 2.0, InvalidTypeError, "groups must be an int, got 2.0"),
        ((1, 4), 2, InvalidValueError, "input must have 3 to 5 axes, (batch, channels, *spatial), got shape (1, 4)"),
    ],
)  # fmt: skip
def test_groups_that_dont_fit_are_refused(shape, groups, error, message):
    for call in (channel_shuffle, lambda x, groups: channel_shuffle_backward(x, x, groups=groups)):
        with pytest.raises(error) as caught:
            call(np.zeros(shape), groups=groups)
        assert str(caught.value) == message
