"""Which processes of the service died, and how often: what the supervisor tells whoever shows the status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from stillwatch.app.service.places import ENDINGS
from stillwatch.engines.parquet import replacing

_RECENT: Final = timedelta(minutes=3)  # longer than the supervisor pauses before it starts a process again


class Ending(BaseModel):
    """The last time that a process ended without having been told to."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    exit_code: int | None
    times: int  # in a row, soon after its start each time
    at: datetime


class Endings(BaseModel):
    """The last one of each process that died, by its name."""

    model_config = ConfigDict(extra="ignore")

    last: dict[str, Ending] = {}

    @classmethod
    def read(cls, state: Path) -> Endings:
        """Return what a state folder holds; nothing where it cannot be read."""
        try:
            return cls.model_validate_json((state / ENDINGS).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def note(self, state: Path, process: str, exit_code: int | None, times: int) -> None:
        """Keep that a process died just now.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        self.last[process] = Ending(exit_code=exit_code, times=times, at=datetime.now(UTC))
        with replacing(state / ENDINGS) as unfinished:
            unfinished.write_text(self.model_dump_json() + "\n", encoding="utf-8")

    def dying(self, now: datetime) -> dict[str, Ending]:
        """Return the processes that die again and again, by name."""
        return {name: one for name, one in self.last.items() if one.times > 1 and now - one.at < _RECENT}
