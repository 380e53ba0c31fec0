"""Records that the service turned away: place, reason and keyed digest in a few files of bounded size."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.app.rejected import FILE
from stillwatch.app.rejected_reasons import Counted, RejectedReasons

_BYTES: Final = 16 * 2**20
_FILES: Final = 4


class TurnedAway:
    """``rejected.jsonl`` in a folder, with those before it as ``rejected.1.jsonl`` and so on.

    A full disk keeps nobody from being told that a record was turned away: it is counted, and not written.
    """

    def __init__(self, folder: Path, most_bytes: int = _BYTES, files: int = _FILES) -> None:
        """Keep ``files`` files of about ``most_bytes`` each.

        Raises:
            OSError: the folder cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._most, self._files = folder, most_bytes, files
        self._lock = threading.Lock()
        self._reasons = RejectedReasons()
        self._unwritten = 0

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Count and write REJECT batches."""
        for batch in batches:
            rows = batch.to_pylist()
            text = "".join(json.dumps(row) + "\n" for row in rows)
            with self._lock:
                for row in rows:
                    self._reasons.add(row["reason"])
                try:
                    self._write(text)
                except OSError:
                    self._unwritten += len(rows)

    @property
    def total(self) -> int:
        """How many records were turned away since the service began."""
        return self._reasons.total

    @property
    def unwritten(self) -> int:
        """How many of them are counted and stand in no file, since the disk was full."""
        return self._unwritten

    def reasons(self, count: int = 10) -> list[Counted]:
        """Return the most frequent reasons."""
        with self._lock:
            return self._reasons.most_frequent(count)

    def _write(self, text: str) -> None:
        if not text:
            return
        path = self._folder / FILE
        if path.exists() and path.stat().st_size >= self._most:
            for number in range(self._files - 1, 0, -1):
                older = self._numbered(number - 1)
                if older.exists():
                    older.replace(self._numbered(number))
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    def _numbered(self, number: int) -> Path:
        stem, _, suffix = FILE.rpartition(".")
        return self._folder / (f"{stem}.{number}.{suffix}" if number else FILE)
