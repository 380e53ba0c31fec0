"""How functions over arrays are compiled: once, without the GIL, and cached where that can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that calls nothing but compiled functions of its own file.

    Numba renews a cached function when its own file changes, and knows of no other.
    """
    try:
        return cast(Callable[_P, _R], njit(nogil=True, cache=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(Callable[_P, _R], njit(nogil=True)(function))
