"""Changes of decisions as statements on the store's tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, bindparam, cast, delete, func, insert, literal, select, update

from stillwatch.contracts import Verdict
from stillwatch.decisions.changes import Added, Approved, Change, Ended, Forgotten, Joined, Renewed, TakenOut
from stillwatch.decisions.decision import Decision, Status
from stillwatch.decisions.schema import DECISIONS, MEMBERS, REVISION, SIGHTED
from stillwatch.persistence.columns import Moment, Words, escaped


def write(connection: Connection, change: Change, at: datetime, by: str, why: str) -> None:
    """Write one change, which a person made or nobody, and why."""
    match change:
        case Added(decision, accounts):
            connection.execute(insert(DECISIONS).values(_row(decision)))
            _put_in(connection, decision.id, accounts, at)
        case Joined(decision_id, accounts):
            _put_in(connection, decision_id, accounts, at)
        case Renewed(decision_id, expires_at):
            _set(connection, decision_id, expires_at=expires_at)
        case Approved(decision_id, expires_at, accounts):
            _set(connection, decision_id, status=Status.IN_FORCE.value, expires_at=expires_at, why=why)
            _set(connection, decision_id, ended_by="", ended_at=None)
            _set(connection, decision_id, approved_by=by, approved_at=at, approved_accounts=accounts)
        case Ended(decision_id, status, reason, after):
            _set(connection, decision_id, status=status.value, why=reason, superseded_by=after)
            _set(connection, decision_id, ended_by=by if status.refused else "", ended_at=at)
        case TakenOut(decision_id, account_id):
            own = (MEMBERS.c.decision_id == decision_id) & (MEMBERS.c.account_id == account_id)
            connection.execute(update(MEMBERS).where(own).values(out_at=at, out_by=by, out_why=why))
        case Forgotten(decision_id, accounts):
            leave = delete(MEMBERS).where(
                MEMBERS.c.decision_id == decision_id, MEMBERS.c.account_id == bindparam("gone")
            )
            connection.execute(leave, [{"gone": account} for account in sorted(accounts)])


def lock(connection: Connection) -> int:
    """Let nobody else change decisions until the transaction ends; return the revision so far."""
    return int(connection.execute(select(REVISION.c.number).with_for_update()).scalar_one())


def raise_revision(connection: Connection, number: int) -> None:
    """Say that the decisions were changed."""
    connection.execute(update(REVISION).values(number=number))


def write_sighted(
    connection: Connection, verdicts: Mapping[str, Verdict], before: Mapping[str, str], judged_at: datetime
) -> None:
    """Keep what a judgement called each campaign in the place of what was kept."""
    connection.execute(delete(SIGHTED))
    rows = [
        {
            "campaign_id": campaign,
            "verdict": verdict.value,
            "before": before[campaign],
            "judged_at": judged_at,
        }
        for campaign, verdict in sorted(verdicts.items())
    ]
    if rows:
        connection.execute(insert(SIGHTED), rows)


def _put_in(connection: Connection, decision_id: str, accounts: Iterable[str], since: datetime) -> None:
    """Put accounts in with one statement: as many as one decision has would else take as many round trips."""
    told = json.dumps([escaped(account) for account in sorted(accounts)])
    if connection.dialect.name == "sqlite":
        each = func.json_each(literal(told)).table_valued("value")
    else:
        each = func.json_array_elements_text(cast(literal(told), JSON)).table_valued("value")
    columns = ["decision_id", "account_id", "since", "out_by", "out_why"]
    rows = select(
        literal(decision_id, Words),
        each.c.value,
        literal(since, Moment),
        literal("", Words),
        literal("", Words),
    )
    connection.execute(insert(MEMBERS).from_select(columns, rows))


def _set(connection: Connection, decision_id: str, **values: Any) -> None:
    connection.execute(update(DECISIONS).where(DECISIONS.c.id == decision_id).values(values))


def _row(decision: Decision) -> dict[str, Any]:
    told = {name: value for name, value in vars(decision).items() if name != "asked"}
    return {
        **told,
        **vars(decision.asked),
        "action": decision.asked.action.value,
        "status": decision.status.value,
        "reason_codes": list(decision.reason_codes),
    }
