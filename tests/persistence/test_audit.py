"""Nothing in an audit log can be changed without a trace, by whoever and however."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.contracts import AuditError
from stillwatch.persistence import audit
from stillwatch.persistence.audit import AuditLog, verify_audit

ENTRIES = st.lists(st.dictionaries(st.sampled_from("xyz"), st.text() | st.integers()), min_size=1, max_size=6)


def written(path: Path, entries) -> str:
    log = AuditLog(path)
    return [log.append("approved", entry) for entry in entries][-1]


@settings(deadline=None)  # each entry waits for the disk
@given(ENTRIES)
def test_a_log_that_nobody_touched_is_whole(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    last = written(path, entries)
    assert verify_audit(path) == verify_audit(path, last) == (len(entries), last)
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [entry["number"] for entry in told] == list(range(1, len(entries) + 1))
    assert all(
        entry["kind"] == "approved" and entry.items() >= own.items()
        for entry, own in zip(told, entries, strict=True)
    )


@settings(deadline=None)  # each entry waits for the disk
@given(ENTRIES, st.data())
def test_no_change_goes_unseen_by_who_knows_the_last_hash(tmp_path_factory, entries, data):
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    last = written(path, entries)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["change", "cut", "drop", "repeat"]))
    lines = bytes(content).splitlines(keepends=True)
    line = data.draw(st.integers(0, len(lines) - 1))
    if how == "change":
        content[at] ^= 1
    elif how == "cut":
        del content[at:]
    elif how == "drop":
        content = bytearray(b"".join(lines[:line] + lines[line + 1 :]))
    else:
        content = bytearray(b"".join(lines[: line + 1] + lines[line:]))
    path.write_bytes(content)
    with pytest.raises(AuditError, match="the audit log is broken"):
        verify_audit(path, last)


def test_what_was_changed_in_the_middle_is_named_by_its_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    written(path, [{"by": "kim"}, {"by": "lee"}, {"by": "ana"}])
    path.write_text(path.read_text().replace("lee", "eve"))
    with pytest.raises(AuditError, match="does not follow") as caught:
        verify_audit(path)
    assert (caught.value.file, caught.value.line) == (str(path), 3)


def add(path: Path, number: int) -> None:
    AuditLog(path).append("decided", {"n": number, "padding": "x" * 70_000})


def test_processes_that_write_at_once_make_one_chain(tmp_path):
    path = tmp_path / "audit.jsonl"
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(add, [path] * 12, range(12)))
    assert verify_audit(path).entries == 12


def test_a_full_disk_adds_nothing(tmp_path, monkeypatch):
    path = tmp_path / "audit.jsonl"
    written(path, [{}, {}])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(audit.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            AuditLog(path).append("decided", {})
    assert verify_audit(path).entries == 2
    AuditLog(path).append("decided", {})
    assert verify_audit(path).entries == 3


def test_a_line_that_is_cut_off_is_not_written_on(tmp_path):
    path = tmp_path / "audit.jsonl"
    written(path, [{}, {}])
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(AuditError, match="cut off"):
        AuditLog(path).append("decided", {})
    with pytest.raises(AuditError, match="cannot be read"):
        verify_audit(tmp_path / "none")


def test_a_line_that_is_nested_too_deeply_is_broken(tmp_path):
    path = tmp_path / "audit.jsonl"
    for depth in (900, 100_000):
        path.write_text('{"before":"","number":1,"x":' + "[" * depth + "]" * depth + "}\n")
        with pytest.raises(AuditError, match="the audit log is broken"):
            verify_audit(path)
