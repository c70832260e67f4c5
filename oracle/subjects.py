"""What is checked: implementations by object, from loose functions, or by name."""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import ModuleType, SimpleNamespace
from typing import Any

from oracle.contract import function_name
from oracle.said import line_of, said_by
from properties.naming import operator_meant
from refconv import operators

ADAPTERS = ("torch", "torch@cuda")


_FUNCTIONS = tuple(known for operator in operators for known in (operator, f"{operator}_backward"))


class LoadError(Exception):
    """A subject that was named can't be loaded."""


class WrongKindError(ValueError):
    """What is no implementation, though one can be made of it; the message says how."""


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
    for function in functions:
        if function not in _FUNCTIONS:
            known = ", ".join(_FUNCTIONS)
            raise TypeError(f"functions must be named as one of {known}, got {function!r}{_meant(function)}")
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
        without arguments; one that wants some is refused.
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
        return usable(_made(loaded))
    except (Exception, SystemExit) as error:  # importing and making foreign code may raise anything
        cause = (
            str(error) if isinstance(error, WrongKindError) else line_of(f"{type(error).__name__}: {said_by(error)}")
        )
        known = f"{', '.join(ADAPTERS)}, refconv, or package.module[:object]"
        raise LoadError(f"cannot load {name!r}: {cause} (known: {known})") from error


def _made(loaded: Any) -> Any:
    """Return what was loaded; of a class, an object."""
    if not inspect.isclass(loaded):
        return loaded
    needed = [name for name, known in _parameters(loaded).items() if _is_needed(known)]
    if needed:
        advice = f"name an object that was made of it, as {loaded.__name__.lower()} = {loaded.__name__}(...)"
        raise WrongKindError(f"the class {loaded.__name__} wants {', '.join(needed)}: {advice}")
    return loaded()


def _parameters(kind: type) -> Mapping[str, inspect.Parameter]:
    """Return what a class is made of, as far as that can be read."""
    try:
        return inspect.signature(kind).parameters
    except ValueError:
        return {}


def _is_needed(parameter: inspect.Parameter) -> bool:
    variadic = parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return parameter.default is inspect.Parameter.empty and not variadic


def usable(implementation: Any) -> Any:
    """Return `implementation`; refuse what has no functions by the operators' names to call, and say what has.

    Raises
    ------
    WrongKindError
        For a function by itself, and for a class whose functions want an object of it.
    """
    named = getattr(implementation, "__name__", "f").replace("<lambda>", "f")
    if inspect.isroutine(implementation):
        known = named.removesuffix("_backward") in operators
        as_subject = f"oracle.subject({named if known else 'conv'}={named})"
        raise WrongKindError(f"implementation must have functions named as operators, got a function: {as_subject}")
    if inspect.isclass(implementation) and any(_wants_self(implementation, name) for name in _FUNCTIONS):
        raise WrongKindError(f"implementation must be an object of the class {named}, got the class: {named}()")
    return implementation


def _wants_self(kind: type, name: str) -> bool:
    function = inspect.getattr_static(kind, name, None)
    return inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), None) == "self"


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
    """Return `implementation`, loaded if it is a name; refuse what can't be one."""
    return load(implementation, arithmetic=arithmetic) if isinstance(implementation, str) else usable(implementation)


def name_of(implementation: object) -> str:
    """Return what reports call `implementation`, an object or a name."""
    if isinstance(implementation, str):
        return implementation
    named = getattr(implementation, "name", None) or getattr(implementation, "__name__", None)
    return line_of(str(named or type(implementation).__name__))


def version_of(implementation: object) -> str | None:
    """Return the version of `implementation` where it says one."""
    version = getattr(implementation, "version", None) or getattr(implementation, "__version__", None)
    return line_of(version) if isinstance(version, str) else None
