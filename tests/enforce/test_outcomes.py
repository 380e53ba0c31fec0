"""What became of decisions is written by the way: bounded, whole lines, and what is lost is counted."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from stillwatch.enforce import outcomes as module
from stillwatch.enforce.guard import Ruling
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.snapshot import Terms

BLOCKED = Ruling("block", "enforced", Terms("block", "dec_1", "cmp_1", dry_run=False))


def lines(folder):
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


def test_an_outcome_says_when_of_whom_and_which_request(tmp_path):
    told = Outcomes(tmp_path / "out", clock=lambda: 1_000.5)
    told.tell("a", BLOCKED, "call-1")
    told.tell("a", BLOCKED, outcome="skipped(this gateway cannot block)")
    told.tell("b", Ruling("allow", ""))
    told.close()
    common = {"at": 1_000.5, "account_id": "a", "decision_id": "dec_1", "action": "block"}
    assert lines(tmp_path / "out") == [
        {**common, "outcome": "enforced", "call_id": "call-1"},
        {**common, "outcome": "skipped(this gateway cannot block)", "call_id": ""},
    ]
    assert told.counts["block", "enforced"] == 1


def test_they_are_written_without_being_asked(tmp_path):
    told = Outcomes(tmp_path / "out")
    told.tell("a", BLOCKED)
    deadline = time.monotonic() + 5
    while not list((tmp_path / "out").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(lines(tmp_path / "out")) == 1
    told.close()


def test_a_full_disk_holds_nobody_up_and_leaves_no_half_line(tmp_path, monkeypatch):
    told = Outcomes(tmp_path / "out")
    told.tell("a", BLOCKED, "kept")
    told.flush()
    write = os.write
    monkeypatch.setattr(module.os, "write", lambda handle, text: write(handle, text[:10]))
    for _ in range(3):
        told.tell("a", BLOCKED, "lost")
    told.flush()
    assert told.lost == 3
    assert "No space left" in told.trouble
    monkeypatch.undo()
    told.tell("a", BLOCKED, "kept again")
    told.close()
    assert [line["call_id"] for line in lines(tmp_path / "out")] == ["kept", "kept again"]
    assert told.trouble == ""


def test_more_than_can_be_written_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 5)
    monkeypatch.setattr(module, "_EVERY", 60)
    told = Outcomes(tmp_path / "out")
    for _ in range(8):
        told.tell("a", BLOCKED)
    told.close()
    assert (told.lost, len(lines(tmp_path / "out")), told.counts["block", "enforced"]) == (3, 5, 8)


def test_the_oldest_half_goes_when_there_is_no_more_room(tmp_path):
    told = Outcomes(tmp_path / "out", most_bytes=4_000)
    for number in range(200):
        told.tell("a", BLOCKED, f"call-{number}")
        told.flush()
    told.close()
    kept = [line["call_id"] for line in lines(tmp_path / "out")]
    assert "call-199" in kept
    assert len(kept) < 60
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 4_000


def test_threads_tell_at_once_and_nothing_is_mixed_up(tmp_path):
    told = Outcomes(tmp_path / "out")
    threads = [
        threading.Thread(target=lambda: [told.tell("a", BLOCKED) for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.close()
    assert len(lines(tmp_path / "out")) == 2_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes fork on POSIX alone")
def test_a_forked_worker_writes_a_file_of_its_own(tmp_path):
    told = Outcomes(tmp_path / "out")
    told.tell("a", BLOCKED, "parent")
    told.flush()
    child = os.fork()
    if child == 0:
        told.tell("a", BLOCKED, "child")
        told.close()
        os._exit(0)
    os.waitpid(child, 0)
    told.close()
    assert {line["call_id"] for line in lines(tmp_path / "out")} == {"parent", "child"}
    assert len(list((tmp_path / "out").glob("*.jsonl"))) == 2
