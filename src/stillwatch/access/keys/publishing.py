"""The published file: every key as verifiers know it, so that a gate asks no database.

JSON lines: the first says what all go by, each other one is a key; of two of one id the later holds. A change
is added at the end, so that one key of a million that is revoked costs one line; a file that has grown to
twice its size is written anew and takes its place by its name. It holds hashes that nothing but the pepper
makes comparable, and no key.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from stillwatch.access.keys.known import written
from stillwatch.access.keys.pepper import Pepper
from stillwatch.access.keys.rules import DEFAULT, KeyRules
from stillwatch.access.keys.store import Changed, KeyStore
from stillwatch.contracts import StoreError

FORMAT: Final = 1
"""Of the file, told in its first line."""

_ROOM: Final = 2**20
_LAST: Final = 2**16


class _Held(NamedTuple):
    """What a published file says of itself."""

    header: dict[str, Any]
    revision: int  # of its last line
    size: int


def publish(store: KeyStore, pepper: Pepper, path: Path, rules: KeyRules | None = None) -> int:
    """Bring the published file up to what the store holds; return the revision.

    Args:
        store: of keys.
        pepper: by which they are hashed.
        path: the file, in a folder that is there.
        rules: what verifiers go by; None: as the file has it.

    Raises:
        StoreError: the database is away, or the file cannot be written: verifiers go by what it was.
    """
    try:
        with _alone(path):
            held = _held(path)
            header = _header(pepper, rules or _rules_of(held))
            fits = held is not None and {name: held.header.get(name) for name in header} == header
            changed = store.changed(held.revision if held is not None and fits else 0)
            if held is None or not fits or changed.removed_at > held.header["revision"] or _is_long(held):
                changed = store.changed(0)
                _rewrite(path, header, changed)
            elif changed.keys:
                _append(path, changed)
            return changed.revision
    except OSError as error:
        raise StoreError(
            f"verifiers cannot be told of keys ({error.strerror})",
            remedy="Make room, or let this user write there; what was changed in the store stays changed",
            file=str(path),
        ) from error


def _header(pepper: Pepper, rules: KeyRules) -> dict[str, Any]:
    return {"format": FORMAT, "pepper": pepper.id, "rules": rules.model_dump(mode="json")}


def _rules_of(held: _Held | None) -> KeyRules:
    return DEFAULT if held is None else KeyRules.model_validate(held.header.get("rules", {}))


def _is_long(held: _Held) -> bool:
    return held.size > 2 * int(held.header.get("bytes", 0)) + _ROOM


def _held(path: Path) -> _Held | None:
    """Read the first line and the last; None where there is no such file, or one that is damaged."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _LAST, 0))
            lines = file.read().splitlines(keepends=True)
        last = json.loads(lines[-1])
        whole = lines[-1].endswith(b"\n") and header["format"] == FORMAT
        return _Held(header, int(last["revision"]), size) if whole else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, IndexError):
        return None


def _rewrite(path: Path, header: dict[str, Any], changed: Changed) -> None:
    body = "".join(written(key, revision) for revision, key in changed.keys)
    told = {**header, "revision": changed.revision, "bytes": len(body)}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(told, separators=(",", ":")) + "\n")
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _append(path: Path, changed: Changed) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(written(key, revision) for revision, key in changed.keys))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
