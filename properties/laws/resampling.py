"""Laws of what changes how many positions there are: adaptive pooling, unpooling, upsampling, blurring, padding."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, at, call, exact, generator, planes
from refconv.geometry import read_padding
from refconv.rounding import Rounded

law = Laws()


@law("adaptive_avg_pool", "adaptive_max_pool")
def global_pooling_reduces_all(calls: Calls, case: Case) -> Iterator[Equation]:
    """An output of size 1 is the mean or the maximum over all positions (Lin et al., Network in network, 2014)."""
    signal = array(case, "input")
    rows = exact(planes(signal))
    reduced = rows.mean(-1, keepdims=False) if case.operator == "adaptive_avg_pool" else rows.max(-1, keepdims=False)
    shape = (*signal.shape[:2], *[1] * (signal.ndim - 2))
    yield Equation(calls.forward(but(case, output_size=1)), reduced.moved(lambda values: values.reshape(shape)))


@law("adaptive_avg_pool", "adaptive_max_pool")
def window_of_an_output(calls: Calls, case: Case) -> Iterator[Equation]:
    """Output o of O is global pooling of the positions floor(o n / O) to ceil((o + 1) n / O) of n, as in PyTorch."""
    if case.grad_output.size == 0:
        return
    signal, sizes, rng = array(case, "input"), case.grad_output.shape[2:], generator(case)
    place = [int(rng.integers(size)) for size in sizes]
    axes = zip(place, signal.shape[2:], sizes, strict=True)
    seen = tuple(slice(o * length // size, -(-(o + 1) * length // size)) for o, length, size in axes)
    crop = signal[at(*seen)]
    rows = exact(planes(crop))
    reduced = rows.mean(-1, keepdims=False) if case.operator == "adaptive_avg_pool" else rows.max(-1, keepdims=False)
    yield Equation(calls.forward(case)[at(*place)], reduced, f"output at {place}")


@law("max_unpool")
def values_land_where_indices_say(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each value stands where its index says, flat over the spatial axes, and zeros elsewhere."""
    signal, indices = array(case, "input"), array(case, "indices")
    size: Any = case.attributes["output_size"]
    spatial = (size,) * (signal.ndim - 2) if isinstance(size, int) else tuple(size)
    places = planes(indices)
    ordered = np.sort(places, -1)
    if (ordered[..., 1:] == ordered[..., :-1]).any():  # several values for one place
        return
    laid = np.zeros((*signal.shape[:2], prod(spatial)), case.dtype)
    np.put_along_axis(laid, places, planes(signal), -1)
    yield Equation(calls.forward(case), laid.reshape(*signal.shape[:2], *spatial))


@law("upsample", needs=["avg_pool"])
def averages_undo_nearest(calls: Calls, case: Case) -> Iterator[Equation]:
    """Nearest upsampling by a whole number, then average pooling by it, is the identity: each value was repeated."""
    signal, rng = array(case, "input"), generator(case)
    factors = tuple(int(rng.integers(1, 4)) for _ in signal.shape[2:])
    size = tuple(length * factor for length, factor in zip(signal.shape[2:], factors, strict=True))
    larger = but(case, size=size, scale_factor=None, mode="nearest", align_corners=False)
    output = calls.forward(larger)
    repeated = signal
    for axis, factor in enumerate(factors, start=2):
        repeated = repeated.repeat(factor, axis)
    yield Equation(output, repeated)
    yield Equation(calls.forward(call("avg_pool", repeated, kernel_size=factors)), signal, "output of both")


@law("upsample", "blur_pool")
def constant_stays(calls: Calls, case: Case) -> Iterator[Equation]:
    """A constant input gives the same constant: the weights of each output sum up to 1."""
    signal = array(case, "input")
    constant = np.full(signal.shape, 3, case.dtype)
    yield Equation(calls.forward(but(case, input=constant)), np.full(case.grad_output.shape, 3.0))


@law("upsample")
def corners_stay(calls: Calls, case: Case) -> Iterator[Equation]:
    """With `align_corners` the first and the last pixel of each axis are handed on.

    Output o of O stands at o * (n - 1) / (O - 1) of n, and an interpolation is exact where it stands on a pixel.
    """
    signal, sizes = array(case, "input"), case.grad_output.shape[2:]
    if not case.attributes["align_corners"] or case.attributes["mode"] == "nearest" or min(sizes) < 2:
        return
    ends = tuple(slice(None, None, max(length - 1, 1)) for length in signal.shape[2:])
    corners = tuple(slice(None, None, max(size - 1, 1)) for size in sizes)
    if min(signal.shape[2:]) >= 2:
        yield Equation(calls.forward(case)[at(*corners)], signal[at(*ends)], "corners")


