"""What happened to accounts against the published schema."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ocsf_schema import SCHEMA, Schema

from stillwatch.contracts import AccountActivity, Activity
from stillwatch.evidence.ocsf_activity import account_event_record, render_activities

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EVERY = [
    AccountActivity(f"u{number}", NOW, "acct-1", activity, "stillwatch", bool(number % 2), "why")
    for number, activity in enumerate(Activity)
]


@pytest.fixture(scope="module")
def schema() -> Schema:
    if not SCHEMA.exists():
        pytest.skip("the compiled OCSF schema is not beside this checkout")
    with gzip.open(SCHEMA) as file:
        return Schema(json.load(file))


def kind_of(record: dict[str, Any]) -> str:
    return "authentication" if record["class_uid"] == 3002 else "account_change"


@pytest.mark.parametrize("activity", EVERY, ids=lambda each: each.activity.value)
def test_every_activity_is_what_the_schema_asks_for(schema: Schema, activity: AccountActivity) -> None:
    record = json.loads(next(iter(render_activities([activity], "1.0"))))
    assert schema.faults(record, kind_of(record)) == []
    rules = schema.compiled["classes"][kind_of(record)]["attributes"]
    siblings = {"severity_id": "severity", "status_id": "status", "class_uid": "class_name"}
    siblings |= {"category_uid": "category_name", "type_uid": "type_name"}
    if record["activity_id"] != 99:
        siblings["activity_id"] = "activity_name"
    for number, name in siblings.items():
        assert rules[number]["enum"][str(record[number])]["caption"] == record[name]


def test_an_activity_is_told_whole() -> None:
    failed = AccountActivity("u", NOW, "acct-1", Activity.STEP_UP, "step-up", succeeded=False)
    record = account_event_record(failed, "")
    assert (record["class_uid"], record["activity_id"], record["status_id"]) == (3002, 1, 2)
    assert (record["user"]["uid"], record["time"], record["is_mfa"]) == ("acct-1", 1780315200000, True)
    assert record["metadata"]["uid"] == "u"
