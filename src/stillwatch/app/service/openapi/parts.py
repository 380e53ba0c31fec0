"""Pieces that the descriptions of many routes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stillwatch.app.service.asked import MOST

Part = dict[str, Any]

_WORDS: Final = {
    400: "The body or the request as a whole cannot be read.",
    401: "There is no token, or none that holds.",
    403: "The token has not the scope.",
    404: "There is none of this id.",
    408: "The body did not come in time.",
    409: "The decision as it stands does not admit of it.",
    413: "The body is too large.",
    415: "The body is in an encoding that is not read.",
    422: "A field or parameter is wrong; `field` names it.",
    429: "Too often or too much at once.",
    500: "A defect.",
    503: "Database, audit log, inbox or disk is away or full; nothing was changed.",
}
_AGAIN: Final = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}}


def ref(name: str) -> Part:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def answers(schema: Part, *errors: int) -> Part:
    """Describe a JSON answer, and the errors there may be beside those of every route."""
    told: Part = {"200": {"description": "It is so.", "content": {"application/json": {"schema": schema}}}}
    for status in sorted({400, 401, 403, 408, 413, 415, 429, 503, *errors}):
        told[str(status)] = refusal(status)
    return told


def refusal(status: int) -> Part:
    """Describe an error."""
    told: Part = {
        "description": _WORDS[status],
        "content": {"application/json": {"schema": ref("Error")}},
    }
    return told | ({"headers": _AGAIN} if status in (408, 429, 503) else {})


def in_path(name: str, words: str) -> Part:
    """Describe an id in a path."""
    schema = {"type": "string", "minLength": 1, "maxLength": 1024}
    return {"name": name, "in": "path", "required": True, "description": words, "schema": schema}


def in_query(name: str, words: str, schema: Part, **more: Any) -> Part:
    """Describe a parameter."""
    return {"name": name, "in": "query", "description": words, "schema": schema, **more}


PAGE: Final = [
    in_query(
        "limit",
        "Items on a page.",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100},
    ),
    in_query("after", "`next` of the page before.", {"type": "string", "maxLength": 1024}),
]


def row(**fields: Part) -> Part:
    """Describe an object of which every field is there."""
    return {"type": "object", "required": list(fields), "properties": fields}


def listed(item: Part) -> Part:
    """Describe a list."""
    return {"type": "array", "items": item}


def maybe(schema: Mapping[str, Any]) -> Part:
    """Describe what may be null."""
    if "type" in schema and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}


TEXT: Final[Part] = {"type": "string"}
COUNT: Final[Part] = {"type": "integer", "minimum": 0}
NUMBER: Final[Part] = {"type": "number"}
TRUTH: Final[Part] = {"type": "boolean"}
TIME: Final[Part] = {"type": "string", "format": "date-time"}
SHARE: Final[Part] = {"type": "number", "minimum": 0, "maximum": 1}
SCORES: Final[Part] = {"type": "object", "additionalProperties": NUMBER}
TEXTS: Final[Part] = {"type": "object", "additionalProperties": TEXT}
COUNTS: Final[Part] = {"type": "object", "additionalProperties": COUNT}


def one_of(*words: str) -> Part:
    """Describe one of some words."""
    return {"type": "string", "enum": list(words)}
