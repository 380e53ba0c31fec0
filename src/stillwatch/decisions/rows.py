"""Decisions and their accounts as rows: what is read from the store's tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, cast, func, literal, select

from stillwatch.contracts import Verdict
from stillwatch.decisions.decision import Asked, Decision, Member, Status
from stillwatch.decisions.lifecycle import REFUSED_FOR, Before, Key
from stillwatch.decisions.policy import Measure
from stillwatch.decisions.schema import DECISIONS, MEMBERS, REVISION, SIGHTED
from stillwatch.persistence.columns import Moment, Words, unescaped

Kind = tuple[str, str, bool]
"""Status, action, and whether it is a dry run."""

_NONE: Mapping[str, frozenset[str]] = {}
_FEW = 500  # decisions that are named in a query
_STANDING = [status.value for status in Status if status.stands]
_REFUSED = [status.value for status in Status if status.refused]
_ASKED = tuple(Asked.__dataclass_fields__)
_OWN = tuple(
    name for name in Decision.__dataclass_fields__ if name not in ("asked", "status", "reason_codes")
)


def revision(connection: Connection) -> int:
    """Return how many times the decisions were changed."""
    return int(connection.execute(select(REVISION.c.number)).scalar_one())


def decisions(connection: Connection, *conditions: Any) -> list[Decision]:
    """Return the decisions of which all conditions hold, in the order in which they were issued."""
    asked = select(DECISIONS).where(*conditions).order_by(DECISIONS.c.issued_at, DECISIONS.c.id)
    return [_decision(row) for row in connection.execute(asked)]


def members(connection: Connection, decision_id: str) -> list[Member]:
    """Return the accounts of a decision, in their own order."""
    own = MEMBERS.c.decision_id == decision_id
    columns = [MEMBERS.c[name] for name in Member.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(own)).all()
    return sorted((Member(*row) for row in rows), key=lambda member: member.account_id)


def members_after(connection: Connection, decision_id: str, after: str, most: int) -> list[Member]:
    """Return at most so many accounts of a decision that come after one, in the order of their bytes."""
    order: ColumnElement[str] = MEMBERS.c.account_id
    if connection.dialect.name == "postgresql":  # whose own order is that of a language
        order = order.collate("C")
    columns = [MEMBERS.c[name] for name in Member.__dataclass_fields__]
    own = and_(MEMBERS.c.decision_id == decision_id, order > literal(after, Words))
    return [
        Member(*row) for row in connection.execute(select(*columns).where(own).order_by(order).limit(most))
    ]


def tally(connection: Connection) -> tuple[dict[Kind, int], dict[Kind, int]]:
    """Return how many decisions of each kind there are, and how many accounts those that stand have."""
    kind = DECISIONS.c.status, DECISIONS.c.action, DECISIONS.c.dry_run
    decided = select(*kind, func.count()).group_by(*kind)
    together = (
        select(*kind, func.count())
        .join(MEMBERS, MEMBERS.c.decision_id == DECISIONS.c.id)
        .where(DECISIONS.c.status.in_(_STANDING), MEMBERS.c.out_at.is_(None))
        .group_by(*kind)
    )
    decisions_, accounts = (
        {(status, action, bool(dry)): count for status, action, dry, count in connection.execute(asked)}
        for asked in (decided, together)
    )
    return decisions_, accounts


def under_decision(connection: Connection, since: datetime, until: datetime) -> set[str]:
    """Return the accounts that were in a decision in force from ``since`` to ``until`` without a break."""
    asked = (
        select(MEMBERS.c.account_id)
        .join(DECISIONS, MEMBERS.c.decision_id == DECISIONS.c.id)
        .where(
            DECISIONS.c.status == Status.IN_FORCE.value,
            DECISIONS.c.expires_at >= until,
            func.coalesce(DECISIONS.c.approved_at, DECISIONS.c.issued_at) < since,
            MEMBERS.c.since < since,
            MEMBERS.c.out_at.is_(None),
        )
    )
    return set(connection.execute(asked).scalars())


def memberships(connection: Connection, accounts: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return which of these accounts are in which decision, or were before a person took them out."""
    found: dict[str, set[str]] = {}
    named = sorted(accounts)
    for begin in range(0, len(named), _FEW):
        own = MEMBERS.c.account_id.in_(named[begin : begin + _FEW])
        for decision_id, account in connection.execute(
            select(*MEMBERS.c["decision_id", "account_id"]).where(own)
        ):
            found.setdefault(decision_id, set()).add(account)
    return {decision_id: frozenset(own) for decision_id, own in found.items()}


def asked_to_verify(connection: Connection, accounts: Iterable[str]) -> dict[tuple[str, str], datetime]:
    """Return since when each of these accounts was first asked to prove who uses it, by campaign and account.

    Decisions that took one another's place ask once: who has passed is not asked again by the next.
    """
    named = sorted(accounts)
    found: dict[tuple[str, str], datetime] = {}
    for begin in range(0, len(named), _FEW):
        asked = (
            select(
                DECISIONS.c.campaign_id,
                MEMBERS.c.account_id,
                MEMBERS.c.since,
                func.coalesce(DECISIONS.c.approved_at, DECISIONS.c.issued_at, type_=Moment),
            )
            .join(MEMBERS, MEMBERS.c.decision_id == DECISIONS.c.id)
            .where(
                DECISIONS.c.action == Measure.VERIFY.value,
                DECISIONS.c.dry_run.is_(False),
                DECISIONS.c.expires_at.is_not(None),  # it was in force
                MEMBERS.c.account_id.in_(named[begin : begin + _FEW]),
            )
        )
        for campaign, account, since, began in connection.execute(asked):
            key, moment = (campaign, account), max(since, began)
            found[key] = min(found.get(key, moment), moment)
    return found


