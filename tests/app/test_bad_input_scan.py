"""Input and places that went wrong, seen by the person who scans: one line, or a count, that helps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STILLWATCH = Path(sys.executable).with_name("stillwatch")


@pytest.fixture
def scan(tmp_path):
    def run(*inputs, out=None):
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = [STILLWATCH, "scan", *map(str, inputs), "--out", str(out or tmp_path / "run"), "--json"]
        return subprocess.run(command, capture_output=True, timeout=240, env=environment, check=False)

    return run


@pytest.fixture
def log(tmp_path):
    records = [
        {"timestamp": 1767225600 + n, "request_id": f"r{n}", "account_id": f"a{n % 7}", "model": "large"}
        for n in range(50)
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def counts(done):
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)["counts"]["exchanges"]


def complaint(done):
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("stillwatch: ")
    return line


def test_a_file_and_its_copy_are_counted_once(scan, log, tmp_path):
    shutil.copy(log, tmp_path / "copy.jsonl")
    found = counts(scan(log, tmp_path / "copy.jsonl"))

    assert (found["read"], found["duplicates"], found["rejected"]) == (100, 50, 0)


def test_records_in_the_wrong_unit_are_rejected_with_the_reason(scan, log, tmp_path):
    with log.open("a") as file:
        file.write('{"timestamp": 1767225, "request_id": "x", "account_id": "a1"}\n')
    assert counts(scan(log))["rejected"] == 1
    (reject,) = map(json.loads, (tmp_path / "run" / "rejected.jsonl").read_text().splitlines())

    assert reject["line"] == 51
    assert "timestamp: absurd time, before 2015" in reject["reason"]


def test_an_empty_file_is_one_line(scan, tmp_path):
    (tmp_path / "empty.jsonl").touch()

    assert "empty.jsonl: the file is empty" in complaint(scan(tmp_path / "empty.jsonl"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read and write everything")
def test_folders_without_rights_are_one_line(scan, log, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    shutil.copy(log, closed / "log.jsonl")
    closed.chmod(0)
    try:
        assert "closed: cannot be read (Permission denied)" in complaint(scan(closed))
        assert "cannot be written (Permission denied)" in complaint(scan(log, out=closed / "run"))
    finally:
        closed.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_line(scan, log, tmp_path):
    with log.open("a") as file:
        file.write("junk\n" * 2)  # which has to be written down
    out = tmp_path / "run"
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    (out / "rejected.jsonl").symlink_to("/dev/full")

    assert "No space left on device" in complaint(scan(log, out=out))
