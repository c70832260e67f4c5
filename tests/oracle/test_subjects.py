import sys
import types

import pytest

import oracle
import refconv
from oracle.adapters.torch import Torch
from oracle.subjects import name_of, version_of


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("someones")
    made.conv = refconv.conv
    made.Kernels = type("Kernels", (), {"conv": staticmethod(refconv.conv)})
    made.inner = types.SimpleNamespace(kernels=made.Kernels())
    monkeypatch.setitem(sys.modules, "someones", made)
    return made


def test_a_module_an_object_in_it_or_a_class_is_loaded_by_name(module):
    assert oracle.load("someones") is module
    assert oracle.load("someones:inner.kernels") is module.inner.kernels
    assert isinstance(oracle.load("someones:Kernels"), module.Kernels)


def test_refconv_is_a_subject_like_any_other():
    assert oracle.load("refconv") is refconv


def test_torch_is_loaded_through_its_adapter():
    assert isinstance(oracle.load("torch"), Torch)
    assert not oracle.load("torch").tf32
    assert oracle.load("torch", arithmetic="tf32").tf32


@pytest.mark.parametrize(
    "name", ["nowhere", "refconv:nothing", "refconv:layers.nothing", "", "torch@nonsense", "torch@", ".."]
)
def test_what_cant_be_loaded_is_said_in_one_line_with_what_is_known(name):
    with pytest.raises(oracle.LoadError) as caught:
        oracle.load(name)
    message = str(caught.value)
    assert message.startswith(f"cannot load {name!r}: ")
    assert message.endswith("(known: torch, torch@cuda, refconv, or package.module[:object])")
    assert len(message.splitlines()) == 1


def test_a_class_that_cant_be_made_is_no_crash(module):
    def broken():
        raise OSError("libmine.so: cannot open\nsecond line")

    module.Broken = type("Broken", (), {"__init__": lambda self: broken()})
    with pytest.raises(
        oracle.LoadError, match=r"^cannot load 'someones:Broken': OSError: libmine.so: cannot open \(known"
    ):
        oracle.load("someones:Broken")


def test_loose_functions_make_a_subject():
    made = oracle.subject(conv=refconv.conv, conv_backward=refconv.conv_backward, name="mine")
    assert made.conv is refconv.conv
    assert name_of(made) == "mine"


def test_functions_of_no_operator_are_refused():
    with pytest.raises(TypeError, match=r"^functions must be named as one of conv, conv_backward, .*, got 'convolve'$"):
        oracle.subject(convolve=refconv.conv)
    with pytest.raises(TypeError, match=r", got 'conv2d_backward'; did you mean conv_backward\?$"):
        oracle.subject(conv2d_backward=refconv.conv_backward)
    with pytest.raises(TypeError, match=r"^conv must be callable, got int$"):
        oracle.subject(conv=3)


def test_a_subject_is_called_what_it_says():
    assert name_of("package.module:object") == "package.module:object"
    assert name_of(refconv) == "refconv"
    assert name_of(Torch()) == "torch"
    assert name_of(object()) == "object"
    assert version_of(object()) is None
    assert version_of(Torch()).startswith("2.")


def test_a_module_that_leaves_at_import_is_no_end(tmp_path, monkeypatch):
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(oracle.LoadError, match=r"^cannot load 'leaving': SystemExit: 0 "):
        oracle.load("leaving")


def test_a_class_that_wants_arguments_says_which_and_what_to_name_instead(module):
    class Layer:
        def __init__(self, channels, *, groups=1):
            self.channels = channels

    module.Layer = Layer
    advice = r"the class Layer wants channels: name an object that was made of it, as layer = Layer\(\.\.\.\) \(known"
    with pytest.raises(oracle.LoadError, match=f"^cannot load 'someones:Layer': {advice}"):
        oracle.load("someones:Layer")


def test_a_function_by_itself_is_told_how_it_becomes_a_subject(module):
    with pytest.raises(ValueError, match=r"got a function: oracle\.subject\(conv=conv\)$"):
        oracle.check(refconv.conv)
    module.mine = lambda x: x
    with pytest.raises(oracle.LoadError, match=r"got a function: oracle\.subject\(conv=f\)"):
        oracle.load("someones:mine")


def test_a_class_whose_functions_want_an_object_is_told_so():
    class Mine:
        def relu(self, input):
            return refconv.relu(input)

    with pytest.raises(
        ValueError, match=r"^implementation must be an object of the class Mine, got the class: Mine\(\)$"
    ):
        oracle.check(Mine)
    assert oracle.check(Mine(), ["relu"], examples=2).passed
