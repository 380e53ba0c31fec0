"""Routes of keys at the access door."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.app.service.key_routes import (
    AskedForgetting,
    AskedKey,
    AskedRevocation,
    AskedRotation,
    AskedVerification,
)
from stillwatch.app.service.openapi.parts import (
    COUNT,
    PAGE,
    TEXT,
    TIME,
    TRUTH,
    Part,
    answers,
    in_path,
    in_query,
    listed,
    maybe,
    ref,
    row,
)
from stillwatch.toml_file import Strict

_SCOPE: Final = "Wants a token with the scope `access`."
_ID: Final = in_path("id", "Key, by its public id: the ten characters after `swk_`.")
_KEY: Final = row(key=ref("Key"))
_MADE: Final = row(key=ref("Key"), secret={**TEXT, "description": "The key itself: told once, kept nowhere."})


def _route(name: str, words: str, schema: Part, *parameters: Part, errors: tuple[int, ...] = (422,)) -> Part:
    return {
        "operationId": name,
        "summary": words,
        "description": _SCOPE,
        "tags": ["keys"],
        "parameters": list(parameters),
        "responses": answers(schema, *errors),
    }


def _post(route: Part, model: type[Strict], example: dict[str, Any]) -> Part:
    schema = {**model.model_json_schema(), "examples": [example]}
    content = {"application/json": {"schema": schema}}
    return {"post": {**route, "requestBody": {"required": True, "content": content}}}


KEYS: Final[dict[str, Part]] = {
    "/v1/keys": {
        **_post(
            _route("create_key", "Make a key for an account; it is told once.", _MADE),
            AskedKey,
            {"account_id": "acct-1", "by": "kim", "scopes": ["chat"], "networks": ["203.0.113.0/24"]},
        ),
        "get": _route(
            "keys",
            "Keys by id, those that were revoked among them.",
            row(keys=listed(ref("Key")), next=maybe(TEXT)),
            *PAGE,
            in_query("account", "Only those of this account.", TEXT),
        ),
    },
    "/v1/keys/verify": _post(
        _route(
            "verify_key", "Whether a key lets a request in, for gateways of your own.", ref("KeyVerified")
        ),
        AskedVerification,
        {"key": "swk_...", "address": "203.0.113.9"},
    ),
    "/v1/keys/forget": _post(
        _route(
            "forget_keys",
            "Remove every key of an account; who made and revoked them stays in the audit log.",
            row(account_id=TEXT, removed=COUNT),
        ),
        AskedForgetting,
        {"account_id": "acct-1", "by": "kim"},
    ),
    "/v1/keys/{id}": {"get": _route("key", "One key.", _KEY, _ID, errors=(404, 422))},
    "/v1/keys/{id}/rotate": _post(
        _route(
            "rotate_key",
            "Make a key in the place of another, which holds on for a while.",
            _MADE,
            _ID,
            errors=(404, 422),
        ),
        AskedRotation,
        {"by": "kim", "note": "yearly", "overlap_seconds": 86400},
    ),
    "/v1/keys/{id}/revoke": _post(
        _route(
            "revoke_key",
            "Take a key back; within half a second no verifier lets it in.",
            _KEY,
            _ID,
            errors=(404, 422),
        ),
        AskedRevocation,
        {"by": "kim", "note": "it was found in a public repository"},
    ),
}

KEY_SCHEMAS: Final[dict[str, Part]] = {
    "Key": row(
        id=TEXT,
        account_id=TEXT,
        name=TEXT,
        scopes=listed(TEXT),
        networks=listed(TEXT),
        jkt=maybe(TEXT),
        x5t_s256=maybe(TEXT),
        made_at=TIME,
        made_by=TEXT,
        expires_at=maybe(TIME),
        revoked_at=maybe(TIME),
        revoked_by=TEXT,
        why=TEXT,
        replaces=maybe(TEXT),
    ),
    "KeyVerified": row(
        holds=TRUTH,
        account_id=maybe(TEXT),
        key_id=maybe(TEXT),
        scopes=listed(TEXT),
        reason=maybe(TEXT),
        answer=maybe(
            row(
                status=COUNT,
                headers={"type": "object", "additionalProperties": TEXT},
                body=TEXT,
            )
        ),
    ),
}
