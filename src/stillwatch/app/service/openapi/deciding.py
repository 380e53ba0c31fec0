"""Routes by which a person says what is to become of a decision."""

from __future__ import annotations

from typing import Final

from stillwatch.app.service.openapi.parts import Part, answers, in_path, ref

_BY: Final = {"type": "string", "pattern": r"\S", "maxLength": 200, "description": "Who says so."}
_NOTE: Final = {
    "type": "string",
    "pattern": r"\S",
    "maxLength": 2000,
    "description": "Why, for who reads the audit log.",
}
_ACCOUNT: Final = {
    "type": ["string", "null"],
    "pattern": r"\S",
    "maxLength": 1024,
    "description": "Take this account out alone.",
}


def _post(what: str, words: str, **more: Part) -> Part:
    said = {
        "type": "object",
        "required": ["by", "note"],
        "properties": {"by": _BY, "note": _NOTE, **more},
        "additionalProperties": False,
        "examples": [{"by": "kim", "note": "ticket 311"}],
    }
    return {
        "post": {
            "operationId": what,
            "summary": words,
            "description": "Wants a token with the scope `operate`. Is in the audit log before it is done. "
            "What is so already stays so: `changed` is false then.",
            "tags": ["deciding"],
            "parameters": [in_path("id", "Decision, such as dec_4f1c0a9be2d7.")],
            "requestBody": {"required": True, "content": {"application/json": {"schema": said}}},
            "responses": answers(ref("Ruled"), 404, 409, 422),
        }
    }


DECIDING: Final[dict[str, Part]] = {
    "/v1/decisions/{id}/approve": _post("approve", "Let a decision come into force; its time begins now."),
    "/v1/decisions/{id}/reject": _post(
        "reject", "Refuse a decision that waits; the same is not decided again for 30 days."
    ),
    "/v1/decisions/{id}/undo": _post(
        "undo",
        "End a decision, or take one account out of it; gateways know within two seconds.",
        account=_ACCOUNT,
    ),
}
