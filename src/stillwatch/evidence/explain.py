"""Why a campaign was called, or an account was or was not: from the stored reasons, nothing else."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import UnknownSubjectError
from stillwatch.evidence import json_form, terminal
from stillwatch.evidence.account import Account, account_of
from stillwatch.evidence.case import Case, case_of
from stillwatch.evidence.phrases import visible
from stillwatch.evidence.tables import RunTables

_COMPARED: Final = 5000  # ids that a mistyped one is compared with
_NAMED: Final = 3  # ids that an error names


@dataclass(frozen=True)
class Explanation:
    """Everything stored about one subject; both forms show the same statements and numbers."""

    subject: Case | Account

    def text(self) -> str:
        """Plain text for a terminal, 88 columns wide where ids allow; ends in a newline."""
        if isinstance(self.subject, Case):
            return terminal.case_text(self.subject)
        return terminal.account_text(self.subject)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: ``kind`` is ``campaign``, ``lookalike`` or ``account``; times are ISO 8601 in UTC."""
        if isinstance(self.subject, Case):
            kind = "lookalike" if self.subject.clearance else "campaign"
            return {"kind": kind, **json_form.case_form(self.subject)}
        return {"kind": "account", **json_form.account_form(self.subject)}


def explain(tables: RunTables, subject: str) -> Explanation:
    """Explain the group or account whose id is ``subject``, or begins with it where only one does.

    Group ids (campaigns, look-alikes) go before account ids, exact ids before beginnings; a trailing
    ellipsis, as abbreviated ids are printed, is ignored.

    Raises:
        UnknownSubjectError: no id fits, or several do; the remedy names the nearest.
    """
    exact = _look_up(tables, subject)
    if exact is not None:
        return Explanation(exact)
    return Explanation(_only_match(tables, subject.strip().removesuffix("…").removesuffix("...")))


def _look_up(tables: RunTables, subject: str) -> Case | Account | None:
    return case_of(tables, subject) or account_of(tables, subject)


def _only_match(tables: RunTables, beginning: str) -> Case | Account:
    """The one group, or else the one account, whose id begins so."""
    for ids in (_group_ids(tables), tables.accounts["account_id"]):
        matches = _beginning_with(ids, beginning)
        only = _look_up(tables, matches[0]) if len(matches) == 1 else None
        if only is not None:
            return only
        if matches:
            raise _unknown(f"{len(matches):,} ids begin with {_quoted(beginning)}", matches[:_NAMED])
    raise _unknown(f"this run knows no campaign or account {_quoted(beginning)}", _nearest(tables, beginning))


def _group_ids(tables: RunTables) -> pa.ChunkedArray:
    groups = (tables.campaigns["campaign_id"], tables.lookalikes["campaign_id"])
    return pa.chunked_array([chunk for ids in groups for chunk in ids.chunks], pa.string())


def _beginning_with(ids: pa.ChunkedArray, beginning: str) -> list[str]:
    return sorted(ids.filter(pc.starts_with(ids, beginning)).to_pylist())


def _nearest(tables: RunTables, wanted: str) -> list[str]:
    """Ids most like ``wanted``: of all groups, and of accounts that share its longest known beginning."""
    pool: list[str] = _group_ids(tables).to_pylist()
    for length in range(len(wanted) - 1, 0, -1):
        alike = _beginning_with(tables.accounts["account_id"], wanted[:length])
        if alike:
            pool += alike[:_COMPARED]
            break
    return difflib.get_close_matches(wanted, pool, n=_NAMED, cutoff=0.5)


def _unknown(what: str, near: list[str]) -> UnknownSubjectError:
    if near:
        return UnknownSubjectError(what, remedy=f"Did you mean {', '.join(map(visible, near))}?")
    return UnknownSubjectError(
        what, remedy="Ids are in campaigns.parquet, lookalikes.parquet and accounts.parquet of the run folder"
    )


def _quoted(text: str) -> str:
    return f"'{visible(text[:80])}'"
