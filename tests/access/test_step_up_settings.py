"""The section ``step_up`` of the access file, and what it may not say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stillwatch.access.step_up import StepUp, secure
from stillwatch.app.access_file import AccessFile

ORGANIZATION = {
    "id": "university",
    "name": "Example University",
    "issuer": "https://id.example.edu",
    "client_id": "stillwatch",
}
IDENTITY = {"name": "Example Checks", "secret_file": "secret"}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"organizations": [ORGANIZATION]}, "neither domains nor claims"),
        (
            {"organizations": [ORGANIZATION | {"whole_issuer": True, "issuer": "http://id.example.edu"}]},
            "https",
        ),
        ({"organizations": [ORGANIZATION | {"whole_issuer": True}] * 2}, "one id"),
        ({"identity": IDENTITY | {"start_url": "https://checks.example.com/"}}, "no {reference}"),
        ({"identity": IDENTITY | {"start_url": "https://c.example.com/{reference}/{mail}"}}, "in braces"),
        ({"identity": IDENTITY | {"start_url": "http://c.example.com/{reference}"}}, "https"),
        ({"support_url": "javascript:alert(1)"}, "mailto"),
        ({"accounts_per_person": 0}, "greater than or equal to 1"),
        ({"sms": True}, "not permitted"),
    ],
)
def test_what_a_section_may_not_say(section, message):
    with pytest.raises(ValidationError, match=message):
        StepUp.model_validate(section)


@pytest.mark.parametrize(
    ("url", "told_by", "taken"),
    [
        ("https://id.example.edu/token", "https://id.example.edu", True),
        ("http://127.0.0.1:8787/v1/authorize", None, True),
        ("http://localhost:9000/token", "http://localhost:9000", True),
        ("http://127.0.0.1:8787/v1/authorize", "https://id.example.edu", False),
        ("http://id.example.edu/token", "https://id.example.edu", False),
    ],
)
def test_nobody_elsewhere_sends_the_service_to_its_own_machine(url, told_by, taken):
    if taken:
        assert secure(url, told_by) == url
    else:
        with pytest.raises(ValueError, match="neither https"):
            secure(url, told_by)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://accounts.example.com", True),
        ("http://localhost:8791/", True),
        ("http://accounts.example.com", False),
        ("https://user:word@accounts.example.com", False),
        ("https://accounts.example.com/?a=b", False),
    ],
)
def test_pages_are_reached_by_https_or_on_this_machine(url, taken):
    if taken:
        assert AccessFile(public_url=url).origin == url.rstrip("/")
    else:
        with pytest.raises(ValidationError, match="public_url"):
            AccessFile(public_url=url)


def test_what_it_may():
    told = StepUp.model_validate(
        {
            "organizations": [ORGANIZATION | {"domains": ["example.edu"], "claims": {"groups": "staff"}}],
            "identity": IDENTITY | {"start_url": "https://c.example.com/{reference}?back={return_url}"},
        }
    )
    assert told.organizations[0].claims == {"groups": "staff"}
