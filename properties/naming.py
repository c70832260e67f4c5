"""Operators by the names that others have for them: ``conv2d``, ``MaxPool2d``, ``AveragePool``, ``Dense``.

Here an operator has one name for all ranks, and what elsewhere is an operator of its own may be an attribute.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from properties.narrowing import RANKS
from refconv import operators
from refconv.words import nearest

Attributes = Mapping[str, int]
"""The rank, and what else a name says."""

_GLOBAL = MappingProxyType({"output_size": 1})
_ALIASES: Mapping[str, tuple[str, Attributes]] = {
    **dict.fromkeys(("depthwiseconv", "groupedconv", "convgeneraldilated"), ("conv", {})),
    **dict.fromkeys(("deconv", "transposedconv", "fractionallystridedconv"), ("conv_transpose", {})),
    **dict.fromkeys(("dense", "gemm", "matmul", "fullyconnected", "innerproduct", "addmm"), ("linear", {})),
    "globalavgpool": ("adaptive_avg_pool", _GLOBAL),
    "globalmaxpool": ("adaptive_max_pool", _GLOBAL),
    **dict.fromkeys(("interpolate", "resize", "resample"), ("upsample", {})),
    "lrn": ("local_response_norm", {}),
    "cat": ("concat", {}),
    **dict.fromkeys(("zeropad", "constantpad", "reflectionpad", "replicationpad", "circularpad"), ("pad", {})),
    **dict.fromkeys(("mse", "meansquarederror"), ("mse_loss", {})),
    "softmaxcrossentropyloss": ("cross_entropy", {}),
    "gcn": ("graph_conv", {}),
    "dynamicrouting": ("capsule_routing", {}),
}
"""What differs in more than spelling, as :func:`_plain` writes it."""
_SPELLINGS = (
    ("convolution", "conv"),
    ("average", "avg"),
    ("pooling", "pool"),
    ("padding", "pad"),
    ("normalization", "norm"),
    ("backward", ""),
)
_RANK = re.compile("([123])d")


def by_option(attributes: Attributes) -> str:
    """Say it as the command line does."""
    return "with " + " ".join(f"--only {name}={value}" for name, value in attributes.items())


def by_domain(attributes: Attributes) -> str:
    """Say it as :func:`oracle.check` takes it."""
    return f"with only={dict(attributes)}"


def by_arguments(attributes: Attributes) -> str:
    """Say it as :func:`properties.cases` takes it."""
    return "with " + ", ".join(f"{name}={value}" for name, value in attributes.items())


def in_general(attributes: Attributes) -> str:
    """Say it where no rank can be asked for."""
    ranks = ["one for all ranks"] if "rank" in attributes else []
    others = {name: value for name, value in attributes.items() if name != "rank"}
    return ", ".join([*([by_arguments(others)] if others else []), *ranks])


def meant(names: Iterable[object], narrowing: Callable[[Attributes], str] = in_general) -> str:
    """Return what ends a message that operators aren't known: which may have been meant, or nothing.

    Parameters
    ----------
    names : iterable
        Those that aren't known.
    narrowing : callable, optional
        Returns how the caller is told to narrow an operator to attributes, such as :func:`by_option`; by default,
        that it can't be asked for.
    """
    found = dict.fromkeys(said for name in names if (said := _said(str(name), narrowing)))
    return f"; did you mean {' and '.join(found)}?" if found else ""


def _said(name: str, narrowing: Callable[[Attributes], str]) -> str | None:
    operator, attributes = operator_meant(name)
    if operator is None or not attributes:
        return operator
    return f"{operator} ({narrowing(attributes)})"


def operator_meant(name: str) -> tuple[str | None, Attributes]:
    """Return which operator a name may mean, None where it is like none, and the attributes that the name says."""
    plain, rank = _plain(name)
    spelled = {_plain(operator)[0]: operator for operator in operators}
    operator, attributes = _ALIASES.get(plain) or (spelled.get(nearest(plain, spelled) or ""), {})
    if operator is None:
        return None, {}
    stated = {"rank": rank} if rank is not None and rank in RANKS.get(operator, ()) else {}
    return operator, {**attributes, **stated}


def _plain(name: str) -> tuple[str, int | None]:
    """Return a name without its module, in small letters alone, short words for long ones; and the rank in it."""
    plain = re.sub("[^a-z0-9]", "", re.split("[.:]+", name)[-1].lower())
    stated = _RANK.search(plain)
    plain = _RANK.sub("", plain)
    for long, short in _SPELLINGS:
        plain = plain.replace(long, short)
    return plain, int(stated.group(1)) if stated else None
