"""The records that were not taken: written down with place and reason, and counted by reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from stillwatch.app.rejected_reasons import RejectedReasons
from stillwatch.ingest.cautions import Caution

FILE: Final = "rejected.jsonl"


class Rejected:
    """``rejected.jsonl`` in a run folder, or a file of another name."""

    def __init__(self, folder: Path, name: str = FILE) -> None:
        self._path, self._reasons = folder / name, RejectedReasons()

    def __enter__(self) -> Self:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, *batches: pa.RecordBatch) -> None:
        """Add REJECT batches of one stretch of input, in the order of its lines.

        Raises:
            OSError: the disk is full.
        """
        rows = [row for batch in batches for row in batch.to_pylist()]
        for row in sorted(rows, key=lambda row: (row["source"], row["line"])):
            self._file.write(json.dumps(row) + "\n")
            self._reasons.add(row["reason"])

    def cautions(self) -> Iterator[Caution]:
        """How many there were and the most frequent reason, if there were any."""
        for reason, times in self._reasons.most_frequent(1):
            facts: dict[str, str | int] = {"rejected": self._reasons.total, "reason": reason, "times": times}
            yield Caution("rejected", self._path.name, facts)
