"""LiteLLM's spend logs from a real PostgreSQL server, in the table that LiteLLM's own migrations make."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import forked_commands
import pytest

from stillwatch.contracts import InputError, MissingExtraError, StillwatchError, UsageError
from stillwatch.ingest.inflate import Cut
from stillwatch.ingest.postgres import PostgresInput
from stillwatch.ingest.reader import describe, read_exchanges

sys.path.insert(0, str(Path(__file__).parent))
from postgres_server import PostgresUnavailableError, execute, postgres

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
    execute(server, "CREATE DATABASE litellm")
    address = server.replace("/postgres?", "/litellm?")
    execute(address, (SAMPLES / "litellm-spend-logs.sql").read_text())
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


@pytest.fixture
def changed(database):
    """Runs a statement on the table, which is made anew after the test."""
    yield lambda sql: execute(database, sql)
    execute(database, 'DROP TABLE "LiteLLM_SpendLogs"')
    execute(database, (SAMPLES / "litellm-spend-logs.sql").read_text())


def test_a_bad_row_is_a_reject_with_its_place(read, database, changed):
    changed("""UPDATE "LiteLLM_SpendLogs" SET "user" = '', api_key = '', prompt_tokens = -1
               WHERE request_id = (SELECT min(request_id) FROM "LiteLLM_SpendLogs")""")
    found = read([database])

    assert len(found.rows) == 4
    assert "user or api_key" in found.reasons[0]
    assert found.rejects[0]["line"] in range(1, 6)


FILL = """INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, "startTime", "endTime", "user")
          SELECT 'many-' || n, 'acompletion', repeat('k', {size}),
                 timestamp '2026-01-01' + n * interval '1 s', now(), 'u'
          FROM generate_series(1, {count}) AS n"""


def test_many_rows_come_in_order(read, database, changed):
    changed(FILL.format(size=1, count=20_000))
    rows = read([database]).rows

    assert len(rows) == 20_005
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)


def test_memory_does_not_grow_with_the_table(database, changed):
    changed(FILL.format(size=20_000, count=15_000))
    program = f"""
import resource
from stillwatch.ingest.postgres import PostgresInput
most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
chunks = PostgresInput({database!r}, None, None).chunks(lambda size: None)
next(chunks)
before, read = most(), sum(map(len, chunks))
print(read, (most() - before) * (1024 if sys.platform == "linux" else 1))
"""
    done = subprocess.run([sys.executable, "-c", f"import sys{program}"], capture_output=True, check=True)
    size, grown = map(int, done.stdout.split())

    assert size > 300_000_000
    assert grown < 60_000_000


def test_a_connection_that_breaks_keeps_what_came_before(database, changed):
    changed(FILL.format(size=2_000, count=20_000))
    chunks = PostgresInput(database, None, None).chunks(lambda size: None)
    read = next(chunks).count(b"\n")
    changed("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()""")
    with pytest.raises(Cut, match="the database stopped answering"):
        read += sum(chunk.count(b"\n") for chunk in chunks)

    assert 0 < read < 20_000


def test_the_address_that_litellm_itself_uses_is_understood(read, database):
    prisma = f"{database}&schema=public&connection_limit=10&pool_timeout=20"

    assert len(read([prisma]).rows) == 5


@pytest.mark.parametrize(
    ("change", "expected", "remedy"),
    [
        (("/litellm?", "/postgres?"), "no table LiteLLM_SpendLogs", "Name the database"),
        (("/litellm?", "/litellm?schema=other&"), "no table LiteLLM_SpendLogs", "its schema"),
        (("/litellm?", "/nowhere?"), 'database "nowhere" does not exist', "Name the database"),
        (("reader@", "stranger:hunter2@"), 'role "stranger" does not exist', "Name a user"),
        (("reader@", "guest:hunter2@"), "may not read the table", "GRANT SELECT"),
        (("reader@", "locked:hunter2@"), "password authentication failed", "Correct the password"),
        (("reader@", "locked@"), "no password supplied", "PGPASSWORD"),
        (("reader@", "locked:hunter/2@"), "holds characters", "%XX"),
        (("reader@", "locked:hun?ter2@"), "holds characters", "%XX"),
    ],
)
def test_what_is_missing_is_an_error_that_helps_and_keeps_the_password(
    read, server, database, users, change, expected, remedy
):
    with pytest.raises(StillwatchError) as raised:
        read([database.replace(*change)])

    assert expected in raised.value.what
    assert remedy in raised.value.remedy
    assert not re.search("hun.?ter", str(raised.value))
    assert raised.value.__cause__ is None


@pytest.fixture(scope="module")
def users(server, database):
    """One user without rights, and one who needs a password."""
    execute(server, "CREATE USER guest; CREATE USER locked PASSWORD 'other'")
    configuration = Path(execute(server, "SHOW hba_file").strip())
    rules = configuration.read_text()
    configuration.write_text(f"local all locked scram-sha-256\n{rules}")
    execute(server, "SELECT pg_reload_conf()")


def test_a_server_that_is_not_there_is_an_error(digest):
    with pytest.raises(InputError, match=r"cannot be reached .*refused") as raised:
        read_exchanges(["postgresql://reader@127.0.0.1:1/litellm"], digest=digest)
    assert "that the server runs" in raised.value.remedy


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgres://u:secret@h/db", "postgres://u@h/db"),
        ("postgresql://u:secret@h:5433/db?sslmode=require", "postgresql://u@h:5433/db?sslmode=require"),
        ("postgresql://u@h/db?password=secret&x=y", "postgresql://u@h/db?x=y"),
        ("postgresql://h/db", "postgresql://h/db"),
        ("postgresql:///db?host=/run", "postgresql:///db?host=/run"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert describe([address])[0].path == shown


def test_an_address_that_is_none_is_a_usage_error(digest):
    with pytest.raises(UsageError, match="no address of a database"):
        read_exchanges(["postgresql://reader@[::1/litellm"], digest=digest)


def test_without_the_driver_the_error_names_the_extra(digest, monkeypatch):
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)

    with pytest.raises(MissingExtraError, match=r"pip install stillwatch\[postgres\]"):
        read_exchanges(["postgresql://reader@127.0.0.1:1/litellm"], digest=digest)


def test_an_unfinished_run_over_a_database_is_not_gone_on_with(database, tmp_path):
    """Nobody knows whether the table still holds what the run has read."""
    out, key = tmp_path / "run", tmp_path / "key"
    words = ["scan", database, "--out", out, "--sketch-key", key, "--quiet"]
    process = forked_commands.start(words)
    while not (out / "stages" / "profiles.parquet").exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert forked_commands.run(words).returncode == 0
    manifest = json.loads((out / "manifest.json").read_text())

    assert "intake" in manifest["seconds"]
    assert manifest["counts"]["exchanges"]["accepted"] == 5
