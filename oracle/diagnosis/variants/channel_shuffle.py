"""Wrong channel shuffle."""

from typing import Any

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import handing_back
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


@wrong("channel_shuffle", "shuffled the other way", "The channels are read as rows of groups, not as groups rows.")
def _unshuffled(input: Array, *, groups: int) -> Array:
    return refconv.channel_shuffle(input, groups=input.shape[1] // groups)


@wrong("channel_shuffle", "not shuffled", "The two axes are made and joined again without being swapped.")
def _not_shuffled(input: Array, **_: Any) -> Array:
    return like(input, input)


@wrong("channel_shuffle_backward", "shuffled forward again", "The backward must undo the forward, not repeat it.")
def _shuffled_again(grad_output: Array, input: Array, *, groups: int) -> InputGradient:
    del input
    return InputGradient(refconv.channel_shuffle(grad_output, groups=groups))


@wrong("channel_shuffle_backward", "not shuffled", "The gradient is handed on as it comes.")
def _gradient_not_shuffled(grad_output: Array, input: Array, **_: Any) -> InputGradient:
    return InputGradient(like(input, grad_output))


handing_back(wrong, "channel_shuffle", lambda groups: groups == 1)
