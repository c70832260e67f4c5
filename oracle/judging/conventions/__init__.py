"""Conventions on which correct code differs: those that are accepted and told, and those that a rule decides."""

from oracle.judging.conventions import convolutions, positions, windows
from oracle.judging.conventions.convention import Asked, Convention, Results

CONVENTIONS: tuple[Convention, ...] = (
    *windows.conventions(),
    *convolutions.conventions(),
    *positions.conventions(),
)
"""All of them, in the order in which they are tried."""

__all__ = ["CONVENTIONS", "Asked", "Convention", "Results"]
