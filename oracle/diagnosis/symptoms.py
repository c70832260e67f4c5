"""Mistakes that a verdict's reason says by itself, whatever the values."""

_BOUNDS = "writes out of bounds", "A size or an index is computed for another shape than the array has."
_ALLOCATORS = (
    "free(): ",
    "malloc(): ",
    "realloc(): ",
    "munmap_chunk(): ",
    "double free",
    "corrupted",
)  # of blocks that were overwritten

_KEPT = (
    "depends on earlier calls",
    "Something is kept from one call to the next, by a key that lacks what has changed, or a buffer isn't cleared.",
)

WAVERS = "; the same call now fails, now passes"
"""What is added to the reason of a call that does."""

COUNTS = "; the same call fails once in {} calls"
"""The same, where it fails each time after as many."""

NAMES: dict[str, tuple[str, str]] = {
    WAVERS: (
        "a race",
        "Threads write to the same element, or memory is read that nobody has written.",
    ),
    "right by itself, wrong after": _KEPT,
    COUNTS.partition("{")[0]: _KEPT,
    "corrupts its process": _BOUNDS,
    **{f"SIGABRT ({said}": _BOUNDS for said in _ALLOCATORS},
    "bytes outside of its arguments": _BOUNDS,
    "in place": (
        "input modified in place",
        "An input's memory is used for an intermediate or for the result.",
    ),
    "shares memory with": (
        "result shares memory with an input",
        "Where there is nothing to compute the input is returned, not a copy.",
    ),
    "not the same bits for the same input": (
        "not deterministic",
        "Partial sums are added in the order in which threads finish, by atomic additions as a rule.",
    ),
    "must refuse": (
        "arguments not checked",
        "Sizes are taken from one argument, and the others are read as if they matched.",
    ),
    "must have dtype": (
        "result in another dtype",
        "An intermediate or a Python number has promoted the result, or it isn't cast back.",
    ),
    "did not return within": (
        "does not return",
        "A loop's end is never met, or a lock is never released.",
    ),
}
"""By words of the reason: the mistake's name, and its usual cause."""
