"""Every facet's evidence on Spark, row for row as on DuckDB, over traffic that says something to each."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.access.keys.sharing import find_shared_keys
from stillwatch.accounts.profiles import profile_behaviour
from stillwatch.campaigns.inside import bind_inside
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.linking.facets import facets
from stillwatch.linking.links import find_links, weigh_candidates

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
import key_traffic

SCAFFOLD = 2**64 - 5
START = datetime(2026, 4, 22, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def fill(traffic: Any, names: Any) -> dict[int, list[str]]:
    """Make a pool on one card that hands dialogues round and replaces who is refused, beside people."""
    pool, people = names("pool", 14), names("person", 20)
    for number, account in enumerate([*pool, *people]):
        hour = timedelta(hours=number if account in people else 1)
        own = number if account in people else number // 4
        traffic.account(account, created_at=START + hour, payment_fp=2**63 + own)
    traffic.queue(pool, 20, SCAFFOLD, capability=5, cues=3, network_fp=2**63 + 77)
    traffic.people(people)
    at = START + timedelta(days=1)
    for number in range(12):
        said = 2**63 + 1_000 + number
        giver, taker = pool[number % 5], pool[number % 5 + 5]
        traffic.exchange(giver, at + number * MINUTE, SCAFFOLD, history_fps=[said])
        history = {"history_fps": [said, 7_000 + number, 8_000 + number], "turns": 3}
        traffic.exchange(taker, at + (number + 30) * MINUTE, SCAFFOLD, **history)
    for number, account in enumerate(pool[:4]):
        traffic.exchange(account, at + timedelta(days=25, minutes=number), SCAFFOLD, status=403)
    for number in range(6):
        traffic.event(pool[number], "seal-foreign", at + number * MINUTE, pool[number + 6])
        traffic.event(people[number], "account-disabled", at + timedelta(days=number))
    for number in range(4):
        late = at + timedelta(days=25, hours=2 + number, microseconds=17)
        traffic.exchange(f"late{number}", late, SCAFFOLD)
    return {0: [*pool, *(f"late{number}" for number in range(4))], 1: people}


@pytest.fixture
def spark(spark_master: str, tmp_path: Path) -> Any:
    with open_engine("spark", memory="1GiB", spill=tmp_path / "spark", master=spark_master) as engine:
        yield engine


@pytest.fixture
def duckdb(tmp_path: Path) -> Any:
    with open_engine("duckdb", threads=1, spill=tmp_path / "duckdb") as engine:
        yield engine


def evidence(engine: Engine, traffic: Any, groups: dict[int, list[str]]) -> dict[str, pa.Table]:
    traffic.bind_groups(engine, groups, {0: SCAFFOLD})
    links = find_links(engine, facets())
    engine.bind("links", links)
    own = "SELECT candidate, account_id FROM members ORDER BY candidate, account_id"
    engine.bind("candidates", engine.table(own))
    bind_inside(engine)
    return {
        "links": links,
        "findings": weigh_candidates(engine, facets()),
        "behaviour": pa.concat_tables(profile_behaviour(engine)),
    }


def test_every_facet_finds_the_same(traffic: Any, names: Any, spark: Engine, duckdb: Engine) -> None:
    groups = fill(traffic, names)
    expected = evidence(duckdb, traffic, groups)
    assert set(expected["findings"]["facet"].to_pylist()) == set(facets())
    found = evidence(spark, traffic, groups)
    assert {name for name in expected if found[name] != expected[name]} == set()


def test_the_same_keys_are_shared(spark: Engine, duckdb: Engine) -> None:
    sketches, found = key_traffic.traffic(*key_traffic.SHARED, *key_traffic.HONEST), []
    for engine in (duckdb, spark):
        engine.bind("sketches", sketches)
        engine.bind("exempt", pa.table({"account_id": pa.array(["acct-declared"])}))
        found.append(find_shared_keys(engine))
    assert found[0].num_rows > 5
    assert found[1] == found[0]
