"""The guide to step-up says what is so: its files are read, its bytes verified, its routes there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from step_up_desk import served

from stillwatch.access.identity_checks import Status, read_webhook, secret_of
from stillwatch.access.step_up import StepUp
from stillwatch.app.access_file import read_access_file
from stillwatch.app.service import openapi
from stillwatch.app.service.openapi.stepping_up import STEPPING_UP
from stillwatch.app.service.step_up.rendering import FILES
from stillwatch.app.service.step_up_routes import step_up_routes
from stillwatch.decisions.policy import read_policy

GUIDE = (Path(__file__).parents[3] / "docs" / "step-up.md").read_text("utf-8")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory):
    with served(tmp_path_factory.mktemp("access") / "state") as found:
        yield found


@pytest.fixture(scope="module")
def routes(door):
    return step_up_routes(door.desk)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_access_file_of_the_guide_is_read(tmp_path):
    file = tmp_path / "access.toml"
    policy, parts = tmp_path / "policy.toml", [each for each in blocks("toml") if "[[rules]]" not in each]
    file.write_text("\n".join(parts), encoding="utf-8")
    (rules,) = set(blocks("toml")) - set(parts)
    policy.write_text(f'version = "1"\n{rules}', encoding="utf-8")
    assert read_policy(policy).rules[0].verify_url == "https://accounts.example.com/verify?link={link}"
    told = read_access_file(file).step_up
    assert (told.service, told.organizations[0].domains) == ("Example Models", ("example.edu",))
    assert told.identity is not None
    assert tomllib.loads(blocks("toml")[0])["public_url"] == "https://accounts.example.com"


def test_every_setting_is_in_the_guide():
    assert [name for name in StepUp.model_fields if f"| `{name}` |" not in GUIDE] == []


def test_the_webhook_of_the_guide_is_believed():
    head, _, body = blocks("http")[0].rstrip("\n").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    secret = re.search(r"`(whsec_\w+)`", GUIDE)
    assert secret is not None
    now = int(headers["webhook-timestamp"]) + 200
    told = read_webhook(secret_of(secret.group(1)), headers, body.encode(), now)
    assert (told.status, told.subject) == (Status.PASSED, "person-7")


def test_what_the_guide_asks_for_is_answered_as_it_says(door):
    asked = re.findall(r"curl -sS http://127\.0\.0\.1:8791(\S+)[^']*?(?:--json '([^']*)')?\n```", GUIDE)
    assert [path for path, _ in asked] == ["/v1/step-ups", "/v1/accounts/acct-20419/verification"]
    told = [json.loads(each) for each in blocks("json")]
    with door.api() as api:
        for (path, body), wanted in zip(asked, told, strict=True):
            answer = api.post(path, content=body) if body else api.get(path)
            assert answer.json().keys() == wanted.keys()


def test_the_proxy_of_the_guide_passes_people_and_webhooks_on_and_nothing_else(routes):
    people = re.compile(re.search(r"location ~ (\S+)", GUIDE)[1])
    passed = {route.path for route in routes if people.search(route.path)}
    inside = {route.path for route in routes} - passed
    assert passed >= {"/verify", "/appeal", "/verify/organization/callback", *FILES}
    assert inside == {"/v1/step-ups", "/v1/accounts/{id:path}/verification", "/v1/identity-checks"}


def test_every_route_for_programs_is_described(routes):
    there = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in routes
        if route.path.startswith("/v1/")
        for method in route.methods - {"HEAD"}
    }
    assert there == {(path, method) for path, item in STEPPING_UP.items() for method in item}
    names = [each["operationId"] for item in STEPPING_UP.values() for each in item.values()]
    others = [each["operationId"] for item in openapi.document()["paths"].values() for each in item.values()]
    assert len({*names, *others}) == len(names) + len(others)
