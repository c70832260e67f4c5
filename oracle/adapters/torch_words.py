"""A call in PyTorch's own words: what the adapter calls is recorded, and printed as Python."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name

from refconv.arguments import Array

_SET = "torch.Tensor.__setitem__"


class UnspeakableError(Exception):
    """A call that can't be printed."""


class Recorder(TorchFunctionMode):
    """Records what is called on tensors, some of which have names already, as lines of Python."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._named: list[tuple[Any, str]] = [(tensor, name) for name, tensor in named.items() if tensor is not None]
        self._results = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`; record it before, should it raise, unless it returns no tensor."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "__get__":  # of an attribute, such as `shape` or `mT`
            got = func(*args, **kwargs)
            if isinstance(got, torch.Tensor):
                self._named.append((got, f"{self._spelled(args[0])}.{func.__self__.__name__}"))
            return got
        called: str | None = resolve_name(func)
        if called == _SET:
            tensor, index, value = map(self._spelled, args)
            self.lines.append(f"{tensor}[{index}] = {value}")
            return func(*args, **kwargs)
        self._results += 1
        name = f"result_{self._results}"
        self.lines.append(f"{name} = {self._spelled_call(called, args, kwargs)}")
        returned = func(*args, **kwargs)
        if isinstance(returned, torch.Tensor):
            self._named.append((returned, name))
        elif isinstance(returned, tuple | list) and any(isinstance(each, torch.Tensor) for each in returned):
            self._named.extend((each, f"{name}[{place}]") for place, each in enumerate(returned))
        else:
            self.lines.pop()
            self._results -= 1
        return returned

    def name_of(self, tensor: Any) -> str:
        """Return the name of a tensor that was seen."""
        for known, name in reversed(self._named):
            if known is tensor:
                return str(name)
        raise UnspeakableError

    @property
    def last(self) -> str:
        """The name of the last result, of a call that raised, too."""
        return f"result_{self._results}"

    def _spelled_call(self, name: str | None, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        if name is None:
            raise UnspeakableError
        if name == "torch.Tensor.__getitem__":
            return f"{self._spelled(args[0])}[{self._spelled(args[1])}]"
        spelled = [*map(self._spelled, args), *(f"{key}={self._spelled(value)}" for key, value in kwargs.items())]
        method = name.removeprefix("torch.Tensor.")
        if method != name and not method.startswith("__"):
            return f"{spelled[0]}.{method}({', '.join(spelled[1:])})"
        known = f"torch.ops.{name}" if name.startswith("aten.") else name
        return f"{known}({', '.join(spelled)})"

    def _spelled(self, value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return self.name_of(value)
        if isinstance(value, tuple | list):
            entries = ", ".join(map(self._spelled, value))
            return f"[{entries}]" if isinstance(value, list) else f"({entries}{',' * (len(value) == 1)})"
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({str(value)!r})"
        if isinstance(value, torch.device):
            return f"torch.device({str(value)!r})"
        if value is None or isinstance(value, str | int | float | slice | type(...) | torch.dtype):
            return repr(value)
        raise UnspeakableError


def tensor_line(name: str, array: Array | None, device: str, *, leaf: bool) -> str:
    """Return Python that makes a tensor of the array called `name`, as the adapter does; nothing where it is None."""
    if array is None:
        return ""
    if array.dtype.kind == "V":  # bfloat16, which torch.from_numpy doesn't know
        raise UnspeakableError
    copied = ".copy()" * (min(array.strides, default=0) < 0)  # PyTorch has no negative strides
    moved = f".to({device!r})" * (device != "cpu")
    return f"{name} = torch.from_numpy({name}{copied}){moved}{'.requires_grad_()' * leaf}"


def printed_line(names: Sequence[str]) -> list[str]:
    """Return Python that prints what a forward gives."""
    results = ", ".join(f"{name}.cpu()" for name in names)
    return [f"print({results})" if len(names) == 1 else f"print(({results}))"]


def pulled_lines(output: str, leaves: Sequence[str], differentiable: Sequence[str]) -> list[str]:
    """Return Python that prints a gradient for each input that has one, None where there is no input."""
    gradients = {name: f"gradients[{place}].cpu()" for place, name in enumerate(leaves)}
    printed = ", ".join(gradients.get(name, "None") for name in differentiable)
    pulled = f"gradients = torch.autograd.grad({output}, [{', '.join(leaves)}], grad_output)"
    return [pulled, f"print(({printed}{',' * (len(differentiable) == 1)}))"]
