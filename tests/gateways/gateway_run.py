"""One drive of a population through a real LiteLLM proxy, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gateway_driver import drive
from litellm_proxy import FLUSH_SECONDS, litellm_proxy
from log_collector import collecting
from loopback_server import serving
from mock_upstream import MockUpstream
from population import Population

DRIVE_SECONDS = 180
LOG_SECONDS = 60


@dataclass(frozen=True)
class GatewayRun:
    """What a population did to a real gateway, and the log that the gateway wrote of it."""

    population: Population
    statuses: Counter[int]  # by HTTP status
    log: Path  # one posted JSON array a line


def run_gateway(executable: Path, people: Population, folder: Path) -> GatewayRun:
    """Start the upstream, the collector and the proxy, send every session, and end them all."""
    log = folder / "litellm.jsonl"
    keys = {account.key: account.owner() for account in people.accounts.values()}
    with serving(MockUpstream) as upstream, collecting(log) as collector:
        peers = {"upstream": upstream, "collector": collector.address}
        with litellm_proxy(executable, folder, keys=keys, **peers) as gateway:
            statuses = drive(gateway, people.sessions, DRIVE_SECONDS)
            collector.wait_until_quiet(people.requests, timeout=LOG_SECONDS, quiet=2.5 * FLUSH_SECONDS)
    return GatewayRun(people, statuses, log)
