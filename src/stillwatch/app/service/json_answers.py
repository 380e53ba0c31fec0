"""Answers of the API as JSON: times in UTC with a Z, everything else as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

Document = Mapping[str, Any]


def json_answer(document: Document) -> Response:
    """Return an answer that nobody keeps: it tells how things are now."""
    try:
        text = _encoder.encode(document)
    except ValueError:
        text = _encoder.encode(_finite(document))
    return Response(text, 200, {"cache-control": "no-store"}, "application/json")


def moment(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC."""
    told = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return told.isoformat().replace("+00:00", "Z")


_encoder: Final = json.JSONEncoder(
    default=lambda value: _plain(value), separators=(",", ":"), allow_nan=False
)


def _finite(value: Any) -> Any:
    """Return null in the place of what JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return moment(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
