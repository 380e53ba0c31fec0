"""A real LiteLLM proxy serves ordinary users and a small campaign; its log, unchanged, is scanned.

The proxy stamps its records with the real time, so everything happens within one minute: there is no
human day, no ramp and no sign-up to judge by, and the campaign has to stand out by what it asks, how
its requests are spread and where they come from.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked_commands
import pyarrow.parquet as pq
import pytest
from gateway_run import GatewayRun

STILLWATCH = Path(sys.executable).with_name("stillwatch")
SCAN_SECONDS = 180


@dataclass(frozen=True)
class Scan:
    """What one scan printed and wrote."""

    code: int
    printed: str
    errors: str
    out: Path

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table of the run folder as Python rows; maps become dicts."""
        return pq.read_table(self.out / f"{table}.parquet").to_pylist(maps_as_pydicts="strict")


@pytest.fixture(scope="module")
def logged(gateway_run: GatewayRun) -> list[dict[str, Any]]:
    """The records that the proxy logged."""
    return [record for line in gateway_run.log.read_bytes().splitlines() for record in json.loads(line)]


@pytest.fixture(scope="module")
def scanned(gateway_run: GatewayRun, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    out = tmp_path_factory.mktemp("scan") / "run"
    command = ["scan", gateway_run.log, "--out", out, "--json"]
    command += ["--sketch-key", out.with_name("sketch.key")]  # not the user's own
    done = forked_commands.run(command)
    return Scan(done.returncode, done.stdout.decode(), done.stderr.decode(), out)


def test_the_proxy_answered_everybody_and_logged_what_it_answered(gateway_run: GatewayRun, logged):
    people = gateway_run.population
    refused = sum(session.model == "assistant-busy" for session in people.sessions)
    assert gateway_run.statuses == {200: people.requests - refused, 429: refused}
    assert len({record["litellm_call_id"] for record in logged}) == len(logged)
    # LiteLLM forgets the few calls that end while it posts a batch of its log.
    assert 0.9 * people.requests <= len(logged) <= people.requests


def test_the_log_holds_what_detection_needs(gateway_run: GatewayRun, logged):
    accounts = gateway_run.population.accounts
    for record in logged:
        metadata = record["metadata"]
        account = accounts[metadata["user_api_key_user_id"]]
        assert record["requester_ip_address"] == account.address
        assert record["user_agent"] == account.user_agent
        assert (metadata["user_api_key_org_id"] or "") == account.organization
        assert record["messages"][-1]["role"] == "user"
    answered = [record for record in logged if record["status"] == "success"]
    assert {record["stream"] for record in answered} == {True, None}
    assert all(
        record["metadata"]["usage_object"]["completion_tokens_details"]["reasoning_tokens"] > 0
        for record in answered
    )


def test_the_scan_ends_well(scanned: Scan):
    assert scanned.code == 0, scanned.errors
    assert json.loads(scanned.printed)


def test_every_logged_call_is_counted(scanned: Scan, logged):
    seen = {row["account_id"]: row["exchanges"] for row in scanned.rows("accounts")}
    assert seen == Counter(record["metadata"]["user_api_key_user_id"] for record in logged)
    assert (scanned.out / "rejected.jsonl").read_text() == ""


def test_the_campaign_is_found_and_nothing_else(scanned: Scan, gateway_run: GatewayRun):
    campaigns = [row for row in scanned.rows("campaigns") if row["verdict"] == "campaign"]
    assert len(campaigns) == 1, campaigns
    members = {
        row["account_id"]
        for row in scanned.rows("members")
        if row["campaign_id"] == campaigns[0]["campaign_id"]
    }
    assert members <= gateway_run.population.campaign
    assert len(members) >= 0.95 * len(gateway_run.population.campaign)


def test_no_ordinary_account_is_flagged(scanned: Scan, gateway_run: GatewayRun):
    flagged = {row["account_id"] for row in scanned.rows("accounts") if row["verdict"] == "campaign"}
    assert flagged - gateway_run.population.campaign == set()
    assert len(flagged) >= 0.95 * len(gateway_run.population.campaign)
