"""Gates on another machine have a new decision within a second, and keep the last one while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_server import RedisServer

from stillwatch.app.service import pushing
from stillwatch.app.service.pushing import PushError, SnapshotPull, SnapshotPush
from stillwatch.enforce.snapshot import Snapshot, Terms, write_snapshot


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def decided(path: Path, *accounts: str) -> Path:
    write_snapshot(path, dict.fromkeys(accounts, Terms("block", dry_run=False)))
    return path


def test_what_is_pushed_is_pulled_once_and_again_when_it_changes(server, tmp_path):
    push, pull = SnapshotPush(server.url), SnapshotPull(server.url, tmp_path / "pulled")
    push.push(decided(tmp_path / "own", "a"))
    assert pull.look()
    assert not pull.look()
    assert Snapshot(tmp_path / "pulled").find("a") == Terms("block", dry_run=False)
    push.push(decided(tmp_path / "own", "b"))
    assert pull.look()
    assert Snapshot(tmp_path / "pulled").find("a") is None


def test_while_redis_is_away_the_last_snapshot_stays_and_it_goes_on_afterwards(server, tmp_path):
    push, pull = SnapshotPush(server.url), SnapshotPull(server.url, tmp_path / "pulled")
    push.push(decided(tmp_path / "own", "a"))
    pull.look()
    server.stop()
    with pytest.raises(PushError):
        pull.look()
    with pytest.raises(PushError):
        push.push(tmp_path / "own")
    assert len(Snapshot(tmp_path / "pulled")) == 1
    server.start()
    with pytest.raises(PushError, match="no service has pushed"):
        pull.look()
    push.push(decided(tmp_path / "own", "a", "b"))
    assert pull.look()
    assert len(Snapshot(tmp_path / "pulled")) == 2


def test_gates_can_tell_that_the_service_is_gone_though_redis_is_there(server, tmp_path, monkeypatch):
    monkeypatch.setattr(pushing, "_FRESH", 1)
    push, pull = SnapshotPush(server.url), SnapshotPull(server.url, tmp_path / "pulled")
    push.push(decided(tmp_path / "own", "a"))
    pull.look()
    signed = (tmp_path / "pulled").stat().st_mtime_ns
    time.sleep(1.2)
    with pytest.raises(PushError, match="no service has pushed"):
        pull.look()
    assert (tmp_path / "pulled").stat().st_mtime_ns == signed
    assert len(Snapshot(tmp_path / "pulled")) == 1


def test_what_is_no_snapshot_takes_nobodys_place(server, tmp_path):
    push, pull = SnapshotPush(server.url), SnapshotPull(server.url, tmp_path / "pulled")
    push.push(decided(tmp_path / "own", "a"))
    pull.look()
    (tmp_path / "own").write_bytes(b"no snapshot")
    push.push(tmp_path / "own")
    with pytest.raises(PushError):
        pull.look()
    assert len(Snapshot(tmp_path / "pulled")) == 1
