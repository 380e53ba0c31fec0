"""Traffic made to order: sketches and account records whose behaviour a test states in one line."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

from stillwatch.accounts.profiles import profile_accounts
from stillwatch.campaigns.inside import MEMBERS_QUERY
from stillwatch.contracts import (
    ACCOUNT_EVENTS,
    ACCOUNT_SKETCH,
    FAMILIES,
    MEMBERSHIP,
    SEEDS,
    SKETCH,
    WORKLOADS,
)
from stillwatch.engines.engine import ENGINES, Engine, open_engine
from stillwatch.linking.activity import bind_activity, tally
from stillwatch.linking.facets.windows import keep_spans
from stillwatch.linking.parties import PARTIES_QUERY, join_parties

# The same examples on every run of CI: a change is judged by what it changed. At home they are new each time.
settings.register_profile("ci", derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

START = datetime(2026, 4, 22, tzinfo=UTC)
DAYS = 20

_BLANK: dict[str, Any] = {
    "input_tokens": 300,
    "output_tokens": 200,
    "reasoning_tokens": 0,
    "shingles": [],
    "history_fps": [],
    "cues": 0,
    "capability": 5,
    "turns": 1,
    "words": 60,
    "message_bytes": 900,
    "status": 200,
}


@dataclass
class Traffic:
    """Rows of SKETCH and ACCOUNT_SKETCH, composed account by account from one seed."""

    seed: int = 11
    sketches: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def fp(self) -> int:
        """A fingerprint that nothing else has."""
        return int(self.random.integers(1, 2**63))

    def account(self, account_id: str, **columns: Any) -> None:
        self.accounts.append({"account_id": account_id, **columns})

    def event(self, account_id: str, event: str, at: datetime, other: str | None = None) -> None:
        own = {"event_id": f"e{len(self.events):06}", "account_id": account_id, "timestamp": at}
        self.events.append(own | {"event": event, "other_account_id": other, "source": "gateway"})

    def exchange(self, account_id: str, at: datetime, scaffold: int | None = None, **columns: Any) -> None:
        own = {"message_fp": self.fp(), "tail_fp": self.fp(), "head_fp": scaffold or self.fp()}
        number = len(self.sketches)
        base = {"exchange_id": f"x{number:06}", "account_id": account_id, "timestamp": at}
        self.sketches.append(_BLANK | own | base | columns)

    def queue(self, accounts: Sequence[str], each: int, scaffold: int, **columns: Any) -> None:
        """Accounts that one dispatcher feeds: even volumes, any hour, no dialogue, no sitting."""
        for account in accounts:
            for second in sorted(self.random.integers(0, DAYS * 86_400, each + self.random.integers(-1, 2))):
                self.exchange(account, START + timedelta(seconds=int(second)), scaffold, **columns)

    def people(self, accounts: Sequence[str], scaffold: int | None = None, **columns: Any) -> None:
        """People: sittings of a few dialogues in the waking hours of their own time zone, uneven volumes."""
        for account in accounts:
            wakes = int(self.random.integers(0, 24))
            for _ in range(1 + int(self.random.pareto(1.2) * 2) % 25):
                day, hour = (
                    int(self.random.integers(0, DAYS)),
                    (wakes + int(self.random.integers(0, 10))) % 24,
                )
                at = START + timedelta(days=day, hours=hour, minutes=int(self.random.integers(0, 60)))
                for _ in range(1 + int(self.random.integers(0, 3))):
                    for turn in range(1 + int(self.random.integers(0, 3))):
                        at += timedelta(minutes=2)
                        self.exchange(account, at, scaffold, **({"turns": 2 * turn + 1} | columns))

    def bind(self, engine: Engine) -> None:
        """Make the relations ``sketches``, ``accounts`` and ``account_events``."""
        engine.bind("sketches", pa.Table.from_pylist(self.sketches, schema=SKETCH))
        engine.bind("accounts", pa.Table.from_pylist(self.accounts, schema=ACCOUNT_SKETCH))
        engine.bind("account_events", pa.Table.from_pylist(self.events, schema=ACCOUNT_EVENTS))

    def bind_activity(self, engine: Engine, seeds: pa.Table) -> None:
        """Make ``profiles``, ``activity`` and what is counted of it, by families of these SEEDS."""
        engine.bind("profiles", profile_accounts(engine))
        bind_activity(engine, seeds)
        tally(engine)

    def bind_groups(
        self, engine: Engine, groups: Mapping[int, Sequence[str]], scaffolds: Mapping[int, int]
    ) -> None:
        """Make every relation that facets weigh, with groups of the test's own choice."""
        self.bind(engine)
        families = [
            {"family": number, "seed_fp": seed, "accounts": 1, "exchanges": 1}
            for number, seed in scaffolds.items()
        ]
        engine.bind("families", pa.Table.from_pylist(families, schema=FAMILIES))
        numbered = [scaffolds.get(number, 0) for number in range(max(scaffolds, default=-1) + 1)]
        seeds = [{"family": number, "fp": fp} for number, fp in enumerate(numbered)]
        self.bind_activity(engine, pa.Table.from_pylist(seeds, schema=SEEDS))
        engine.bind("parties", join_parties(engine.table(PARTIES_QUERY), ()))
        works = [{"candidate": number, "family": number} for number in scaffolds]
        engine.bind("workloads", pa.Table.from_pylist(works, schema=WORKLOADS))
        rows = [
            {"candidate": number, "account_id": account, "strength": 1.0, "member": True}
            for number, accounts in groups.items()
            for account in accounts
        ]
        engine.bind("membership", pa.Table.from_pylist(rows, schema=MEMBERSHIP))
        engine.bind("members", engine.table(MEMBERS_QUERY))
        engine.keep(
            "work",
            "SELECT m.candidate, u.account, u.family FROM uses u JOIN members m ON m.account = u.account",
        )
        keep_spans(engine)


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture(scope="session")
def java() -> None:
    """What Spark runs on."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        assert "CI" not in os.environ, "CI installs Java"
        pytest.skip("Spark needs Java 17 or later, and there is none")


@pytest.fixture(scope="session")
def spark_master(java: None) -> Iterator[str]:
    """Spark in this process, started once, since what is opened later joins it; or the one that is named."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # It lives for a minute or two: what its best compiler costs it never earns.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    named = os.environ.get("SPARK_UNDER_TEST")
    if named is not None:
        yield named
        return
    from stillwatch.engines.spark_session import open_session

    with open_session("local[2]", "1GiB", 2).session:
        yield "local[2]"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stages-on",
        choices=sorted(ENGINES),
        default="duckdb",
        help="engine of the stages' own tests; those of the engines run on every one",
    )


_LONG = (
    "test_spark_cluster.py",
    "test_live.py",
    "test_live_page.py",
    "test_live_faults.py",
    "test_engine.py",
    "test_live_gateways.py",
    "test_pdf.py",
    "test_same_evidence.py",
    "test_litellm_scan.py",
    "test_litellm_gate.py",
    "test_report.py",
    "test_determinism.py",
)
"""Files that take half a minute or more: what begins last is waited for by everything else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG))


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine of the stages' tests: each query takes Spark a second, so that it is used on request."""
    return str(request.config.getoption("--stages-on"))


@pytest.fixture
def master(request: pytest.FixtureRequest, engine_name: str) -> str | None:
    """Where the engine runs; None for this process."""
    return request.getfixturevalue("spark_master") if engine_name == "spark" else None


@pytest.fixture
def any_engine(engine_name: str, master: str | None, tmp_path: Path) -> Iterator[Engine]:
    """An open engine, of whatever kind: one body per behaviour."""
    spill = tmp_path / "spill"
    with open_engine(engine_name, memory="1GiB", threads=2, spill=spill, master=master) as engine:
        yield engine


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:04}" for number in range(count)]


@pytest.fixture(name="names")
def names_fixture() -> Any:
    return names
