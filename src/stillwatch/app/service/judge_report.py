"""What the judge says of its last tick, in a file that it replaces after each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from stillwatch.app.service.places import JUDGE
from stillwatch.engines.parquet import replacing

_LATE: Final = timedelta(minutes=10)


class JudgeReport(BaseModel):
    """What came out of the last tick; what the judge did not say is None."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    pid: int | None = None
    at: datetime | None = None  # end of the tick
    until: datetime | None = None  # event time that was judged up to
    judged_at: datetime | None = None  # of the last judgement; between two campaigns are followed
    judged: int = 0  # exchanges, of which that judgement was
    seen: int = 0  # exchanges
    judgements: int = 0
    followed: int = 0  # ticks that followed the campaigns of an earlier judgement
    seconds: float = 0.0  # that the tick took
    error: str | None = None
    policy_version: str | None = None
    policy_error: str | None = None
    refused_files: dict[str, str] = {}  # why, by what people call each of the other rules files
    publishing_error: str | None = None  # why gates do not have what is in force
    broken_ledger: bool = False  # a file of it could not be read at the last tick

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """Return the report in a state folder, None where there is none that can be read."""
        try:
            told: Any = json.loads((state / JUDGE).read_bytes())
            return cls.model_validate(told)
        except (OSError, ValueError, ValidationError):
            return None

    def write(self, state: Path) -> None:
        """Replace the report in a state folder by this one.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        with replacing(state / JUDGE) as unfinished:
            unfinished.write_text(self.model_dump_json() + "\n", encoding="utf-8")

    def is_late(self, now: datetime) -> bool:
        """Whether it is so old that the judge cannot be well."""
        return self.at is None or now - _utc(self.at) > _LATE + timedelta(seconds=2 * self.seconds)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
