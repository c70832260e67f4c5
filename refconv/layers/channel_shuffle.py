"""Channels dealt out, so that what groups computed apart is mixed.

output[n, c * groups + g, p] = input[n, g * (channels / groups) + c, p]
"""

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.results import InputGradient


def channel_shuffle(input: Array, *, groups: int) -> Array:
    """Return `input` with its channels, read as `groups` rows, in the order of the columns.

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, with 1, 2 or 3 spatial axes, in any memory layout. The batch may be empty.
    groups : int
        Divides the channels.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An `input` of another type, dtype or shape; `groups` that don't divide the channels.

    Notes
    -----
    The shuffle with ``channels / groups`` groups undoes it.

    References
    ----------
    ``torch.nn.functional.channel_shuffle``. X. Zhang et al., ShuffleNet, CVPR 2018, section 3.1.
    """
    x, groups = _read(input, groups)
    return _shuffled(x, groups)


def channel_shuffle_backward(grad_output: Array, input: Array, *, groups: int) -> InputGradient:
    """Return the gradient of ``sum(channel_shuffle(input) * grad_output)``: `grad_output`, its channels put back.

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, groups
        As for :func:`channel_shuffle`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`channel_shuffle`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, groups = _read(input, groups)
    return InputGradient(_shuffled(arguments.matching("grad_output", grad_output, x, x.shape), x.shape[1] // groups))


channel_shuffle_bound = channel_shuffle_backward_bound = bounds.moved


def _read(input: object, groups: object) -> tuple[Array, int]:
    x = arguments.signal("input", input)
    count = arguments.integer("groups", groups, at_least=1)
    if x.shape[1] % count:
        raise InvalidValueError("groups", f"divide channels={x.shape[1]}", count)
    return x, count


def _shuffled(array: Array, groups: int) -> Array:
    batch, channels, *spatial = array.shape
    dealt = array.reshape(batch, groups, channels // groups, *spatial).swapaxes(1, 2)
    return dealt.reshape(array.shape).copy()
