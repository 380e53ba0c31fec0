"""Runs, ledgers and states that lie in a folder which is scanned are no logs, and a scan says so once."""

from __future__ import annotations

import json
import os

import forked_commands
import pytest


@pytest.fixture
def stillwatch(tmp_path):
    def run(*arguments):
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        return forked_commands.run(arguments, environment=environment, folder=tmp_path)

    return run


@pytest.fixture
def fold(tmp_path):
    """A folder with one log of fifty records."""
    folder = tmp_path / "fold"
    folder.mkdir()
    rows = [
        {"timestamp": 1767225600 + n, "request_id": f"r{n}", "account_id": f"a{n % 7}"} for n in range(50)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def document(done):
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def inputs(folder):
    return [entry["path"] for entry in json.loads((folder / "manifest.json").read_text())["inputs"]]


def test_the_same_scan_twice_into_the_folder_that_it_reads_reads_the_same(stillwatch, fold):
    command = ("scan", fold, "--out", fold / "run", "--state", fold / "state", "--json")
    first, second = document(stillwatch(*command)), document(stillwatch(*command))

    assert inputs(fold / "run") == [str(fold / "log.jsonl")]
    assert [entry["kind"] for entry in first["warnings"] + second["warnings"]] == ["duplicates"]
    assert second["counts"]["exchanges"]["read"] == first["counts"]["exchanges"]["read"] == 50


@pytest.mark.parametrize("pattern", ["", "*", "**/*"])
def test_earlier_runs_and_states_are_passed_over_with_one_warning(stillwatch, fold, tmp_path, pattern):
    document(stillwatch("scan", fold, "--out", fold / "deep" / "run", "--json"))
    document(stillwatch("scan", fold, "--out", fold / "new", "--state", fold / "old", "--json"))
    (fold / "old" / "campaigns.jsonl").touch()
    found = document(stillwatch("scan", fold / pattern, "--out", tmp_path / "run", "--json"))

    assert inputs(tmp_path / "run") == [str(fold / "log.jsonl")]
    assert found["counts"]["exchanges"] | {"out_of_range": 0} == {
        "read": 50, "accepted": 50, "rejected": 0, "out_of_range": 0, "duplicates": 0,
    }  # fmt: skip
    (told,) = found["warnings"]
    assert (told["kind"], told["source"], told["also"]) == ("own", str(fold / "deep" / "run"), 3)
    assert "stillwatch wrote this itself (a run or a ledger), so it is not read" in told["text"]


def test_the_doctor_passes_them_over_too(stillwatch, fold):
    document(stillwatch("scan", fold, "--out", fold / "run", "--json"))
    checks = json.loads(stillwatch("doctor", fold, "--json").stdout)["checks"]
    log = [check["what"] for check in checks if check["topic"] == "log"]

    assert log[0] == f"{fold / 'log.jsonl'}: table (json lines)"
    assert log[1] == "of the first 50 records 50 would be taken, 0 rejected"
    assert log[2].startswith(f"{fold / 'run'}: stillwatch wrote this itself")
    assert len(log) == 3


def test_a_run_alone_is_no_log(stillwatch, fold, tmp_path):
    document(stillwatch("scan", fold, "--out", tmp_path / "run", "--json"))
    again = stillwatch("scan", tmp_path / "run", "--out", tmp_path / "again")

    assert again.returncode == 2
    assert f"{tmp_path / 'run'}: stillwatch wrote this itself" in again.stderr.decode()


def test_the_manifest_of_another_program_makes_no_run(stillwatch, fold, tmp_path):
    (fold / "manifest.json").write_text('{"name": "app"}')
    document(stillwatch("scan", fold, "--out", tmp_path / "run", "--max-rejects", "1", "--json"))

    assert inputs(tmp_path / "run") == [str(fold / "log.jsonl"), str(fold / "manifest.json")]
