"""The records that were not taken: written down with place and reason, and counted by reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from stillwatch.ingest.cautions import Caution

FILE: Final = "rejected.jsonl"
_REASONS: Final = 1000  # that are told apart; what comes after them is counted as one
_NUMBER: Final = re.compile(r"[0-9]+")


class Rejected:
    """``rejected.jsonl`` in a run folder."""

    def __init__(self, folder: Path) -> None:
        self._path, self._reasons = folder / FILE, Counter[str]()
        self._examples: dict[str, str] = {}  # the first of the reasons that are counted as one

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
            self._count(row["reason"])

    def cautions(self) -> Iterator[Caution]:
        """How many there were and the most frequent reason, if there were any."""
        if self._reasons:
            (reason, times), *_ = sorted(self._reasons.items(), key=lambda item: (-item[1], item[0]))
            yield Caution(
                "rejected",
                FILE,
                {
                    "rejected": self._reasons.total(),
                    "reason": self._examples.get(reason, reason),
                    "times": times,
                },
            )

    def _count(self, reason: str) -> None:
        """Count by reason; reasons that differ in a number alone, a place most often, are one."""
        plain = _NUMBER.sub("N", reason)
        if plain in self._examples or len(self._examples) < _REASONS:
            self._examples.setdefault(plain, reason)
            self._reasons[plain] += 1
        else:
            self._reasons["other"] += 1
