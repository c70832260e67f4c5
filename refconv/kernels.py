"""How loops are compiled: at their first call, once for each dtype, the machine code kept on disk where it can be.

The cache is Numba's, made safe in four points. Numba numbers its data files, so that two processes which compile at
once may give one number to the code of different dtypes, and run the wrong one ever after: here a file is named after
what it holds, and is written before the index that names it. A cache that can't be read or written raises an error
there, if only at import: here it costs the time to compile, and is said once. And code with and without bounds checks
shares an entry there. Edits of this file, and of those with whose operations and tuples loops of others are compiled,
are noticed. What another processor's code, or another version's, is kept beside is compiled anew, which is logged once.

Loops that sum long rows are `summing`: the order of the sum is the compiler's, so that it can be vectorised; it is the
same in every call, since a row is summed by one thread. Nothing is assumed of NaN or infinity.

What loops call is always compiled into them. Else each kernel's object would hold a copy of its own, optimised in place
and so with another order of its sums, all under one name, and which of them runs would depend on which object a
process loads first: a process that compiles would give other bits than the next, which loads what was kept.
"""

import logging
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock

_SHARED = ("kernels.py", "tiles.py", "layout.py", "plans.py")

_log = logging.getLogger("refconv")

# A fork waits until nothing is being compiled: its lock would never be released in the child.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function`, a bare loop over arrays, at its first call; it runs without the GIL.

    Python calls it. What its loops call is a :func:`helper`.
    """
    return _compiled(function)


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` into the loops that call it."""
    return _compiled(function, forceinline=True)


def summing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` as :func:`helper` does, its sums in whatever order is fast."""
    return _compiled(function, forceinline=True, fastmath={"reassoc", "nsz", "contract"})


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    # Loops allocate nothing. So references needn't be counted: threads would wait for one another at every slice.
    compiled: Any = njit(nogil=True, _nrt=False, no_cfunc_wrapper=True, **options)(function)
    if not config.DISABLE_JIT:
        try:
            compiled._cache = _Cache(function)  # what cache=True does, with the cache of our own
        except (RuntimeError, OSError) as error:  # there is no place for it
            _Unkept.say(str(error))
    return compiled  # type: ignore[no-any-return]  # Numba has no types


class _Unkept:
    """What is said, once, where machine code can't be kept."""

    said = False

    @classmethod
    def say(cls, reason: str) -> None:
        if not cls.said:
            cls.said = True
            _log.warning("compiled code can't be kept, so that every process compiles it anew: %s", reason)


class _Passed:
    """What is logged, once, where the machine code that is kept isn't for here; a usual thing, so no warning."""

    said = False

    @classmethod
    def over(cls, whose: str) -> None:
        if not cls.said:
            cls.said = True
            _log.info("code that was compiled %s is passed over, and compiled anew", whose)


class _Files(IndexDataCacheFile):  # type: ignore[misc]  # Numba has no types
    def load(self, key: Any) -> Any:
        data = super().load(key)
        if data is None and Path(self._index_path).exists():
            known = self._load_index()
            if not known:
                _Passed.over("by another version")
            elif all(processor != key[1] for _, processor, _ in known):
                _Passed.over("for another processor")
        return data

    def save(self, key: Any, data: Any) -> None:
        name = f"{self._index_name}.{sha256(repr((self._source_stamp, key)).encode()).hexdigest()[:16]}.nbc"
        self._save_data(name, data)
        self._save_index({**self._known(), key: name})

    def _known(self) -> dict[Any, str]:
        try:
            known: dict[Any, str] = self._load_index()
        except Exception:  # whatever is in the file, it isn't an index
            return {}
        return known


class _Cache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        base = f"{self._impl.filename_base}{'-checked' if config.BOUNDSCHECK else ''}"
        shared = [Path(__file__).with_name(name).stat() for name in _SHARED]
        stamp = self._impl.locator.get_source_stamp(), *((file.st_mtime, file.st_size) for file in shared)
        self._cache_file = _Files(self._cache_path, base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # a file that holds something else can raise anything
            _Unkept.say(f"{type(error).__name__}: {error}")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _Unkept.say(f"{type(error).__name__}: {error}")
