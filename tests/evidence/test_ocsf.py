"""Findings against the published schema, and against the run that they were made from."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from ocsf_schema import SCHEMA, Schema

from stillwatch.evidence.ocsf import findings, render_findings
from stillwatch.evidence.tables import RunTables


@pytest.fixture(scope="module")
def schema() -> Schema:
    if not SCHEMA.exists():
        pytest.skip("the compiled OCSF schema is not beside this checkout")
    with gzip.open(SCHEMA) as file:
        compiled = json.load(file)
    assert compiled["version"] == "1.8.0"
    return Schema(compiled)


@pytest.fixture(scope="module")
def made(run: RunTables) -> list[dict[str, Any]]:
    return [json.loads(line) for line in render_findings(run).splitlines()]


def test_every_finding_is_what_the_schema_asks_for(schema: Schema, made: list[dict[str, Any]]) -> None:
    assert len(made) == 4
    assert {fault for finding in made for fault in schema.faults(finding)} == set()


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (["metadata", "product"], None, "finding.metadata.product: missing"),
        (["finding_info", "uid"], 7, "finding.finding_info.uid: 7 is no string_t"),
        (["severity_id"], 17, "finding.severity_id: 17 is not one of the values"),
        (["is_alert"], 1, "finding.is_alert: 1 is no boolean_t"),
        (["verdict_id"], 2, "finding.verdict_id: unknown"),  # of a profile that is not claimed
        (["evidences"], {}, "finding.evidences: no array"),
        (["finding_info", "analytic", "colour"], "red", "finding.finding_info.analytic.colour: unknown"),
    ],
)
def test_the_schema_is_really_asked(
    schema: Schema, made: list[dict[str, Any]], path: list[str], value: Any, fault: str
) -> None:
    broken = json.loads(json.dumps(made[0]))
    place = broken
    for name in path[:-1]:
        place = place[name]
    place.pop(path[-1], None)
    if value is not None:
        place[path[-1]] = value
    assert fault in schema.faults(broken)


def test_captions_are_those_of_the_schema(schema: Schema, made: list[dict[str, Any]]) -> None:
    rules = schema.compiled["classes"]["detection_finding"]["attributes"]
    siblings = {"severity_id": "severity", "confidence_id": "confidence", "status_id": "status"}
    siblings |= {"activity_id": "activity_name", "class_uid": "class_name", "category_uid": "category_name"}
    siblings |= {"type_uid": "type_name", "action_id": "action", "disposition_id": "disposition"}
    for finding in made:
        for number, name in siblings.items():
            assert rules[number]["enum"][str(finding[number])]["caption"] == finding[name]


def test_a_finding_says_what_the_run_says(run: RunTables, made: list[dict[str, Any]]) -> None:
    campaign = run.campaigns.to_pylist(maps_as_pydicts="strict")[0]
    finding = made[0]
    assert finding["finding_info"]["uid"] == campaign["campaign_id"]
    assert datetime.fromtimestamp(finding["end_time"] / 1000, UTC) == campaign["last_seen"]
    assert finding["count"] == campaign["exchanges"]
    assert finding["unmapped"]["facets"] == campaign["facets"]
    members = [row for row in run.members.to_pylist() if row["campaign_id"] == campaign["campaign_id"]]
    assert [each["value"] for each in finding["observables"]] == [row["account_id"] for row in members]
    reasons = [row for row in run.reasons.to_pylist() if row["campaign_id"] == campaign["campaign_id"]]
    told = [each["data"]["statement"] for each in finding["evidences"] if "statement" in each["data"]]
    own = [each["statement"] for e in finding["evidences"] for each in e["data"].get("reasons", [])]
    assert sorted(told + own) == sorted(row["statement"] for row in reasons)


@pytest.mark.parametrize(
    ("verdict", "q_value", "severity", "confidence", "score"),
    [
        ("campaign", 3.1e-7, "High", "High", 99),
        ("campaign", 0.001, "High", "High", 99),
        ("campaign", 0.01, "Medium", "Medium", 99),
        ("watch", 0.0001, "Low", "High", 99),
        ("watch", 0.23, "Low", "Low", 77),
        ("watch", 1.0, "Low", "Low", 0),
    ],
)
def test_severity_and_confidence_follow_verdict_and_q_value(
    build_run: Callable[..., RunTables],
    many_groups: tuple[Any, ...],
    verdict: str,
    q_value: float,
    severity: str,
    confidence: str,
    score: int,
) -> None:
    group = replace(many_groups[0], verdict=verdict, q_value=q_value)
    (finding,) = findings(build_run((group,), clear=1))
    assert (finding["severity"], finding["confidence"]) == (severity, confidence)
    assert finding["confidence_score"] == score
    assert finding["is_alert"] is (verdict == "campaign")


def test_a_number_that_json_lacks_becomes_null(run: RunTables) -> None:
    column = pa.array([math.inf] * run.reasons.num_rows, pa.float64())
    index = run.reasons.schema.get_field_index("observed")
    odd = replace(run, reasons=run.reasons.set_column(index, run.reasons.schema.field(index), column))
    finding = json.loads(render_findings(odd).splitlines()[0])
    assert finding["evidences"][0]["data"]["observed"] is None


def test_a_quiet_run_has_no_findings(quiet_run: RunTables) -> None:
    assert render_findings(quiet_run) == b""
