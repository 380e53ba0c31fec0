"""How this stage compiles: parts are inlined into doors, and doors are cached on disk.

Numba renews a cached function when the file that defines it changes, and knows nothing of the other
files that were compiled into it. A door is therefore stamped with all sources of the stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, cast

from numba import njit

_NEVER_COMPILED = {"__init__", "columns", "identifiers", "key", "networks", "sketcher"}

_P = ParamSpec("_P")
_R = TypeVar("_R")


_INNER: Final = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def part(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that only compiled functions call, and that makes no array.

    It counts no references either: each count is an atomic operation on memory that the threads of a scan
    share, and by the word or the meaning they cost more than the work itself.
    """
    return cast(Callable[_P, _R], njit(_nrt=False, **_INNER)(function))


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a part into each of its callers: where handing over its many arrays would cost more."""
    return cast(Callable[_P, _R], njit(_nrt=False, forceinline=True, **_INNER)(function))


def maker(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that only compiled functions call, and that makes arrays."""
    return cast(Callable[_P, _R], njit(**_INNER)(function))


def door(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that Python calls: releases the GIL and is cached between processes.

    Where nothing can be written, neither beside the package nor in the user's cache, it is compiled for
    this process alone.
    """
    try:
        dispatcher = njit(nogil=True, error_model="numpy", cache=True)(function)
        dispatcher._cache._cache_file._source_stamp = _stamp_of_sources()
    except RuntimeError:
        dispatcher = njit(nogil=True, error_model="numpy")(function)
    return cast(Callable[_P, _R], dispatcher)


@cache
def _stamp_of_sources() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        if source.stem not in _NEVER_COMPILED:
            digest.update(source.read_bytes())
    return digest.hexdigest()
