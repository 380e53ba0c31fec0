"""Files that hold a secret: made for their owner alone, and not believed where others can read them."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from stillwatch.contracts import KeyFileError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LONGEST: Final = 2**20


def read_secret(path: Path, what: str, remedy: str) -> str:
    """Return the text of a secret file.

    Args:
        path: the file.
        what: how people call it, such as "the pepper of keys".
        remedy: what to do where it cannot be read.

    Raises:
        FileNotFoundError: there is no such file.
        KeyFileError: the file cannot be read, is no ASCII text, or is open to other users.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_LONGEST)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{what} cannot be read", remedy=remedy, file=str(path)) from error
    if mode & _OTHERS:
        raise KeyFileError(f"{what} is open to other users", remedy=f"Run: chmod 600 {path}", file=str(path))
    return text


def create_secret(path: Path, text: str, what: str) -> bool:
    """Write a secret file where there is none; return False where another process was first.

    Raises:
        KeyFileError: the file cannot be made.
    """
    try:
        draft = _draft(path, text)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
    except OSError as error:
        raise _unwritten(path, what, error) from error
    return True


def replace_secret(path: Path, text: str, what: str) -> None:
    """Put a secret file in the place of what is there.

    Raises:
        KeyFileError: the file cannot be written; what was there is there still.
    """
    try:
        _draft(path, text).replace(path)
    except OSError as error:
        raise _unwritten(path, what, error) from error


def _draft(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _unwritten(path: Path, what: str, error: OSError) -> KeyFileError:
    remedy = "Name a file in a folder that can be written"
    return KeyFileError(f"{what} cannot be made ({error.strerror})", remedy=remedy, file=str(path))
