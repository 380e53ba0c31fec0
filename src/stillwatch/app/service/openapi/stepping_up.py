"""Routes of step-up at the access door that programs call; its pages are for people, and are not here."""

from __future__ import annotations

from typing import Final

from stillwatch.access.identity_checks import Status
from stillwatch.access.verifications import Method
from stillwatch.app.service.openapi.parts import (
    COUNT,
    TEXT,
    TIME,
    TRUTH,
    Part,
    answers,
    in_path,
    in_query,
    listed,
    maybe,
    one_of,
    row,
)
from stillwatch.app.service.step_up.api import LEAST, NEEDS, PARTS
from stillwatch.enforce.links import LASTS

_SCOPE: Final = "Wants a token with the scope `access`."
_LEVEL: Final[Part] = {"type": "integer", "minimum": 0, "maximum": 5}
_ACCOUNT: Final = in_path("id", "Account; slashes of its id are written %2F or as they are.")


def _operation(name: str, words: str, about: str, schema: Part, *errors: int, **more: object) -> Part:
    return {
        "operationId": name,
        "summary": words,
        "description": about,
        "tags": ["step-up"],
        "responses": answers(schema, *errors),
        **more,
    }


def _json(schema: Part) -> Part:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _header(name: str, words: str) -> Part:
    return {"name": name, "in": "header", "required": True, "description": words, "schema": TEXT}


_ASKED: Final[Part] = {
    "type": "object",
    "required": ["account_id"],
    "properties": {
        "account_id": {"type": "string", "pattern": r"\S", "minLength": 1, "maxLength": 1024},
        "level": _LEVEL | {"default": 0, "description": "To be reached; 0: `doubtful` of the access file."},
        "seconds": {"type": "integer", "minimum": LEAST, "maximum": LASTS, "default": LASTS},
    },
    "additionalProperties": False,
    "examples": [{"account_id": "acct-20419", "level": 3}],
}
_RESULT: Final[Part] = {
    "type": "object",
    "required": ["reference", "status"],
    "properties": {
        "reference": TEXT,
        "status": one_of(*Status),
        "subject": {
            "type": "string",
            "maxLength": 200,
            "description": "The person, the same each time.",
        },
    },
}
_NEEDS: Final = [
    *(in_query(name, "Of the account, for `needed`.", TEXT) for name in NEEDS[:3]),
    in_query(
        NEEDS[3],
        "What it sends or is going to, for `needed`.",
        {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
    ),
]
_PASSED: Final = row(level=_LEVEL, method=one_of(*Method), at=TIME, decision_id=maybe(TEXT))
_SIGNED: Final = [
    _header("webhook-id", "Of this message."),
    _header("webhook-timestamp", "Seconds since 1970."),
    _header("webhook-signature", "`v1,` and base64 of HMAC-SHA-256 over id, timestamp and body."),
]

STEPPING_UP: Final[dict[str, Part]] = {
    "/v1/step-ups": {
        "post": _operation(
            "step_up",
            "A link under which an account steps up, once and soon.",
            _SCOPE,
            row(url=TEXT, expires_at=TIME, level=_LEVEL),
            422,
            requestBody=_json(_ASKED),
        )
    },
    "/v1/accounts/{id}/verification": {
        "get": _operation(
            "verification",
            "Which level an account reached, by what and when, and which it needs.",
            _SCOPE,
            row(
                account_id=TEXT,
                level=_LEVEL,
                needed=_LEVEL,
                authenticators=listed(one_of(Method.PASSKEY.value, Method.TOTP.value)),
                verifications=listed(_PASSED),
                identity_checks=listed(row(status=one_of(*Status), started_at=TIME)),
                audit_name=TEXT,
            ),
            422,
            parameters=[_ACCOUNT, *_NEEDS],
        ),
        "delete": _operation(
            "remove_verification",
            "Take an account's authenticators back, or everything that step-up keeps of it.",
            _SCOPE,
            row(removed=COUNT),
            422,
            parameters=[_ACCOUNT, in_query("what", "Which of both.", one_of(*PARTS), required=True)],
        ),
    },
    "/v1/identity-checks": {
        "post": _operation(
            "identity_check_result",
            "What a provider of identity checks says, signed as Standard Webhooks says.",
            "Wants no token: it is signed.",
            row(changed=TRUTH, status=one_of(*Status)),
            404,
            409,
            422,
            security=[],
            parameters=_SIGNED,
            requestBody=_json(_RESULT),
        )
    },
}
