"""The non-local operation, which is self-attention: each position sees all, by how alike they are.

    output[n, :, i] = sum of share[n, i, j] * (g x_j) over j
    share[n, i, :] = softmax of f(x_i, x_j) over j

`x_i` are the channels of ``input[n]`` at position `i`, whatever the axes that positions are spread over, and f is
``(theta x_i) . (phi x_j)`` for the embedded Gaussian, ``x_i . x_j`` for the Gaussian, whose exponentials the softmax
divides by their sum. The formula is stated once, for arrays and for the arrays with errors that make the bounds.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from refconv import arguments
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.layers.softmax import grad_of_shares, shares
from refconv.rounding import einsum, exactly

MODES = ("embedded_gaussian", "gaussian")


class NonLocalGradients(NamedTuple):
    """The gradients of the inputs, each of its input's shape and dtype; None where the input was."""

    input: Array
    theta: Array | None
    phi: Array | None
    g: Array


@np.errstate(all="ignore")  # what isn't finite is handed on
def non_local(
    input: Array, theta: Array | None, phi: Array | None, g: Array, *, mode: str = "embedded_gaussian"
) -> Array:
    """Sum what `g` makes of all positions, weighted for each position by a softmax over all of how alike they are.

    ::

        output[n, :, i] = sum of softmax over j of f(x_i, x_j) * (g x_j) over j
        f(x_i, x_j) = (theta x_i) . (phi x_j)

    with ``x_i`` the channels of ``input[n]`` at position i, or ``f(x_i, x_j) = x_i . x_j`` where `mode` is "gaussian".

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout, with 1 to 3 spatial axes. The batch may be empty.
    theta, phi : array, shape (inner, channels), or None
        Of the dtype of `input`: 1x1 convolutions. None where `mode` is "gaussian".
    g : array, shape (inner, channels)
        Of the dtype of `input`: a 1x1 convolution.
    mode : {"embedded_gaussian", "gaussian"}
        How alike two positions are.

    Returns
    -------
    array, shape (batch, inner, *spatial)
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or shapes that don't match.

    Notes
    -----
    A non-local block goes on: it maps the output back to the input's channels, and adds the input. Attention as in the
    Transformer divides f by the root of `inner`; here nothing does. What isn't finite at one position reaches all
    outputs of its image.

    References
    ----------
    X. Wang, R. Girshick, A. Gupta, K. He, Non-local neural networks, 2018, arXiv:1711.07971, equations 1 to 4.
    ``torch.nn.functional.scaled_dot_product_attention``, with a scale of 1.
    """
    call = _read(input, theta, phi, g, mode)
    output: Array = _attend(call).output
    return output.reshape(call.shape)


@np.errstate(all="ignore")
def non_local_backward(
    grad_output: Array,
    input: Array,
    theta: Array | None,
    phi: Array | None,
    g: Array,
    *,
    mode: str = "embedded_gaussian",
) -> NonLocalGradients:
    """Return the gradients of ``sum(non_local(input, theta, phi, g) * grad_output)``.

    ::

        grad_value_j = sum of share_ij * grad_output_i over i
        grad_share_ij = grad_output_i . value_j
        grad_f = the softmax's gradient of grad_share
        grad_query_i = sum of grad_f_ij * key_j over j
        grad_key_j = sum of grad_f_ij * query_i over i

    with ``query = theta x``, ``key = phi x`` and ``value = g x``, through which these reach the weights and `input`.

    Parameters
    ----------
    grad_output : array, shape (batch, inner, *spatial)
        Of the dtype of `input`.
    input, theta, phi, g, mode
        As for :func:`non_local`.

    Returns
    -------
    NonLocalGradients
        `input`, `theta`, `phi` and `g`, None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`non_local`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, theta, phi, g, mode)
    grad = arguments.matching("grad_output", grad_output, call.x, call.shape)
    grads = _grads(grad.reshape(*call.shape[:2], call.x.shape[2]), call)
    return grads._replace(input=grads.input.reshape(input.shape))


@np.errstate(all="ignore")
def non_local_bound(
    arithmetic: Arithmetic,
    output: Array,
    input: Array,
    theta: Array | None,
    phi: Array | None,
    g: Array,
    *,
    mode: str = "embedded_gaussian",
) -> Bound:
    """Bound the rounding errors of `output` by running error analysis of its formula.

    An error e of f(x_i, x_j), whose own is that of a sum of products, makes one of e, relative, in its exponential. It
    holds while these are small: not for values of f of a million, of which one share is 1 anyway.
    """
    call = _read(input, theta, phi, g, mode)
    rounded = _attend(_rounded(call, arithmetic)).output
    bound: Bound = rounded.moved(lambda array: array.reshape(output.shape)).bound()
    return bound


@np.errstate(all="ignore")
def non_local_backward_bound(
    arithmetic: Arithmetic,
    grads: NonLocalGradients,
    grad_output: Array,
    input: Array,
    theta: Array | None,
    phi: Array | None,
    g: Array,
    *,
    mode: str = "embedded_gaussian",
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient, by running error analysis as well."""
    call = _read(input, theta, phi, g, mode)
    rounded: Any = _grads(grad_output.reshape(*call.shape[:2], call.x.shape[2]), _rounded(call, arithmetic))
    return tuple(
        None if grad is None else result.moved(lambda array, shape=grad.shape: array.reshape(shape)).bound()
        for grad, result in zip(grads, rounded, strict=True)
    )