@law("upsample")
def centres_lie_between(calls: Calls, case: Case) -> Iterator[Equation]:
    """Linear interpolation of a ramp gives the position that an output stands at: (o + 1/2) * n / O - 1/2, cut off.

    With `align_corners`, o * (n - 1) / (O - 1). By `scale_factor`, its reciprocal stands for n / O.
    """
    attributes, signal = case.attributes, array(case, "input")
    if attributes["mode"] != "linear" or signal.size == 0:
        return
    axis = int(generator(case).integers(2, signal.ndim))
    length, size = signal.shape[axis], case.grad_output.shape[axis]
    ramp = np.arange(length).reshape(-1, *[1] * (signal.ndim - 1 - axis))
    scale: Any = attributes["scale_factor"]
    given = scale if scale is None or isinstance(scale, int | float) else scale[axis - 2]
    place = exact(np.arange(size))
    if attributes["align_corners"]:
        stands = place * (length - 1) / max(size - 1, 1)
    else:
        ratio = exact(np.float64(length)) / size if given is None else 1 / exact(np.float64(given))
        stands = (place + 0.5) * ratio - 0.5
    cut = Rounded(stands.value.clip(0, length - 1), stands.error, stands.arithmetic)
    spread = cut.moved(
        lambda values: np.broadcast_to(values.reshape(-1, *[1] * (signal.ndim - 1 - axis)), case.grad_output.shape)
    )
    output = calls.forward(but(case, input=np.broadcast_to(ramp, signal.shape).astype(case.dtype)))
    yield Equation(output, spread, "output of a ramp")


@law("blur_pool")
def impulse_gives_binomials(calls: Calls, case: Case) -> Iterator[Equation]:
    """An impulse far from the border gives the binomial coefficients over their sum, at stride 1 (Zhang, 2019)."""
    rank = array(case, "input").ndim - 2
    kernel: Any = case.attributes["kernel_size"]
    sizes = (kernel,) * rank if isinstance(kernel, int) else tuple(kernel)
    shape = (1, 1, *(4 * size + 1 for size in sizes))
    impulse = np.zeros(shape, case.dtype)
    impulse[(0, 0, *(2 * size for size in sizes))] = 1
    expected = np.ones((1, 1, *[1] * rank))
    for axis, size in enumerate(sizes, start=2):
        row = np.array([1.0])
        for _ in range(size - 1):
            row = np.convolve(row, [0.5, 0.5])
        # Output o is the sum over k of row[k] * input[o + k - (size - 1) // 2]: the kernel, rotated, about the impulse.
        laid = np.zeros(4 * size + 1)
        first = 2 * size - (size - 1) + (size - 1) // 2
        laid[first : first + size] = row[::-1]
        expected = expected * laid.reshape(-1, *[1] * (rank - 1 - (axis - 2)))
    output = calls.forward(but(case, input=impulse, stride=1))
    yield Equation(output, expected, "output of an impulse")


@law("blur_pool")
def blur_stride_skips(calls: Calls, case: Case) -> Iterator[Equation]:
    """Stride s keeps each s-th output of stride 1."""
    stride: Any = case.attributes["stride"]
    rank = array(case, "input").ndim - 2
    steps = (stride,) * rank if isinstance(stride, int) else stride
    dense = calls.forward(but(case, stride=1))
    yield Equation(calls.forward(case), dense[at(*(slice(None, None, step) for step in steps))])


@law("pad")
def inside_stays(calls: Calls, case: Case) -> Iterator[Equation]:
    """The input stands in the middle, each side by its own, and around it what NumPy's mode of that name has."""
    signal, mode = array(case, "input"), str(case.attributes["mode"])
    pairs = read_padding(case.attributes["padding"], signal.ndim - 2)
    names: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    how: dict[str, Any] = {"mode": names[mode]} if mode in names else {"constant_values": case.attributes["value"]}
    expected = np.pad(signal, [(0, 0), (0, 0), *pairs], **how)
    yield Equation(calls.forward(case), expected)
