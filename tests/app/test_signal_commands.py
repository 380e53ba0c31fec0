"""The commands of shared signals and of account events, and what their page says."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.access.signals.outbox import Outbox, Queued
from stillwatch.access.signals.signals_file import read_signals_file
from stillwatch.access.signals.vocabulary import RECEIVED, Risk, Signal, risk_change
from stillwatch.app import cli
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "decisions"))
from decided_store import decided

PAGE = Path(__file__).parents[2] / "docs" / "shared-signals.md"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def example(language: str, number: int = 0) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)[number]


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    """The signals file that the page shows."""
    path = tmp_path / "signals.toml"
    path.write_text(example("toml"))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Any:
        code = cli.run(list(map(str, arguments)))
        told = capsys.readouterr()
        assert code == 0, told.err
        return json.loads(told.out) if "--json" in arguments else told.out

    return run


def test_the_page_shows_the_token_that_is_sent(signals: Path) -> None:
    file = read_signals_file(signals)
    reasons = ["payment-shared", "dataset-partition"]
    told = risk_change("acct-1", Risk.LOW, Risk.HIGH, reasons, "dec_4f1c0a9be2d7", NOW)
    shown = json.loads(example("json"))
    queued = Queued(1, shown["jti"], "acct-1", told.signal.uri, told.claims, told.transaction, NOW)
    assert queued.token_of(file.streams[0], file.issuer).claims == shown


def test_the_page_names_every_event() -> None:
    text = PAGE.read_text()
    assert [uri for uri in RECEIVED if f"{uri.rpartition('/')[2]}`" not in text] == []
    assert [one for one in Signal if one.value not in text] == []


def test_the_pages_rows_come_into_the_ledger_once(run: Any, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(example("csv") + "acct-4,2026-06-01T12:06:00Z,banned,\n")
    first = run("ledger", "events", "events.csv", "--state", "state", "--json")
    assert (first["read"], first["new"], first["duplicates"], first["rejected"]) == (3, 2, 0, 1)
    assert first["reasons"][0]["reason"].startswith("event: expected one of account-disabled")
    assert run("ledger", "events", "events.csv", "--state", "state", "--json")["duplicates"] == 2
    told = run("ledger", "events", "events.csv", "--state", "state")
    assert "0 account events came in, 2 were known" in told
    assert run("ledger", "stat", "state", "--json")["account_events"] == 2
    assert "expected one of" in (tmp_path / "state" / "rejected" / "rejected.jsonl").read_text()


def test_what_waits_is_told_sent_again_and_forgotten(run: Any, tmp_path: Path, signals: Path) -> None:
    decided(tmp_path / "state", "acct-1")
    (tmp_path / "rows.csv").write_text(example("csv"))
    run("ledger", "events", "rows.csv", "--state", "state")
    outbox = Outbox(Database(address_of(tmp_path / "state" / "decisions.db")), read_signals_file(signals))
    outbox.tell([risk_change(f"acct-{n}", Risk.LOW, Risk.HIGH, [], "d", NOW) for n in (1, 2)], NOW)
    outbox.refuse("idp", outbox.waiting("idp", 1)[0].jti, "invalid_request", "odd")
    own = "--state", "state", "--signals", signals, "--json"
    row = {"stream": "idp", "status": "enabled", "reason": "", "waiting": 1, "refused": 1}
    assert run("signals", "status", *own) == run("signals", "status", *own) | {"streams": [row]}
    assert run("signals", "retry", *own)["waiting_again"] == 1
    gone = run("ledger", "forget", "state", "acct-1", "--yes", "--json")
    assert (gone["decision_members"], gone["account_events"]) == (3, 1)
    assert [one.account_id for one in outbox.waiting("idp", 9)] == ["acct-2"]


def test_a_key_is_replaced(run: Any, signals: Path, tmp_path: Path) -> None:
    first = run("signals", "rotate", "--state", "state", "--signals", signals, "--json")
    second = run("signals", "rotate", "--state", "state", "--signals", signals, "--json")
    assert first["key_id"] != second["key_id"]
    assert first["key_id"] in (tmp_path / "state" / "audit.jsonl").read_text()


def test_what_happened_is_written_for_a_siem(run: Any, tmp_path: Path) -> None:
    decision = decided(tmp_path / "state", "acct-1")
    (tmp_path / "rows.csv").write_text(example("csv"))
    run("ledger", "events", "rows.csv", "--state", "state")
    note = "--note", "ticket 311"
    run("decisions", "undo", decision.id, "--state", "state", "--by", "kim", *note)
    run("signals", "export", "--state", "state", "--out", "accounts.ocsf.jsonl")
    told = [json.loads(line) for line in (tmp_path / "accounts.ocsf.jsonl").read_text().splitlines()]
    assert sorted((each["user"]["uid"], each["activity_name"]) for each in told) == [
        ("acct-1", "Attach Policy"),
        ("acct-1", "Detach Policy"),
        ("acct-1", "Disable"),
        ("acct-2", "seal-foreign"),
    ]
    assert [each["time"] for each in told] == sorted(each["time"] for each in told)
    assert len({each["metadata"]["uid"] for each in told}) == 4
    assert run("signals", "export", "--state", "state", "--since", "2100-01-01") == ""
