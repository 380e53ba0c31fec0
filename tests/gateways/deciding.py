"""Decisions as a service would write them, and customers who meet them at a gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mock_upstream import MockUpstream

from stillwatch.enforce.keys import write_keys
from stillwatch.enforce.snapshot import Terms, write_snapshot

VERIFY = "https://accounts.example.com/verify"
BUDGET = 120  # requests an hour: two at once

DECIDED = {
    "blocked": Terms("block", "dec_block", "cmp_1", dry_run=False),
    "asked": Terms("verify", "dec_verify", "cmp_1", dry_run=False, verify_url=VERIFY),
    "reduced": Terms("reduce", "dec_reduce", "cmp_1", dry_run=False, max_tokens=40),
    "pooled-1": Terms("throttle", "dec_throttle", "cmp_2", dry_run=False, budget_per_hour=BUDGET),
    "pooled-2": Terms("throttle", "dec_throttle", "cmp_2", dry_run=False, budget_per_hour=BUDGET),
    "rehearsed": Terms("block", "dec_dry", "cmp_1", dry_run=True),
    "over": Terms("block", "dec_over", "cmp_1", expires_at=1.0, dry_run=False),
    "watched": Terms("observe", "dec_watch", "cmp_1", dry_run=False),
}
UNTOUCHED = ("honest", "rehearsed", "over", "watched")
ACCOUNTS = (*DECIDED, "honest")

REFUSALS = {
    "blocked": {
        "message": "This account is suspended because of how it is used together with others.",
        "type": "permission_error",
        "code": "stillwatch_block",
        "decision_id": "dec_block",
    },
    "asked": {
        "message": "Please confirm who uses this account before it goes on.",
        "type": "permission_error",
        "code": "stillwatch_verify",
        "decision_id": "dec_verify",
        "verify_url": VERIFY,
    },
    "pooled-1": {
        "message": "This account shares a limit of requests with accounts that are used together, and it is "
        "used up for now.",
        "type": "rate_limit_error",
        "code": "stillwatch_throttle",
        "decision_id": "dec_throttle",
    },
}
REFUSALS["pooled-2"] = REFUSALS["pooled-1"]
STATUS = {"blocked": 403, "asked": 403, "pooled-1": 429, "pooled-2": 429}

MUCH = {"n": 3, "logprobs": True, "top_logprobs": 2, "max_tokens": 900, "reasoning_effort": "high"}
"""What a customer asks for who wants everything."""


class Answered(NamedTuple):
    """What a customer got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def key_of(account: str) -> str:
    """The API key of an account."""
    return f"sk-{sha256(account.encode()).hexdigest()[:32]}"


def decide(path: Path, decided: Mapping[str, Terms] = DECIDED) -> None:
    """Write a snapshot as the service does."""
    write_snapshot(path, decided)


def key_file(path: Path) -> Path:
    """Write the keys of all accounts."""
    write_keys(path, {sha256(key_of(account).encode()).hexdigest(): account for account in ACCOUNTS})
    return path


def ask(
    address: str, account: str, *, stream: bool = False, path: str = "/v1/chat/completions", **more: Any
) -> Answered:
    """Send one request with an account's key."""
    headers = {"authorization": f"Bearer {key_of(account)}", "content-type": "application/json"}
    headers |= more.pop("headers", {})
    method = more.pop("method", "POST")
    body = {"model": "assistant-large", "messages": [{"role": "user", "content": "Count to four."}], **more}
    if stream:
        body["stream"] = True
    connection = HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request(method, path, json.dumps(body), headers)
        response = connection.getresponse()
        return Answered(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
    finally:
        connection.close()


def events(answered: Answered) -> list[Any]:
    """The events of a stream, without the word that ends it."""
    lines = [line[6:] for line in answered.body.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


def until(condition: Any, seconds: float) -> float:
    """Wait for ``condition`` and return how long it took.

    Raises:
        AssertionError: it did not come about in ``seconds``.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come about"
        time.sleep(0.05)
    return time.monotonic() - began


def told(folder: Path) -> list[dict[str, Any]]:
    """Every outcome that gates have written."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def outcomes_of(folder: Path, account: str) -> set[tuple[str, str]]:
    """Action and outcome of what gates did with an account's requests."""
    return {(line["action"], line["outcome"]) for line in told(folder) if line["account_id"] == account}


class Recording(MockUpstream):
    """A model provider that remembers what it was asked, the newest last."""

    asked: list[tuple[dict[str, str], dict[str, Any]]] = []  # noqa: RUF012 - shared by design: one a run

    def body(self) -> bytes:
        text = super().body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((headers, json.loads(text or b"{}")))
        return text
