"""The rows that formats make, field for field those of the contract's tables, without their place."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from stillwatch.ingest.json_text import compact


class Exchange(NamedTuple):
    """One row of ``EXCHANGE`` without ``source`` and ``line``; ``timestamp`` in microseconds since 1970."""

    exchange_id: str | None  # None: the log has none, see `identified`
    timestamp: int
    account_id: str
    key_id: str | None = None
    organization_id: str | None = None
    team_id: str | None = None
    conversation_id: str | None = None
    operation: str | None = None
    model: str | None = None
    messages: str | None = None
    tools: str | None = None
    answer: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    choice_count: int | None = None
    stream: bool | None = None
    logprobs: bool | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    status: int | None = None
    client_address: str | None = None
    asn: int | None = None
    user_agent: str | None = None
    tls_fingerprint: str | None = None


class Account(NamedTuple):
    """One row of ``ACCOUNT`` without ``source`` and ``line``; moments in microseconds since 1970."""

    account_id: str
    created_at: int | None = None
    email: str | None = None
    phone: str | None = None
    payment_fingerprint: str | None = None
    device_fingerprint: str | None = None
    signup_ip: str | None = None
    country: str | None = None
    plan: str | None = None
    programme: str | None = None
    organization: str | None = None
    verification_level: int | None = None
    domain_registered_at: int | None = None
    domain_age_days: int | None = None


class Event(NamedTuple):
    """One row of ``ACCOUNT_EVENT`` without ``source`` and ``line``; times in microseconds since 1970."""

    event_id: str | None  # None: its sender gave it none, see `account_events`
    timestamp: int
    account_id: str
    event: str
    other_account_id: str | None = None
    issuer: str = ""


def identified(row: Exchange, *also: object) -> Exchange:
    """``row`` with an id: its own, or one derived from all that it holds and from ``also``.

    Equal records get equal ids, so that a file read twice under two names still counts once. The hash
    is not keyed, because ids order records and nothing may depend on the key; it covers the whole
    record, of which nobody can guess enough to confirm any of it.
    """
    if row.exchange_id is not None:
        return row
    digest = hashlib.blake2b(compact((*row, *also)).encode(), digest_size=16).hexdigest()
    return row._replace(exchange_id=f"derived-{digest}")
