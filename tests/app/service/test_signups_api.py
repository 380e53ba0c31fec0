"""``POST /v1/signups`` behind a real server: what is asked of one and of many, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from receiving_desk import running

from stillwatch.access.signup_tables import SIGNUPS
from stillwatch.app.decision_store import AUDIT
from stillwatch.app.service.serving_access import access_app, access_desk
from stillwatch.app.service.tokens import Tokens
from stillwatch.persistence.audit import verify_audit
from stillwatch.settings import ServeSettings

sys.path.insert(0, str(Path(__file__).parents[2] / "access"))
from signups_made import group, people

FARM = group(
    30, payment_fingerprint=lambda n: f"virtual-{n // 10}", email=lambda n: f"m{n}x{n}@mailinator.com"
)
ONE = {"account_id": "acct-1", "email": "someone@example.com", "signup_ip": "192.0.2.7", "plan": "payg"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    state, access = folder / "state", folder / "access.toml"
    state.mkdir()
    access.write_text('public_url = "https://accounts.example.com"\n[signups]\nremember_days = 3650\n')
    settings = ServeSettings.read(state=state, access=access, sketch_key=folder / "sketch.key")
    desk = access_desk(settings)
    desk.database.migrate()
    yield desk
    desk.database.close()


@pytest.fixture(scope="module")
def reader(desk):
    return Tokens(desk.state).make("reader", ["read"]).secret


@pytest.fixture(scope="module")
def client(desk, reader):
    token = Tokens(desk.state).make("accounts", ["access"]).secret
    with running(access_app(desk), token) as client:
        yield client


def test_one_sign_up_is_answered_with_what_to_ask_of_it(client):
    answer = client.post("/v1/signups", json=ONE)
    assert answer.status_code == 200
    assert answer.json() == {
        "account_id": "acct-1",
        "risk": 0.000999,
        "reason_codes": [],
        "verification_level": 1,
        "asked_more": False,
    }


def test_the_page_shows_the_bytes_of_an_answer(client):
    page = (Path(__file__).parents[3] / "docs" / "sign-ups.md").read_text(encoding="utf-8")
    asked, answered = (
        page.split(f"<!-- tried: {name} -->\n```json\n")[1].split("```")[0] for name in ("request", "answer")
    )
    assert client.post("/v1/signups", content=asked.encode()).text == answered.strip()


def test_a_farm_is_asked_for_more_from_its_fifth_account_of_a_card_on_or_so(client, desk):
    assert client.post("/v1/signups", json=people(200)).json()["rejected"] == []
    answers = [client.post("/v1/signups", json=row).json() for row in FARM]
    asked = [answer for answer in answers if answer["asked_more"]]
    assert 12 <= len(asked) < 30
    assert {answer["verification_level"] for answer in asked} == {3}
    assert all("payment-shared" in answer["reason_codes"] for answer in asked)
    assert all(answer["risk"] >= 0.5 for answer in asked)
    assert verify_audit(desk.state / AUDIT).entries == len(asked)
    with desk.database.reading() as connection:
        kept = {row.account_id: row.asked_more for row in connection.execute(SIGNUPS.select())}
    assert {account for account, more in kept.items() if more} == {answer["account_id"] for answer in asked}


def test_of_many_those_that_cannot_be_read_are_named_by_their_place(client):
    told = client.post(
        "/v1/signups",
        json=[ONE, {"email": "x@example.com"}, 7, ONE | {"created_at": "soon"}, ONE | {"emial": "x"}],
    )
    document = told.json()
    assert [row["account_id"] for row in document["signups"]] == ["acct-1"]
    assert [reject["index"] for reject in document["rejected"]] == [1, 2, 3, 4]
    assert "created_at" in document["rejected"][2]["reason"]
    assert document["rejected"][3]["reason"] == "emial: it is no field of a sign-up"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b"[]", 422, "body"),
        (b'"acct-1"', 422, "body"),
        (b'{"email": "someone@example.com"}', 422, "account_id or user_id"),
        (json.dumps(ONE | {"created_at": "soon"}).encode(), 422, "created_at"),
        (json.dumps(ONE | {"domain_age_days": -1}).encode(), 422, "domain_age_days"),
        (json.dumps(ONE | {"emial": "someone@example.com"}).encode(), 422, "emial"),
        (json.dumps(ONE | {"x" * 200: 1}).encode(), 422, "x" * 80),
        (json.dumps([ONE] * 1001).encode(), 422, "body"),
        (b'{"account_id": "\\ud800"}', 400, None),
    ],
)
def test_what_is_no_sign_up_is_refused_with_its_field(client, body, status, field):
    answer = client.post("/v1/signups", content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].get("field") == field


def test_only_a_token_of_the_scope_access_is_answered(client, reader):
    assert client.post("/v1/signups", json=ONE, headers={"authorization": "Bearer no"}).status_code == 401
    forbidden = client.post("/v1/signups", json=ONE, headers={"authorization": f"Bearer {reader}"})
    assert forbidden.status_code == 403
    assert client.get("/v1/signups").status_code == 405
