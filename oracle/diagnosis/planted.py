"""Every wrong variant as an implementation with a name, so that a new process can load it.

``refconv check oracle.diagnosis.planted:conv_forward_kernel_flipped`` finds that one.
"""

import re
from types import SimpleNamespace

from oracle.contract import function_name
from oracle.diagnosis.catalogue import CATALOGUE
from oracle.diagnosis.variant import Variant


def name_of(variant: Variant) -> str:
    """Return what `variant` is called in this module."""
    return re.sub(r"\W+", "_", variant.key).strip("_")


_BY_NAME = {name_of(variant): variant for variant in CATALOGUE}


def planted(variant: Variant) -> SimpleNamespace:
    """Return `variant` as an implementation that offers nothing else."""
    function = variant.implementation()
    deterministic = getattr(function, "deterministic", False)
    called = function_name(variant.operator, variant.direction)
    return SimpleNamespace(**{called: function}, name=variant.key, deterministic=deterministic)


def __getattr__(name: str) -> SimpleNamespace:
    try:
        return planted(_BY_NAME[name])
    except KeyError:
        raise AttributeError(f"no variant is called {name}") from None
