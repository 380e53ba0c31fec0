"""The table format: the same rows from Parquet, CSV and JSON lines are the same exchanges."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

NANOSECONDS = pa.timestamp("ns", "Asia/Seoul")
PLACE = {"source", "line"}


def placeless(rows):
    return [{name: value for name, value in row.items() if name not in PLACE} for row in rows]


def as_parquet(table, path, **options):
    pq.write_table(table, path, **options)
    return path


def as_csv(table, path):
    pc.write_csv(table, path)
    return path


def as_jsonl(table, path):
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()))
    return path


CONTAINERS = {"parquet": as_parquet, "csv": as_csv, "jsonl": as_jsonl}


@pytest.fixture
def world(shared):
    return pq.ParquetFile(shared / "worlds/dev-easy/exchanges.parquet")


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_world_is_the_same_in_every_container(read, world, tmp_path, container):
    table = pa.Table.from_batches([next(world.iter_batches(batch_size=3000))])
    expected = read([as_parquet(table, tmp_path / "world.parquet")])
    found = read([CONTAINERS[container](table, tmp_path / f"other.{container}")])

    assert (len(found.rows), found.rejects) == (3000, [])
    assert placeless(found.rows) == placeless(expected.rows)
    names = {
        "exchange_id": "request_id",
        "client_address": "ip",
        "tls_fingerprint": "ja4",
        "key_id": "api_key_id",
    }
    for row, original in zip(found.rows, table.to_pylist(), strict=True):
        for name in row.keys() & {*table.column_names, *names}:
            assert row[name] == original[names.get(name, name)]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_column_of_the_contract_can_be_given(read, tmp_path, container):
    given = {
        "exchange_id": "req-1",
        "timestamp": datetime(2026, 1, 1, microsecond=7, tzinfo=UTC),
        "account_id": "acct-1",
        "key_id": "key-1",
        "organization_id": "org-1",
        "team_id": "team-1",
        "conversation_id": "c-1",
        "operation": "chat",
        "model": "large",
        "messages": '[{"role": "user", "content": "a, \\"b\\"\\nc"}]',
        "tools": "[]",
        "answer": "line one\nline two, 'quoted' \"twice\"",
        "max_tokens": 100,
        "temperature": 0.7,
        "top_p": 1.0,
        "seed": -5,
        "choice_count": 2,
        "stream": True,
        "logprobs": False,
        "input_tokens": 1,
        "output_tokens": 2,
        "reasoning_tokens": 3,
        "status": 200,
        "client_address": "2001:db8::1",
        "asn": 64496,
        "user_agent": "agent/1, with comma",
        "tls_fingerprint": "t13d",
    }
    found = read([CONTAINERS[container](pa.Table.from_pylist([given]), tmp_path / "log")])

    assert found.rejects == []
    assert placeless(found.rows) == [given]


@pytest.mark.parametrize("container", CONTAINERS)
def test_two_columns_are_enough(read, tmp_path, container):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table({"timestamp": [when, when], "account_id": ["a", "b"]})
    found = read([CONTAINERS[container](table, tmp_path / "log")])
    as_text = read(
        [
            as_parquet(
                table.cast(pa.schema([("timestamp", pa.string()), ("account_id", pa.string())])),
                tmp_path / "text.parquet",
            )
        ]
    )

    assert [row["account_id"] for row in found.rows] == ["a", "b"]
    assert found.ids[0].startswith("derived-")
    assert len(set(found.ids)) == 2
    assert as_text.ids == found.ids


@pytest.mark.parametrize(
    ("column", "given", "taken"),
    [
        ("timestamp", pa.array([1767225600], pa.timestamp("s")), datetime(2026, 1, 1, tzinfo=UTC)),
        ("timestamp", pa.array([1767225600_000000_999], NANOSECONDS), datetime(2026, 1, 1, tzinfo=UTC)),
        ("timestamp", pa.array([1767225600_000]), datetime(2026, 1, 1, tzinfo=UTC)),
        ("timestamp", pa.array(["2026-01-01 09:00:00+09:00"]), datetime(2026, 1, 1, tzinfo=UTC)),
        ("account_id", pa.array([42]), "42"),
        ("account_id", pa.array([" a "]), "a"),
        ("model", pa.array(["large"]).dictionary_encode(), "large"),
        ("model", pa.array([""]), None),
        ("messages", pa.array([[{"role": "user", "content": "x"}]]), '[{"role":"user","content":"x"}]'),
        ("input_tokens", pa.array([12.0]), 12),
        ("input_tokens", pa.array([12], pa.uint64()), 12),
        ("input_tokens", pa.array(["12"]), 12),
        ("temperature", pa.array([1]), 1.0),
        ("asn", pa.array(["AS64496"]), 64496),
        ("stream", pa.array([1]), True),
        ("seed", pa.array([-1]), -1),
    ],
)
def test_columns_of_other_types_are_understood(read, table_record, tmp_path, column, given, taken):
    table = pa.Table.from_pylist([table_record()])
    table = table.drop_columns(column) if column in table.column_names else table
    found = read([as_parquet(table.append_column(column, given), tmp_path / "log.parquet")])

    assert found.rejects == []
    assert found.rows[0][column] == taken


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("timestamp", None, "timestamp: missing"),
        ("timestamp", datetime(1999, 1, 1, tzinfo=UTC), "before 2015"),
        ("timestamp", datetime(2150, 1, 1, tzinfo=UTC), "in the future"),
        ("account_id", None, "account_id: "),
        ("account_id", " ", "account_id: "),
        ("input_tokens", -1, "input_tokens: expected a whole number of 0 or more"),
        ("status", 20000, "status: expected an HTTP status"),
        ("asn", 2**40, "asn: expected"),
        ("temperature", float("inf"), "temperature: expected a finite number"),
    ],
)
def test_one_bad_value_costs_one_row(read, table_record, tmp_path, column, value, expected):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    records = [table_record(number, timestamp=when, temperature=0.5) for number in range(20)]
    records[13][column] = value
    path = as_parquet(pa.Table.from_pylist(records), tmp_path / "log.parquet")
    found = read([path])

    assert found.ids == [f"req-{number}" for number in range(20) if number != 13]
    (reject,) = found.rejects
    assert reject["line"] == 14
    assert expected in reject["reason"]
    assert [row["line"] for row in found.rows] == [n + 1 for n in range(20) if n != 13]


def test_text_that_is_not_utf8_costs_its_row(read, tmp_path):
    broken = pa.array([b"large", b"l\xffrge", b"large"]).view(pa.string())
    when = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table({"timestamp": [when] * 3, "account_id": ["a", "b", "c"], "model": broken})
    found = read([as_parquet(table, tmp_path / "log.parquet")])

    assert [row["account_id"] for row in found.rows] == ["a", "c"]
    assert found.reasons == ["model: expected UTF-8 text, found other bytes"]


def test_other_columns_are_named_and_left_alone(read, table_record, tmp_path):
    found = read([as_parquet(pa.Table.from_pylist([table_record(colour="red")]), tmp_path / "log.parquet")])

    assert (found.sources[0].format, found.sources[0].container) == ("table", "parquet")
    assert found.sources[0].ignored == ("colour",)


def test_the_account_may_be_another_column_or_a_nested_one(read, table_record, tmp_path):
    record = table_record(tenant="t-1", owner={"id": "o-1"})
    path = as_parquet(pa.Table.from_pylist([record]), tmp_path / "log.parquet")
    accounts = {"tenant": "t-1", "owner.id": "o-1", "api_key_id": "key-1"}

    for key, account in accounts.items():
        assert read([path], account_key=key).rows[0]["account_id"] == account
    assert "nothing" in read([path], account_key="nothing").reasons[0]


def test_rows_beyond_one_batch_keep_their_numbers(read, table_record, tmp_path):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    records = [table_record(number, timestamp=when) for number in range(20_000)]
    records[9_000]["account_id"] = None
    path = as_parquet(pa.Table.from_pylist(records), tmp_path / "log.parquet", row_group_size=5000)
    found = read([path])

    assert [row["line"] for row in found.rows] == [n + 1 for n in range(20_000) if n != 9_000]
    assert found.rejects[0]["line"] == 9_001


@pytest.mark.parametrize("container", CONTAINERS)
def test_since_and_until_are_half_open_and_counted(read, table_record, tmp_path, container):
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 11)]
    table = pa.Table.from_pylist([table_record(n, timestamp=day) for n, day in enumerate(days, 1)])
    path = CONTAINERS[container](table, tmp_path / "log")
    found = read([path], since=days[2], until=datetime(2026, 1, 6))

    assert found.ids == ["req-3", "req-4", "req-5"]
    assert (found.tally.read, found.tally.kept, found.tally.rejected, found.tally.out_of_range) == (
        10,
        3,
        0,
        7,
    )
    assert len(read([path], since=days[8]).rows) == 2
    assert len(read([path], until=days[1]).rows) == 1
