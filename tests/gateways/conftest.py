"""Fixtures of the gateway tests: real peers, started once, ended by process id."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the peers' modules lie beside this file
sys.path.insert(0, str(Path(__file__).parents[1] / "story"))  # and the service's beside its story

from deciding import Recording, decide, key_file
from gate_process import RunningGate, running_gate
from gateway_run import GatewayRun, run_gateway
from install_litellm import LiteLLMUnavailableError, install_litellm
from loopback_server import serving
from population import population


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
    return run_gateway(litellm, population(seed=11), tmp_path_factory.mktemp("litellm"))


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A model that remembers what it was asked."""
    with serving(Recording) as address:
        yield address


@pytest.fixture(scope="module")
def gate(folder: Path) -> Iterator[RunningGate]:
    """A gate that decides from the snapshot in a module's own ``folder``, by API key."""
    decide(folder / "snapshot")
    keys = key_file(folder / "keys")
    with running_gate(folder / "snapshot", outcomes=folder / "outcomes", keys=keys) as running:
        yield running
