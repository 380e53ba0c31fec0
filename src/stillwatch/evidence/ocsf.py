"""Findings for a SIEM: one OCSF 1.8.0 Detection Finding (class 2004) for each group of a run.

The mapping is documented in docs/findings.md. A finding depends on the run's tables alone, so that
scanning the same log again gives the same lines and a store keyed by ``finding_info.uid`` stays as it is.

Source: Open Cybersecurity Schema Framework, https://schema.ocsf.io/1.8.0/classes/detection_finding
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, NotRequired, TypedDict

import orjson

from stillwatch.contracts import Verdict
from stillwatch.evidence.tables import RunTables

OCSF_VERSION: Final = "1.8.0"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CATEGORY, _CLASS, _CREATE = (2, "Findings"), (2004, "Detection Finding"), (1, "Create")
_STATISTICAL: Final = (3, "Statistical")
_OBSERVED, _DETECTED, _NEW = (3, "Observed"), (15, "Detected"), (1, "New")
_ACCOUNT_UID: Final = (35, "Account Object: uid")

_LOW, _MEDIUM, _HIGH = (1, "Low"), (2, "Medium"), (3, "High")
_CONFIDENCE: Final = ((0.001, _HIGH), (0.01, _MEDIUM), (math.inf, _LOW))
"""Confidence by the largest q-value that has it."""


class _Severity(NamedTuple):
    id: int
    name: str


_WATCHED, _CALLED, _SURE = _Severity(2, "Low"), _Severity(3, "Medium"), _Severity(4, "High")


class Product(TypedDict):
    """OCSF object ``product``."""

    name: str
    vendor_name: str
    version: NotRequired[str]


class Metadata(TypedDict):
    """OCSF object ``metadata``."""

    version: str
    profiles: list[str]
    product: Product
    uid: str


class Analytic(TypedDict):
    """OCSF object ``analytic``."""

    name: str
    type_id: int
    type: str
    version: NotRequired[str]


class FindingInfo(TypedDict):
    """OCSF object ``finding_info``; times in milliseconds since 1970."""

    uid: str
    title: str
    desc: str
    types: list[str]
    first_seen_time: int
    last_seen_time: int
    analytic: Analytic


class Account(TypedDict):
    """OCSF object ``account``."""

    uid: str


class User(TypedDict):
    """OCSF object ``user``."""

    uid: str
    account: Account


class Evidence(TypedDict):
    """OCSF object ``evidences``: a reason for the group as a whole, or a member with its own reasons."""

    name: str
    data: dict[str, Any]
    user: NotRequired[User]


class Observable(TypedDict):
    """OCSF object ``observable``."""

    name: str
    type_id: int
    type: str
    value: str


class DetectionFinding(TypedDict):
    """OCSF class ``detection_finding`` with the profile ``security_control``; times in milliseconds."""

    activity_id: int
    activity_name: str
    category_uid: int
    category_name: str
    class_uid: int
    class_name: str
    type_uid: int
    type_name: str
    time: int
    start_time: int
    end_time: int
    duration: int
    count: int
    message: str
    metadata: Metadata
    severity_id: int
    severity: str
    status_id: int
    status: str
    confidence_id: int
    confidence: str
    confidence_score: int
    is_alert: bool
    action_id: int
    action: str
    disposition_id: int
    disposition: str
    finding_info: FindingInfo
    evidences: list[Evidence]
    observables: list[Observable]
    unmapped: dict[str, Any]


def findings(tables: RunTables) -> Iterator[DetectionFinding]:
    """Return one finding for each campaign and watched group, in the order of the campaigns table."""
    members = _by_campaign(tables.members.to_pylist())
    reasons = _by_campaign(tables.reasons.to_pylist())
    version = str(tables.manifest.get("stillwatch") or "")
    for campaign in tables.campaigns.to_pylist(maps_as_pydicts="strict"):
        key = campaign["campaign_id"]
        yield _finding(campaign, members.get(key, []), reasons.get(key, []), version)


def render_findings(tables: RunTables) -> bytes:
    """Return :func:`findings` as JSON lines, UTF-8; a number that is not finite becomes null."""
    return b"".join(
        orjson.dumps(finding, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)
        for finding in findings(tables)
    )


def _finding(
    campaign: dict[str, Any], members: list[dict[str, Any]], reasons: list[dict[str, Any]], version: str
) -> DetectionFinding:
    first, last = _milliseconds(campaign["first_seen"]), _milliseconds(campaign["last_seen"])
    severity, (confidence_id, confidence) = _severity(campaign), _confidence(campaign["q_value"])
    return {
        "activity_id": _CREATE[0],
        "activity_name": _CREATE[1],
        "category_uid": _CATEGORY[0],
        "category_name": _CATEGORY[1],
        "class_uid": _CLASS[0],
        "class_name": _CLASS[1],
        "type_uid": _CLASS[0] * 100 + _CREATE[0],
        "type_name": f"{_CLASS[1]}: {_CREATE[1]}",
        "time": last,
        "start_time": first,
        "end_time": last,
        "duration": last - first,
        "count": campaign["exchanges"],
        "message": f"{campaign['verdict']}: {campaign['summary']}",
        "metadata": _metadata(campaign, version),
        "severity_id": severity.id,
        "severity": severity.name,
        "status_id": _NEW[0],
        "status": _NEW[1],
        "confidence_id": confidence_id,
        "confidence": confidence,
        "confidence_score": max(0, math.floor(100 * (1 - campaign["q_value"]))),
        "is_alert": campaign["verdict"] == Verdict.CAMPAIGN,
        "action_id": _OBSERVED[0],
        "action": _OBSERVED[1],
        "disposition_id": _DETECTED[0],
        "disposition": _DETECTED[1],
        "finding_info": _finding_info(campaign, reasons, first, last, version),
        "evidences": [*_group_evidence(reasons), *_member_evidence(members, reasons)],
        "observables": [_observable(member["account_id"]) for member in members],
        "unmapped": _unmapped(campaign),
    }


def _metadata(campaign: dict[str, Any], version: str) -> Metadata:
    product: Product = {"name": "stillwatch", "vendor_name": "stillwatch"}
    if version:
        product["version"] = version
    return {
        "version": OCSF_VERSION,
        "profiles": ["security_control"],
        "product": product,
        "uid": f"{campaign['campaign_id']}-{_milliseconds(campaign['last_seen'])}",
    }


def _finding_info(
    campaign: dict[str, Any], reasons: list[dict[str, Any]], first: int, last: int, version: str
) -> FindingInfo:
    analytic: Analytic = {"name": "stillwatch", "type_id": _STATISTICAL[0], "type": _STATISTICAL[1]}
    if version:
        analytic["version"] = version
    told = [reason["statement"] for reason in reasons if reason["account_id"] is None and reason["llr"] > 0]
    return {
        "uid": campaign["campaign_id"],
        "title": campaign["summary"],
        "desc": " ".join(told) or campaign["summary"],
        "types": ["model distillation"],
        "first_seen_time": first,
        "last_seen_time": last,
        "analytic": analytic,
    }


def _group_evidence(reasons: list[dict[str, Any]]) -> Iterator[Evidence]:
    for reason in reasons:
        if reason["account_id"] is None:
            yield {"name": reason["signal"], "data": _reason(reason)}


def _member_evidence(members: list[dict[str, Any]], reasons: list[dict[str, Any]]) -> Iterator[Evidence]:
    own: dict[str, list[dict[str, Any]]] = {}
    for reason in reasons:
        if reason["account_id"] is not None:
            own.setdefault(reason["account_id"], []).append(_reason(reason))
    for member in members:
        account = member["account_id"]
        told = {"strength": member["strength"], "share": member["share"], "reasons": own.get(account, [])}
        yield {"name": "member", "user": {"uid": account, "account": {"uid": account}}, "data": told}


def _reason(reason: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reason.items() if name not in ("campaign_id", "account_id")}


def _observable(account_id: str) -> Observable:
    kind, name = _ACCOUNT_UID
    return {"name": "evidences[].user.account.uid", "type_id": kind, "type": name, "value": account_id}


def _unmapped(campaign: dict[str, Any]) -> dict[str, Any]:
    names = ("verdict", "score", "q_value", "accounts", "input_tokens", "output_tokens")
    return {name: campaign[name] for name in (*names, "capabilities", "facets")}


def _severity(campaign: dict[str, Any]) -> _Severity:
    if campaign["verdict"] != Verdict.CAMPAIGN:
        return _WATCHED
    return _SURE if _confidence(campaign["q_value"]) == _HIGH else _CALLED


def _confidence(q_value: float) -> tuple[int, str]:
    return next(level for most, level in _CONFIDENCE if q_value <= most)


def _by_campaign(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["campaign_id"], []).append(row)
    return groups


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
