"""The store keeps decisions in SQLite and PostgreSQL alike, logs before it changes, and heals by itself."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from stillwatch.access import signup_tables
from stillwatch.contracts import PLANNED, StoreError, UnknownSubjectError, UsageError
from stillwatch.decisions import approvals
from stillwatch.decisions.decision import Status
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import Store, existing_store, open_store
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog, verify_audit
from stillwatch.persistence.columns import METADATA, escaped, unescaped
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from postgres_server import PostgresUnavailableError, execute, postgres

NOW = datetime(2026, 6, 1, 12, 30, 0, 123456, tzinfo=UTC)
ODD = ["plain", "a\\b", "zero\0byte", "\\0", "계정", "quote'\"", "-1", "é\n"]
ROW = {
    "campaign_id": "cmp_1",
    "verdict": "campaign",
    "q_value": 0.001,
    "reason_codes": ["payment-shared"],
    "action": "throttle",
    "rule": "sure \0 of it",
    "policy_version": "7",
    "dry_run": False,
    "needs_approval": False,
    "approval_above": None,
    "seconds": 3600,
    "budget_per_hour": 100,
    "verify_url": None,
    "max_tokens": None,
    "fail_closed": False,
}


def planned(*accounts: str, **changes) -> pa.Table:
    rows = [ROW | changes | {"account_id": account} for account in accounts]
    return pa.Table.from_pylist(rows, schema=PLANNED)


@contextmanager
def server_in(folder: Path):
    """A server of the test's own; without the programs the test is skipped, but not where it must vouch."""
    try:
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as unavailable:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(unavailable))


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path may not be longer than about a hundred
    try:
        with server_in(folder) as address:
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        yield str(tmp_path / "decisions.db")
        return
    server = request.getfixturevalue("server")
    execute(server, "DROP DATABASE IF EXISTS decided WITH (FORCE)")
    execute(server, "CREATE DATABASE decided")
    yield server.replace("/postgres?", "/decided?")


@pytest.fixture
def audit(tmp_path) -> AuditLog:
    return AuditLog(tmp_path / "audit.jsonl")


def settled(store: Store, audit: AuditLog, *accounts: str, **changes):
    """Two judgements that agree; the decision that acts."""
    for minutes in (0, 1):
        settle(store, audit, planned(*accounts, **changes), NOW + timedelta(minutes=minutes), ())
    return store.decisions([Status.IN_FORCE, Status.PENDING])[-1]


def test_what_is_put_in_comes_out_as_it_was(place, audit):
    store = open_store(place)
    assert store.revision() == 0
    decision = settled(store, audit, *ODD)
    again = existing_store(place)
    assert again.get(decision.id) == decision
    assert decision.issued_at == NOW + timedelta(minutes=1)
    assert decision.expires_at == decision.issued_at + timedelta(hours=1)
    assert (decision.rule, decision.reason_codes, decision.asked.budget_per_hour) == (
        "sure \0 of it",
        ("payment-shared",),
        100,
    )
    assert [member.account_id for member in again.accounts(decision.id)] == sorted(ODD)
    assert again.members([decision]) == {decision.id: frozenset(ODD)}
    assert [one.id for one in again.of_account("zero\0byte") if one.status.stands] == [decision.id]
    assert again.revision() == 2
    with pytest.raises(UnknownSubjectError, match="no decision 'dec_0'"):
        again.get("dec_0")


def test_what_changes_nothing_raises_no_revision(place, audit, tmp_path):
    store = open_store(place)
    settled(store, audit, "a", "b")
    revision = store.revision()
    settle(store, audit, planned("a"), NOW + timedelta(minutes=2), ())
    assert store.revision() == revision
    assert verify_audit(tmp_path / "audit.jsonl").entries == revision


def test_migrations_go_up_and_down_and_make_what_the_code_uses(place):
    assert signup_tables.SIGNUPS.metadata is METADATA
    database = Database(address_of(place))
    database.migrate()
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.migrate("base")
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.migrate()
    assert Store(database).revision() == 0


def test_a_store_of_another_version_is_not_touched(place):
    store = open_store(place)
    database = Database(address_of(place))
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for opening in (open_store, existing_store):
        with pytest.raises(StoreError, match=r"newer version\. Update stillwatch"):
            opening(place)
    with database.writing() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(StoreError, match="older version"):
        existing_store(place)
    store.close()


