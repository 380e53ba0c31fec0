"""The API of step-up: links for the provider's own pages, what an account reached, and taking it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pyotp
import pytest
from starlette.requests import Request
from step_up_desk import Door, Visitor, served, write_secret

from stillwatch.access.levels import Levels
from stillwatch.app.service.places import LINK_KEY
from stillwatch.app.service.step_up.api import verification
from stillwatch.app.service.step_up.desk import StepUpDesk
from stillwatch.app.service.step_up.kept_secrets import SECRETS_KEY
from stillwatch.contracts import InputError, KeyFileError


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("access") / "state") as found:
        yield found


def passed(door: Door, account: str) -> None:
    """An account that sets codes up and passes by one."""
    with door.api() as api:
        told = api.post("/v1/step-ups", json={"account_id": account, "level": 2}).json()
    visitor = Visitor(door).begin(told["url"], "totp")
    key = re.search(r'class="key">([A-Z2-7 ]+)<', visitor.page.text)
    assert key is not None
    code = pyotp.TOTP(key.group(1).replace(" ", "")).at(door.clock())
    assert visitor.send("/verify/codes", code=code).title == "Confirmed"


def test_a_link_is_asked_for_and_holds_as_long_as_it_says(door):
    with door.api() as api:
        answer = api.post("/v1/step-ups", json={"account_id": "acct-1", "seconds": 60})
    told = answer.json()
    assert (answer.status_code, told["level"]) == (200, 3)
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert 55 < left.total_seconds() <= 60
    assert Visitor(door).open(told["url"]).title == "Confirm who uses this account"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("{", 400, None),
        ("[]", 422, "body"),
        ("{}", 422, "account_id"),
        ('{"account_id": " "}', 422, "account_id"),
        ('{"account_id": "a", "level": 6}', 422, "level"),
        ('{"account_id": "a", "level": "3"}', 422, "level"),
        ('{"account_id": "a", "seconds": 901}', 422, "seconds"),
        ('{"account_id": "a", "other": 1}', 422, "other"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(door, body, status, field):
    with door.api() as api:
        answer = api.post("/v1/step-ups", content=body)
    assert (answer.status_code, answer.json()["error"].get("field")) == (status, field)


def test_it_wants_a_token(door):
    with door.api() as api:
        del api.headers["authorization"]
        for method, path in (("POST", "/v1/step-ups"), ("GET", "/v1/accounts/a/verification")):
            assert api.request(method, path).status_code == 401


def test_what_an_account_needs_for_what_it_does_is_told(door):
    needs = [
        {"level": 4, "programmes": ["education"]},
        {"level": 3, "models": ["model-large"], "plans": ["pro"]},
        {"level": 2, "requests_per_day_at_least": 50_000},
    ]
    file = door.desk.file.model_copy(update={"levels": Levels.model_validate({"needs": needs})})
    desk = StepUpDesk(replace(door.desk, file=file))

    def needed(**told: str) -> int:
        request = Request(
            {
                "type": "http",
                "method": "GET",
                "headers": [],
                "path_params": {"id": "acct-1"},
                "query_string": urlencode(told).encode(),
            }
        )
        return verification(desk, request, b"")["needed"]

    assert needed() == needed(plan="pro") == needed(requests_per_day="49999") == 1
    assert needed(requests_per_day="50000") == 2
    assert needed(plan="pro", model="model-large", requests_per_day="50000") == 3
    assert needed(plan="pro", model="model-large", programme="education") == 4
    with door.api() as api:
        for wrong in ({"requests_per_day": "many"}, {"requests_per_day": "9" * 5000}, {"volume": "1"}):
            assert api.get("/v1/accounts/acct-1/verification", params=wrong).status_code == 422


def test_what_an_account_reached_is_told_and_taken_back(door):
    passed(door, "acct/1")
    with door.api() as api:
        told = api.get("/v1/accounts/acct%2F1/verification").json()
        assert (told["level"], told["authenticators"]) == (2, ["totp"])
        assert [each["method"] for each in told["verifications"]] == ["totp"]
        assert told["audit_name"] in door.audit()
        assert "acct/1" not in door.audit()
        assert api.get("/v1/accounts/nobody/verification").json()["level"] == 0

        before = door.verifications.revision()
        assert api.delete("/v1/accounts/acct%2F1/verification").status_code == 422
        gone = api.delete("/v1/accounts/acct%2F1/verification", params={"what": "authenticators"})
        assert gone.json() == {"removed": 1}
        after = api.get("/v1/accounts/acct%2F1/verification").json()
        assert (after["level"], after["authenticators"]) == (0, [])
        assert door.verifications.revision() > before
        passed(door, "acct/1")  # sets new ones up
        assert api.delete("/v1/accounts/acct%2F1/verification", params={"what": "all"}).json()["removed"] > 2
    for file in door.desk.state.glob("decisions.db*"):
        assert b"acct/1" not in file.read_bytes()


def desk_of(door: Door, state: Path, **step_up: object) -> StepUpDesk:
    settings = door.desk.file.step_up.model_validate(step_up)
    file = door.desk.file.model_copy(update={"step_up": settings})
    return StepUpDesk(replace(door.desk, state=state, file=file))


def test_keys_are_made_for_their_owner_alone_and_an_open_one_is_refused(door, tmp_path):
    desk_of(door, tmp_path)
    for name in (LINK_KEY, SECRETS_KEY):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    (tmp_path / SECRETS_KEY).chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        desk_of(door, tmp_path)


def test_a_secret_that_is_none_is_told_with_its_file(door, tmp_path):
    identity = {
        "name": "Example Checks",
        "start_url": "https://checks.example.com/{reference}",
        "secret_file": str(tmp_path / "secret"),
    }
    with pytest.raises(InputError, match="is not there"):
        desk_of(door, tmp_path, identity=identity)
    write_secret(tmp_path / "secret", "whsec_short")
    with pytest.raises(InputError, match="no secret of a webhook"):
        desk_of(door, tmp_path, identity=identity)
    write_secret(tmp_path / "secret")
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(KeyFileError, match="open to other users"):
        desk_of(door, tmp_path, identity=identity)
    (tmp_path / "secret").chmod(0o600)
    assert desk_of(door, tmp_path, identity=identity).webhook_secret is not None
