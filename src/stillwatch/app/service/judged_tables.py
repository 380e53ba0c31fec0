"""What the judge found last, as the tables that it leaves in the state folder."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNTS, CAMPAIGNS, MEMBERS, REASONS, TIMELINE, InputError

Rows = list[dict[str, Any]]
_Version = tuple[int, int, int]

TABLES: Final = {
    "campaigns": CAMPAIGNS,
    "accounts": ACCOUNTS,
    "reasons": REASONS,
    "timeline": TIMELINE,
    "members": MEMBERS,
}
"""The tables of a judgement that are kept, with what they hold."""


class JudgedTables:
    """Reads the tables, of which each is replaced whole and none may be there yet; any thread may ask.

    Campaigns and the time line are small and kept while their file stays the same. The others have a row for
    each account, so that of them only the rows that are asked for are read.

    A table that is damaged raises InputError.
    """

    def __init__(self, folder: Path) -> None:
        """Read in ``folder``."""
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[_Version | None, Rows]] = {}

    def campaigns(self) -> Rows:
        """Return the campaigns, the strongest first."""
        return self._whole("campaigns")

    def campaign(self, campaign_id: str) -> dict[str, Any] | None:
        """Return one campaign, None where the judge knows none of this id now."""
        return next((row for row in self.campaigns() if row["campaign_id"] == campaign_id), None)

    def timeline(self) -> Rows:
        """Return how many exchanges each campaign had each day."""
        return self._whole("timeline")

    def members_after(self, campaign_id: str, after: str, most: int) -> tuple[Rows, bool, int]:
        """Return accounts of a campaign that come after one in order, at most so many.

        Beside them come whether there are more behind them, and how many the campaign has in all.
        """
        found = self._read("members", pc.field("campaign_id") == campaign_id).drop(["campaign_id"])
        found = found.sort_by("account_id")
        begin = pc.sum(pc.less_equal(found["account_id"], after)).as_py() or 0
        return _rows(found.slice(begin, most)), begin + most < found.num_rows, found.num_rows

    def campaigns_of(self, account_id: str) -> Rows:
        """Return the campaigns that an account is a member of."""
        return _rows(self._read("members", pc.field("account_id") == account_id))

    def account(self, account_id: str) -> dict[str, Any] | None:
        """Return what was found of one account, None where the judge has not seen it."""
        found = _rows(self._read("accounts", pc.field("account_id") == account_id))
        return found[0] if found else None

    def reasons(self, campaign_id: str) -> Rows:
        """Return the reasons for a campaign as a whole."""
        own = (pc.field("campaign_id") == campaign_id) & pc.field("account_id").is_null()
        return _rows(self._read("reasons", own))

    def reasons_of(self, account_id: str) -> Rows:
        """Return the reasons that are an account's own."""
        return _rows(self._read("reasons", pc.field("account_id") == account_id))

    def _whole(self, name: str) -> Rows:
        version = self._version(name)
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept[0] != version:
                kept = self._kept[name] = version, _rows(self._read(name, None))
        return kept[1]

    def _version(self, name: str) -> _Version | None:
        try:
            status = self._path(name).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self, name: str, condition: pc.Expression | None) -> pa.Table:
        path = self._path(name)
        try:
            with path.open("rb") as file:  # what was opened stays whole when it is replaced
                return pq.read_table(file, filters=condition)
        except FileNotFoundError:
            return TABLES[name].empty_table()
        except (OSError, ValueError) as error:  # of Arrow the latter
            raise InputError(
                "what the judge found cannot be read", remedy="It is written anew soon", file=path.name
            ) from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"


def _rows(table: pa.Table) -> Rows:
    return [dict(row) for row in table.to_pylist(maps_as_pydicts="strict")]