def test_several_may_change_at_once_and_each_change_is_one(place, audit, tmp_path):
    store = open_store(place)
    decision = settled(store, audit, *(f"a{n}" for n in range(12)))
    revision, trouble = store.revision(), []

    def take_out(number: int) -> None:
        own = existing_store(place)
        try:
            approvals.undo_account(f"a{number}")(own, audit, decision.id, NOW, by="kim", note="appeal")
        except Exception as error:  # it would be lost in the thread
            trouble.append(error)

    threads = [threading.Thread(target=take_out, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert (store.revision(), store.counts([decision])) == (revision + 8, {decision.id: 4})
    assert verify_audit(tmp_path / "audit.jsonl").entries == revision + 8


def test_what_cannot_be_logged_does_not_happen(place, audit, tmp_path, monkeypatch):
    store = open_store(place)
    decision = settled(store, audit, "a")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("stillwatch.persistence.audit.os.fsync", full)
        with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\)"):
            approvals.undo(store, audit, decision.id, NOW, by="kim", note="no")
    assert store.get(decision.id) == decision
    assert verify_audit(tmp_path / "audit.jsonl").entries == store.revision() == 2


def test_a_crash_between_log_and_commit_leaves_an_entry_whose_revision_comes_again(place, tmp_path):
    store, log = open_store(place), tmp_path / "audit.jsonl"
    decision = settled(store, AuditLog(log), "a")
    dying = (
        "import os, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from stillwatch.decisions import approvals, store; from stillwatch.persistence import audit\n"
        "append = audit.AuditLog.append\n"
        "def die(*given): append(*given); os.kill(os.getpid(), 9)\n"
        "audit.AuditLog.append = die\n"
        "place, log, decision = sys.argv[1:]\n"
        "approvals.undo(store.existing_store(place), audit.AuditLog(Path(log)), decision,\n"
        "               datetime.now(UTC), by='kim', note='no')\n"
    )
    done = subprocess.run([sys.executable, "-c", dying, place, str(log), decision.id], check=False)
    assert done.returncode == -signal.SIGKILL
    assert store.get(decision.id).status is Status.IN_FORCE
    assert (store.revision(), verify_audit(log).entries) == (2, 3)
    approvals.undo(store, AuditLog(log), decision.id, NOW, by="ana", note="yes")
    lines = log.read_text().splitlines()
    assert ['"revision":3' in line for line in lines] == [False, False, True, True]
    assert (store.revision(), verify_audit(log).entries) == (3, 4)
    assert store.get(decision.id).ended_by == "ana"


def test_a_file_that_is_no_store_is_told_in_one_line(tmp_path):
    with pytest.raises(StoreError, match=r"there is no store of decisions\. Name"):
        existing_store(tmp_path / "none.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path / "missing" / "decisions.db")
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database at all, and long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        open_store(broken)


def test_a_store_in_a_file_is_for_its_owner_alone(tmp_path, audit):
    path = tmp_path / "decisions.db"
    store = open_store(f"sqlite:///{path}")
    settled(store, audit, "a")
    for file in tmp_path.glob("decisions.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("mysql://db/x", "no store in mysql"),
        ("postgresql://db/x?colour=red", "option 'colour'"),
        ("postgresql://db/x?sslmode=maybe", "no sslmode 'maybe'"),
        ("postgresql://db:port/x", "cannot be read"),
        ("sqlite://", "no store in sqlite"),
    ],
)
def test_a_place_that_is_none_is_refused(place, told):
    with pytest.raises(UsageError, match=told):
        open_store(place)


def test_a_server_that_is_away_is_one_error_without_the_password():
    for place in ("postgresql://kim:s3cret@127.0.0.1:1/x", "postgres://kim:s3cret@127.0.0.1:1/x"):
        with pytest.raises(StoreError, match="does not answer") as caught:
            open_store(place)
        assert "s3cret" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__!r}"
        assert caught.value.file == "postgresql://kim@127.0.0.1:1/x"


def test_a_server_that_comes_back_is_used_again(audit, capfd):
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stillwatch'"
    try:
        with server_in(folder) as address:
            store = open_store(address)
            decision = settled(store, audit, "a")
            execute(address, others)
            assert store.get(decision.id) == decision  # that a connection was lost is not even noticed
        for _ in range(2):
            with pytest.raises(StoreError, match="does not answer"):
                store.revision()
        with pytest.raises(StoreError, match="does not answer"):
            approvals.undo(store, audit, decision.id, NOW, by="kim", note="no")
        with server_in(folder):
            assert store.get(decision.id) == decision
            assert approvals.undo(store, audit, decision.id, NOW, by="kim", note="no").changed
        store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@given(st.text())
def test_any_text_is_kept_as_one_that_every_database_takes(words):
    kept = escaped(words)
    assert "\0" not in kept
    kept.encode("utf-8")
    assert unescaped(kept) == words


@given(st.text(st.characters(categories=["Cs", "Cc", "Lu"]) | st.sampled_from("\\0u")))
def test_even_half_a_character_is_kept(words):
    assert unescaped(escaped(words)) == words