def member(connection: Connection, decision_id: str, account_id: str) -> Member | None:
    """Return one account of a decision, None where it is none of it."""
    own = and_(MEMBERS.c.decision_id == decision_id, MEMBERS.c.account_id == account_id)
    columns = [MEMBERS.c[name] for name in Member.__dataclass_fields__]
    row = connection.execute(select(*columns).where(own)).one_or_none()
    return None if row is None else Member(*row)


def of_account(connection: Connection, account_id: str) -> list[Decision]:
    """Return the decisions that an account is in, those aside that a person took it out of."""
    own = and_(MEMBERS.c.account_id == account_id, MEMBERS.c.out_at.is_(None))
    return decisions(connection, DECISIONS.c.id.in_(select(MEMBERS.c.decision_id).where(own)))


def accounts_of(connection: Connection, found: Sequence[Decision]) -> dict[str, frozenset[str]]:
    """Return the accounts of each of these decisions, without those that a person took out.

    They come as one JSON array for each decision: a million as rows would take several times as long.
    """
    together = "json_group_array" if connection.dialect.name == "sqlite" else "json_agg"
    array = cast(getattr(func, together)(MEMBERS.c.account_id), Text)
    told = {decision.id: frozenset[str]() for decision in found}
    asked = (
        select(MEMBERS.c.decision_id, array)
        .where(MEMBERS.c.decision_id.in_(list(told)), MEMBERS.c.out_at.is_(None))
        .group_by(MEMBERS.c.decision_id)
    )
    for decision_id, text in connection.execute(asked):
        told[decision_id] = _names(text)
    return told


def counts_of(connection: Connection, found: Iterable[Decision]) -> dict[str, int]:
    """Return how many accounts each of these decisions has, without those that a person took out."""
    told = {decision.id: 0 for decision in found}
    own = [MEMBERS.c.decision_id.in_(list(told))] if len(told) <= _FEW else []
    asked = (
        select(MEMBERS.c.decision_id, func.count())
        .where(MEMBERS.c.out_at.is_(None), *own)
        .group_by(MEMBERS.c.decision_id)
    )
    told |= {name: count for name, count in connection.execute(asked) if name in told}
    return told


def standing(connection: Connection) -> list[Decision]:
    """Return the decisions that are in force or wait for a person."""
    return decisions(connection, DECISIONS.c.status.in_(_STANDING))


def before(
    connection: Connection,
    now: datetime,
    confirmed: frozenset[str],
    ancestors: Mapping[str, frozenset[str]] = _NONE,
) -> Before:
    """Return what the next step of the life of decisions depends on."""
    found, refused = standing(connection), _refused(connection, now)
    return Before(
        tuple(found),
        accounts_of(connection, found),
        confirmed,
        refused,
        _out(connection, now),
        _refused_accounts(connection, now, refused) if ancestors else {},
        ancestors,
    )


def _refused(connection: Connection, now: datetime) -> frozenset[Key]:
    """Return what a person said no to, unless one said yes since."""
    since = now - REFUSED_FOR
    own = and_(DECISIONS.c.status.in_(_REFUSED), DECISIONS.c.ended_at > since)
    no: dict[Key, datetime] = {}
    for one in decisions(connection, own):
        if one.ended_at is not None:
            key = one.campaign_id, one.rule
            no[key] = max(no.get(key, one.ended_at), one.ended_at)
    yes = decisions(connection, DECISIONS.c.approved_at > since, DECISIONS.c.status.not_in(_REFUSED))
    for one in yes:
        key = one.campaign_id, one.rule
        if key in no and one.approved_at is not None and one.approved_at >= no[key]:
            del no[key]
    return frozenset(no)


def _refused_accounts(
    connection: Connection, now: datetime, refused: frozenset[Key]
) -> dict[Key, frozenset[str]]:
    """Return the accounts of what a person said no to."""
    said_no = and_(DECISIONS.c.status.in_(_REFUSED), DECISIONS.c.ended_at > now - REFUSED_FOR)
    found = [one for one in decisions(connection, said_no) if (one.campaign_id, one.rule) in refused]
    told: dict[Key, frozenset[str]] = {}
    for one in found:
        key = one.campaign_id, one.rule
        told[key] = told.get(key, frozenset()) | accounts_of(connection, [one])[one.id]
    return told


def _out(connection: Connection, now: datetime) -> dict[Key, frozenset[str]]:
    asked = (
        select(DECISIONS.c.campaign_id, DECISIONS.c.rule, MEMBERS.c.account_id)
        .join(MEMBERS, MEMBERS.c.decision_id == DECISIONS.c.id)
        .where(MEMBERS.c.out_at > now - REFUSED_FOR)
    )
    told: dict[Key, set[str]] = {}
    for campaign, rule, account in connection.execute(asked):
        told.setdefault((campaign, rule), set()).add(account)
    return {key: frozenset(accounts) for key, accounts in told.items()}


def sighted(connection: Connection) -> dict[str, tuple[Verdict, str, datetime]]:
    """Return what the last judgement called each campaign, what the one before did, and when it was made."""
    rows = connection.execute(select(SIGHTED)).mappings()
    return {row["campaign_id"]: (Verdict(row["verdict"]), row["before"], row["judged_at"]) for row in rows}


def _decision(row: Row[Any]) -> Decision:
    told = row._mapping
    asked = {name: told[name] for name in _ASKED} | {"action": Measure(told["action"])}
    return Decision(
        **{name: told[name] for name in _OWN},
        asked=Asked(**asked),
        status=Status(told["status"]),
        reason_codes=tuple(told["reason_codes"]),
    )


def _names(text: str) -> frozenset[str]:
    names = json.loads(text)
    return frozenset(map(unescaped, names) if "\\\\" in text else names)
