"""The cross-entropy of class scores and class indices: the mean negative log-likelihood under a softmax.

output = mean of log(sum of exp(input[n, c, p]) over c) - input[n, target[n, p], p] over n and p
"""

from functools import reduce

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.results import InputGradient
from refconv.rounding import Rounded, exactly, where


@np.errstate(all="ignore")
def cross_entropy(input: Array, target: Array) -> Array:
    """Return the mean of ``-log(softmax(input))`` at the target classes.

    Parameters
    ----------
    input : array, shape (batch, classes, *spatial)
        Scores (logits): float32, float64 or complex128, with 0 to 3 spatial axes, in any memory layout.
    target : array of int64, shape (batch, *spatial)
        The classes, from 0 to ``classes - 1``. It has no gradient.

    Returns
    -------
    array, shape ()
        In the dtype of `input`; NaN where the batch is empty, as in PyTorch.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An argument of a type, dtype or shape that isn't named above; a class that there isn't.

    Notes
    -----
    The scores are shifted by their maximum first, so that nothing overflows. Scores that hold NaN or plus infinity, or
    nothing but minus infinity, give NaN, as in PyTorch. Classes that aren't there are refused, PyTorch's
    ``ignore_index`` (-100) among them. Keras takes probabilities unless it is told ``from_logits=True``. The mean is
    over all targets, in PyTorch, Keras and ONNX alike; textbooks also sum.

    References
    ----------
    ``torch.nn.functional.cross_entropy``; ONNX SoftmaxCrossEntropyLoss.
    """
    x, chosen = _read(input, target)
    shifted = x - _largest(x)
    losses = np.log(np.exp(shifted).sum(axis=1, keepdims=True)) - np.take_along_axis(shifted, chosen, axis=1)
    return np.array(losses.sum() / x.real.dtype.type(losses.size), x.dtype)


@np.errstate(all="ignore")
def cross_entropy_backward(grad_output: Array, input: Array, target: Array) -> InputGradient:
    """Return the gradient of ``cross_entropy(input, target) * grad_output``.

    ::

        grad_input[n, c, p] = grad_output * (softmax(input)[n, c, p] - (c == target[n, p])) / targets

    Parameters
    ----------
    grad_output : array, shape ()
        Of the dtype of `input`.
    input, target
        As for :func:`cross_entropy`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`cross_entropy`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, chosen = _read(input, target)
    grad = arguments.matching("grad_output", grad_output, x, ())
    powers = np.exp(x - _largest(x))
    others = powers.copy()
    np.put_along_axis(others, chosen, 0, axis=1)
    total = powers.sum(axis=1, keepdims=True)
    differences = others / total
    np.put_along_axis(differences, chosen, -others.sum(axis=1, keepdims=True) / total, axis=1)  # without cancellation
    return InputGradient(grad * differences / x.real.dtype.type(chosen.size))


def cross_entropy_bound(arithmetic: Arithmetic, _: Array, input: Array, target: Array) -> Bound:
    """Bound the rounding errors of the mean of either logarithm that :func:`_logarithms` names."""
    chosen = np.expand_dims(target, 1)
    ways = [
        logarithm.moved(lambda array: np.take_along_axis(array, chosen, axis=1)).mean(None, keepdims=False)
        for logarithm in _logarithms(exactly(input, arithmetic))
    ]
    return bounds.either(*(way.bound() for way in ways))


def cross_entropy_backward_bound(
    arithmetic: Arithmetic, _: InputGradient, grad_output: Array, input: Array, target: Array
) -> tuple[Bound]:
    """Bound the rounding errors of the gradient, which may be computed in one of three ways.

    Two are a softmax less 1 at the target's class, where it may cancel: the softmax is the exponential of a logarithm,
    off by some u for each unit of what :func:`_logarithms` rounds. The third is a quotient of sums, without
    cancellation.
    """
    hit = np.zeros(input.shape, bool)
    np.put_along_axis(hit, np.expand_dims(target, 1), True, axis=1)
    scores, grad = exactly(input, arithmetic), exactly(grad_output, arithmetic)
    powers = _powers(scores)
    others = where(hit, 0.0, powers)
    quotient = where(hit, -others.sum(axis=1), others) / powers.sum(axis=1)
    differences = [quotient, *(logarithm.exp() - hit for logarithm in _logarithms(scores))]
    ways = [(grad * difference / max(target.size, 1)).bound() for difference in differences]
    return (reduce(bounds.either, ways),)


def _logarithms(scores: Rounded) -> tuple[Rounded, Rounded]:
    """Return the logarithm of the softmax, with its errors, as the two formulas have them that are in use.

    The shift m is taken from the scores before the logarithm of the sum, or added to that first, as a log-sum-exp,
    which then cancels with the scores: so the errors are relative to ``x - m``, or to m.
    """
    largest, total = _largest(scores.value), _powers(scores).sum(axis=1).log()
    return scores - largest - total, scores - (total + largest)


def _powers(scores: Rounded) -> Rounded:
    return (scores - _largest(scores.value)).exp()


def _largest(x: Array) -> Array:
    """Return the largest real part among the classes; nothing depends on it, so it counts as a constant."""
    largest: Array = x.real.max(axis=1, keepdims=True)
    return largest


def _read(input: object, target: object) -> tuple[Array, Array]:
    x = arguments.signal("input", input, least=0)
    classes = arguments.integers("target", target)
    arguments.shape("target", classes, (x.shape[0], *x.shape[2:]))
    wrong = classes[(classes < 0) | (classes >= x.shape[1])]
    if wrong.size:
        raise InvalidValueError("target", f"be between 0 and {x.shape[1] - 1} everywhere", wrong[0])
    return x, np.expand_dims(classes, 1)
