"""LiteLLM's spend logs from a real PostgreSQL server, in the table that LiteLLM's own migrations make."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from stillwatch.contracts import InputError, MissingExtraError
from stillwatch.ingest.reader import describe, read_exchanges

sys.path.insert(0, str(Path(__file__).parent))
from postgres_server import PostgresUnavailableError, postgres

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path may not be longer than about a hundred
    try:
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as unavailable:
        if os.environ.get("CI") == "true":  # a suite that vouches for a change must not pass by skipping
            raise
        pytest.skip(str(unavailable))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database(server):
    """The address of a database that holds the sample's table."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE litellm")
    address = server.replace("/postgres?", "/litellm?")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute((SAMPLES / "litellm-spend-logs.sql").read_text())
    return address


def test_rows_come_as_they_come_from_an_export(read, database):
    found, exported = read([database]), read([SAMPLES / "litellm-spend-logs.jsonl"])

    assert found.rejects == []
    assert found.sources[0].format == "litellm-spend-logs"
    for row, expected in zip(found.rows, exported.rows, strict=True):
        assert {**row, "source": "", "line": 0} == {**expected, "source": "", "line": 0}


def test_only_the_asked_period_leaves_the_database(read, database):
    times = [row["timestamp"] for row in read([database]).rows]
    found = read([database], since=times[1], until=times[-1] - timedelta(microseconds=1))

    assert [row["timestamp"] for row in found.rows] == times[1:-1]
    assert found.tally.out_of_range == 0


def test_a_database_is_described_by_its_name_and_once_read_by_its_rows(read, database):
    with_password = database.replace("reader@", "reader:secret@")
    (before,) = describe([with_password])
    (after,) = read([with_password]).sources
    (again,) = read([with_password]).sources

    assert (before.bytes, before.sha256) == (None, None)
    assert after.bytes > 1000
    assert after == again
    assert "secret" not in str((before, after))
    assert "reader@" in after.path


def test_a_bad_row_is_a_reject_with_its_place(read, database, digest):
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("""UPDATE "LiteLLM_SpendLogs" SET "user" = '', api_key = '', prompt_tokens = -1
                              WHERE request_id = (SELECT min(request_id) FROM "LiteLLM_SpendLogs")""")
        try:
            found = read([database])
        finally:
            connection.execute('DROP TABLE "LiteLLM_SpendLogs"')
            connection.execute((SAMPLES / "litellm-spend-logs.sql").read_text())

    assert len(found.rows) == 4
    assert "user or api_key" in found.reasons[0]
    assert found.rejects[0]["line"] in range(1, 6)


def test_many_rows_come_in_pieces_and_in_order(read, database):
    import psycopg

    copy = """INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, "startTime", "endTime", "user")
              SELECT 'many-' || n, 'acompletion', 'k', timestamp '2026-01-01' + n * interval '1 s', now(), 'u'
              FROM generate_series(1, 20000) AS n"""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(copy)
        try:
            rows = read([database]).rows
        finally:
            connection.execute("""DELETE FROM "LiteLLM_SpendLogs" WHERE request_id LIKE 'many-%'""")

    assert len(rows) == 20_005
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)


def test_the_address_that_litellm_itself_uses_is_understood(read, database):
    prisma = f"{database}&schema=public&connection_limit=10&pool_timeout=20"

    assert len(read([prisma]).rows) == 5


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("/litellm?", "/postgres?"), "no table LiteLLM_SpendLogs"),
        (("/litellm?", "/nowhere?"), "cannot be read"),
        (("reader@", "stranger:hunter2@"), "cannot be read"),
    ],
)
def test_what_is_missing_is_an_error_that_helps_and_keeps_the_password(read, database, change, expected):
    with pytest.raises(InputError) as raised:
        read([database.replace(*change)])

    assert expected in str(raised.value)
    assert raised.value.remedy
    assert "hunter2" not in str(raised.value)


def test_a_server_that_is_not_there_is_an_error(digest):
    with pytest.raises(InputError, match="cannot be read"):
        read_exchanges(["postgresql://reader@127.0.0.1:1/litellm"], digest=digest)


def test_without_the_driver_the_error_names_the_extra(digest, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtraError, match=r"pip install stillwatch\[postgres\]"):
        read_exchanges(["postgresql://reader@127.0.0.1:1/litellm"], digest=digest)
