"""Fixtures of the gateway tests: real peers, started once, ended by process id."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the peers' modules lie beside this file

from gateway_driver import drive
from install_litellm import LiteLLMUnavailableError, install_litellm
from litellm_proxy import FLUSH_SECONDS, litellm_proxy
from log_collector import collecting
from loopback_server import serving
from mock_upstream import MockUpstream
from population import Population, population

DRIVE_SECONDS = 180


@dataclass(frozen=True)
class GatewayRun:
    """What a population did to a real gateway, and the log that the gateway wrote of it."""

    population: Population
    statuses: Counter[int]
    log: Path
    records: int


@pytest.fixture(scope="session")
def litellm() -> Path:
    """The proxy's executable; without a network to install it from, its tests are skipped with the reason."""
    try:
        return install_litellm()
    except LiteLLMUnavailableError as unavailable:
        if os.environ.get("CI") == "true":  # a suite that vouches for a change must not pass by skipping
            raise
        pytest.skip(str(unavailable))


@pytest.fixture(scope="session")
def gateway_run(litellm: Path, tmp_path_factory: pytest.TempPathFactory) -> GatewayRun:
    """One drive of the population through a real LiteLLM proxy."""
    people = population(seed=11)
    folder, log = tmp_path_factory.mktemp("proxy"), tmp_path_factory.mktemp("log") / "litellm.jsonl"
    keys = {account.key: account.owner() for account in people.accounts.values()}
    with serving(MockUpstream) as upstream, collecting(log) as collector:
        peers = {"upstream": upstream, "collector": collector.address}
        with litellm_proxy(litellm, folder, keys=keys, **peers) as gateway:
            statuses = drive(gateway, people.sessions, DRIVE_SECONDS)
            collector.wait_until_quiet(people.requests, timeout=60, quiet=2.5 * FLUSH_SECONDS)
    return GatewayRun(people, statuses, log, collector.records)
