"""The API of keys at the access door: made, rotated, revoked, listed, verified and forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from stillwatch.access.keys.certificates import thumbprint_of
from stillwatch.access.keys.refusals import Refused
from stillwatch.access.keys.store import Made
from stillwatch.access.keys.verifier import Shown, Verifier
from stillwatch.access.keys.wanted import wanted
from stillwatch.app.key_desk import KeyDesk, key_desk
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.asked import only, page_of, wrong
from stillwatch.app.service.authorising import ACCESS
from stillwatch.app.service.doors import Doors
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.places import ISSUED_KEYS
from stillwatch.app.service.slowing import Rate, slowed
from stillwatch.app.service.strict_body import read_object
from stillwatch.contracts import UsageError
from stillwatch.toml_file import Strict

LONGEST_LIFE: Final = 10 * 366 * 86_400
"""Seconds that a key holds at most, where it is to end."""

_FAILURES: Final = 30

By = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Note = Annotated[str, Field(max_length=2000)]
Text = Annotated[str, Field(max_length=8192)]
Account = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]
Texts = Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=100)]


class AskedKey(Strict):
    """A key that is to be made."""

    account_id: Account
    by: By
    name: Annotated[str, Field(max_length=1024)] = ""
    scopes: Texts = ()
    networks: Texts = ()
    jkt: Text | None = None
    x5t_s256: Text | None = None
    expires_in_seconds: Annotated[int, Field(ge=1, le=LONGEST_LIFE)] | None = None


class AskedRotation(Strict):
    """A key that is to take the place of another."""

    by: By
    note: Note = ""
    overlap_seconds: Annotated[int, Field(ge=0, le=90 * 86_400)] | None = None


class AskedRevocation(Strict):
    """A key that is to be taken back."""

    by: By
    note: Annotated[Note, Field(min_length=1, pattern=r"\S")]


class AskedForgetting(Strict):
    """An account whose keys are to be removed."""

    account_id: Account
    by: By


class AskedVerification(Strict):
    """What a request shows that the provider's own gateway asks about."""

    key: Text
    scheme: Literal["Bearer", "DPoP"] = "Bearer"
    method: Annotated[str, Field(max_length=40)] = ""
    path: Text = ""
    dpop: Annotated[tuple[Text, ...], Field(max_length=4)] = ()
    address: Annotated[str, Field(max_length=100)] = ""
    certificate: Text = ""


Work = Callable[[KeyDesk, Request, bytes], Document]


def key_routes(desk: AccessDesk) -> list[BaseRoute]:
    """Return the routes of keys; all of them want a token of the scope ``access``.

    Raises:
        StillwatchError: the pepper cannot be read or made, the database is away, or verifiers cannot be told.
    """
    published = desk.state / ISSUED_KEYS
    keys = key_desk(desk.database, desk.audit, desk.key_pepper, published, desk.file.keys)
    keys.publish()
    doors = Doors(slowed(desk.authorise, Rate(_FAILURES, 60)))

    def route(method: str, path: str, work: Work) -> Route:
        return Route(path, doors.door(ACCESS, partial(_told, work, keys)), methods=[method])

    verifier = keys.verifier(desk.redis)
    return [
        route("POST", "/v1/keys", _create),
        route("GET", "/v1/keys", _list),
        route("POST", "/v1/keys/verify", partial(_verify, verifier)),
        route("POST", "/v1/keys/forget", _forget),
        route("GET", "/v1/keys/{id}", _show),
        route("POST", "/v1/keys/{id}/rotate", _rotate),
        route("POST", "/v1/keys/{id}/revoke", _revoke),
    ]


def _told(work: Work, keys: KeyDesk, request: Request, body: bytes) -> Document:
    """Work, and tell of a field that cannot be what its sender meant as the API tells of it."""
    try:
        return work(keys, request, body)
    except UsageError as error:
        raise wrong(error.field or "body", error.what, f"{error.remedy}.") from None


def _create(keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request)
    asked, now = read_object(body, AskedKey), datetime.now(UTC)
    lasts = asked.expires_in_seconds
    key = wanted(
        asked.account_id,
        asked.name,
        scopes=asked.scopes,
        networks=asked.networks,
        jkt=asked.jkt,
        x5t_s256=asked.x5t_s256,
        expires_at=None if lasts is None else now + timedelta(seconds=lasts),
        now=now,
    )
    return _made(keys.create(key, asked.by))


def _rotate(keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request)
    asked = read_object(body, AskedRotation)
    overlap = None if asked.overlap_seconds is None else timedelta(seconds=asked.overlap_seconds)
    return _made(keys.rotate(request.path_params["id"], overlap, asked.by, asked.note))


def _revoke(keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request)
    asked = read_object(body, AskedRevocation)
    return {"key": keys.revoke(request.path_params["id"], asked.by, asked.note).document()}


def _forget(keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request)
    asked = read_object(body, AskedForgetting)
    return {"account_id": asked.account_id, "removed": keys.forget([asked.account_id], asked.by)}


def _show(keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request)
    return {"key": keys.store.get(request.path_params["id"]).document()}


def _list(keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request, "account", "limit", "after")
    page, account = page_of(request), request.query_params.get("account")
    found = keys.store.page(account, page.after or "", page.limit + 1)
    shown = found[: page.limit]
    following = shown[-1].id if len(found) > page.limit else None
    return {"keys": [key.document() for key in shown], "next": following}


def _verify(verifier: Verifier, keys: KeyDesk, request: Request, body: bytes) -> Document:
    only(request)
    asked = read_object(body, AskedVerification)
    certificate = thumbprint_of(asked.certificate) or ""
    is_dpop = asked.scheme == "DPoP"
    shown = Shown(asked.key, is_dpop, asked.method, asked.path, asked.dpop, asked.address, certificate)
    found = verifier.verify(shown)
    told: dict[str, Any] = {"holds": not isinstance(found, Refused)}
    told |= {"account_id": found.account_id or None, "key_id": found.key_id or None}
    if isinstance(found, Refused):
        answer = {"status": found.status, "headers": dict(found.headers), "body": found.body.decode()}
        return {**told, "scopes": [], "reason": found.reason.value, "answer": answer}
    return {**told, "scopes": list(found.scopes), "reason": None, "answer": None}


def _made(made: Made) -> Document:
    return {"key": made.key.document(), "secret": made.secret}
