"""What the real bugs of libraries need to show: each condition is met in some of 900 cases.

Most are met by a few in a hundred, the rarest by one: 900, so that none is missed by chance.

Each is a predicate on a case, under the name of what goes wrong there.
"""

import functools
import math

import numpy as np
import pytest

from properties import cases
from properties.sizes import MANY, TILES
from refconv import operators
from refconv.geometry import read_pool_window, read_window

CONVOLUTIONS = ("conv", "conv_transpose", "locally_connected")
POOLS = ("max_pool", "avg_pool", "lp_pool")
WINDOWS = (*CONVOLUTIONS, *POOLS)
RESAMPLING = (*POOLS, "max_unpool", "adaptive_max_pool", "adaptive_avg_pool", "blur_pool", "upsample")
NORMS = ("batch_norm", "layer_norm", "instance_norm", "group_norm")
CHEAP = (
    "conv", "conv_transpose", "linear", "relu", "leaky_relu", "sigmoid", "tanh", "dropout", "flatten", "add", "concat",
    "pad", "channel_shuffle", "mse_loss", "highway", "batch_norm", "max_pool", "max_unpool", "avg_pool",
    "adaptive_avg_pool", "adaptive_max_pool", "upsample", "blur_pool",
)  # fmt: skip
SCALAR = ("cross_entropy", "mse_loss")  # whose gradient is a number


def window_of(case):
    """Kernel, stride, padding pairs and dilation, each by axis."""
    given = {name: case.attributes[name] for name in ("stride", "padding", "dilation") if name in case.attributes}
    if case.operator in CONVOLUTIONS:
        return read_window(case.inputs[1].shape[2 - case.inputs[0].ndim :], **given, words=True)
    given = {"padding": 0, **given}
    return read_pool_window(case.attributes["kernel_size"], case.inputs[0].ndim - 2, **given)


def any_axis(claim):
    """A predicate: `claim` holds for an axis, given size, windows, kernel, stride, padding pair and dilation."""

    def holds(case):
        sizes, outputs = case.inputs[0].shape[2:], case.grad_output.shape[2:]
        return any(claim(*axis) for axis in zip(sizes, outputs, *window_of(case), strict=True))

    return holds


def extent(kernel, dilation):
    return dilation * (kernel - 1) + 1


def blind(size, windows, kernel, stride, pair, dilation):
    return any(all(not 0 <= o * stride - pair[0] + k * dilation < size for k in range(kernel)) for o in range(windows))


def overhanging(size, windows, kernel, stride, pair, dilation):
    return (windows - 1) * stride + extent(kernel, dilation) > size + sum(pair)


def differ(entries):
    return len(set(entries)) > 1


def padded(case):
    return any(map(any, window_of(case).padding))


def attribute(name):
    return lambda case: case.attributes[name]


def both(*claims):
    return lambda case: all(claim(case) for claim in claims)


def without(claim):
    return lambda case: not claim(case)


def lies(name, how):
    """A predicate: the array called `name` lies in memory so."""
    return lambda case: case.arrays[name] is not None and case.arrays[name].ndim > 2 and how(case.arrays[name])


def channels_last(array):
    return not array.flags.c_contiguous and np.moveaxis(array, 1, -1).flags.c_contiguous


def sliced(array):
    return isinstance(array.base, np.ndarray) and array.base.shape[1:2] == (array.shape[1] + 2,)


def transposed(array):
    return array.flags.f_contiguous and not array.flags.c_contiguous


def expanded(array):
    return len(array) > 1 and array.strides[0] == 0


def per_group(case):
    groups = case.attributes["groups"]
    return groups, case.inputs[0].shape[1] // groups, case.grad_output.shape[1] // groups


def depthwise(*counts):
    def holds(case):
        window = window_of(case)
        halved = set(window.stride) == {2} and {*window.padding} == {(1, 1)}
        return halved and per_group(case) in {(count, 1, 1) for count in counts}

    return holds


def output_paddings(case):
    return np.broadcast_to(case.attributes["output_padding"], case.inputs[0].ndim - 2).tolist()


def place_of_nan(case):
    """The column of a NaN, and the columns; -1 where there is none."""
    found = np.argwhere(np.isnan(case.inputs[0]))
    return (found[0, -1] if len(found) else -1), case.inputs[0].shape[-1]


def in_the_tail(case):
    column, columns = place_of_nan(case)
    return columns > 8 and column >= columns - columns % 8


def nan_at(tap):
    """A predicate: the NaN is the first (0) or the last (-1) of a window of several taps, along the last axis."""

    def holds(case):
        column, _ = place_of_nan(case)
        kernel, stride, pair, dilation = (entries[-1] for entries in window_of(case))
        places = [o * stride - pair[0] + (kernel - 1) * dilation * -tap for o in range(case.grad_output.shape[-1])]
        return kernel > 1 and column >= 0 and column in places

    return holds


