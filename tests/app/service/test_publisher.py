"""The snapshot follows the store, the allow list and the clock, and stays where the store is away."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "decisions"))

from decided_store import decided

from stillwatch.app.service import publisher as publishing
from stillwatch.app.service.places import SNAPSHOT
from stillwatch.app.service.publisher import Publisher
from stillwatch.app.service.rules import Rules
from stillwatch.contracts import StoreError
from stillwatch.decisions.approvals import undo, undo_account
from stillwatch.decisions.store import open_store
from stillwatch.enforce.snapshot import Snapshot
from stillwatch.persistence.audit import AuditLog
from stillwatch.settings import ServeSettings


class Desk:
    """A store with a decision on three accounts, and who publishes it."""

    def __init__(self, folder: Path) -> None:
        self.state, self.allow = folder / "state", folder / "allow.txt"
        self.allow.write_text("# nobody\n")
        self.decision = decided(self.state, "a", "b", "c")
        self.store, self.audit = open_store(self.state / "decisions.db"), AuditLog(self.state / "audit.jsonl")
        self.away, self.away_by = False, StoreError("the database is away", remedy="Wait")
        rules = Rules(ServeSettings.read(state=self.state, allow=self.allow))
        self.publisher = Publisher(self.state, rules, self.opened)

    def opened(self):
        if self.away:
            raise self.away_by
        return self.store

    def published(self) -> list[str]:
        snapshot = Snapshot(self.state / SNAPSHOT)
        return [account for account in "abc" if snapshot.find(account) is not None]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_is_in_force_is_published_and_what_is_undone_is_not(desk):
    desk.publisher.look()
    assert desk.published() == ["a", "b", "c"]
    said, now = {"by": "kim", "note": "a class"}, datetime.now(UTC)
    undo_account("b")(desk.store, desk.audit, desk.decision.id, now, **said)
    desk.publisher.look()
    assert desk.published() == ["a", "c"]
    undo(desk.store, desk.audit, desk.decision.id, now, **said)
    desk.publisher.look()
    assert desk.published() == []


def test_who_is_allowed_is_left_out_whatever_was_decided_before(desk):
    desk.publisher.look()
    desk.allow.write_text("b,a pentest\n")
    desk.publisher.look()
    assert desk.published() == ["a", "c"]
    desk.allow.write_text("# nobody again\n")
    desk.publisher.look()
    assert desk.published() == ["a", "b", "c"]


def test_nothing_is_written_while_nothing_changes_but_a_sign_of_life(desk, monkeypatch):
    desk.publisher.look()
    path = desk.state / SNAPSHOT
    before = path.stat()
    desk.publisher.look()
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    monkeypatch.setattr(publishing, "_SIGN_OF_LIFE", 0.0)
    os.utime(path, (1, 1))
    desk.publisher.look()
    assert (path.stat().st_ino, path.stat().st_mtime > 1) == (before.st_ino, True)
    monkeypatch.setattr(publishing, "_WHOLE", 0.0)
    desk.publisher.look()
    assert path.stat().st_ino != before.st_ino


@pytest.mark.parametrize("error", [StoreError("the database is away", remedy="Wait"), KeyError("unforeseen")])
def test_the_old_snapshot_stays_while_the_store_is_away(desk, error, caplog):
    desk.away_by = error
    desk.publisher.look()
    desk.away = True
    with pytest.raises(type(error)):
        desk.publisher.look()
    assert desk.published() == ["a", "b", "c"]
    desk.publisher.start()
    try:
        deadline = datetime.now(UTC).timestamp() + 10
        while desk.publisher.error is None:
            assert datetime.now(UTC).timestamp() < deadline
        assert str(error) in desk.publisher.error
        (line,) = caplog.records  # once, however many looks fail
        assert bool(line.exc_info) is isinstance(error, KeyError)
        desk.away = False
        while desk.publisher.error is not None:
            assert datetime.now(UTC).timestamp() < deadline
    finally:
        desk.publisher.stop()
    assert desk.published() == ["a", "b", "c"]
