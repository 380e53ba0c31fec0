"""Files that a command writes where the user says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stillwatch.contracts import UsageError


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write ``parts`` one after the other.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            file.writelines(parts)
    except OSError as error:
        raise UsageError(
            f"it cannot be written ({error.strerror})", remedy="Name another file", field="--out"
        ) from error
