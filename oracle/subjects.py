"""What is checked: implementations by object, from loose functions, or by name."""

import importlib
import inspect
import sys
from collections.abc import Callable
from operator import attrgetter
from types import ModuleType, SimpleNamespace
from typing import Any

from oracle.contract import function_name
from properties.naming import operator_meant
from refconv import operators

ADAPTERS = ("torch", "torch@cuda")


class LoadError(Exception):
    """A subject that was named can't be loaded."""


def subject(*, name: str = "subject", **functions: Callable[..., Any]) -> SimpleNamespace:
    """Make an implementation of loose functions: ``subject(conv=f, conv_backward=g, name="mine")``.

    Parameters
    ----------
    name : str
        What reports call it.
    **functions
        Each named as an operator, or as an operator and ``_backward``.

    Raises
    ------
    TypeError
        For a name that is no operator's, or something that can't be called.
    """
    known = [known for operator in operators for known in (operator, f"{operator}_backward")]
    for function in functions:
        if function not in known:
            raise TypeError(f"functions must be named as one of {', '.join(known)}, got {function!r}{_meant(function)}")
        if not callable(functions[function]):
            raise TypeError(f"{function} must be callable, got {type(functions[function]).__name__}")
    return SimpleNamespace(name=name, **functions)


def _meant(function: str) -> str:
    """Return what ends a message that a function's name isn't known."""
    operator, _ = operator_meant(function)
    direction = "backward" if "backward" in function.lower() else "forward"
    return f"; did you mean {function_name(operator, direction)}?" if operator else ""


def load(name: str, *, arithmetic: str | None = None) -> Any:
    """Load an implementation by name.

    Parameters
    ----------
    name : str
        An adapter's (``torch``, ``torch@cuda``), ``refconv``, or ``package.module[:object]``. A class is called
        without arguments.
    arithmetic : str, optional
        What an adapter is asked to compute in: ``tf32`` has `torch@cuda` use TF32, which it doesn't otherwise.

    Raises
    ------
    LoadError
        With one line that says what couldn't be loaded, and what is known.
    """
    adapter, separator, device = name.partition("@")
    try:
        if adapter == "torch":
            return _torch(device if separator else "cpu", arithmetic)
        module, _, path = name.partition(":")
        loaded = importlib.import_module(module)
        for attribute in filter(None, path.split(".")):
            loaded = getattr(loaded, attribute)
        return loaded() if inspect.isclass(loaded) else loaded
    except (Exception, SystemExit) as error:  # importing and making foreign code may raise anything
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        known = f"{', '.join(ADAPTERS)}, refconv, or package.module[:object]"
        raise LoadError(f"cannot load {name!r}: {cause} (known: {known})") from error


def source(implementation: object, arithmetic: str | None) -> str | None:
    """Return Python that makes what :func:`load` does of a name, or the module that is given; None for an object.

    What is named must have been loaded.
    """
    if isinstance(implementation, ModuleType):
        return f"import {implementation.__name__} as implementation"
    if not isinstance(implementation, str):
        return None
    adapter, separator, device = implementation.partition("@")
    if adapter == "torch":
        options = [repr(device)] * bool(separator) + ["tf32=True"] * (arithmetic == "tf32")
        return f"from oracle.adapters.torch import Torch\nimplementation = Torch({', '.join(options)})"
    module, _, path = implementation.partition(":")
    if not path:
        return f"import {module} as implementation"
    made = attrgetter(path)(sys.modules[module])
    return f"import {module}\nimplementation = {module}.{path}{'()' * inspect.isclass(made)}"


def _torch(device: str, arithmetic: str | None) -> Any:
    from oracle.adapters.torch import Torch  # an optional extra, imported by nobody else

    return Torch(device, tf32=arithmetic == "tf32")


def resolve(implementation: object, arithmetic: str | None) -> Any:
    """Return `implementation`, loaded if it is a name."""
    return load(implementation, arithmetic=arithmetic) if isinstance(implementation, str) else implementation


def name_of(implementation: object) -> str:
    """Return what reports call `implementation`, an object or a name."""
    if isinstance(implementation, str):
        return implementation
    named = getattr(implementation, "name", None) or getattr(implementation, "__name__", None)
    return str(named or type(implementation).__name__)


def version_of(implementation: object) -> str | None:
    """Return the version of `implementation` where it says one."""
    version = getattr(implementation, "version", None) or getattr(implementation, "__version__", None)
    return version if isinstance(version, str) else None
