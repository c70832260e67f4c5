"""A check runs the layers of networks, then every triple of classes; it learns what is declined, and says what it did."""

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

import oracle
import refconv
from oracle.searching.descent import Threshold
from properties.domain import DomainError
from properties.layers import layers

pytestmark = pytest.mark.slow


def last_wrong_where(wrong):
    """The reference's `linear`, with its last element wrong where a predicate of input and output says so."""

    def linear(input, weight, bias=None):
        output = refconv.linear(input, weight, bias)
        if output.size and wrong(input, output):
            output.flat[-1] += 1
        return output

    return oracle.subject(linear=linear, name="mine")


def test_all_is_covered_by_default_and_said():
    report = oracle.check(oracle.subject(relu=refconv.relu, name="mine"), ["relu"])
    (coverage,) = report.coverage
    assert report.passed
    assert (coverage.layers, coverage.of_layers) == (len(layers("relu", 20_000_000)),) * 2
    assert coverage.pairs == coverage.of_pairs > 100
    assert coverage.triples == coverage.of_triples > 1000
    assert coverage.free == 60
    assert f"{coverage.layers} of {coverage.layers}" in str(report)
    assert json.loads(report.to_json())["coverage"][0]["triples"] == coverage.triples


def test_with_few_cases_it_says_what_was_left_out():
    report = oracle.check(oracle.subject(relu=refconv.relu), ["relu"], examples=20)
    (coverage,) = report.coverage
    assert coverage.layers < coverage.of_layers
    assert coverage.triples < coverage.of_triples
    assert coverage.tried == 20
    assert coverage.layers + coverage.free < 20 <= sum(tally.cases for tally in report.tallies)


def test_the_size_from_which_on_it_fails_is_the_least():
    report = oracle.check(last_wrong_where(lambda given, output: given.shape[-1] > 64), ["linear"])
    (failure,) = report.failures
    assert failure.threshold == str(Threshold("features in", 65))
    assert failure.case.inputs[0].shape[-1] == 65
    assert "fails from features in 65 on; 64 passes" in str(report)


def test_the_common_call_comes_first():
    report = oracle.check(last_wrong_where(lambda given, output: output.shape[-1] == 1000), ["linear"], shrink=False)
    assert report.failures
    assert report.tallies[0].cases < report.coverage[0].of_layers


def declining(input, weight, bias=None):
    if bias is None or input.ndim != 2:
        raise oracle.Unsupported("a bias, and two axes")
    return refconv.linear(input, weight, bias)


def test_what_is_declined_is_learned_and_its_place_goes_to_what_is_accepted():
    report = oracle.check(oracle.subject(linear=declining, name="mine"), ["linear"])
    tally, *_ = report.tallies
    (coverage,) = report.coverage
    assert report.passed
    assert tally.declined < 0.1 * tally.cases
    assert tally.cases - tally.declined > 100
    assert any("bias False" in said for said in coverage.declined)
    assert coverage.triples == coverage.of_triples
    assert "linear declines: " in str(report)


class OfOneDomain:
    name = "mine"
    domain = {"bias": "True"}  # noqa: RUF012  # as a stranger writes it

    @staticmethod
    def linear(input, weight, bias=None):
        assert bias is not None
        return refconv.linear(input, weight, bias)


def test_a_domain_that_is_declared_is_kept():
    report = oracle.check(OfOneDomain, ["linear"], examples=60)
    assert not report.failures
    assert report.only == {"bias": frozenset({"True"})}


def test_a_domain_that_is_asked_for_is_kept():
    report = oracle.check(oracle.subject(linear=OfOneDomain.linear), ["linear"], examples=60, only={"bias": "True"})
    assert not report.failures
    assert "only bias True" in str(report)


def test_a_domain_that_leaves_nothing_is_refused():
    with pytest.raises(DomainError, match="only must name some of"):
        oracle.check(refconv, ["relu"], only={"groups": 1})


@pytest.mark.parametrize("laws", [False, True])
def test_a_domain_of_which_no_case_is_drawn_is_refused(laws):
    forward, never = oracle.subject(flatten=refconv.flatten), {"elements": "1", "multiple of 16": "True"}
    with pytest.raises(DomainError, match=r"^only leaves no case of flatten$"):
        oracle.check(forward, "flatten", only=never, examples=2, largest=1000, laws=laws)


@pytest.mark.parametrize("asked", [False, True])
def test_no_call_leaves_the_domain(asked):
    seen = set()

    def max_pool(input, **attributes):
        seen.add(attributes["return_indices"])
        return refconv.max_pool(input, **attributes)

    subject = oracle.subject(max_pool=max_pool)
    assert oracle.check(subject, "max_pool", only={"return_indices": asked}, examples=150).passed
    assert seen == {asked}


