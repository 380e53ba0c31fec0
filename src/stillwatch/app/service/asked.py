"""What a request to the API asks for, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from starlette.requests import Request

from stillwatch.app.service.errors import ApiError
from stillwatch.decisions.decision import Status

MOST: Final = 1000
"""Items on one page at most."""

ANY: Final = "any"
"""Asks for decisions of every status."""

_USUAL: Final = 100
_LONGEST_ID: Final = 1024
_LONGEST: Final = {"by": 200, "note": 2000, "account": _LONGEST_ID}

Item = TypeVar("Item")


class Page(NamedTuple):
    """Which part of a list is asked for."""

    limit: int
    after: str | None  # id of the last item of the page before; None: from the beginning


class Say(NamedTuple):
    """What a person says of a decision."""

    by: str
    note: str
    account: str | None  # the one that is meant; None: all of the decision


def page_of(request: Request) -> Page:
    """Return the page that a query asks for.

    Raises:
        ApiError: the limit is no number in bounds, or there is no such parameter (422).
    """
    told = request.query_params.get("limit", str(_USUAL))
    if not (told.isascii() and told.isdigit() and len(told) < 6 and 1 <= int(told) <= MOST):
        raise wrong("limit", f"it is no number from 1 to {MOST}")
    after = request.query_params.get("after")
    if after is not None and len(after) > _LONGEST_ID:
        raise wrong("after", "it is too long to be an id")
    return Page(int(told), after)


def only(request: Request, *names: str) -> None:
    """Let no parameter pass that would do nothing.

    Raises:
        ApiError: the query has another than these (422).
    """
    for name in request.query_params:
        if name not in names:
            known = f"Parameters are {', '.join(names)}." if names else "There are none."
            raise wrong(name[:40], "there is no such parameter", known)


def statuses_of(request: Request) -> list[Status] | None:
    """Return the statuses that are asked for, those that stand where none is; None: any.

    Raises:
        ApiError: there is no such status (422).
    """
    asked = request.query_params.getlist("status")
    if ANY in asked:
        return None
    try:
        return [Status(each) for each in asked] or [each for each in Status if each.stands]
    except ValueError:
        raise wrong("status", f"it is none of {', '.join((*Status, ANY))}") from None


def cut(items: Sequence[Item], page: Page, id_of: Callable[[Item], str]) -> tuple[list[Item], str | None]:
    """Return a page of a list, and the ``after`` of the next one; None where there is none.

    Raises:
        ApiError: the list has no item of the id that the page is to begin after (422).
    """
    begin = 0
    if page.after is not None:
        places = (number for number, item in enumerate(items) if id_of(item) == page.after)
        begin = next(places, -1) + 1
        if not begin:
            raise wrong("after", "the list has no such item now", "Begin with the first page.")
    found = list(items[begin : begin + page.limit])
    return found, id_of(found[-1]) if begin + page.limit < len(items) else None


def say_of(body: bytes) -> Say:
    """Return what the body of a request says of a decision.

    Raises:
        ApiError: it is no JSON (400), or a field of it is missing, empty, too long or unknown (422).
    """
    told = told_object(body, _LONGEST, '{"by": "kim", "note": "ticket 311"}')
    account = None if told.get("account") is None else text_of(told, "account", _LONGEST)
    return Say(text_of(told, "by", _LONGEST), text_of(told, "note", _LONGEST), account)


def told_object(body: bytes, longest: Mapping[str, int], example: str) -> dict[str, Any]:
    """Return the object that a body holds.

    Args:
        body: of the request.
        longest: its fields, each with the characters that it may have.
        example: of such an object, for who sends none.

    Raises:
        ApiError: it is no JSON (400), no object, or has another field than these (422).
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        remedy = f"Send an object such as {example}."
        raise ApiError(400, "no_json", "the body is no JSON", remedy=remedy) from None
    if not isinstance(told, dict):
        raise wrong("body", "it is no object")
    for name in told:
        if name not in longest:
            raise wrong(str(name)[:40], "there is no such field", f"Fields are {', '.join(longest)}.")
    return told


def text_of(told: Mapping[str, Any], name: str, longest: Mapping[str, int]) -> str:
    """Return a field of an object.

    Raises:
        ApiError: it is missing, empty, too long or no text (422).
    """
    value = told.get(name)
    if not isinstance(value, str) or not value.strip():
        raise wrong(name, "it is missing or empty")
    if len(value) > longest[name]:
        raise wrong(name, f"it is longer than {longest[name]} characters")
    return value


def wrong(field: str, what: str, remedy: str = "See /openapi.json for what it may be.") -> ApiError:
    """An input that cannot be what its sender meant."""
    return ApiError(422, "wrong_input", f"{field}: {what}", remedy=remedy, field=field)
