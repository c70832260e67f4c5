"""PyTorch, seen as an implementation: its functionals forward, its autograd backward."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import ml_dtypes
import numpy as np
import torch

from oracle.adapters.torch_functions import DEVIATIONS, FUNCTIONS
from oracle.adapters.torch_words import Recorder, printed_line, pulled_lines, tensor_line
from oracle.contract import Unsupported, arguments_of
from properties import Case
from refconv import operators
from refconv.arguments import Array


class _Pulled(torch.autograd.Function):
    """A scalar whose gradient with respect to `output` is `grad_output`, in its own memory layout.

    ``torch.autograd.grad(output, inputs, grad_output)`` does the same, but imports SymPy, which takes half a second.
    """

    @staticmethod
    def forward(ctx: Any, output: Any, grad_output: Any) -> Any:
        """Keep `grad_output` for the backward."""
        ctx.grad_output = grad_output
        return output.new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Any) -> Any:
        """Hand it over."""
        return ctx.grad_output, None


class Torch:
    """PyTorch on one device. It is handed arrays in their memory layouts; TF32 is off unless asked for."""

    def __init__(self, device: str = "cpu", *, tf32: bool = False) -> None:
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no CUDA device")
        self.device = device
        self.tf32 = tf32
        self.name = "torch" if device == "cpu" else f"torch@{device}"
        self.version = torch.__version__
        self.deviations = DEVIATIONS if device == "cpu" else ()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the function called `name`, an operator's, or an operator's and ``_backward``."""
        operator = name.removesuffix("_backward")
        if operator not in FUNCTIONS:
            raise AttributeError(f"{self.name} has no {name}")
        return partial(self._forward if name == operator else self._backward, operator)

    def prepare(self, function: str, *arrays: Array | None, **attributes: Any) -> "Prepared":
        """Return the call of `function` on tensors that are on the device already, for timing.

        Of a backward, it is that alone: the forward is run now, and what it kept is kept.
        """
        operator = function.removesuffix("_backward")
        run: Callable[[], Any]
        with self._precision(), _declining():
            if function == operator:
                tensors = self._tensors(operator, arrays)
                run, fetch = partial(_called, operator, tensors, attributes), _arrays
            else:
                leaves, output = self._graph(operator, arrays[1:], attributes)
                pulled = self._tensor(arrays[0])
                run = partial(torch.autograd.grad, output, list(leaves.values()), pulled, retain_graph=True)
                fetch = partial(_gradients, operator, leaves)
            run()  # what it has no kernel for, it declines now
        return Prepared(run, fetch) if self.device == "cpu" else PreparedOnDevice(run, fetch, self._precision)

    def own_words(self, case: Case, direction: str) -> str:
        """Return Python that makes a call with PyTorch alone, of arrays that are there by name, and prints it."""
        backward = direction == "backward"
        tensors = {name: self._tensor(array) for name, array in arguments_of(case, direction).items()}
        leaves = [name for name in case.row.differentiable if backward and tensors[name] is not None]
        for name in leaves:
            tensors[name].requires_grad_()
        inputs = {name: tensors[name] for name in case.row.inputs}
        recorder, returned = Recorder(tensors), None
        with self._precision(), torch.set_grad_enabled(backward), recorder, contextlib.suppress(RuntimeError):
            returned = _called(case.operator, inputs, dict(case.attributes))
        results = returned if isinstance(returned, tuple) else (returned,)
        names = [recorder.last] if returned is None else [recorder.name_of(each) for each in results]
        tf32 = [f"torch.backends.{part}.allow_tf32 = {self.tf32}" for part in ("cuda.matmul", "cudnn")]
        made = [tensor_line(name, case.arrays[name], self.device, leaf=name in leaves) for name in tensors]
        printed = pulled_lines(names[0], leaves, case.row.differentiable) if backward else printed_line(names)
        return "\n".join(
            ["import torch", *tf32 * (self.device != "cpu"), *filter(None, made), *recorder.lines, *printed]
        )

    def _forward(self, operator: str, *arrays: Array | None, **attributes: Any) -> Any:
        tensors = self._tensors(operator, arrays)
        with torch.no_grad(), self._precision(), _declining():
            results = _called(operator, tensors, attributes)
        return _arrays(results)

    def _backward(self, operator: str, grad_output: Array, *arrays: Array | None, **attributes: Any) -> Any:
        with self._precision(), _declining():
            leaves, output = self._graph(operator, arrays, attributes)
            if output.shape != grad_output.shape:
                raise ValueError(f"grad_output must have shape {tuple(output.shape)}, got {grad_output.shape}")
            pulled: Any = _Pulled.apply(output, self._tensor(grad_output))  # type: ignore[no-untyped-call]  # PyTorch has none
            return _gradients(operator, leaves, torch.autograd.grad(pulled, list(leaves.values())))

    def _graph(
        self, operator: str, arrays: Sequence[Array | None], attributes: dict[str, Any]
    ) -> tuple[dict[str, Any], Any]:
        """Run the forward; return the inputs that have gradients, by name, and the output, with its graph."""
        tensors = self._tensors(operator, arrays)
        differentiable = operators[operator].differentiable
        leaves = {name: tensors[name].requires_grad_() for name in differentiable if tensors[name] is not None}
        results = _called(operator, tensors, attributes)
        return leaves, results[0] if isinstance(results, tuple) else results

    def _tensors(self, operator: str, arrays: Sequence[Array | None]) -> dict[str, Any]:
        return {name: self._tensor(array) for name, array in zip_longest(operators[operator].inputs, arrays)}

    def _tensor(self, array: Array | None) -> Any:
        if array is None:
            return None
        if min(array.strides, default=0) < 0:  # PyTorch has no negative strides
            array = array.copy()
        if array.dtype == ml_dtypes.bfloat16:  # which torch.from_numpy doesn't know
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(self.device)
        return torch.from_numpy(array).to(self.device)

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        if self.device == "cpu":
            yield
            return
        matmul = torch.backends.cuda.matmul
        before = matmul.allow_tf32
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=self.tf32):
            matmul.allow_tf32 = self.tf32
            try:
                yield
            finally:
                matmul.allow_tf32 = before


