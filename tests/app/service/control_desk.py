"""A control plane behind a real server, over a state folder as the parts of a service leave it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from receiving_desk import KEY, running
from starlette.requests import HTTPConnection

from stillwatch.access.signals.signals_file import SignalsFile
from stillwatch.app.service import receiving
from stillwatch.app.service.api import api_routes
from stillwatch.app.service.control import control_routes
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.app.service.signal_desk import SignalDesk
from stillwatch.app.service.signal_routes import signal_routes
from stillwatch.app.service.slowing import Rate
from stillwatch.app.service.view import View
from stillwatch.contracts import ACCOUNTS, CAMPAIGNS, MEMBERS, REASONS, TIMELINE
from stillwatch.decisions.store import Store, open_store

sys.path.insert(0, str(Path(__file__).parents[2] / "decisions"))
from decided_store import decided

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
CAMPAIGN, WATCHED = "cmp_1", "cmp_19be07d5aa31"
MEMBERS_OF = {CAMPAIGN: [f"acct-{number:05}" for number in range(250)], WATCHED: ["a/b", "acct-x"]}
TOKENS = {"all": {"ingest", "decide", "read", "operate", "signals"}, "reader": {"read"}, "sender": {"ingest"}}
SAID = {"by": "kim", "note": "ticket 311"}
POLICY = """
version = "7"
enforce = true
[[rules]]
name = "sure"
action = "throttle"
budget_per_hour = 500
approval_above = 1000
when = {verdict = "campaign", q_value_at_most = 0.01}
"""


CHECKS_OF_A_SERVER = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,allow_header_conformance,missing_required_header"
)


def authorise(connection: HTTPConnection, scope: str) -> None:
    held = TOKENS.get(connection.headers.get("authorization", "").removeprefix("Bearer "))
    if held is None:
        raise ApiError(401, "unauthorised", "no token that holds", remedy="Send a bearer token.")
    if scope not in held:
        raise ApiError(403, "forbidden", f"the token has not the scope {scope}", remedy="Use another.")


def campaign(campaign_id: str, **columns: Any) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "verdict": "campaign",
        "score": 31.5,
        "q_value": 3.1e-7,
        "accounts": len(MEMBERS_OF[campaign_id]),
        "exchanges": 288_000,
        "input_tokens": 90_000_000,
        "output_tokens": 140_000_000,
        "first_seen": NOW - timedelta(days=4),
        "last_seen": NOW,
        "capabilities": {"mathematics": 0.7, "reasoning": 0.3},
        "facets": {"identity": 4.2, "scaffold": 12.0, "tempo": 7.3},
        "summary": "250 accounts, one elicitation scaffold, mathematics, one queue",
    } | columns


def reason(campaign_id: str, account_id: str | None, signal: str, llr: float, words: str) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "account_id": account_id,
        "facet": "scaffold",
        "signal": signal,
        "side": "linking" if llr > 0 else "against",
        "llr": llr,
        "accounts": 240,
        "statement": words,
    }


def write_judged(state: Path) -> None:
    """Leave what the judge leaves."""
    folder = state / "judged"
    folder.mkdir(parents=True, exist_ok=True)
    members = [
        {"campaign_id": name, "account_id": account, "strength": 0.9, "share": 1.0}
        for name, accounts in MEMBERS_OF.items()
        for account in accounts
    ]
    accounts = [
        {
            "account_id": each["account_id"],
            "verdict": "campaign" if each["campaign_id"] == CAMPAIGN else "watch",
            "campaign_id": each["campaign_id"],
            "risk": 0.97,
            "facets": {"scaffold": 3.0},
            "exchanges": 128,
            "first_evidence_at": NOW - timedelta(days=3),
        }
        for each in members
    ]
    honest = {"account_id": "honest", "verdict": "clear", "risk": 0.01, "facets": {}, "exchanges": 12}
    tables = {
        "campaigns": (
            CAMPAIGNS,
            [
                campaign(CAMPAIGN),
                campaign(WATCHED, verdict="watch", score=9.5, q_value=0.04, summary="2 accounts, one card"),
            ],
        ),
        "accounts": (ACCOUNTS, [*accounts, honest]),
        "members": (MEMBERS, members),
        "reasons": (
            REASONS,
            [
                reason(CAMPAIGN, None, "scaffold-shared", 9.4, "240 accounts use one prompt scaffold."),
                reason(CAMPAIGN, None, "residential-proxy", -1.1, "Addresses are spread as customers' are."),
                reason(CAMPAIGN, "acct-00007", "payment-shared", 2.0, "It pays with a card of 40 others."),
            ],
        ),
        "timeline": (
            TIMELINE,
            [
                {"day": NOW - timedelta(days=1), "campaign_id": CAMPAIGN, "exchanges": 7000, "accounts": 249},
                {"day": NOW - timedelta(days=1), "campaign_id": None, "exchanges": 90_000, "accounts": 4000},
            ],
        ),
    }
    for name, (schema, rows) in tables.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{name}.parquet")


def write_report(state: Path, **told: Any) -> None:
    """Say what the judge says after a tick."""
    moment = datetime.now(UTC).isoformat()
    report = {
        "pid": 7,
        "at": moment,
        "until": moment,
        "judged_at": moment,
        "seen": 1_250_000,
        "judgements": 9,
        "followed": 41,
        "seconds": 3.5,
        "error": None,
        "policy_version": "7",
        "policy_error": None,
        "refused_files": {},
        "publishing_error": None,
    }
    (state / "judge.json").write_text(json.dumps(report | told))


def outcome(number: int, **fields: Any) -> str:
    told = {
        "at": time.time(),
        "account_id": f"acct-{number:05}",
        "decision_id": "dec_1",
        "action": "throttle",
        "outcome": "enforced",
        "call_id": f"call-{number}",
    }
    return json.dumps(told | fields) + "\n"


def write_outcomes(state: Path, *lines: str, name: str = "17-1") -> None:
    folder = state / "outcomes"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.jsonl").open("a") as file:
        file.writelines(lines)


def furnished(state: Path, database: str | None = None) -> Store:
    """Fill a state folder: a campaign that is throttled, one that is watched, and what gates did."""
    decided(state, *MEMBERS_OF[CAMPAIGN], database=database)
    write_judged(state)
    write_report(state)
    write_outcomes(state, *(outcome(number) for number in range(40)))
    (state / "policy.toml").write_text(POLICY)
    return open_store(database or state / "decisions.db")


def view_of(state: Path, store: Store, receiver: Receiver | None = None) -> View:
    return View(state, store, receiver, policy=state / "policy.toml")


def signal_desk_of(state: Path, receiver: Receiver) -> SignalDesk:
    """Shared signals with one stream that is polled, whose receiver is not held back for long."""
    stream = {"name": "idp", "audience": "https://idp.example.com", "subjects": {"format": "opaque"}}
    file = SignalsFile.model_validate({"issuer": "https://stillwatch.example.com", "streams": [stream]})
    return replace(SignalDesk.of(file, state, state / "decisions.db", receiver, authorise), patience=0.1)


@contextmanager
def controlled(
    state: Path, *, token: str = "all", failures: int = 10_000, writes: int = 10_000, **options: Any
) -> Iterator[httpx.Client]:
    """A control plane at a free port, and a client that has a token of it."""
    store = options.pop("store", None) or furnished(state)
    view = options.pop("view", None) or view_of(state, store, Receiver(state, KEY, Limits(workers=2)))
    receiver = view.receiver or Receiver(state, KEY, Limits(workers=2))
    app = control_plane(
        [
            *receiving.routes(receiver, authorise),
            *api_routes(view, authorise, failures=Rate(failures, 60), writes=Rate(writes, 60)),
            *control_routes(view, authorise, **options),
            *signal_routes(signal_desk_of(state, receiver)),
        ]
    )
    try:
        with running(app, token) as client:
            yield client
    finally:
        receiver.close()
        store.close()
