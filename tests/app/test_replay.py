"""A replay decides in event time: nothing that comes later changes what was decided before."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.app import cli
from stillwatch.contracts import DECISIONS
from stillwatch.evidence.phrases import catalogue
from stillwatch.simulate.world import simulate

TICK = timedelta(hours=12)
START = datetime(2026, 4, 22, tzinfo=UTC)
Run = Callable[..., Path]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("replay") / "world"
    simulate("demo", scale=0.1, seed=5, honest=1.0, out=folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Run ``scan`` or ``replay`` of a log under one sketch key and return the run folder."""
    key = tmp_path_factory.mktemp("key") / "sketch.key"

    def command(name: str, log: Path, accounts: Path, *more: str) -> Path:
        out = tmp_path_factory.mktemp(name) / "run"
        files = [str(log), "--accounts", str(accounts), "--out", str(out), "--sketch-key", str(key)]
        assert cli.run([name, *files, *more, "--quiet"]) == 0
        return out

    return command


@pytest.fixture(scope="module")
def replayed(run, world) -> Path:
    return run("replay", world / "exchanges-00000.parquet", world / "accounts.parquet", "--tick", "12h")


@pytest.fixture(scope="module")
def decisions(replayed) -> pa.Table:
    return pq.read_table(replayed / "decisions.parquet")


@pytest.mark.parametrize("until", [2 * TICK, 5 * TICK, 9 * TICK + timedelta(hours=5)])
def test_a_log_cut_off_gives_the_same_decisions_up_to_there(run, world, decisions, tmp_path, until):
    cut = START + until
    log = pq.read_table(world / "exchanges-00000.parquet")
    pq.write_table(log.filter(pc.less(log["timestamp"], cut)), tmp_path / "cut.parquet")
    records = pq.read_table(world / "accounts.parquet")
    some = records.filter(pc.less_equal(records["created_at"], cut))
    assert some.num_rows < records.num_rows or until > 2 * TICK
    pq.write_table(some, tmp_path / "accounts.parquet")
    out = run("replay", tmp_path / "cut.parquet", tmp_path / "accounts.parquet", "--tick", "12h")
    again = pq.read_table(out / "decisions.parquet")
    before = decisions.filter(pc.less_equal(decisions["decided_at"], cut))
    assert again.filter(pc.less_equal(again["decided_at"], cut)).equals(before)
    assert before.num_rows > 0 or until < 4 * TICK


def test_every_decision_is_of_an_account_that_was_seen_by_then(world, decisions):
    log = pq.read_table(world / "exchanges-00000.parquet", columns=["account_id", "timestamp"])
    first = log.group_by("account_id").aggregate([("timestamp", "min")]).to_pydict()
    seen = dict(zip(first["account_id"], first["timestamp_min"], strict=True))
    rows = decisions.to_pylist()
    assert [row for row in rows if row["decided_at"] <= seen[row["account_id"]]] == []
    assert len(rows) > 0


def test_the_campaigns_are_throttled_and_nobody_else(world, decisions):
    truth = pq.read_table(world / "truth.parquet")
    attackers = truth.filter(pc.is_valid(truth["campaign"]))["account_id"].to_pylist()
    acted_on = decisions.filter(pc.not_equal(decisions["action"], "observe"))["account_id"].to_pylist()
    assert set(acted_on) <= set(attackers)
    assert len(set(acted_on)) > 0.9 * len(attackers)


def test_the_final_tables_are_those_of_a_scan_but_for_the_names_of_campaigns(run, world, replayed):
    scanned = run("scan", world / "exchanges-00000.parquet", world / "accounts.parquet")
    for name in ("campaigns", "accounts", "members", "reasons", "timeline"):
        one, other = (pq.read_table(folder / f"{name}.parquet") for folder in (scanned, replayed))
        order = [
            (column, "ascending") for column in one.column_names if column in ("account_id", "day", "score")
        ]
        order += [("llr", "ascending"), ("statement", "ascending")] if name == "reasons" else []
        order += [("exchanges", "ascending")] if name == "timeline" else []
        left, right = (table.drop_columns(["campaign_id"]).sort_by(order) for table in (one, other))
        assert left.equals(right), name
    assert {path.name for path in scanned.iterdir()} <= {path.name for path in replayed.iterdir()}


def test_a_campaign_keeps_its_id_from_its_first_decision_on(replayed, decisions):
    final = pq.read_table(replayed / "accounts.parquet").filter(pc.field("verdict") == "campaign")
    of_account = dict(zip(final["account_id"].to_pylist(), final["campaign_id"].to_pylist(), strict=True))
    throttled = decisions.filter(pc.equal(decisions["action"], "throttle")).to_pylist()
    assert len(throttled) > 0
    assert {row["campaign_id"] for row in throttled if of_account.get(row["account_id"])} <= set(
        of_account.values()
    )
    assert all(of_account[row["account_id"]] == row["campaign_id"] for row in throttled)
    registry = (replayed / "stages" / "campaigns.jsonl").read_text(encoding="utf-8").splitlines()
    assert set(of_account.values()) <= {json.loads(line)["campaign_id"] for line in registry}


def test_the_table_of_decisions_keeps_its_contract(decisions):
    assert decisions.schema.equals(DECISIONS, check_metadata=False)
    rows = decisions.to_pylist()
    assert {row["action"] for row in rows} <= {"observe", "throttle", "release"}
    assert {code for row in rows for code in row["reason_codes"]} <= catalogue("ko")["statements"].keys()
    assert all(row["reason_codes"] for row in rows if row["action"] == "throttle")
    assert all(row["dry_run"] for row in rows)
    assert all((row["decided_at"] - START) % TICK == timedelta() for row in rows)


@pytest.fixture
def small(tmp_path) -> list[str]:
    """Arguments that name a log of seven accounts and less than eight hours."""
    rows = [
        {"timestamp": 1767225600 + 61 * n, "request_id": f"r{n}", "account_id": f"a{n % 7}"}
        for n in range(450)
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [str(log), "--out", str(tmp_path / "run"), "--sketch-key", str(tmp_path / "key")]


def test_the_first_ticks_of_a_small_log_decide_nothing_and_a_scan_takes_the_folder_over(
    small, tmp_path, capfdbinary
):
    assert cli.run(["replay", *small, "--tick", "30m", "--json"]) == 0
    document = json.loads(capfdbinary.readouterr().out)
    assert document["decisions"] == {"observe": 0, "throttle": 0, "release": 0}
    assert document["first_decision"] is None
    assert document["counts"]["replay"] == {"ticks": 16, "judgements": 2, "followed": 0, "decisions": 0}
    assert pq.read_table(tmp_path / "run" / "decisions.parquet").num_rows == 0
    assert cli.run(["scan", *small, "--quiet"]) == 0
    assert not (tmp_path / "run" / "decisions.parquet").exists()


def test_a_replay_that_died_does_not_go_through_the_log_again(small, monkeypatch, capfdbinary):
    def die(*_):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("stillwatch.app.pipeline.detect", die)  # the look at the whole log, after all ticks
        assert cli.run(["replay", *small, "--quiet"]) == cli.DEFECT
    monkeypatch.setattr("stillwatch.app.replay.detect", die)
    capfdbinary.readouterr()
    assert cli.run(["replay", *small, "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["counts"]["replay"]["judgements"] == 2


def test_a_tick_that_is_no_span_of_time_is_a_usage_error(tmp_path, capfd):
    assert cli.run(["replay", str(tmp_path), "--tick", "soon"]) == 2
    assert "--tick: 'soon': is no span of time; write it like 30m, 1h or 1d" in capfd.readouterr().err
