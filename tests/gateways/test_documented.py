"""The bytes that the page shows are the bytes that a customer gets."""

from __future__ import annotations

import re

import pytest
from deciding import DECIDED, REFUSALS
from documented import DOCS, documented

from stillwatch.enforce.answers import refusal, spoken
from stillwatch.enforce.environment import VARIABLES
from stillwatch.enforce.guard import Ruling
from stillwatch.enforce.reduction import HEADER


@pytest.mark.parametrize("account", ["pooled-1", "asked", "blocked"])
def test_a_refusal_is_shown_byte_by_byte(account):
    terms = DECIDED[account]
    answered = refusal(Ruling(terms.action, "enforced", terms, 12.5))
    assert documented(f"refusal-{terms.action}") == answered.body.decode() + "\n"


def test_what_litellm_makes_of_it_is_shown():
    terms = DECIDED["blocked"]
    assert f'"provider_specific_fields":{{"message":"{REFUSALS["blocked"]["message"]}"' in documented(
        "refusal-block-hook"
    )
    assert f'"message":"{spoken(Ruling("block", "enforced", terms))}"' in documented(
        "refusal-block-guardrail"
    )


def test_every_variable_and_the_announcement_are_shown():
    text = (DOCS / "gateways.md").read_text("utf-8")
    assert set(re.findall(r"`(STILLWATCH_\w+)` \|", text)) == set(VARIABLES)
    assert f"{HEADER[0]}: {HEADER[1]}" in text
