"""Conformance tests for a test suite of one's own: a class, with a test for each operator, direction and law."""

import random
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from hypothesis import settings

from oracle.checking import offered, read_names
from oracle.contract import DIRECTIONS, function_name
from oracle.judging.judge import read_arithmetic
from oracle.reporting.plain import one_line
from oracle.reporting.report import Report
from oracle.running.runner import InProcess, offers_all
from oracle.searching.drawing import by_seed_alone
from oracle.searching.extent import FAILURES, Extent
from oracle.searching.law_search import LawSearch
from oracle.searching.search import Search
from oracle.subjects import name_of, resolve, source
from properties import LAWS, Law
from properties.arrays import read_dtype
from properties.domain import Domain, narrowed_to, read_domain
from properties.naming import operator_meant
from refconv import Arithmetic

if TYPE_CHECKING:
    import pytest

LAW_SHARE = 5
"""A law is checked on one case for so many that the definition is: there are some fifteen of them to an operator."""


def conformance_tests(
    implementation: Any,
    operators: Iterable[str] | None = None,
    dtype: str = "float32",
    *,
    arithmetic: str | None = None,
    only: Domain | None = None,
    failures: int = FAILURES,
    specials: bool = True,
) -> type:
    """Return a class of tests: ``TestMine = oracle.conformance_tests(mine)``.

    ::

        TestMine::test_definition[conv-forward]             equals the reference, within its error bounds
        TestMine::test_law[conv-forward-stride_skips]       obeys one of `properties.LAWS`

    What the implementation lacks is skipped, with the reason; a failure shows the report of :func:`oracle.check`.
    Hypothesis's profile says how many cases there are (`max_examples`; a law is checked on a fifth of them), whether
    they are the same each time (`derandomize`), and where failing ones are kept. ``--refconv-examples``,
    ``--refconv-seed`` and ``--refconv-xfails`` are options of pytest. A seed that is given gives the same cases,
    whatever failed before.

    Parameters
    ----------
    implementation : object
        As :func:`oracle.check` takes it. It is run in the process of the tests.
    operators : str or iterable of str, optional
        By default all that it has.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of the arrays.
    arithmetic : str, optional
        One of ``refconv.ARITHMETICS``, by whose error bounds to judge; by default that of `dtype`.
    only : mapping, optional
        A domain, as :func:`oracle.check` takes it.
    failures, specials
        As for :func:`oracle.check`.

    Returns
    -------
    type
        To be assigned to a name that begins with ``Test``, at the top of a test module.

    Raises
    ------
    ValueError
        For an operator, dtype or arithmetic that isn't known, and for an implementation that has none of the functions.
    LoadError
        For a name that can't be loaded.
    """
    import pytest  # which whoever only checks does without

    names = read_names(operators)
    read_dtype(dtype)
    chosen = read_arithmetic(arithmetic, dtype)
    asked = read_domain(only, names)
    tested = _Tested(implementation, dtype, chosen, arithmetic)
    _require_some(tested, names)
    has = offered(tested.runner, names)
    domain = narrowed_to(asked, tested.runner.domain, has, tested.name)
    names = has if operators is None else names
    laws = [law for name in names for law in LAWS[name]]
    definitions = [(name, direction) for name in names for direction in DIRECTIONS]

    class Conformance:
        """What :func:`oracle.conformance_tests` has made."""

        @pytest.mark.parametrize(
            ("operator", "direction"),
            [tested.param(pair, [function_name(*pair)], "-".join(pair)) for pair in definitions],
        )
        def test_definition(self, operator: str, direction: str, request: "pytest.FixtureRequest") -> None:
            """It equals the reference, within its error bounds."""
            tested.check(
                request,
                lambda report, examples, seed: Search(
                    tested.runner, operator, chosen, report, _nothing, directions=[direction]
                ).run(Extent(examples, only=domain, specials=specials, failures=failures), seed),
            )

        @pytest.mark.parametrize("law", [tested.param((law,), law.needs, _law_id(law)) for law in laws])
        def test_law(self, law: Law, request: "pytest.FixtureRequest") -> None:
            """It obeys the law."""
            tested.check(
                request,
                lambda report, examples, seed: LawSearch(tested.runner, law.operator, chosen, report, _nothing).of(
                    [law], Extent(-(-examples // LAW_SHARE), only=domain), seed
                ),
                laws=True,
            )

    return Conformance


def _law_id(law: Law) -> str:
    return f"{law.operator}-{law.direction}-{law.name.replace(' ', '_')}"


def _nothing() -> None:
    """Report no progress."""


class _Tested:
    """An implementation, and how it is tested."""

    def __init__(self, implementation: Any, dtype: str, arithmetic: Arithmetic, named: str | None) -> None:
        self.name = one_line(name_of(implementation))
        self.dtype = dtype
        self.arithmetic = arithmetic
        self.runner = InProcess(resolve(implementation, named), source(implementation, named))

    def param(self, values: tuple[Any, ...], needs: Iterable[str], name: str) -> Any:
        """Return a test's parameters; skipped, if functions are lacking."""
        import pytest

        lacking = [function for function in needs if not offers_all(self.runner, [function])]
        marks = [pytest.mark.skip(reason=f"{self.name} has no {' and no '.join(lacking)}")] if lacking else []
        return pytest.param(*values, id=name, marks=marks)

    def check(
        self, request: "pytest.FixtureRequest", search: Callable[[Report, int, int], None], *, laws: bool = False
    ) -> None:
        """Run a search; fail with the report where it doesn't pass."""
        import pytest

        __tracebackhide__ = True
        examples, given = _examples_and_seed(request.config)
        seed = _default_seed() if given is None else given
        report = Report(self.name, self.runner.version, self.dtype, self.arithmetic.name, examples, seed, laws=laws)
        with nullcontext() if given is None else by_seed_alone():
            search(report, examples, seed)
        report.complete = True
        if report.failures or (report.undecided and not laws):
            first = str(report.failures[0]) if report.failures else report.undecided[0].declined_words
            pytest.fail(f"{first}\n\n{report}", pytrace=False)
        if report.undecided:  # a law may be of what the implementation doesn't do
            pytest.skip(report.undecided[0].declined_words)
        if not any(tally.cases for tally in report.tallies):
            pytest.skip(f"the law says nothing about the cases of seed {seed}")


def _examples_and_seed(config: "pytest.Config") -> tuple[int, int | None]:
    """Return how many cases there are, and by which seed: as the options say; None if they don't."""
    examples = config.getoption("refconv_examples", None) or _profile().max_examples
    seeds = (config.getoption(name, None) for name in ("refconv_seed", "hypothesis_seed"))
    return examples, next((int(seed) for seed in seeds if seed is not None), None)


def _default_seed() -> int:
    """Return the seed of a run that is given none."""
    return 0 if _profile().derandomize else random.SystemRandom().getrandbits(32)


def _profile() -> settings:
    return settings.get_profile(settings.get_current_profile_name())


def _require_some(tested: _Tested, names: list[str]) -> None:
    """Refuse what has none of the functions; say which of its own names come near."""
    functions = [function_name(name, direction) for name in names for direction in DIRECTIONS]
    if any(offers_all(tested.runner, [function]) for function in functions):
        return
    own = [name for name in dir(tested.runner.implementation) if not name.startswith("_")]
    near = {name: operator_meant(name)[0] for name in own}
    guesses = ", ".join(f"{name} (for {operator}?)" for name, operator in near.items() if operator)
    has = f"it has {guesses}" if guesses else f"it has {', '.join(own[:8]) or 'no public names'}"
    wanted = ", ".join(functions[:8]) + (", ..." if len(functions) > 8 else "")
    raise ValueError(f"implementation must offer at least one of {wanted}; {has}")
