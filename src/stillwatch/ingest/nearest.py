"""The name that somebody may have meant: the nearest among those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from typing import Final

from stillwatch.ingest.values import Record

_ALIKE: Final = 0.75  # of difflib's ratio: a swapped, missing or added letter or two in a name of eight
_FIELDS: Final = 200  # of a record that are looked at
_LONGEST: Final = 60  # a longer name is data that was used as one


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that is spelt most like ``name``; None where none is alike."""
    return _nearest(name, tuple(known))


def field_near(field: str, record: Record) -> str | None:
    """The other field of ``record`` that is spelt most like ``field``, one of several parted by " or "."""
    looked_at = field.split(" or ")
    paths = tuple(path for path in islice(_paths(record), _FIELDS) if path not in looked_at)
    found = (_nearest(one, paths) for one in looked_at)
    return next(filter(None, found), None)


@lru_cache(4096)
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    plain: dict[str, str] = {}
    for one in known:
        plain.setdefault(_plain(one), one)
    match = get_close_matches(_plain(name), plain, 1, _ALIKE)
    return plain[match[0]] if match else None


def _plain(name: str) -> str:
    """A name without what spellings differ in most: ``startTime`` and ``start_time`` are one."""
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def _paths(record: Record, prefix: str = "") -> Iterator[str]:
    for name, value in record.items():
        if len(name) <= _LONGEST and name.isprintable():
            yield prefix + name
            if isinstance(value, dict) and not prefix:
                yield from _paths(value, f"{name}.")
