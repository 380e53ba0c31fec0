"""What the doctor finds, through the command."""

from __future__ import annotations

import gzip
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import forked_commands
import pytest

STILLWATCH = Path(sys.executable).with_name("stillwatch")
ROW = {"timestamp": "2026-05-01T00:00:00Z", "account_id": "a", "request_id": "1"}


@pytest.fixture
def examined(tmp_path):
    """Runs the doctor in a home of its own; returns exit code and checks by topic."""

    def run(*arguments: str | Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        command = ["doctor", *arguments, "--json"]
        done = forked_commands.run(command, environment=inherited | home, folder=tmp_path)
        document = json.loads(done.stdout)
        assert document["ok"] == (done.returncode == 0), done.stderr
        topics: dict[str, list[dict[str, Any]]] = {}
        for check in document["checks"]:
            assert bool(check["remedy"]) == (check["status"] != "ok"), check
            topics.setdefault(check["topic"], []).append(check)
        return done.returncode, topics

    return run


def test_a_sound_machine_can_scan_and_is_left_as_it_was(examined, tmp_path):
    code, topics = examined()
    assert code == 0
    assert list(topics) == ["installation", "engine", "compiler cache", "memory", "disk", "sketch key"]
    assert "none yet" in topics["sketch key"][0]["what"]
    assert not (tmp_path / "config").exists()


def test_an_open_key_and_an_unknown_engine_memory_are_told(examined, tmp_path):
    key = tmp_path / "sketch.key"
    key.write_text("0" * 32)
    key.chmod(stat.S_IRUSR | stat.S_IRGRP)
    code, topics = examined("--sketch-key", key, "--memory", "4000TiB")
    assert code == 2
    assert topics["sketch key"][0]["remedy"] == f"Run: chmod 600 {key}"
    assert topics["memory"][0]["status"] == "warning"


def test_a_log_is_told_with_what_would_be_rejected(examined, tmp_path):
    log = tmp_path / "log.jsonl.gz"
    lines = [json.dumps(ROW | {"request_id": str(i)}) for i in range(2_000)]
    lines[3] = "{broken"
    lines[1_500] = "{broken too"
    log.write_bytes(gzip.compress("\n".join(lines).encode()))
    code, topics = examined(log)
    assert code == 0
    kind, sample = topics["log"]
    assert kind["what"] == f"{log}: table (json lines, gzip)"
    assert sample["status"] == "warning"
    assert sample["what"].startswith("of the first 1,000 records 999 would be taken, 1 rejected (1 time: ")


def test_a_cut_log_and_columns_that_are_not_read_are_warned_of(examined, tmp_path):
    log, accounts = tmp_path / "log.jsonl.gz", tmp_path / "accounts.csv"
    rows = "".join(json.dumps(ROW | {"request_id": os.urandom(99).hex()}) + "\n" for _ in range(500))
    log.write_bytes(gzip.compress(rows.encode())[:-9000])
    accounts.write_text("account_id,e_mail,colour\na,a@example.org,red\n")
    code, topics = examined(log, "--accounts", accounts)
    assert code == 0
    assert "what follows is lost: the gzip data ends early" in topics["log"][-1]["what"]
    assert "e_mail (email?), colour" in topics["accounts"][-1]["what"]


def test_a_log_that_looks_like_a_format_which_cannot_read_it_is_to_be_mapped(examined, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("id,created,tenant,prompt,completion\n1,2026-01-01 00:00:00,t,hi,ok\n")
    code, topics = examined(log)
    assert code == 2
    assert f"stillwatch formats --guess {log}" in topics["log"][-1]["remedy"]


def test_account_records_are_looked_at_too(examined, tmp_path):
    log, accounts = tmp_path / "log.jsonl", tmp_path / "accounts.csv"
    log.write_text(json.dumps(ROW))
    accounts.write_text("account_id,email,plan\na,a@example.org,pro\n")
    code, topics = examined(log, "--accounts", accounts)
    assert code == 0
    assert [check["what"] for check in topics["accounts"]][1:] == [
        "of the first 1 record 1 would be taken, 0 rejected"
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b'{"colour": 1}\n'])
def test_a_file_that_is_no_log_keeps_a_scan_from_running(examined, tmp_path, content):
    log = tmp_path / "log"
    log.write_bytes(content)
    code, topics = examined(log)
    assert code == 2
    assert topics["log"][-1]["status"] == "problem"


def test_a_file_that_is_not_there_is_told(examined):
    code, topics = examined("absent.jsonl")
    assert code == 2
    assert "absent.jsonl" in topics["log"][0]["what"]