class _Call(NamedTuple):
    x: Any  # the input, its positions along one axis
    theta: Any
    phi: Any
    g: Any
    shape: tuple[int, ...]  # of the output


class _Attended(NamedTuple):
    query: Any
    key: Any
    value: Any
    share: Any
    output: Any


def _read(input: object, theta: object, phi: object, g: object, mode: object) -> _Call:
    mode = arguments.one_of("mode", mode, MODES)
    signal = arguments.signal("input", input)
    batch, channels, *spatial = signal.shape
    values = arguments.array("g", g, like=signal)
    if values.ndim != 2 or values.shape[1] != channels or not values.shape[0]:
        raise InvalidValueError("g", f"have shape (inner, {channels}) with an inner of at least 1", values.shape)
    query = _read_embedding("theta", theta, mode, signal, values.shape)
    key = _read_embedding("phi", phi, mode, signal, values.shape)
    positions = math.prod(spatial)
    shape = (batch, len(values), *spatial)
    arguments.fits_memory("output", shape, signal.dtype)
    arguments.fits_memory("shares", (batch, positions, positions), signal.dtype)
    return _Call(signal.reshape(batch, channels, positions), query, key, values, shape)


def _read_embedding(argument: str, value: object, mode: str, signal: Array, shape: tuple[int, ...]) -> Array | None:
    if mode != "gaussian":
        return arguments.matching(argument, value, signal, shape)
    if value is not None:
        raise InvalidValueError(argument, "be None where mode is 'gaussian'", type(value).__name__)
    return None


def _rounded(call: _Call, arithmetic: Arithmetic) -> _Call:
    return call._replace(x=exactly(call.x, arithmetic))


def _attend(call: _Call) -> _Attended:
    query, key, value = (_embedded(call.x, weight) for weight in (call.theta, call.phi, call.g))
    share = shares(einsum("nci,ncj->nij", query, key), axis=2)
    return _Attended(query, key, value, share, output=einsum("nij,ncj->nci", share, value))


def _grads(grad: Any, call: _Call) -> NonLocalGradients:
    query, key, value, share, _ = _attend(call)
    grad_value = einsum("nij,nci->ncj", share, grad)
    grad_f = grad_of_shares(einsum("nci,ncj->nij", grad, value), share, axis=2)
    grad_query = einsum("nij,ncj->nci", grad_f, key)
    grad_key = einsum("nij,nci->ncj", grad_f, query)
    return NonLocalGradients(
        input=_returned(grad_query, call.theta) + _returned(grad_key, call.phi) + _returned(grad_value, call.g),
        theta=None if call.theta is None else _grad_embedding(grad_query, call.x),
        phi=None if call.phi is None else _grad_embedding(grad_key, call.x),
        g=_grad_embedding(grad_value, call.x),
    )


def _embedded(x: Any, weight: Any) -> Any:
    return x if weight is None else einsum("ck,nkp->ncp", weight, x)


def _returned(grad: Any, weight: Any) -> Any:
    """Return the gradient of x in ``_embedded(x, weight)``."""
    return grad if weight is None else einsum("ncp,ck->nkp", grad, weight)


def _grad_embedding(grad: Any, x: Any) -> Any:
    """Return the gradient of the weight in ``_embedded(x, weight)``."""
    return einsum("ncp,nkp->ck", grad, x)
