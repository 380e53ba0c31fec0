"""A request log with known truth, as the traffic of a gateway that is watched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def key_of(account: str) -> str:
    """The API key of an account, which both gateways know."""
    return f"sk-{sha256(account.encode()).hexdigest()[:32]}"


class Asked(NamedTuple):
    """A request as its account sends it."""

    account: str
    messages: list[Any]


class World(NamedTuple):
    """Who asked what, and who belongs to which campaign."""

    exchanges: pa.Table  # in the order of time
    accounts: pa.Table
    campaigns: dict[str, frozenset[str]]

    @classmethod
    def read(cls, folder: Path) -> World:
        """Read a world, moved by whole days so that its last request was less than a day ago."""
        found = sorted(folder.glob("exchanges*.parquet"))
        exchanges = pa.concat_tables(pq.read_table(path) for path in found).sort_by("timestamp")
        last = exchanges["timestamp"][-1].as_py().astimezone(UTC)
        days = (datetime.now(UTC) - timedelta(minutes=2) - last) // timedelta(days=1)
        campaigns: dict[str, set[str]] = {}
        for row in pq.read_table(folder / "truth.parquet").to_pylist():
            if row["campaign"] is not None:
                campaigns.setdefault(row["campaign"], set()).add(row["account_id"])
        return cls(
            _moved(exchanges, "timestamp", days),
            _moved(pq.read_table(folder / "accounts.parquet"), "created_at", days),
            {name: frozenset(members) for name, members in sorted(campaigns.items())},
        )

    @property
    def members(self) -> frozenset[str]:
        """Every account of a campaign."""
        return frozenset().union(*self.campaigns.values())

    @property
    def honest(self) -> list[str]:
        """Every account that asked anything and belongs to none."""
        return sorted(set(self.exchanges["account_id"].to_pylist()) - self.members)

    @property
    def names(self) -> list[str]:
        """Every account that asked anything."""
        return sorted(set(self.exchanges["account_id"].to_pylist()))

    def last(self, count: int) -> Sequence[Asked]:
        """Return the last requests of the log."""
        rows = self.exchanges.slice(self.exchanges.num_rows - count).select(["account_id", "messages"])
        return [Asked(row["account_id"], json.loads(row["messages"])) for row in rows.to_pylist()]


def _moved(table: pa.Table, column: str, days: int) -> pa.Table:
    by = pa.scalar(timedelta(days=days), pa.duration("us"))
    kind = table.schema.field(column).type
    moved = pc.add(pc.cast(table[column], pa.timestamp("us", "UTC")), by)
    return table.set_column(table.schema.get_field_index(column), column, pc.cast(moved, kind))
