"""Accounts of known campaigns: of a run, or of the last judgement of a service."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.contracts import InputError, Verdict
from stillwatch.evidence.tables import RunTables

_NAMES: Final = ("campaigns", "members")
_State = tuple[tuple[int, int], ...]


def of_run(run: Path) -> frozenset[str]:
    """Return the accounts of the campaigns of a run folder; those of watched groups are none.

    Raises:
        RunFolderError: the folder is missing or damaged.
    """
    tables = RunTables.load(run)
    return _called(tables.campaigns, tables.members)


class JudgedAccounts:
    """The same of the tables that a judge replaces; read again when they were."""

    def __init__(self, folder: Path) -> None:
        """Read in ``folder``, where nothing need be yet."""
        self._paths = [folder / f"{name}.parquet" for name in _NAMES]
        self._lock = threading.Lock()
        self._seen: _State | None = None
        self._accounts: frozenset[str] = frozenset()

    def accounts(self) -> frozenset[str]:
        """Return the accounts of the campaigns as they are now.

        Raises:
            InputError: a table is damaged.
        """
        try:
            with self._lock:
                state = tuple((stat.st_mtime_ns, stat.st_size) for stat in map(Path.stat, self._paths))
                if state != self._seen:
                    self._accounts = _called(*(pq.read_table(path) for path in self._paths))
                    self._seen = state
        except FileNotFoundError:
            return frozenset()
        except (OSError, pa.ArrowException) as error:
            remedy = "The next judgement writes it anew"
            raise InputError(
                "a table of the last judgement cannot be read", remedy=remedy, file=str(self._paths[0].parent)
            ) from error
        return self._accounts


def _called(campaigns: pa.Table, members: pa.Table) -> frozenset[str]:
    called = campaigns.filter(pc.equal(campaigns["verdict"], Verdict.CAMPAIGN))["campaign_id"]
    own = members.filter(pc.is_in(members["campaign_id"], called.combine_chunks()))
    return frozenset(own["account_id"].to_pylist())
