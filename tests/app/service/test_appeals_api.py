"""Appeals as the operator has them: listed, read with the evidence and answered, by API and commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from control_desk import CAMPAIGN, controlled, furnished

from stillwatch.access.appeals import Appeal, Appeals, Kind, Status
from stillwatch.access.step_up_removal import known_accounts
from stillwatch.access.verifications import Method, Verification, record
from stillwatch.app import cli
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog, verify_audit
from stillwatch.persistence.database import Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = "acct-00007"


def filed(state: Path) -> tuple[str, str]:
    """A state folder with an appeal against what is decided; its number, and the decision."""
    store = furnished(state)
    decision = next(one for one in store.of_account(ACCOUNT) if one.asked.acts)
    text = "We are a class.\n\x1b[31mreally"
    told = Appeal("", ACCOUNT, decision.id, Kind.WRONG, "ko", text, NOW, Status.OPEN)
    found = Appeals(store.database, AuditLog(state / "audit.jsonl")).file(told, 3, "digest")
    store.close()
    assert found is not None
    return found.appeal.number, decision.id


def test_an_appeal_comes_with_the_evidence_and_is_answered_once(tmp_path):
    number, decision = filed(tmp_path / "state")
    with controlled(tmp_path / "state") as client:
        listed = client.get("/v1/appeals").json()
        assert [each["number"] for each in listed["appeals"]] == [number]
        told = client.get(f"/v1/appeals/{number.lower()}").json()
        assert (told["decision"]["id"], told["campaign"]["campaign_id"]) == (decision, CAMPAIGN)
        assert told["member"]["account_id"] == ACCOUNT
        assert [each["signal"] for each in told["account_reasons"]] == ["payment-shared"]
        assert len(told["reasons"]) == 2

        said = {"by": "kim", "status": "accepted", "answer": "Sorry."}
        assert client.post(f"/v1/appeals/{number}/answer", json=said | {"status": "open"}).status_code == 422
        assert client.post(f"/v1/appeals/{number}/answer", json={"by": "kim"}).status_code == 422
        answered = client.post(f"/v1/appeals/{number}/answer", json=said).json()["appeal"]
        assert (answered["status"], answered["answer"]) == ("accepted", "Sorry.")
        assert client.post(f"/v1/appeals/{number}/answer", json=said).status_code == 409
        assert client.get("/v1/appeals").json()["total"] == 0
        assert client.get("/v1/appeals", params={"status": "any"}).json()["total"] == 1
        assert client.get("/v1/appeals/AP-NONE").status_code == 404
        reader = {"authorization": "Bearer reader"}
        assert client.get("/v1/appeals", headers=reader).status_code == 403
    assert verify_audit(tmp_path / "state" / "audit.jsonl").entries > 2


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = cli.run([str(each) for each in arguments])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_appeals_are_read_and_answered_by_commands(tmp_path, capsys):
    state = tmp_path / "state"
    number, decision = filed(state)
    own = ("--state", state)
    assert number in run(capsys, "appeals", "list", *own)[1]
    shown = run(capsys, "appeals", "show", number, *own)[1]
    wanted = (ACCOUNT, decision, CAMPAIGN, "payment-shared", "It pays with a card")
    assert [each for each in wanted if each not in shown] == []
    assert "\x1b[31m" not in shown
    assert json.loads(run(capsys, "appeals", "show", number, *own, "--json")[1])["decision"]["id"] == decision
    assert run(capsys, "appeals", "answer", number, *own, "--accept", "--note", " ")[0] == 2

    store = Database(address_of(state / "decisions.db"))
    with store.writing() as connection:
        record(connection, Verification(ACCOUNT, Method.PASSKEY.level, Method.PASSKEY, NOW))
    answer = ("appeals", "answer", number, *own, "--accept", "--note", "Set up a new one.", "--by", "kim")
    assert run(capsys, *answer, "--remove-authenticators")[0] == 0
    with store.reading() as connection:
        assert known_accounts(connection, [ACCOUNT]) == {ACCOUNT: 1}  # the appeal itself
    store.close()
    assert run(capsys, *answer)[0] == 2
    assert "No such appeals" in run(capsys, "appeals", "list", *own)[1]
    entries = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    assert entries[-1]["kind"] == "appeal-answered"
    assert entries[-1]["by"] == "kim"
