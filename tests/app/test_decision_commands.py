"""`stillwatch decisions`: a person sees what is asked of the gateway, and has a say in it."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.app import cli
from stillwatch.decisions.decision import Decision, Status
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import open_store
from stillwatch.persistence.audit import AuditLog, verify_audit

sys.path.insert(0, str(Path(__file__).parents[1] / "decisions"))
from decided_store import decided, planned

SAID = ("--by", "kim", "--note", "ticket 311")


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "state"


def run(state: Path, *arguments: str | Path | Decision, code: int = 0) -> None:
    told = [one.id if isinstance(one, Decision) else str(one) for one in arguments]
    assert cli.run(["decisions", *told, "--state", str(state)]) == code


def document(state: Path, capfdbinary, *arguments: str | Path | Decision) -> dict:
    capfdbinary.readouterr()
    run(state, *arguments, "--json")
    return json.loads(capfdbinary.readouterr().out)


def entries(state: Path) -> list[dict]:
    verify_audit(state / "audit.jsonl")
    return [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]


def test_decisions_that_stand_are_listed(state, capsys):
    decision = decided(state, "a", "b", "c")
    run(state, "list")
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{decision.id}  in-force    throttle  cmp_1        3 accounts  sure, until 20")
    run(state, "list", "--status", "superseded")
    assert "observe" in capsys.readouterr().out
    run(state, "list", "--campaign", "cmp_2")
    assert capsys.readouterr().out == "No such decisions.\n"


def test_a_decision_is_shown_with_its_accounts(state, capfdbinary):
    decision = decided(state, "a", "b", "evil\x1b[2J", dry_run=True)
    told = document(state, capfdbinary, "show", decision)
    assert [member["account_id"] for member in told["members"]] == ["a", "b", "evil\x1b[2J"]
    assert (told["action"], told["budget_per_hour"], told["accounts"]) == ("throttle", 500, 3)
    run(state, "show", decision)
    shown = capfdbinary.readouterr().out.decode()
    assert "Asks:      throttle, 500 requests an hour together, as a dry run\n" in shown
    assert "Reasons:   payment-shared, coverage\n" in shown
    assert "\x1b" not in shown


def test_what_waits_is_approved_and_the_log_says_by_whom(state, capsys):
    decision = decided(state, "a", "b", approval_above=1)
    run(state, "list", "--status", "pending")
    assert "pending" in capsys.readouterr().out
    run(state, "approve", decision, *SAID)
    assert capsys.readouterr().out.startswith(f"{decision.id}: in force until ")
    last = entries(state)[-1]
    assert (last["kind"], last["by"], last["why"]) == ("approved", "kim", "ticket 311")
    assert last["changes"][0]["decision"] == decision.id
    run(state, "approve", decision, *SAID)
    assert "in-force already, since" in capsys.readouterr().out
    assert entries(state)[-1] == last


def test_what_waits_is_rejected(state, capsys):
    decision = decided(state, "a", "b", approval_above=1)
    run(state, "undo", decision, *SAID, code=2)
    assert f"Run: stillwatch decisions reject {decision.id}" in capsys.readouterr().err
    run(state, "reject", decision, *SAID)
    assert capsys.readouterr().out == f"{decision.id}: rejected, 2 accounts.\n"
    assert entries(state)[-1]["kind"] == "rejected"


def test_undoing_twice_is_no_error_and_says_so(state, capfdbinary):
    decision = decided(state, "a", "b")
    told = document(state, capfdbinary, "undo", decision, *SAID)
    assert (told["changed"], told["decision"]["status"], told["decision"]["ended_by"]) == (
        True,
        "undone",
        "kim",
    )
    before = entries(state)
    again = document(state, capfdbinary, "undo", decision, *SAID)
    assert (again["changed"], again["revision"]) == (False, told["revision"])
    run(state, "undo", decision, *SAID)
    assert b"undone already, since" in capfdbinary.readouterr().out
    assert entries(state) == before


def decided_twice(state: Path) -> list[Decision]:
    """Decisions on b, and on a, b and c."""
    decided(state, "a")
    store, audit = open_store(state / "decisions.db"), AuditLog(state / "audit.jsonl")
    rows = [{"account_id": name} for name in "abc"] + [{"account_id": "b", "campaign_id": "cmp_0"}]
    for minutes in (1, 2):
        settle(store, audit, planned(*rows), datetime.now(UTC) + timedelta(minutes=minutes), ())
    acting = [one for one in store.decisions(Status.IN_FORCE) if one.asked.acts]
    return sorted(acting, key=lambda one: one.campaign_id)


def test_one_account_is_taken_out_and_the_command_says_where_it_is_still(state, capsys):
    other, decision = decided_twice(state)
    run(state, "undo", decision, "--account", "b", *SAID)
    told = capsys.readouterr().out
    assert told == (
        f"b: taken out of {decision.id}, where 2 accounts stay.\nIt is still in 1 decision: {other.id}.\n"
    )
    assert entries(state)[-1]["changes"] == [{"account": "b", "change": "taken out", "decision": decision.id}]
    run(state, "undo", decision, "--account", "b", *SAID)
    assert "b: was out already" in capsys.readouterr().out
    run(state, "undo", decision, *SAID)
    capsys.readouterr()
    run(state, "undo", decision, "--account", "a", *SAID)  # which never was taken out
    assert f"{decision.id}: undone already, since" in capsys.readouterr().out
    run(state, "undo", decision, "--account", "nobody", *SAID, code=2)
    assert "'nobody' is no account of" in capsys.readouterr().err


def test_decisions_are_exported_a_row_an_account(state, tmp_path, capfdbinary):
    decision = decided(state, "a", "=cmd()", "계정")
    run(state, "undo", decision, "--account", "a", *SAID)
    capfdbinary.readouterr()
    run(state, "export")
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert {row["account_id"] for row in rows} == {"a", "'=cmd()", "계정"}
    assert {row["out_by"] for row in rows if row["account_id"] == "a"} == {"kim"}
    assert {row["reason_codes"] for row in rows} == {"payment-shared coverage"}
    run(state, "export", "--format", "jsonl", "--out", tmp_path / "all.jsonl", "--status", "in-force")
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["account_id"] for line in lines} == {"a", "=cmd()", "계정"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "--status", "odd"], "field --status: 'odd' is no status. It is one of pending, in-force"),
        (["show", "dec_0"], "there is no decision 'dec_0'"),
        (["approve", "dec_0", "--note", " "], "field --note: it is empty"),
        (["approve", "dec_0", "--note", "x"], "there is no decision 'dec_0'"),
        (["export", "--out", "/nowhere/at/all"], "field --out: it cannot be written"),
    ],
)
def test_what_cannot_be_is_told(state, arguments, told, capsys):
    decided(state, "a")
    run(state, *arguments, code=2)
    assert told in capsys.readouterr().err


def test_a_place_must_be_told_and_the_audit_log_with_it(state, capsys):
    decision = decided(state, "a")
    assert cli.run(["decisions", "list"]) == 2
    assert "Give --state DIR as the service has it, or --database" in capsys.readouterr().err
    database = ["--database", "postgresql://kim:secret@127.0.0.1:1/x"]
    assert cli.run(["decisions", "undo", decision.id, *SAID, *database]) == 2
    told = capsys.readouterr().err
    assert "postgresql://kim@127.0.0.1:1/x: the store does not answer" in told
    assert "secret" not in told
    assert told.count("\n") == 1
    file = ["--database", str(state / "decisions.db")]
    assert cli.run(["decisions", "undo", decision.id, *SAID, *file]) == 0  # the log beside it is used
    assert entries(state)[-1]["kind"] == "undone"


def test_without_the_extra_it_says_what_to_install(state, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "stillwatch.decisions.store", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "stillwatch.persistence.address", raising=False)
    monkeypatch.delitem(sys.modules, "stillwatch.decisions.rows", raising=False)
    run(state, "list", code=2)
    assert "Run `pip install 'stillwatch[serve]'`" in capsys.readouterr().err
