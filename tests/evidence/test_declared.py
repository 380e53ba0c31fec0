"""Allow list and labels as report and explanations show them, whatever a person wrote into them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.contracts import DECLARED, LABELLED
from stillwatch.evidence.explain import explain
from stillwatch.evidence.phrases import phrases_in
from stillwatch.evidence.report import render_report
from stillwatch.evidence.tables import RunTables

EFFECTS = ("kept-clear", "called", "agrees", "too-weak", "member", "nothing", "later")
HOSTILE = "<script>alert(1)</script>\u202e"
GIVEN = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)


def an_entry(account: str, **columns: Any) -> dict[str, Any]:
    blank = {"kind": "", "reason": "", "owner": "", "until": None, "party": "", "source": "allow.csv"}
    entry = {"account_id": account, "exempt": True, "entry": f"account_id {account}", "line": 2}
    return blank | entry | columns


def a_label(subject: str, effect: str, note: str, campaign: str | None = None) -> dict[str, Any]:
    return {
        "subject": subject,
        "kind": "group",
        "verdict": "campaign",
        "campaign_id": campaign,
        "effect": effect,
        "given_at": GIVEN,
        "given_by": "kim",
        "note": note,
    }


UNKNOWN = {"kind": "entry-unknown", "source": "allow.csv:3", "entry": f"account_id {HOSTILE}"}


@pytest.fixture
def told(run: RunTables) -> RunTables:
    account = run.accounts["account_id"][-1].as_py()
    campaign = run.campaigns["campaign_id"][0].as_py()
    entries = [
        an_entry(account, kind="red-team", reason=HOSTILE, owner="lee", until=GIVEN),
        an_entry(account, exempt=False, party="acme"),
        an_entry("acct_other", kind="red-team"),
    ]
    labels = [a_label(f"cmp_{effect}", effect, HOSTILE) for effect in EFFECTS]
    labels += [a_label("cmp_old", "called", "looked at", campaign)]
    return replace(
        run,
        declared=pa.Table.from_pylist(entries, schema=DECLARED),
        labelled=pa.Table.from_pylist(labels, schema=LABELLED),
        manifest={**run.manifest, "warnings": [UNKNOWN]},
    )


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_report_tells_both_in_each_language(told, language):
    phrases = phrases_in(language)
    page = render_report(told, phrases)
    for text in ("declared.title", "declared.labels", "scanned.warnings"):
        assert phrases.say(text) in page
    for effect in EFFECTS:
        assert phrases.say(f"label.effect.{effect}") in page
    assert "<script>" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_a_report_without_either_has_no_such_section(run):
    assert 'id="declared"' not in render_report(run)


def test_an_allowed_account_is_told_so_with_every_entry(told):
    account = told.accounts["account_id"][-1].as_py()
    explanation = explain(told, account)
    text = " ".join(explanation.text().split())
    assert "clear (allowed)" in text
    assert "Holds until 31 May 2026." in text
    assert "Belongs openly to the party acme" in text
    assert "nothing links it" not in text
    assert "\u202e" not in text
    assert [entry["exempt"] for entry in explanation.as_dict()["declarations"]] == [True, False]


def test_a_label_of_an_earlier_id_is_told_of_the_group_that_it_met(told):
    campaign = told.campaigns["campaign_id"][0].as_py()
    explanation = explain(told, campaign)
    assert "campaign, by kim on 1 June 2026, 09:30 UTC: looked at" in " ".join(explanation.text().split())
    [label] = explanation.as_dict()["labels"]
    assert (label["subject"], label["given_at"]) == ("cmp_old", GIVEN.isoformat())
