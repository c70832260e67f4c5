"""By which other arithmetic what failed is right: it may keep a promise, only not the one that it was held to."""

from collections.abc import Iterator, Sequence

from oracle.judging.judge import Observation, Refused, Verdict, expectation, read_arithmetic, verdict
from refconv import ARITHMETICS


def conforms_with(observations: Sequence[Observation]) -> str | None:
    """Return the name of the most accurate arithmetic by which every failure among `observations` is right.

    None where there is none, or where all that it asks of them proves nothing. The implementation isn't run again.
    """
    failed = [observation for observation in observations if verdict(observation).unknown_failure]
    judgeable = all(
        observation.outcome.status == "returned" and not isinstance(observation.expected, Refused)
        for observation in failed
    )
    if not failed or not judgeable:
        return None
    return next((name for name in _others(failed[0]) if _all_right(failed, name)), None)


def _others(observation: Observation) -> Iterator[str]:
    """Yield the names of all arithmetics but that of the verdict that store no more finely than the dtype."""
    least = ARITHMETICS[str(observation.case.dtype)].storage
    for name, known in ARITHMETICS.items():
        if known.storage >= least and name != observation.arithmetic.name:
            yield name


def _all_right(failed: Sequence[Observation], name: str) -> bool:
    proven = False
    for observation in failed:
        found = _judged_by(observation, name)
        if not found.passed:
            return False
        proven = proven or not found.vacuous
    return proven


def _judged_by(observation: Observation, name: str) -> Verdict:
    arithmetic = read_arithmetic(name, str(observation.case.dtype))
    expected = expectation(observation.case, observation.direction, arithmetic)
    return verdict(observation._replace(expected=expected, arithmetic=arithmetic))
