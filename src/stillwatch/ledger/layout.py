"""Where everything lies in a ledger's folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Layout:
    """The paths of the ledger in ``root``; makes none of them."""

    root: Path

    @property
    def key(self) -> Path:
        """Says which sketch key wrote the ledger."""
        return self.root / "key.json"

    @property
    def lock(self) -> Path:
        """Held while the ledger changes."""
        return self.root / "lock"

    @property
    def use(self) -> Path:
        """Held by everybody who reads or stages, and alone by whoever takes files away."""
        return self.root / "use"

    @property
    def sketches(self) -> Path:
        """One folder for each day and in it for each hour."""
        return self.root / "sketches"

    @property
    def accounts(self) -> Path:
        """Folder of the account table."""
        return self.root / "accounts"

    @property
    def account_table(self) -> Path:
        """One row per account."""
        return self.accounts / "accounts.parquet"

    @property
    def events(self) -> Path:
        """Folder of the table of account events; older ledgers have none."""
        return self.root / "events"

    @property
    def event_table(self) -> Path:
        """One row per account event."""
        return self.events / "events.parquet"

    @property
    def staging(self) -> Path:
        """What was staged and not sealed."""
        return self.root / "staging"

    @property
    def staged_sketches(self) -> Path:
        """Folder of the staged runs of exchanges."""
        return self.staging / "sketches"

    @property
    def staged_accounts(self) -> Path:
        """Folder of the staged runs of account records."""
        return self.staging / "accounts"

    @property
    def staged_events(self) -> Path:
        """Folder of the staged runs of account events."""
        return self.staging / "events"

    @property
    def sealing(self) -> Path:
        """Workplace of a seal or other change, worthless without a journal."""
        return self.staging / "sealing"

    @property
    def spill(self) -> Path:
        """Where queries of the ledger's own spill."""
        return self.staging / "spill"

    @property
    def journal(self) -> Path:
        """The decided end of a change; see :mod:`stillwatch.ledger.journal`."""
        return self.staging / "journal.json"

    @property
    def folders(self) -> list[Path]:
        """Return the folders that a ledger always has."""
        return [
            self.sketches,
            self.accounts,
            self.events,
            self.staged_sketches,
            self.staged_accounts,
            self.staged_events,
        ]

    def hour(self, start: datetime) -> Path:
        """Return the folder of the UTC hour that begins at ``start``."""
        return self.sketches / f"date={start.date().isoformat()}" / f"hour={start.hour:02}"

    def parts(self, start: datetime) -> list[Path]:
        """Return the parts that the hour beginning at ``start`` has, sorted."""
        return sorted(self.hour(start).glob("part-*.parquet"))

    def runs(self) -> list[Path]:
        """Return the staged runs of exchanges, sorted."""
        return sorted(self.staged_sketches.glob("run-*.parquet"))

    def account_runs(self) -> list[Path]:
        """Return the staged runs of account records, sorted."""
        return sorted(self.staged_accounts.glob("run-*.parquet"))

    def event_runs(self) -> list[Path]:
        """Return the staged runs of account events, sorted."""
        return sorted(self.staged_events.glob("run-*.parquet"))

    def within(self, path: Path) -> str:
        """Return ``path`` relative to the ledger, as a journal writes it."""
        return path.relative_to(self.root).as_posix()


def hour_of(part: Path) -> datetime:
    """Return the UTC hour that ``part`` holds, read from its folders."""
    date, hour = part.parent.parent.name.removeprefix("date="), part.parent.name.removeprefix("hour=")
    return datetime.fromisoformat(f"{date}T{hour}:00:00+00:00")
