"""Decisions as a file: one row for each account of each decision, for other systems and for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from stillwatch.decisions.decision import Decision
    from stillwatch.decisions.store import Store

COLUMNS: Final = (
    "account_id",
    "decision_id",
    "campaign_id",
    "rule",
    "status",
    "action",
    "dry_run",
    "budget_per_hour",
    "verify_url",
    "max_tokens",
    "fail_closed",
    "reason_codes",
    "q_value",
    "policy_version",
    "judged_at",
    "issued_at",
    "expires_at",
    "approved_by",
    "approved_at",
    "ended_by",
    "ended_at",
    "since",
    "out_at",
    "out_by",
    "out_why",
    "why",
)
"""What each row has, in this order."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet would run (OWASP, CSV injection)."""


class Form(StrEnum):
    """How decisions are written."""

    CSV = "csv"
    JSONL = "jsonl"


def export(store: Store, decisions: Iterable[Decision], form: Form) -> Iterator[bytes]:
    """Yield the file in parts, one for each decision; of CSV the header first."""
    if form is Form.CSV:
        yield _csv([COLUMNS])
    for decision in decisions:
        rows = list(_rows(store, decision))
        if form is Form.CSV:
            yield _csv([[_cell(row[name]) for name in COLUMNS] for row in rows])
        else:
            yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _rows(store: Store, decision: Decision) -> Iterator[dict[str, Any]]:
    told = {**vars(decision), **vars(decision.asked), "decision_id": decision.id}
    for member in store.accounts(decision.id):
        row = told | vars(member)
        yield {name: row[name] for name in COLUMNS}


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, tuple):
        return " ".join(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
