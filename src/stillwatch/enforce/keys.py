"""The key file: whose each API key is, by its SHA-256, so that the file gives no key away.

One ``HASH,ACCOUNT`` a line, the hash as 64 hexadecimal digits of the key's SHA-256, which is what LiteLLM
logs as ``user_api_key_hash``. The file is read again when it has changed.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

LOOK_EVERY: Final = 2.0
"""Seconds between two looks whether the file has changed."""

_log = logging.getLogger(__name__)

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class KeyFile:
    """Accounts by key, as a file says; while it cannot be read what it said before holds."""

    def __init__(self, path: Path, ticks: Callable[[], float] = time.monotonic) -> None:
        """Read ``path``; a file that is not there yet names nobody."""
        self._path, self._ticks = path, ticks
        self._accounts: dict[bytes, str] = {}
        self._read: tuple[int, int, int] | None = None
        self._looked = ticks()
        self.trouble = ""  # why the newest file is not in use
        self._look()

    def account_of(self, key: str) -> str | None:
        """Return whose key it is; None where the file does not say."""
        return self.refresh()._accounts.get(sha256(key.encode("utf-8", "surrogatepass")).digest())

    def refresh(self) -> KeyFile:
        """Read the file again if it has changed, and the last look was a while ago; return this."""
        now = self._ticks()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._look()
        return self

    def _look(self) -> None:
        try:
            identity = _identity(self._path)
            if identity != self._read:
                self._accounts = dict(_lines(self._path))
                self._read = identity
            self.trouble = ""
        except (OSError, ValueError) as error:
            if str(error) != self.trouble:
                _log.error("the key file is not in use as it is now: %s", error)
            self.trouble = str(error)


class KeyFileCheck:
    """Says what is wrong with a key file, for who does not ask whose keys are: nothing of it is held."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path
        self._read: tuple[int, int, int] | None = None
        self._trouble = ""

    def trouble(self) -> str:
        """Return why gates cannot read the file as it is now; empty where they can."""
        try:
            identity = _identity(self._path)
            if identity != self._read:
                self._read, self._trouble = identity, ""
                deque(_lines(self._path), maxlen=0)
        except ValueError as error:
            self._trouble = str(error)
        except OSError as error:
            self._read, self._trouble = None, str(error)
        return self._trouble


def write_keys(path: Path, accounts: dict[str, str]) -> None:
    """Write a key file.

    Args:
        path: the file, which nobody but its owner may read.
        accounts: account by SHA-256 of its key, as hexadecimal digits.

    Raises:
        OSError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(f"{digest},{account}\n" for digest, account in accounts.items())
    unfinished.replace(path)


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _lines(path: Path) -> Iterator[tuple[bytes, str]]:
    """Read a key file, with or without the byte order mark that some editors write before it.

    Raises:
        ValueError: a line is no hash and account; the message names it.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            digest, _, account = line.strip().partition(",")
            if not _HASH.fullmatch(digest.lower()) or not account.strip():
                raise ValueError(f"{path}:{number}: it is no SHA-256 of a key, a comma and an account")
            yield bytes.fromhex(digest), account.strip()