class Prepared:
    """A call on tensors that are held ready; what it returns stays where it is until it is fetched."""

    def __init__(self, run: Callable[[], Any], fetch: Callable[[Any], Any]) -> None:
        self._run = run
        self.fetch = fetch

    def __call__(self) -> Any:
        """Run it."""
        return self._run()


class PreparedOnDevice(Prepared):
    """One that the device times by its own events."""

    def __init__(self, run: Callable[[], Any], fetch: Callable[[Any], Any], precision: Callable[[], Any]) -> None:
        super().__init__(run, fetch)
        self._precision = precision

    def __call__(self) -> Any:
        """Run it."""
        with self._precision():
            return self._run()

    def elapsed(self, number: int) -> float:
        """Return the seconds that `number` calls take."""
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # PyTorch has none
        with self._precision():
            began.record()
            for _ in range(number):
                self._run()
            ended.record()
        ended.synchronize()
        return float(began.elapsed_time(ended)) / 1e3


@contextlib.contextmanager
def _declining() -> Iterator[None]:
    """Decline what PyTorch has no kernel for."""
    try:
        yield
    except RuntimeError as error:
        if "not implemented for" in str(error):
            raise Unsupported(str(error)) from error
        raise


def _called(operator: str, tensors: dict[str, Any], attributes: dict[str, Any]) -> Any:
    return FUNCTIONS[operator](*tensors.values(), **{**operators[operator].attributes, **attributes})


def _gradients(operator: str, leaves: Iterable[str], gradients: Sequence[Any]) -> Any:
    row, named = operators[operator], dict(zip(leaves, gradients, strict=True))
    return row.gradients(*(_array(named.get(name)) for name in row.differentiable))


def _arrays(results: Any) -> Any:
    return tuple(map(_array, results)) if isinstance(results, tuple) else _array(results)


def _array(tensor: Any) -> Array | None:
    if tensor is None:
        return None
    plain = tensor.detach().cpu()
    if plain.dtype == torch.bfloat16:
        return np.asarray(plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16))
    return np.asarray(plain.numpy())
