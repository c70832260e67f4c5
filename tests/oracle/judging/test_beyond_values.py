"""What an implementation must do beside returning the right values."""

import json

import numpy as np
import pytest

import oracle
import refconv
from oracle.searching.siblings import Sibling, Siblings
from properties import Case, content

ATTRIBUTES = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1, "padding_mode": "zeros"}


def of_convolution(**changed):
    shapes = {"input": (2, 2, 5), "weight": (3, 2, 3), "bias": (3,), "grad_output": (2, 3, 5)}
    arrays = {name: content("integer", shape, "float32", seed) for seed, (name, shape) in enumerate(shapes.items())}
    arrays |= {name: value for name, value in changed.items() if name in shapes}
    attributes = {**ATTRIBUTES, **{name: value for name, value in changed.items() if name in ATTRIBUTES}}
    return Case("conv", (arrays["input"], arrays["weight"], arrays["bias"]), attributes, arrays["grad_output"])


def test_bits_that_change_are_seen_where_the_implementation_claims_that_they_dont():
    class Unsteady:
        deterministic = True
        calls = 0

        def conv(self, input, weight, bias=None, **attributes):
            self.calls += 1
            return refconv.conv(input + np.float32(self.calls % 2), weight, bias, **attributes)

    (failure,) = oracle.check(Unsteady(), examples=100).failures
    assert failure.reason == "output not the same bits for the same input, which it claims"
    assert failure.diagnosis == "not deterministic"


def test_what_claims_to_be_deterministic_and_is_passes():
    subject = oracle.subject(conv=refconv.conv, conv_backward=refconv.conv_backward)
    subject.deterministic = True
    assert oracle.check(subject, examples=20).passed


def test_elements_that_are_not_written_are_seen_though_memory_mostly_holds_what_was_there():
    def conv(input, weight, bias=None, **attributes):
        right = refconv.conv(input, weight, bias, **attributes)
        output = np.empty_like(right)
        output[..., 1:] = right[..., 1:]
        return output

    assert "nan" in oracle.compare(oracle.subject(conv=conv), of_convolution(), directions=["forward"]).reason


SENSELESS = {
    "weight": np.ones((3, 3, 3), np.float32),
    "bias": np.ones(2, np.float32),
    "stride": 0,
    "padding": -1,
    "groups": 2,
    "padding_mode": "mirror",
}


@pytest.mark.parametrize("name", SENSELESS)
def test_a_call_that_makes_no_sense_must_be_refused(name):
    case = of_convolution(**{name: SENSELESS[name]})

    def answering(input, weight, bias=None, **attributes):
        return np.zeros((2, 3, 5), np.float32)

    def declining(input, weight, bias=None, **attributes):
        raise oracle.Unsupported("not this")

    judged = oracle.compare(oracle.subject(conv=answering), case, directions=["forward"])
    assert judged.reason.startswith("must refuse a call that makes no sense (")
    assert judged.reason.endswith("): returned a result")
    assert oracle.compare(oracle.subject(conv=declining), case, directions=["forward"]).passed
    assert oracle.compare(refconv, case).passed


def unchecked(input, weight, bias=None, **attributes):
    return refconv.conv(input, weight, None if bias is None else np.resize(bias, len(weight)), **attributes)


def test_what_is_not_refused_is_a_failure_with_a_name_that_can_be_replayed(tmp_path):
    subject = oracle.subject(conv=unchecked)
    report = oracle.check(subject)  # every contradiction is tried of a whole plan
    (failure,) = report.failures
    assert (failure.law, failure.diagnosis) == ("refuses what makes no sense", "arguments not checked")
    assert "# expected an error: bias must have shape" in failure.script
    report.to_json(tmp_path / "report.json")
    ((_, judged),) = oracle.replay(tmp_path / "report.json", subject, isolate=False)
    assert judged.reason == failure.reason
    content = json.loads((tmp_path / "report.json").read_text())
    del content["failures"][0]["calls"][0]["makes_sense"]
    (tmp_path / "report.json").write_text(json.dumps(content))
    with pytest.raises(oracle.FileError, match="bias must have shape"):
        oracle.replay(tmp_path / "report.json", subject, isolate=False)


def test_what_the_implementation_refuses_is_counted():
    tallies = oracle.check(refconv, ["conv"], examples=50).tallies
    assert all(1 <= tally.refused <= 12 for tally in tallies[:2])


def test_siblings_have_the_same_shapes_and_differ_in_content_or_in_one_attribute():
    case = of_convolution()
    other = Sibling("content").of(case)
    assert [array.shape for array in other.inputs] == [array.shape for array in case.inputs]
    assert (other.inputs[1] != case.inputs[1]).any()
    attributes = {"kernel_size": 2, "stride": 2, "padding": 0, "ceil_mode": False, "count_include_pad": True}
    pooled = Case(
        "avg_pool",
        (content("integer", (1, 1, 4), "float32", 0),),
        {**attributes, "divisor_override": None},
        content("integer", (1, 1, 2), "float32", 1),
    )
    others = [Sibling("attribute", name).of(pooled) for name in pooled.attributes]
    changed = [dict(set(other.attributes.items()) - set(pooled.attributes.items())) for other in others if other]
    assert changed == [{"ceil_mode": True}, {"count_include_pad": False}, {"divisor_override": 3}]


def test_siblings_by_an_attribute_make_a_difference_and_take_turns():
    attributes = {"kernel_size": 2, "stride": 2, "padding": 0, "ceil_mode": False, "count_include_pad": True}
    chosen = Siblings(refconv.operators["avg_pool"], "forward")
    names = {0: [], 1: []}
    for seed in range(300):
        padding = 1 if seed < 200 else 0
        pooled = Case(
            "avg_pool",
            (content("integer", (2, 2, 6), "float32", seed),),
            {**attributes, "padding": padding, "divisor_override": None},
            content("integer", (2, 2, 3 + padding), "float32", seed),
        )
        names[padding] += [sibling.name for sibling, _ in chosen.of(pooled) if sibling.kind == "attribute"]
    assert names[1][:4] == ["count_include_pad", "divisor_override"] * 2
    assert set(names[0]) == {"divisor_override"}


def test_special_values_come_up_in_all_arrays_one_at_a_time():
    chosen = Siblings(refconv.operators["conv"], "backward")
    seen = set()
    for seed in range(600):
        case = of_convolution(
            input=content("integer", (2, 2, 5), "float32", seed),
            grad_output=content("integer", (2, 3, 5), "float32", seed),
        )
        for sibling, other in chosen.of(case):
            if sibling.kind == "special":
                seen.add((sibling.name, sibling.special))
                array = other.arrays[sibling.name]
                assert np.count_nonzero(~(abs(array) <= 4) | (abs(array) < 1)) == 1
    assert len(seen) == 4 * 7


class Keeping:
    """Keeps the first weight of each shape."""

    def __init__(self):
        self.weights = {}

    def linear(self, input, weight, bias=None):
        return refconv.linear(input, self.weights.setdefault(weight.shape, weight.copy()), bias)


def test_what_is_kept_between_calls_is_found():
    assert not oracle.check(Keeping(), ["linear"], examples=100).passed


def test_what_is_kept_between_calls_is_named_in_a_process_of_its_own(tmp_path, monkeypatch):
    name = "oracle.diagnosis.planted:linear_forward_depends_on_earlier_calls"
    (failure,) = oracle.check(name, ["linear"], isolate=True, examples=100).failures
    assert failure.law == "leaves no trace in later calls"
    assert failure.diagnosis == "depends on earlier calls"
    assert len(failure.calls) == 2
