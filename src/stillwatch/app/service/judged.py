"""What the judge found, as files of the state folder that everybody else reads."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from stillwatch.campaigns.results import Results
from stillwatch.engines.parquet import replacing, write_parquet

FOLDER: Final = "judged"
STATUS: Final = "judge.json"
TABLES: Final = ("campaigns", "accounts", "reasons", "timeline", "members")


@dataclass(frozen=True)
class Status:
    """What the judge does, since it was started."""

    at: datetime | None = None  # of the last tick
    until: datetime | None = None  # what was sent by then it has seen
    judged_at: datetime | None = None
    judged: int = 0  # exchanges, of which the last judgement was
    seen: int = 0  # exchanges
    judgements: int = 0
    followed: int = 0
    seconds: float = 0.0  # that the last tick took
    error: str | None = None
    policy_version: str = ""
    policy_error: str | None = None
    broken_ledger: bool = False  # a file of it could not be read at the last tick


def keep_status(state: Path, status: Status) -> None:
    """Write the status for whoever asks.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    told = {name: _told(value) for name, value in asdict(status).items()} | {"pid": os.getpid()}
    with replacing(state / STATUS) as unfinished:
        unfinished.write_text(json.dumps(told) + "\n", encoding="utf-8")


def last_judgement(state: Path) -> tuple[datetime, int] | None:
    """Return when the service judged last, and how many exchanges, as far as the status says so."""
    try:
        told = json.loads((state / STATUS).read_text(encoding="utf-8"))
        return datetime.fromisoformat(told["judged_at"]), int(told["judged"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_judged(state: Path, results: Results) -> None:
    """Write the tables of a judgement, each in the place of the one before.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    folder = state / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        table = getattr(results, name)
        write_parquet(table.to_batches(), table.schema, folder / f"{name}.parquet")


def _told(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
