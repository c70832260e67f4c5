"""Wrong non-local operations."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue, Function
from oracle.diagnosis.variants.arrays import like
from refconv import NonLocalGradients
from refconv.arguments import Array

wrong = Catalogue()


class _Attention(NamedTuple):
    """What a non-local operation computes with, in float64; positions lie along one axis, the last."""

    x: Array
    query: Array
    key: Array
    value: Array

    @property
    def scores(self) -> Array:
        """How alike each position, by rows, and each other are."""
        scores: Array = self.query.swapaxes(1, 2) @ self.key
        return scores


def _attention(input: Array, theta: Array | None, phi: Array | None, g: Array) -> _Attention:
    x = input.astype(np.float64).reshape(*input.shape[:2], int(np.prod(input.shape[2:])))
    return _Attention(x, *(x if weight is None else weight.astype(np.float64) @ x for weight in (theta, phi, g)))


def _by_shares(find: Callable[[_Attention], Array]) -> Function:
    """Return a non-local operation whose shares, of each position by rows, are found in another way."""

    @np.errstate(all="ignore")
    def function(input: Array, theta: Array | None, phi: Array | None, g: Array, **_: Any) -> Array:
        attention = _attention(input, theta, phi, g)
        output = attention.value @ find(attention).swapaxes(1, 2)
        return like(input, output.reshape(len(input), len(g), *input.shape[2:]))

    return function


for _name, _cause, _shares in (
    (
        "softmax over the wrong positions",
        "It runs over those that ask, not over those that are asked.",
        lambda a: refconv.softmax(a.scores, axis=1),
    ),
    (
        "scores divided by the root of the channels",
        "The scaling is the Transformer's.",
        lambda a: refconv.softmax(a.scores / np.sqrt(a.query.shape[1]), axis=2),
    ),
    (
        "scores divided by the positions, without a softmax",
        "The dot-product form taken for the Gaussian one.",
        lambda a: a.scores / a.x.shape[2],
    ),
    (
        "each position left out of its own sum",
        "The diagonal is masked.",
        lambda a: refconv.softmax(np.where(np.eye(a.x.shape[2]), -np.inf if a.x.shape[2] > 1 else 0, a.scores), axis=2),
    ),
    (
        "theta and phi swapped",
        "The scores are transposed.",
        lambda a: refconv.softmax(a.scores.swapaxes(1, 2), axis=2),
    ),
):
    wrong("non_local", _name, _cause)(_by_shares(_shares))


@wrong("non_local", "not shifted by the maximum", "exp overflows, and infinity by infinity is NaN.")
@np.errstate(all="ignore")
def _overflowing(input: Array, *weights: Array | None, **attributes: Any) -> Array:
    def shares(attention: _Attention) -> Array:
        power = np.exp(like(input, attention.scores)).astype(np.float64)
        found: Array = power / power.sum(axis=2, keepdims=True)
        return found

    result: Array = _by_shares(shares)(input, *weights, **attributes)
    return result


@wrong("non_local", "positions and channels not swapped back", "The product is reshaped to the image as it lies.")
@np.errstate(all="ignore")
def _not_swapped_back(input: Array, *weights: Array | None, **attributes: Any) -> Array:
    right = refconv.non_local(input, *weights, **attributes)  # type: ignore[arg-type]  # they come as it takes them
    flat = right.reshape(*right.shape[:2], int(np.prod(right.shape[2:])))
    return like(input, flat.swapaxes(1, 2).reshape(right.shape))


class _Slopes(NamedTuple):
    """The gradients of what a non-local operation computes with."""

    query: Array
    key: Array
    value: Array


def _slopes(grad: Array, attention: _Attention) -> _Slopes:
    share = refconv.softmax(attention.scores, axis=2)
    grad_share = grad.swapaxes(1, 2) @ attention.value
    grad_scores = refconv.softmax_backward(grad_share, attention.scores, axis=2).input
    return _Slopes(
        query=attention.key @ grad_scores.swapaxes(1, 2), key=attention.query @ grad_scores, value=grad @ share
    )


def _by_slopes(change: Callable[[_Slopes, Array, _Attention], _Slopes]) -> Function:
    """Return a backward with other gradients; `change` gets the right ones, `grad_output`, and the forward's arrays."""

    @np.errstate(all="ignore")
    def function(
        grad_output: Array, input: Array, theta: Array | None, phi: Array | None, g: Array, **_: Any
    ) -> NonLocalGradients:
        attention = _attention(input, theta, phi, g)
        grad = grad_output.astype(np.float64).reshape(len(input), len(g), attention.x.shape[2])
        slopes = change(_slopes(grad, attention), grad, attention)
        weights = (theta, phi, g)
        returned = [
            slope if weight is None else weight.T.astype(np.float64) @ slope
            for slope, weight in zip(slopes, weights, strict=True)
        ]
        found = [
            None if weight is None else like(input, np.einsum("ncp,nkp->ck", slope, attention.x))
            for slope, weight in zip(slopes, weights, strict=True)
        ]
        total = np.sum(returned, axis=0).reshape(input.shape)
        return NonLocalGradients(like(input, total), *found)  # type: ignore[arg-type]  # that of `g` is never None

    return function


def _diagonal(slopes: _Slopes, grad: Array, attention: _Attention) -> _Slopes:
    share = refconv.softmax(attention.scores, axis=2)
    grad_scores = (grad.swapaxes(1, 2) @ attention.value) * share * (1 - share)
    return slopes._replace(query=attention.key @ grad_scores.swapaxes(1, 2), key=attention.query @ grad_scores)


def _softmax_forgotten(slopes: _Slopes, grad: Array, attention: _Attention) -> _Slopes:
    grad_scores = grad.swapaxes(1, 2) @ attention.value
    return slopes._replace(query=attention.key @ grad_scores.swapaxes(1, 2), key=attention.query @ grad_scores)


def _shares_not_transposed(slopes: _Slopes, grad: Array, attention: _Attention) -> _Slopes:
    return slopes._replace(value=grad @ refconv.softmax(attention.scores, axis=2).swapaxes(1, 2))


for _name, _cause, _change in (
    (
        "shares taken for constants",
        "Nothing goes back through the softmax.",
        lambda slopes, *_: slopes._replace(query=0 * slopes.query, key=0 * slopes.key),
    ),
    (
        "gradient through the keys forgotten",
        "The scores are taken to depend on theta alone.",
        lambda slopes, *_: slopes._replace(key=0 * slopes.key),
    ),
    (
        "gradient through g forgotten",
        "Only the shares are taken to depend on the input.",
        lambda slopes, *_: slopes._replace(value=0 * slopes.value),
    ),
    (
        "gradients of queries and keys swapped",
        "The gradient of the scores is transposed.",
        lambda slopes, *_: slopes._replace(query=slopes.key, key=slopes.query),
    ),
    ("softmax's diagonal alone", "Each share's derivative by the other scores is forgotten.", _diagonal),
    ("softmax's gradient forgotten", "The gradient of the shares is taken for that of the scores.", _softmax_forgotten),
    (
        "shares not transposed",
        "The gradient of the values is gathered as the forward gathers them.",
        _shares_not_transposed,
    ),
):
    wrong("non_local_backward", _name, _cause)(_by_slopes(_change))
