"""The service as a whole: records come in, a campaign is throttled as one, an operator undoes it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from live_service import LiveService, until

from stillwatch.app.service.authorising import SCOPES

POLICY = """
version = "{version}"
enforce = true
[[rules]]
name = "sure"
when = {{ verdict = "campaign", risk_at_least = 0.85 }}
action = "throttle"
budget_per_hour = 60
"""
JUDGED_WITHIN = 120.0
UNDONE_WITHIN = 2.0
HONEST_ASKED = 60


class Live:
    """A service that has seen the world, and what the world is."""

    def __init__(self, service: LiveService, folder: Path, world) -> None:
        self.service, self.folder = service, folder
        self.policy, self.allow = folder / "policy.toml", folder / "allow.txt"
        self.exchanges = world.exchanges().sort_by("timestamp")
        self.accounts = pq.read_table(world.accounts)
        self.campaigns = world.campaigns()
        self.members = set().union(*self.campaigns.values())
        self.acknowledged = 0

    @property
    def honest(self) -> list[str]:
        named = set(self.exchanges["account_id"].to_pylist()) - self.members
        return sorted(named)[:HONEST_ASKED]

    def send(self, first: int, last: int) -> None:
        """Send a part of the log in the order of time."""
        token = self.service.token("ingest")
        for start in range(first, last, 2_000):
            told = self.service.send(
                "/v1/exchanges", self.exchanges.slice(start, min(2_000, last - start)), token
            )
            assert told["rejected"] == 0
            self.acknowledged += told["accepted"]

    def seen(self) -> bool:
        return self.service.judge().get("seen", 0) >= self.acknowledged

    def throttled(self) -> list[dict]:
        found = self.service.decisions("--status", "in-force")
        return [one for one in found if one["action"] == "throttle"]


@pytest.fixture(scope="module")
def live(world, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    service = LiveService(
        folder, "--policy", str(folder / "policy.toml"), "--allow", str(folder / "allow.txt")
    )
    live = Live(service, folder, world)
    live.policy.write_text(POLICY.format(version="first"))
    live.allow.write_text("# nobody\n")
    service.start()
    try:
        token = service.token("ingest")
        service.send("/v1/accounts", live.accounts, token)
        nearly_all = live.exchanges.num_rows * 4 // 5
        live.send(0, nearly_all)
        until(live.seen, JUDGED_WITHIN, "judgement")
        live.send(nearly_all, live.exchanges.num_rows)
        until(live.seen, JUDGED_WITHIN, "second judgement")
        until(live.throttled, JUDGED_WITHIN, "throttle")
        yield live
    finally:
        service.stop()


def test_a_campaign_is_throttled_as_a_whole_and_honest_accounts_are_not_touched(live: Live) -> None:
    called = set()
    for decision in live.throttled():
        accounts = set(live.service.members(decision["id"]))
        called |= accounts
        statuses = [live.service.rule(account)[0] for account in sorted(accounts)[:5]]
        assert statuses.count(429) >= 4  # one request a minute for all of them together
    assert called
    assert called <= live.members
    assert {live.service.rule(account)[0] for account in live.honest} == {200}


def test_an_account_that_is_allowed_is_let_go_within_two_seconds(live: Live) -> None:
    account = throttled_account(live)
    live.allow.write_text(f"{account},a pentest of ours\n")
    try:
        until(lambda: live.service.rule(account)[0] == 200, UNDONE_WITHIN, "answer")
        assert all(live.service.rule(account)[0] == 200 for _ in range(3))
    finally:
        live.allow.write_text("# nobody\n")
    until(lambda: live.service.rule(account)[0] == 429, JUDGED_WITHIN, "throttle")


def test_a_wrong_policy_is_refused_and_the_old_one_stays(live: Live) -> None:
    account = throttled_account(live)
    live.policy.write_text('version = "second"\nenforce = "perhaps"\n')
    try:
        told = until(lambda: live.service.judge().get("policy_error"), 30, "complaint")
        assert "policy.toml" in told
        assert live.service.judge()["policy_version"] == "first"
        before = live.service.pid_of("judge")
        os.kill(before, signal.SIGKILL)  # the one after it goes on by what held
        until(lambda: live.service.judge().get("pid") not in (before, None), JUDGED_WITHIN, "new judge")
        told = live.service.judge()
        assert (told["policy_version"], "policy.toml" in told["policy_error"]) == ("first", True)
        assert live.service.rule(account)[0] == 429
    finally:
        live.policy.write_text(POLICY.format(version="third"))
    until(lambda: live.service.judge().get("policy_version") == "third", 30, "third policy")
    assert live.service.judge()["policy_error"] is None


def test_a_judge_that_dies_is_started_again_and_gateways_are_answered_meanwhile(live: Live) -> None:
    account, before = throttled_account(live), live.service.pid_of("judge")
    known = {one["campaign_id"] for one in live.throttled()}
    os.kill(before, signal.SIGKILL)
    assert live.service.rule(account)[0] == 429
    until(lambda: live.service.pid_of("judge") != before, 30, "new judge")
    until(lambda: live.service.judge().get("judgements") == 1 and live.seen(), JUDGED_WITHIN, "judgement")
    assert {one["campaign_id"] for one in live.throttled()} == known


def test_a_killed_service_has_lost_nothing_and_counts_nothing_twice(live: Live) -> None:
    token = live.service.token("ingest")
    again = live.exchanges.slice(0, 1_000)
    assert live.service.send("/v1/exchanges", again, token)["accepted"] == 1_000
    live.service.kill()
    live.service.start()
    assert live.service.send("/v1/exchanges", again, token)["accepted"] == 1_000
    until(lambda: live.service.judge().get("judgements") == 1 and live.seen(), JUDGED_WITHIN, "judgement")
    until(lambda: not list((live.service.state / "inbox").rglob("*.inbox")), 30, "empty inbox")
    time.sleep(2)
    assert live.service.judge()["seen"] == live.exchanges.num_rows


def test_a_damaged_part_is_set_aside_named_and_the_rest_is_judged(live: Live) -> None:
    part = sorted((live.service.state / "ledger" / "sketches").rglob("*.parquet"))[3]
    rows = pq.read_metadata(part).num_rows
    part.write_bytes(b"nothing that could be read")
    until(lambda: part.name in live.service.log.read_text(), 60, "name of the damaged part")
    expected = live.exchanges.num_rows - rows
    until(lambda: live.service.judge().get("seen") == expected, 60, "rest")
    until(lambda: live.service.judge().get("error") is None, 30, "tick that works")


def test_a_token_that_is_revoked_or_lacks_a_scope_does_not_hold(live: Live) -> None:
    body = b'{"request_id": "r"}\n'
    token = live.service.token("read")
    headers = {"authorization": f"Bearer {token}"}
    assert live.service.request("POST", "/v1/exchanges", body, headers)[0] == 403
    assert live.service.request("POST", "/v1/exchanges", body, {})[0] == 401
    good = live.service.token("ingest")
    headers = {"authorization": f"Bearer {good}"}
    assert live.service.request("POST", "/v1/exchanges", body, headers)[0] == 200
    number = good.split("_")[1]
    assert (
        live.service.command("tokens", "revoke", number, "--state", str(live.service.state)).returncode == 0
    )
    until(lambda: live.service.request("POST", "/v1/exchanges", body, headers)[0] == 401, 5, "refusal")
    kept = (live.service.state / "tokens.json").read_text()
    assert not any(secret.split("_")[2] in kept for secret in (token, good))
    assert (live.service.state / "tokens.json").stat().st_mode & 0o077 == 0
    assert set(SCOPES) == {"ingest", "decide", "read", "operate", "access", "signals"}


def test_what_is_undone_flows_again_within_two_seconds(live: Live) -> None:
    account = throttled_account(live)
    for decision in live.throttled():
        told = live.service.command(
            *("decisions", "undo", decision["id"], "--state", str(live.service.state)),
            *("--by", "kim", "--note", "a class"),
        )
        assert told.returncode == 0, told.stderr
    until(lambda: live.service.rule(account)[0] == 200, UNDONE_WITHIN, "answer")
    assert {live.service.rule(account)[0] for _ in range(5)} == {200}
    verified = live.service.command("audit", "verify", str(live.service.state / "audit.jsonl"))
    assert verified.returncode == 0, verified.stderr


def throttled_account(live: Live) -> str:
    """Return an account whose campaign's budget is used up."""
    account = live.service.members(live.throttled()[0]["id"])[0]
    until(lambda: live.service.rule(account)[0] == 429, 30, "throttle")
    return account
