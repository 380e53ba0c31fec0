"""The body of a request as a model has it: every field of its kind, and none that would do nothing."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import ValidationError

from stillwatch.app.service.asked import wrong
from stillwatch.app.service.errors import ApiError
from stillwatch.toml_file import Strict

_Model = TypeVar("_Model", bound=Strict)


def read_object(body: bytes, model: type[_Model]) -> _Model:
    """Read the body of a request.

    Raises:
        ApiError: it is no JSON (400), or a field of it is missing, wrong or unknown (422).
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        remedy = "Send an object as /openapi.json describes it."
        raise ApiError(400, "no_json", "the body is no JSON", remedy=remedy) from None
    if not isinstance(told, dict):
        raise wrong("body", "it is no object")
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))[:80]
        what = first["msg"].removeprefix("Value error, ")
        raise wrong(field, f"{what[:1].lower()}{what[1:]}") from None
