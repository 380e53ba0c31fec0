"""The route of the access door by which sign-ups are screened."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.app.service.openapi.parts import (
    COUNT,
    SHARE,
    TEXT,
    TRUTH,
    Part,
    answers,
    listed,
    ref,
    row,
)

_TEXT: Final = {"type": ["string", "null"]}
_FIELDS: Final[dict[str, Part]] = {
    "account_id": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": r"^\S+$"},
    "created_at": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it signed up; now where it is missing.",
    },
    "email": _TEXT,
    "phone": _TEXT,
    "payment_fingerprint": {**_TEXT, "description": "What the payment provider calls the card."},
    "device_fingerprint": _TEXT,
    "signup_ip": _TEXT,
    "country": _TEXT,
    "plan": _TEXT,
    "programme": _TEXT,
    "organization": {**_TEXT, "description": "That answers for its people, with mail in its own domain."},
    "verification_level": {"type": ["integer", "null"], "minimum": 0, "maximum": 32767},
    "domain_registered_at": {"type": ["string", "null"], "format": "date-time"},
    "domain_age_days": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1},
}
_EXAMPLE: Final[dict[str, Any]] = {
    "account_id": "acct-1",
    "email": "someone@example.com",
    "signup_ip": "192.0.2.7",
    "plan": "payg",
}
_ONE: Final[Part] = {
    "type": "object",
    "required": ["account_id"],
    "properties": _FIELDS,
    "additionalProperties": False,
    "examples": [_EXAMPLE],
}

SIGNING_UP: Final[dict[str, Part]] = {
    "/v1/signups": {
        "post": {
            "operationId": "screen_signups",
            "summary": "Say what to ask of a new account, or of up to a thousand.",
            "description": "Wants a token with the scope `access`. Fingerprints of what a sign-up holds "
            "are kept, so that later ones are compared with it; the same account again replaces them. "
            "Of a list those that cannot be read are named apart, by their place in it.",
            "tags": ["signing up"],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [_ONE, {"type": "array", "minItems": 1, "maxItems": 1000, "items": _ONE}]
                        }
                    }
                },
            },
            "responses": answers({"anyOf": [ref("Screened"), ref("ScreenedMany")]}, 422),
        }
    }
}

SCREENED_SCHEMAS: Final[dict[str, Part]] = {
    "Screened": row(
        account_id=TEXT,
        risk=SHARE,
        reason_codes=listed(TEXT),
        verification_level=COUNT,
        asked_more=TRUTH,
    ),
    "ScreenedMany": row(
        signups=listed(ref("Screened")),
        rejected=listed(row(index=COUNT, reason=TEXT)),
    ),
}
