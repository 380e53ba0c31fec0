"""`stillwatch policy test` tells what a policy would have asked for, and decides nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.app import cli
from stillwatch.simulate.world import simulate

POLICY = """
version = "7"
[[rules]]
name = "sure"
when = { verdict = "campaign", plans = ["PLANS"] }
action = "throttle"
budget_per_hour = 100
approval_above = 5
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    simulate("demo", scale=0.1, seed=5, honest=1.0, out=folder / "world")
    log, records = folder / "world" / "exchanges-*.parquet", folder / "world" / "accounts.parquet"
    key = ["--sketch-key", str(folder / "key"), "--quiet"]
    assert cli.run(["scan", str(log), "--accounts", str(records), "--out", str(folder / "run"), *key]) == 0
    return folder / "run"


@pytest.fixture
def file(tmp_path, run) -> Path:
    plans = pq.read_table(run / "ledger" / "accounts" / "accounts.parquet")["plan"].drop_null().unique()
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.replace('"PLANS"', ", ".join(f'"{plan}"' for plan in plans.to_pylist())))
    return path


def document(capfdbinary, *arguments) -> dict:
    assert cli.run(["policy", "test", *map(str, arguments), "--json"]) == 0
    return json.loads(capfdbinary.readouterr().out)


def test_it_tells_what_would_have_been_asked_of_whom(run, file, capfdbinary):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    told = document(capfdbinary, file, "--on", run)
    named = pq.read_table(run / "accounts.parquet")["campaign_id"].drop_null()
    assert sum(group["accounts"] for group in told["groups"]) == len(named)
    assert {group["action"] for group in told["groups"]} == {"throttle"}
    assert all(group["needs_approval"] for group in told["groups"])
    assert (told["policy_version"], told["enforce"], told["exempt_accounts"]) == ("7", False, 0)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_people_read_it_as_lines(run, file, capsys):
    assert cli.run(["policy", "test", str(file), "--on", str(run)]) == 0
    text = capsys.readouterr().out
    assert "version 7, 1 rule, a dry run" in text
    assert "throttle  sure (for 24 h, 100 requests an hour together, once a person approves)" in text


def test_without_a_run_the_file_alone_is_looked_at(file, capfdbinary):
    told = document(capfdbinary, file)
    assert (told["groups"], told["rules"]) == (None, ["sure"])


def test_a_wrong_policy_is_refused(tmp_path, capsys):
    path = tmp_path / "policy.toml"
    path.write_text('version = "1"\n[[rules]]\nname = "x"\naction = "ban"\n')
    assert cli.run(["policy", "test", str(path)]) == 2
    assert "rule 'x'.action" in capsys.readouterr().err
