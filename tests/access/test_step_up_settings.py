"""The section ``step_up`` of the access file, and what it may not say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stillwatch.access.step_up import StepUp

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


def test_what_it_may():
    told = StepUp.model_validate(
        {
            "organizations": [ORGANIZATION | {"domains": ["example.edu"], "claims": {"groups": "staff"}}],
            "identity": IDENTITY | {"start_url": "https://c.example.com/{reference}?back={return_url}"},
        }
    )
    assert told.organizations[0].claims == {"groups": "staff"}
