"""``stillwatch formats``: the list of formats, and a guessed mapping that a scan then takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.ingest.formats import ACCOUNT_FORMATS, FORMATS

STILLWATCH = Path(sys.executable).with_name("stillwatch")


@pytest.fixture
def stillwatch(tmp_path):
    def run(*arguments):
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = [STILLWATCH, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, timeout=240, env=environment, check=False)

    return run


def test_every_format_is_listed_with_an_example_that_can_be_copied(stillwatch):
    lines = [line.strip() for line in stillwatch("formats").stdout.decode().splitlines()]

    for known in [*FORMATS.values(), *ACCOUNT_FORMATS.values()]:
        assert f"{known.name}: {known.summary}" in lines
        assert known.example in lines


def test_the_list_is_there_for_programs_too(stillwatch):
    listed = json.loads(stillwatch("formats", "--json").stdout)

    assert [one["name"] for one in listed["formats"]] == list(FORMATS)
    assert [one["name"] for one in listed["account_formats"]] == list(ACCOUNT_FORMATS)
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
