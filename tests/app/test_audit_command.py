"""`stillwatch audit verify` proves that an audit log is as it was written."""

from __future__ import annotations

import json

from stillwatch.app import cli
from stillwatch.persistence.audit import AuditLog


def test_a_whole_log_is_told_with_the_hash_to_keep(tmp_path, capfdbinary):
    path = tmp_path / "audit.jsonl"
    last = [AuditLog(path).append("approved", {"by": name}) for name in ("kim", "lee")][-1]
    assert cli.run(["audit", "verify", str(path), "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == {
        "version": 1,
        "file": str(path),
        "entries": 2,
        "last": last,
    }
    assert cli.run(["audit", "verify", str(path), "--last", last]) == 0
    assert "2 entries, none changed" in capfdbinary.readouterr().out.decode()


def test_a_log_that_was_cut_off_is_found_out_by_the_hash_that_was_kept(tmp_path, capfd):
    path = tmp_path / "audit.jsonl"
    last = [AuditLog(path).append("approved", {"by": name}) for name in ("kim", "lee")][-1]
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert cli.run(["audit", "verify", str(path)]) == 0
    assert cli.run(["audit", "verify", str(path), "--last", last]) == 2
    assert "no entry has the hash" in capfd.readouterr().err
