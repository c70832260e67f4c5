"""Wrong highway."""

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from refconv import HighwayGradients
from refconv.arguments import Array

wrong = Catalogue()


@wrong("highway", "gate inverted", "The gate says what is carried, not what is transformed.")
def _gate_inverted(input: Array, transform: Array, gate: Array) -> Array:
    return refconv.highway(transform, input, gate)


@wrong("highway", "gate squashed again", "A sigmoid is applied to a gate that has gone through one.")
def _gate_squashed(input: Array, transform: Array, gate: Array) -> Array:
    return refconv.highway(input, transform, refconv.sigmoid(gate))


@wrong("highway", "input carried whole", "A residual connection: transform * gate + input.")
@np.errstate(all="ignore")
def _carried_whole(input: Array, transform: Array, gate: Array) -> Array:
    return like(input, transform * gate + input)


@wrong("highway_backward", "gradient of the gate without the input", "The carried part depends on the gate, too.")
@np.errstate(all="ignore")
def _gate_alone(grad_output: Array, input: Array, transform: Array, gate: Array) -> HighwayGradients:
    grads = refconv.highway_backward(grad_output, input, transform, gate)
    return grads._replace(gate=like(input, grad_output * transform))


@wrong("highway_backward", "gradient of the gate with its sign turned", "input - transform for transform - input.")
def _gate_turned(grad_output: Array, input: Array, transform: Array, gate: Array) -> HighwayGradients:
    grads = refconv.highway_backward(grad_output, input, transform, gate)
    return grads._replace(gate=-grads.gate)


@wrong("highway_backward", "gradients of input and transform swapped", "Gate and 1 - gate are mistaken for each other.")
def _branches_swapped(grad_output: Array, input: Array, transform: Array, gate: Array) -> HighwayGradients:
    grads = refconv.highway_backward(grad_output, input, transform, gate)
    return grads._replace(input=grads.transform, transform=grads.input)


@wrong("highway_backward", "gradient of the input ungated", "The carried part is taken for a residual connection's.")
def _input_ungated(grad_output: Array, input: Array, transform: Array, gate: Array) -> HighwayGradients:
    grads = refconv.highway_backward(grad_output, input, transform, gate)
    return grads._replace(input=like(input, grad_output))
