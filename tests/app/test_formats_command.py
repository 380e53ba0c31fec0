"""``stillwatch formats``: the list of formats, and a guessed mapping that a scan then takes."""

from __future__ import annotations

import json
import os

import forked_commands
import pytest

from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS


@pytest.fixture
def stillwatch(tmp_path):
    def run(*arguments):
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        return forked_commands.run(arguments, environment=environment)

    return run


def test_every_format_is_listed_with_an_example_that_can_be_copied(stillwatch):
    lines = [line.strip() for line in stillwatch("formats").stdout.decode().splitlines()]

    for known in [*FORMATS.values(), *ACCOUNT_FORMATS.values(), *EVENT_FORMATS.values()]:
        assert f"{known.name}: {known.summary}" in lines
        assert known.example in lines


def test_the_list_is_there_for_programs_too(stillwatch):
    listed = json.loads(stillwatch("formats", "--json").stdout)

    assert [one["name"] for one in listed["formats"]] == list(FORMATS)
    assert [one["name"] for one in listed["account_formats"]] == list(ACCOUNT_FORMATS)
    assert [one["name"] for one in listed["event_formats"]] == list(EVENT_FORMATS)
    assert all(json.loads(one["example"]) and one["account_fields"] for one in listed["formats"])


def test_a_guessed_mapping_scans_the_log_that_it_was_guessed_from(stillwatch, tmp_path):
    log = tmp_path / "own.jsonl"
    records = [
        {"at_ms": 1767225600000 + n, "who": {"customer_id": f"c{n}"}, "question": f"Q{n}", "llm": "large"}
        for n in range(20)
    ]
    log.write_text("".join(json.dumps(one | {"ts": one.pop("at_ms")}) + "\n" for one in records))
    refused = stillwatch("scan", log, "--out", tmp_path / "none")
    guessed = stillwatch("formats", "--guess", log)
    (tmp_path / "mapping.toml").write_bytes(guessed.stdout)
    done = stillwatch(
        "scan", log, "--mapping", tmp_path / "mapping.toml", "--out", tmp_path / "run", "--json"
    )

    assert refused.returncode == 2
    assert b"stillwatch formats --guess" in refused.stderr
    assert (guessed.returncode, done.returncode) == (0, 0)
    counts = json.loads(done.stdout)["counts"]["exchanges"]
    assert (counts["accepted"], counts["rejected"]) == (20, 0)


def test_account_records_are_sent_to_their_option(stillwatch, tmp_path):
    records = tmp_path / "accounts.csv"
    records.write_text("account_id,created_at,email,plan,status\na,2026-01-01,a@example.org,pro,active\n")
    refused = stillwatch("scan", records, "--out", tmp_path / "run").stderr.decode()
    guessed = stillwatch("formats", "--guess", records).stdout.decode()

    assert "like account records" in refused
    assert "Give account records with --accounts" in refused
    assert "# (?) The file looks like account records, which scan takes with --accounts." in guessed


def test_a_log_with_the_mail_of_its_users_is_a_log(stillwatch, tmp_path):
    log = tmp_path / "own.csv"
    log.write_text("created_at,user_id,email,prompt,completion\n2026-01-01T00:00:00Z,u,a@example.org,Hi,Ho\n")

    assert "--accounts" not in stillwatch("formats", "--guess", log).stdout.decode()


def test_a_file_that_holds_no_accounts_is_told_what_accounts_need(stillwatch, tmp_path):
    log, records = tmp_path / "log.jsonl", tmp_path / "people.csv"
    log.write_text('{"timestamp": 1767225600, "request_id": "x", "account_id": "a"}\n')
    records.write_text("person,mail\nZoe,zoe@example.org\n")
    told = stillwatch("scan", log, "--accounts", records, "--out", tmp_path / "run").stderr.decode()
    checks = json.loads(stillwatch("doctor", log, "--accounts", records, "--json").stdout)["checks"]
    remedies = [one["remedy"] for one in checks if one["topic"] == "accounts"]

    for remedy in (told, *remedies):
        assert "Name the column that holds the account's id account_id or user_id" in remedy
        assert "--guess" not in remedy
    assert len(remedies) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("formats", "--guess", "gone.jsonl"), b"gone.jsonl: no such file"),
        (("scan", "gone.jsonl", "--mapping", "gone.toml"), b"--mapping"),
        (("scan", "postgresql://reader@127.0.0.1:1/litellm"), b"the database cannot be reached"),
    ],
)
def test_what_is_missing_is_one_line_that_helps(stillwatch, tmp_path, arguments, expected):
    done = stillwatch(*arguments, *(("--out", tmp_path / "run") if arguments[0] == "scan" else ()))

    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count(b"\n") == 1
