"""The laws that operators obey: identities between results of one implementation, which need no reference value."""

from collections.abc import Mapping

from properties.laws import (
    axes,
    compositions,
    convolutions,
    elementwise,
    general,
    gradients,
    mixing,
    norms,
    pooling,
    resampling,
)
from properties.laws.law import Calls, Equation, Law
from refconv import operators

_MODULES = (convolutions, compositions, pooling, resampling, norms, elementwise, mixing, axes, gradients, general)

LAWS: Mapping[str, tuple[Law, ...]] = {
    name: tuple(law for module in _MODULES for law in module.law.laws if law.operator == name) for name in operators
}
"""By operator: those that are its own first."""

__all__ = ["LAWS", "Calls", "Equation", "Law"]
