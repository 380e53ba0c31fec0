"""Answers of the API as JSON: times in UTC with a Z, everything else as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

Document = Mapping[str, Any]


def json_answer(document: Document) -> Response:
    """Return an answer that nobody keeps: it tells how things are now."""
    text = json.dumps(document, default=_plain, separators=(",", ":"), allow_nan=False)
    return Response(text, 200, {"cache-control": "no-store"}, "application/json")


def moment(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC."""
    told = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return told.isoformat().replace("+00:00", "Z")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return moment(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
