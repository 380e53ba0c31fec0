"""The API of step-up: links for the provider's own pages, what an account reached, and taking it back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from stillwatch.access import identity_checks
from stillwatch.access.levels import Level
from stillwatch.access.passkeys import has_passkey
from stillwatch.access.step_up_removal import forget_step_ups, remove_authenticators
from stillwatch.access.totp import has_codes
from stillwatch.access.verifications import Method
from stillwatch.app.service.asked import only, wrong
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.step_up.desk import StepUpDesk
from stillwatch.enforce.links import LASTS
from stillwatch.persistence.logged import log_change

LEAST: Final = 60
"""Seconds that a link holds at least."""

NEEDS: Final = ("plan", "programme", "model", "requests_per_day")
"""What may be said of an account to learn which level it needs."""

_COUNT: Final = re.compile(r"[0-9]{1,15}")
PARTS: Final = ("authenticators", "all")
"""What may be taken back: what the account proves itself with, or everything that is kept of it."""


class Asked(BaseModel):
    """What a request for a link says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account_id: str = Field(min_length=1, max_length=1024, pattern=r"\S")
    level: int = Field(default=0, ge=0, le=5)
    seconds: int = Field(default=LASTS, ge=LEAST, le=LASTS)


def ask(desk: StepUpDesk, request: Request, body: bytes) -> Document:
    """Make a link for an account; ``POST /v1/step-ups``.

    Raises:
        ApiError: the body is no JSON (400), or a field of it is wrong (422).
    """
    only(request)
    told = _asked(body)
    link = desk.links.make(told.account_id, level=told.level, seconds=told.seconds)
    expires = desk.links.read(link).expires_at
    return {
        "url": f"{desk.origin}/verify?{urlencode({'link': link})}",
        "expires_at": datetime.fromtimestamp(expires, UTC),
        "level": int(desk.level(told.level)),
    }


def verification(desk: StepUpDesk, request: Request, body: bytes) -> Document:
    """Answer ``/v1/accounts/{id}/verification``, by its method."""
    return (_remove if request.method == "DELETE" else _show)(desk, request)


def _show(desk: StepUpDesk, request: Request) -> Document:
    """Say what an account reached, with what it proves itself, and what it needs for what it does.

    Raises:
        ApiError: a parameter of the query is wrong (422).
    """
    needed = _needed(desk, request)
    account = request.path_params["id"]
    passed = desk.verifications.of_account(account)
    with desk.database.reading() as connection:
        has = {Method.PASSKEY: has_passkey(connection, account), Method.TOTP: has_codes(connection, account)}
        checks = identity_checks.of_account(connection, account)
    return {
        "account_id": account,
        "level": int(max((each.level for each in passed), default=Level.NONE)),
        "needed": int(needed),
        "authenticators": [method.value for method, there in has.items() if there],
        "verifications": [
            {
                "level": int(each.level),
                "method": each.method.value,
                "at": each.at,
                "decision_id": each.decision_id or None,
            }
            for each in passed
        ],
        "identity_checks": [{"status": each.status.value, "started_at": each.started_at} for each in checks],
        "audit_name": desk.log.name(account),
    }


def _needed(desk: StepUpDesk, request: Request) -> Level:
    """Return the level that the access file asks of what the query says of an account."""
    only(request, *NEEDS)
    told = request.query_params
    requests = told.get("requests_per_day")
    if requests is not None and not _COUNT.fullmatch(requests):
        raise wrong("requests_per_day", "it is no number of requests")
    return desk.desk.file.levels.needed(
        told.get("plan"),
        told.get("programme"),
        told.get("model"),
        None if requests is None else int(requests),
    )


def _remove(desk: StepUpDesk, request: Request) -> Document:
    """Take back what is kept of an account.

    Raises:
        ApiError: the query does not say what to take back (422).
    """
    only(request, "what")
    account, what = request.path_params["id"], request.query_params.get("what")
    if what not in PARTS:
        raise wrong("what", f"it is none of {', '.join(PARTS)}")
    with desk.database.writing() as connection:
        if what == "all":
            removed = sum(forget_step_ups(connection, [account]).values())
            log_change(desk.log.audit, "step-ups-forgotten", {"accounts": 1, "rows": removed})
        else:
            removed = remove_authenticators(connection, account)
            desk.log.tell("authenticators-removed", account, authenticators=removed)
    if what == "all":
        desk.database.wipe()
    return {"removed": removed}


def _asked(body: bytes) -> Asked:
    try:
        return Asked.model_validate_json(body)
    except ValidationError as error:
        first: Any = error.errors()[0]
    if first["type"] == "json_invalid":
        remedy = 'Send an object such as {"account_id": "acct-20419", "level": 3}.'
        raise ApiError(400, "no_json", "the body is no JSON", remedy=remedy)
    field = ".".join(map(str, first["loc"]))[:40] or "body"
    raise wrong(field, str(first["msg"]).lower())
