"""All wrong variants, by the operator's place in the table."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from oracle.diagnosis import variants
from oracle.diagnosis.variant import Variant
from refconv import operators

_ORDER = list(operators)


def modules() -> Iterator[ModuleType]:
    """Yield the modules of mistakes: one for each layer, by its name, and one more for its backward if that is long."""
    there = {module.name for module in iter_modules(variants.__path__)}
    layers = dict.fromkeys(operator.forward.__module__.rpartition(".")[2] for operator in operators.values())
    for name in (name for layer in layers for name in (layer, f"{layer}_backward") if name in there):
        yield import_module(f"{variants.__name__}.{name}")


CATALOGUE: tuple[Variant, ...] = tuple(
    sorted(
        (variant for module in modules() for variant in module.wrong.variants),
        key=lambda variant: _ORDER.index(variant.operator),
    )
)