class Stating:
    name = "mine"
    relu = staticmethod(refconv.relu)
    conv = staticmethod(refconv.conv)

    def __init__(self, domain):
        self.stated = domain

    @property
    def domain(self):
        if isinstance(self.stated, Exception):
            raise self.stated
        return self.stated


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ({"grops": 1}, "^the domain of mine must name some of .*, got 'grops'; did you mean groups\\?$"),
        ([("rank", 2)], "^the domain must be a mapping, got list$"),
        (KeyError("x"), "^the domain can't be read: KeyError: 'x'$"),
    ],
)
@pytest.mark.parametrize("checked", [oracle.check, oracle.conformance_tests])
def test_a_domain_that_makes_no_sense_is_refused(domain, said, checked):
    with pytest.raises(DomainError, match=said):
        checked(Stating(domain), ["relu"])


def test_a_domain_may_name_what_other_operators_have():
    assert oracle.check(Stating({"groups": 1}), ["relu"], examples=2).passed


class Supporting:
    name = "mine"
    relu = staticmethod(refconv.relu)

    def __init__(self, answer):
        self.answer = answer

    def supports(self, case):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [("yes", "supports(case) must return a bool, got str"), (KeyError("x"), "must return a bool, but raised KeyError")],
)
def test_supports_must_answer(answer, said):
    report = oracle.check(Supporting(answer), ["relu"], examples=4, shrink=False)
    assert said in report.failures[0].reason


def test_what_supports_turns_down_is_declined():
    report = oracle.check(Supporting(False), ["relu"], examples=10)
    assert report.undecided
    assert "--only" in report.undecided[0].declined_words


def test_seconds_end_a_check():
    began = time.perf_counter()
    report = oracle.check(refconv, ["conv"], seconds=1.0)
    assert time.perf_counter() - began < 30
    assert report.coverage[0].triples < report.coverage[0].of_triples


_ROOM = np.zeros(1 << 22, np.float32)


def same_buffer(input):
    output = refconv.relu(input)
    room = _ROOM[: output.size]
    room[:] = output.ravel()
    return room.reshape(output.shape)


def test_a_result_that_the_next_call_overwrites_is_a_failure():
    report = oracle.check(oracle.subject(relu=same_buffer), ["relu"], examples=20, shrink=False)
    assert "overwrote output of the call before" in report.failures[0].reason


class Shared:
    """A workspace that all threads share."""

    thread_safe = True

    def __init__(self):
        self.room = np.zeros(1 << 22, np.float32)

    def relu(self, input):
        output = refconv.relu(input)
        room = self.room[: output.size]
        room[:] = output.ravel()
        time.sleep(0.002)
        return room.reshape(output.shape).copy()


def test_threads_at_once_must_agree_where_that_is_claimed():
    report = oracle.check(Shared(), ["relu"], examples=10, shrink=False)
    assert "beside another call in a thread of its own, which it claims" in report.failures[0].reason


def test_threads_that_agree_are_no_failure():
    class Safe:
        thread_safe = True
        relu = staticmethod(refconv.relu)

    assert oracle.check(Safe, ["relu"], examples=10).passed


def test_how_many_cases_there_will_be_is_known_about():
    seen = []
    report = oracle.check(
        oracle.subject(relu=refconv.relu, name="mine"),
        ["relu"],
        progress=lambda report: seen.append((report.coverage[-1].tried, report.coverage[-1].expected)),
    )
    assert seen[0][0] == 0  # before anything is compiled
    known = report.coverage[0].tried
    assert seen[-1][0] == known
    halfway = [expected for tried, expected in seen if tried > known / 2]
    assert max(abs(expected - known) for expected in halfway) < 0.3 * known


def test_what_compiles_for_each_shape_gets_other_contents_too():
    shapes, contents = set(), set()

    def linear(input, weight, bias=None):
        shape = tuple(None if array is None else array.shape for array in (input, weight, bias))
        if shape not in shapes:
            time.sleep(0.6)
        shapes.add(shape)
        contents.add((shape, input.tobytes()))
        return refconv.linear(input, weight, bias)

    report = oracle.check(oracle.subject(linear=linear), ["linear"], seconds=10)
    assert report.passed
    assert len(contents) > 2.5 * len(shapes)


def test_a_case_that_does_not_fit_into_memory_is_left_out_and_counted(monkeypatch):
    monkeypatch.setattr("oracle.searching.search._ALWAYS_THERE", 1 << 20)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1 << 25))
    sizes = []

    def relu(input):
        sizes.append(input.size)
        return refconv.relu(input)

    report = oracle.check(oracle.subject(relu=relu), ["relu"], seconds=10)
    (coverage,) = report.coverage
    assert coverage.left_out > 2
    assert f"relu: {coverage.left_out} cases left out, for which there isn't the memory" in str(report)
    assert 1 << 24 < max(sizes) * 8 * 32 < 1 << 25
