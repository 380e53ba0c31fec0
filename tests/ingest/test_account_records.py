"""Account records: the world's table and LiteLLM's user table, in every container."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.contracts import ACCOUNT, InputError
from stillwatch.ingest.reader import read_accounts

LITELLM_USER = {
    "user_id": "user-1",
    "user_email": "someone@example.org",
    "created_at": "2025-06-01T10:00:00.000Z",
    "organization_id": "org-1",
    "user_role": "internal_user",
    "teams": ["team-1"],
    "spend": 1.5,
}


@pytest.fixture
def read_records(digest):
    def read(*paths, **options):
        reading = read_accounts([str(path) for path in paths], digest=digest, **options)
        batches = list(reading)
        rows = pa.Table.from_batches([batch.records for batch in batches], ACCOUNT).to_pylist()
        rejects = [reject for batch in batches for reject in batch.rejects.to_pylist()]
        return rows, rejects

    return read


def test_a_world_is_read_without_a_mapping(read_records, shared):
    path = shared / "worlds/dev-easy/accounts.parquet"
    rows, rejects = read_records(path)
    original = pq.read_table(path).to_pylist()

    assert rejects == []
    for row, given in zip(rows, original, strict=True):
        assert {name: row[name] for name in given} == given


def test_csv_and_json_lines_say_the_same_as_parquet(read_records, shared, tmp_path):
    table = pq.read_table(shared / "worlds/dev-easy/accounts.parquet").slice(0, 500)
    pq.write_table(table, tmp_path / "a.parquet")
    records = table.to_pylist()
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(record, default=str) for record in records))
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table.column_names, delimiter=";")
        writer.writeheader()
        writer.writerows(records)
    expected, _ = read_records(tmp_path / "a.parquet")

    for other in ("a.jsonl", "a.csv"):
        rows, rejects = read_records(tmp_path / other)
        assert rejects == []
        assert [dict(row, source=0, line=0) for row in rows] == [
            dict(row, source=0, line=0) for row in expected
        ]


def test_litellm_users_are_accounts(read_records, jsonl):
    rows, rejects = read_records(jsonl(LITELLM_USER))

    assert rejects == []
    assert rows[0]["account_id"] == "user-1"
    assert rows[0]["email"] == "someone@example.org"
    assert rows[0]["organization"] == "org-1"
    assert rows[0]["verification_level"] is None
    assert rows[0]["created_at"] == datetime(2025, 6, 1, 10, tzinfo=UTC)


def test_a_bad_record_is_named_and_the_others_stay(read_records, jsonl):
    old = {**LITELLM_USER, "user_id": "user-0", "created_at": "2004-02-01"}
    unnamed = {**LITELLM_USER, "user_id": None}
    undated = {**LITELLM_USER, "user_id": "user-2", "created_at": "once"}
    rows, rejects = read_records(jsonl(old, unnamed, LITELLM_USER, undated))

    assert [row["account_id"] for row in rows] == ["user-0", "user-1"]
    assert [reject["line"] for reject in rejects] == [2, 4]
    assert "account_id or user_id" in rejects[0]["reason"]
    assert "created_at: expected a time" in rejects[1]["reason"]


def test_the_account_may_go_by_another_name(read_records, jsonl):
    rows, _ = read_records(jsonl({"customer": 17, "email": "x@example.org"}), account_key="customer")

    assert rows[0]["account_id"] == "17"


def test_a_request_log_is_no_account_table(read_records, jsonl, litellm_record):
    with pytest.raises(InputError, match="not in a known format"):
        read_records(jsonl(litellm_record()))


def test_a_level_of_verification_is_a_small_whole_number(read_records, jsonl, tmp_path):
    levels = [2, "3", None, 0, -1, 40_000, "gold"]
    told = [
        {**LITELLM_USER, "user_id": f"u{n}", "verification_level": level} for n, level in enumerate(levels)
    ]
    rows, rejects = read_records(jsonl(*told))
    assert [row["verification_level"] for row in rows] == [2, 3, None, 0]
    assert [reject["reason"].partition(":")[0] for reject in rejects] == ["verification_level"] * 3

    csv = tmp_path / "accounts.csv"
    csv.write_text("account_id,plan,verification_level\na,pro,1\nb,pro,\n", encoding="utf-8")
    assert [row["verification_level"] for row in read_records(csv)[0]] == [1, None]
