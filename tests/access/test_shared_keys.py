"""A key that many use at once is reported; honest keys that come from many networks are told apart."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.access.keys.sharing import CROWD, MANY, WINDOW, count_keys, find_shared_keys
from stillwatch.contracts import SHARED_KEYS
from stillwatch.engines.engine import open_engine

sys.path.insert(0, str(Path(__file__).parent))
from key_traffic import HONEST, SHARED, traffic


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine("duckdb", threads=1, spill=tmp_path_factory.mktemp("spill")) as opened:
        yield opened


def found(engine, sketches: pa.Table, exempt: tuple[str, ...] = ()) -> dict[str, dict]:
    engine.bind("sketches", sketches)
    engine.bind("exempt", pa.table({"account_id": pa.array(exempt, pa.string())}))
    table = find_shared_keys(engine)
    assert table.schema == SHARED_KEYS
    return {row["account_id"]: row for row in table.to_pylist()}


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.__name__)
def test_a_shared_key_is_reported_with_its_evidence(engine, case):
    row = found(engine, traffic(case))[case.__name__]
    assert row["kind"] == "shared"
    assert row["users_at_once"] >= CROWD
    assert row["crowded_days"] >= 2
    assert row["crowded_first"] <= row["crowded_last"]


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case.__name__)
def test_an_honest_key_is_not(engine, case):
    row = found(engine, traffic(case)).get(case.__name__)
    assert row is None or row["kind"] == HONEST[case]
    assert (row is None) == (HONEST[case] is None)


def test_who_was_declared_to_serve_many_is_not_looked_at(engine):
    case = SHARED[0]
    assert found(engine, traffic(case), exempt=(case.__name__,)) == {}


def test_all_together_are_told_as_each_alone_whatever_the_order(engine):
    cases = [*SHARED, *HONEST]
    table = traffic(*cases)
    together = found(engine, table)
    for case in cases:
        alone = found(engine, traffic(case)).get(case.__name__)
        assert together.get(case.__name__) == alone
    order = list(range(table.num_rows))
    random.Random(3).shuffle(order)
    assert found(engine, table.take(order)) == together
    assert count_keys(engine) == len(cases)


def test_the_pairs_of_network_and_client_are_counted_once_each(engine):
    start = datetime(2026, 4, 22, tzinfo=UTC)

    def office_and_runners(send):
        for day in range(3):
            for number in range(40):
                at = start + timedelta(days=day, hours=3, seconds=number * WINDOW / 50)
                send(at, network=1, client=number % 8, asn=1)  # eight colleagues in one office
                send(at, network=100 + number, client=99, asn=2 + number % 3)  # one CI client everywhere

    row = found(engine, traffic(office_and_runners))["office_and_runners"]
    assert row["networks_at_once"] > MANY
    assert (row["clients_at_once"], row["users_at_once"]) == (9, 2)
    assert row["kind"] != "shared"