def all_minus_infinity(case):
    return case.inputs[0].size > 0 and bool(np.isneginf(case.inputs[0][0, 0]).all())


def tied(case):
    input = case.inputs[0]
    return input.size > 4 and len(np.unique(input[:1, :1])) < input[:1, :1].size


def repeated(case):
    planes = case.inputs[1].reshape(-1, math.prod(case.inputs[1].shape[2:]))
    return any(len(set(plane.tolist())) < plane.size for plane in planes[:3])


def ratio(case):
    return np.array(case.grad_output.shape[2:]) / case.inputs[0].shape[2:]


def tile(case):
    """Whether channels, features or columns are of about a vector's or a tile's size."""
    shapes = [array.shape for array in case.arrays.values() if array is not None and array.ndim]
    return any(size in TILES for shape in shapes for size in (shape[1:2] + shape[-1:]))


def spread(case):
    signal = case.inputs[0].astype(np.float64)
    return abs(signal.mean()) / (signal.std() + 1e-300) if signal.size > 3 else 0


REACHED = {
    "padding that differs at the ends": ((*CONVOLUTIONS, "max_pool", "avg_pool"), any_axis(lambda n, o, k, s, p, d: p[0] != p[1])),
    "kernels that differ": (WINDOWS, lambda case: differ(window_of(case).kernel)),
    "strides that differ": (WINDOWS, lambda case: differ(window_of(case).stride)),
    "paddings that differ": ((*CONVOLUTIONS, "max_pool", "avg_pool"), lambda case: differ(window_of(case).padding)),
    "dilations that differ": ((*CONVOLUTIONS, "max_pool"), lambda case: differ(window_of(case).dilation)),
    "same, of an even kernel": (("conv",), lambda case: case.attributes["padding"] == "same" and any(k % 2 == 0 for k in window_of(case).kernel)),
    "a last window beyond the input": (POOLS, any_axis(overhanging)),
    "such a window, padding counted": (("avg_pool",), both(any_axis(overhanging), padded, attribute("count_include_pad"))),
    "such a window, padding left out": (("avg_pool",), both(any_axis(overhanging), padded, without(attribute("count_include_pad")))),
    "padding that is counted": (("avg_pool",), both(padded, attribute("count_include_pad"))),
    "padding that isn't counted": (("avg_pool",), both(padded, without(attribute("count_include_pad")))),
    "a divisor": (("avg_pool",), attribute("divisor_override")),
    "a stride beyond the window": (WINDOWS, any_axis(lambda n, o, k, s, p, d: s > extent(k, d) and n > 1 and o > 1)),
    "a window that sees padding alone": (("conv", "locally_connected", "max_pool", "avg_pool"), any_axis(blind)),
    "a dilation beyond the size": ((*CONVOLUTIONS, "max_pool"), any_axis(lambda n, o, k, s, p, d: d > n and k > 1)),
    "dilation with padding in front": ((*CONVOLUTIONS, "max_pool"), any_axis(lambda n, o, k, s, p, d: d > 1 and k > 1 and p[0] > 0)),
    "windows that overlap": (POOLS, any_axis(lambda n, o, k, s, p, d: o > 1 and s < k)),
    "groups": (("conv", "conv_transpose"), lambda case: per_group(case)[0] > 1),
    "groups with other channels out than in": (("conv", "conv_transpose"), lambda case: per_group(case)[0] > 1 and differ(per_group(case)[1:])),
    "depthwise, 24 channels": (("conv", "conv_transpose"), depthwise(24)),
    "depthwise, 23 or 25 channels": (("conv", "conv_transpose"), depthwise(23, 25)),
    "many channels in": (("conv", "conv_transpose", "linear"), lambda case: case.inputs[0].shape[1 if case.operator != "linear" else -1] > 16),
    "many channels out": (("conv", "conv_transpose", "linear"), lambda case: case.grad_output.shape[1 if case.operator != "linear" else -1] > 16),
    "columns that end in a partial vector": ((*CONVOLUTIONS, *RESAMPLING), lambda case: case.grad_output.shape[-1] > 8 and case.grad_output.shape[-1] % 8),
    "output_padding": (("conv_transpose",), lambda case: any(output_paddings(case))),
    "output_padding, strides beyond the window": (("conv_transpose",), lambda case: any(extra and s > extent(k, d) for extra, k, s, d in zip(output_paddings(case), window_of(case).kernel, window_of(case).stride, window_of(case).dilation, strict=True))),
    "output_padding and groups": (("conv_transpose",), lambda case: any(output_paddings(case)) and per_group(case)[0] > 1),
    "a width of 1": ((*WINDOWS, *RESAMPLING, "pad"), lambda case: case.inputs[0].shape[-1] == 1 and len(case.inputs[0])),
    "a height of 1": ((*WINDOWS, *RESAMPLING, "pad"), lambda case: case.inputs[0].ndim > 3 and case.inputs[0].shape[-2] == 1),
    "one channel": ((*WINDOWS, *RESAMPLING, "batch_norm", "relu", "pad"), lambda case: case.inputs[0].shape[1:2] == (1,)),
    "an empty batch": (operators, lambda case: any(array.size == 0 for array in case.arrays.values() if array is not None)),
    "one value in each channel": (("relu", "batch_norm", "group_norm", "max_pool", "avg_pool", "conv"), lambda case: case.inputs[0].size == math.prod(case.inputs[0].shape[1:2]) > 0),
    "channels last": ((*WINDOWS, *RESAMPLING, *NORMS), lies("input", channels_last)),
    "a slice of channels": ((*WINDOWS, *RESAMPLING, *NORMS), lies("input", sliced)),
    "an expanded input": ((*WINDOWS, *RESAMPLING), lies("input", expanded)),
    "a transposed weight": (CONVOLUTIONS, lies("weight", transposed)),
    "an expanded weight": (CONVOLUTIONS, lies("weight", expanded)),
    "a weight with channels last": (CONVOLUTIONS, lies("weight", channels_last)),
    "such a weight, a contiguous input": (CONVOLUTIONS, both(lies("weight", channels_last), lies("input", lambda array: array.flags.c_contiguous))),
    "a gradient with channels last": ((*WINDOWS, *RESAMPLING, *NORMS), lies("grad_output", channels_last)),
    "a gradient that lies otherwise": (set(operators) - {*SCALAR}, lambda case: case.grad_output.flags.c_contiguous != case.inputs[0].flags.c_contiguous),
    "channels last of one channel": ((*CONVOLUTIONS, *RESAMPLING), lies("input", lambda array: array.shape[1] == 1 and array.strides[1] == array.itemsize)),
    "a NaN": (("max_pool", "adaptive_max_pool"), lambda case: place_of_nan(case)[0] >= 0),
    "a NaN first in a window": (("max_pool",), nan_at(0)),
    "a NaN last in a window": (("max_pool",), nan_at(-1)),
    "a NaN beyond the last whole vector": (("max_pool", "adaptive_max_pool"), in_the_tail),
    "nothing but -inf": (("max_pool", "adaptive_max_pool"), all_minus_infinity),
    "ties": (("max_pool", "adaptive_max_pool"), tied),
    "elements for the same place": (("max_unpool",), repeated),
    "sizes that don't divide": (("adaptive_avg_pool", "adaptive_max_pool"), lambda case: any(n % m for n, m in zip(case.inputs[0].shape[2:], case.grad_output.shape[2:], strict=True))),
    "more than 65,536 elements in a batch": (CHEAP, lambda case: MANY in case.inputs[0].shape[:1]),
    "a mean far from 0": (NORMS, lambda case: spread(case) > 1e3),
    "a tiny variance": (NORMS, lambda case: 0 < case.inputs[0].std() < 0.02 if case.inputs[0].size else False),
    "a large eps": (NORMS, lambda case: case.attributes["eps"] >= 0.1),
    "an output of 1": (("upsample",), lambda case: 1 in case.grad_output.shape[2:] and max(case.inputs[0].shape[2:]) > 1),
    "an output of 1, corners aligned": (("upsample",), lambda case: 1 in case.grad_output.shape[2:] and case.attributes["align_corners"]),
    "scales that aren't whole": (("upsample",), lambda case: any(scale % 1 and 1 / scale % 1 for scale in np.ravel(case.attributes["scale_factor"] or 1))),
    "down along one axis, up another": (("upsample",), lambda case: ratio(case).min() < 1 < ratio(case).max()),
    "down to the nearest": (("upsample",), lambda case: case.attributes["mode"] == "nearest" and ratio(case).min() < 1),
    "sizes of vectors and tiles": (set(operators) - {"mse_loss"}, tile),
}  # fmt: skip

COSTLY = ("more than 65,536 elements in a batch",)


@pytest.fixture(scope="session")
def nine_hundred(collect):
    """A function that gives 900 cases of an operator, the same ones each time."""
    return functools.cache(lambda operator: collect(cases(operator, specials=True), 900))


@pytest.mark.parametrize(
    ("operator", "condition"),
    [(operator, name) for operator in operators for name, (names, _) in REACHED.items() if operator in names],
)
def test_a_condition_of_real_bugs_is_met_by_a_few_of_900_cases(operator, condition, nine_hundred):
    holds = REACHED[condition][1]
    with np.errstate(all="ignore"):  # of special values
        met = sum(bool(holds(case)) for case in nine_hundred(operator))
    assert met >= (1 if condition in COSTLY else 3)
