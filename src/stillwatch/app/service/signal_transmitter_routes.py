"""The transmitter's routes (SSF 1.0): what it is, its streams, and tokens for who polls them (RFC 8936)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stillwatch.access.signals.outbox import Queued, Status, StreamStatus
from stillwatch.access.signals.refusal import Err
from stillwatch.access.signals.security_event import sign
from stillwatch.access.signals.signals_file import Stream
from stillwatch.app.service.authorising import SIGNALS
from stillwatch.app.service.bodies import read_body
from stillwatch.app.service.doors import told_by
from stillwatch.app.service.errors import ApiError, answered
from stillwatch.app.service.json_answers import Document, json_answer
from stillwatch.app.service.signal_desk import SignalDesk
from stillwatch.contracts import StillwatchError, UnknownSubjectError

PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"

Work = Callable[[SignalDesk, Request, bytes], Response]
"""Answers a receiver, in a thread; may wait for the database."""

_MOST: Final = 100
_BODY: Final = 2**20
_SECONDS: Final = 10.0
_LOOK: Final = 0.5
_LONGEST_STATE: Final = 1024
_LONGEST_REASON: Final = 500


def transmitter_routes(desk: SignalDesk) -> list[BaseRoute]:
    """Return the routes of receivers, which show a token of the scope ``signals``."""

    def door(path: str, *methods: str, work: Work) -> Route:
        return Route(path, _door(desk, work), methods=list(methods))

    async def configuration(request: Request) -> Response:
        return json_answer(configuration_document(desk.file.issuer))

    async def keys(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        return json_answer(await loop.run_in_executor(None, _published, desk))

    async def poll(request: Request) -> Response:
        return await _poll(desk, request)

    return [
        Route("/.well-known/ssf-configuration", configuration, methods=["GET"]),
        Route("/ssf/jwks.json", keys, methods=["GET"]),
        door("/ssf/streams", "GET", work=_streams),
        door("/ssf/status", "GET", "POST", work=_status),
        door("/ssf/verify", "POST", work=_verify),
        Route("/ssf/poll/{stream}", poll, methods=["POST"]),
    ]


def _door(desk: SignalDesk, work: Work) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of some work on the database, for receivers alone."""

    async def endpoint(request: Request) -> Response:
        try:
            desk.authorise(request, SIGNALS)
            with desk.room.place() as place:
                body = await read_body(request, place, _BODY, _SECONDS)
                return await asyncio.get_running_loop().run_in_executor(desk.pool, work, desk, request, body)
        except ApiError as error:
            return answered(error)
        except StillwatchError as error:
            return answered(told_by(error))

    return endpoint


def configuration_document(issuer: str) -> dict[str, Any]:
    """Return the transmitter's configuration metadata (SSF 1.0, section 7.1)."""
    return {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": f"{issuer}/ssf/jwks.json",
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": f"{issuer}/ssf/streams",
        "status_endpoint": f"{issuer}/ssf/status",
        "verification_endpoint": f"{issuer}/ssf/verify",
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6750"}],
        "default_subjects": "ALL",
    }


def stream_document(stream: Stream, issuer: str) -> dict[str, Any]:
    """Return a stream's configuration (SSF 1.0, section 8.1.1); the signals file says all of it."""
    events = [signal.uri for signal in stream.events]
    endpoint = stream.push or f"{issuer}/ssf/poll/{stream.name}"
    return {
        "stream_id": stream.name,
        "iss": issuer,
        "aud": stream.audience,
        "delivery": {"method": PUSH if stream.push else POLL, "endpoint_url": endpoint},
        "events_supported": events,
        "events_requested": events,
        "events_delivered": events,
    }


def _published(desk: SignalDesk) -> Document:
    desk.keys.current(desk.file.algorithm)  # made before the first token is signed with it
    return desk.keys.published()


def _streams(desk: SignalDesk, request: Request, body: bytes) -> Response:
    """Return the stream that is asked for, or a list of all."""
    asked, issuer = request.query_params.get("stream_id"), desk.file.issuer
    if asked is not None:
        return json_answer(stream_document(_stream(desk, asked), issuer))
    return JSONResponse([stream_document(stream, issuer) for stream in desk.file.streams])


def _status(desk: SignalDesk, request: Request, body: bytes) -> Response:
    if request.method == "POST":
        return json_answer(_set_status(desk, body))
    stream = _stream(desk, request.query_params.get("stream_id"))
    return json_answer(_status_document(stream, desk.outbox.status(stream.name)))


def _set_status(desk: SignalDesk, body: bytes) -> Document:
    told = _object(body)
    stream = _stream(desk, told.get("stream_id"))
    try:
        wanted = StreamStatus(str(told.get("status")))
    except ValueError:
        raise _wrong("status", f"it is none of {', '.join(StreamStatus)}") from None
    reason = told.get("reason")
    status = Status(wanted, reason[:_LONGEST_REASON] if isinstance(reason, str) else "")
    now = datetime.now(UTC)
    with desk.database.writing() as connection:
        desk.outbox.set_status(connection, stream.name, status, now)
        told_log = {"stream": stream.name, "status": wanted.value, "reason": status.reason}
        desk.audit.append("stream", told_log)
    return _status_document(stream, status)


def _verify(desk: SignalDesk, request: Request, body: bytes) -> Response:
    told = _object(body)
    state = told.get("state")
    if state is not None and (not isinstance(state, str) or len(state) > _LONGEST_STATE):
        raise _wrong("state", f"it is no text of at most {_LONGEST_STATE} characters")
    desk.outbox.verify(_stream(desk, told.get("stream_id")), state, datetime.now(UTC))
    return Response(status_code=204)


async def _poll(desk: SignalDesk, request: Request) -> Response:
    """Answer a receiver that polls; where nothing waits, hold its request back unless it asks otherwise."""
    loop = asyncio.get_running_loop()
    try:
        desk.authorise(request, SIGNALS)
        with desk.room.place() as place:
            asked = _object(await read_body(request, place, _BODY, _SECONDS))
            stream = _stream(desk, request.path_params["stream"])
            most, patient = _asked(asked)
            await loop.run_in_executor(desk.pool, _settle, desk, stream, asked)
            deadline = loop.time() + (desk.patience if patient and most else 0.0)
            while True:
                found = await loop.run_in_executor(desk.pool, desk.outbox.waiting, stream.name, most + 1)
                if found or loop.time() >= deadline:
                    return json_answer(
                        await loop.run_in_executor(desk.pool, _sets, desk, stream, found, most)
                    )
                await asyncio.sleep(min(_LOOK, max(deadline - loop.time(), 0.0)))
    except ApiError as error:
        return answered(error)
    except StillwatchError as error:
        return answered(told_by(error))


def _asked(asked: Mapping[str, Any]) -> tuple[int, bool]:
    """Return how many tokens are wanted at most, and whether the receiver waits for one."""
    most, at_once = asked.get("maxEvents", _MOST), asked.get("returnImmediately", False)
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise _wrong("maxEvents", "it is no number of 0 or more")
    if not isinstance(at_once, bool):
        raise _wrong("returnImmediately", "it is neither true nor false")
    return min(most, _MOST), not at_once


def _settle(desk: SignalDesk, stream: Stream, asked: Mapping[str, Any]) -> None:
    """Take what the receiver says of tokens that it was given."""
    acks, errs = asked.get("ack", []), asked.get("setErrs", {})
    if not isinstance(acks, list) or not all(isinstance(jti, str) for jti in acks):
        raise _wrong("ack", "it is no list of jti")
    if not isinstance(errs, dict) or not all(isinstance(each, dict) for each in errs.values()):
        raise _wrong("setErrs", "it is no object of errors by jti")
    desk.outbox.acknowledge(stream.name, acks)
    for jti, told in errs.items():
        err, words = str(told.get("err") or Err.INVALID_REQUEST.value), str(told.get("description") or "")
        desk.outbox.refuse(stream.name, jti, err[:_LONGEST_REASON], words[:_LONGEST_REASON])


def _sets(desk: SignalDesk, stream: Stream, found: list[Queued], most: int) -> Document:
    if desk.outbox.status(stream.name).status is not StreamStatus.ENABLED:
        return {"sets": {}, "moreAvailable": False}
    key = desk.keys.current(desk.file.algorithm)
    tokens = {each.jti: sign(each.token_of(stream, desk.file.issuer), key) for each in found[:most]}
    return {"sets": tokens, "moreAvailable": len(found) > most}


def _status_document(stream: Stream, status: Status) -> dict[str, Any]:
    told = {"stream_id": stream.name, "status": status.status.value}
    return told | ({"reason": status.reason} if status.reason else {})


def _stream(desk: SignalDesk, name: Any) -> Stream:
    found = desk.file.stream(name) if isinstance(name, str) else None
    if name is None and len(desk.file.streams) == 1:
        return desk.file.streams[0]
    if found is None:
        raise UnknownSubjectError(f"there is no stream {str(name)[:64]!r}", remedy="See /ssf/streams")
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ApiError(400, "no_json", "the body is no JSON", remedy="Send an object.") from None
    if not isinstance(told, dict):
        raise _wrong("body", "it is no object")
    return told


def _wrong(field: str, what: str) -> ApiError:
    return ApiError(400, "wrong_input", f"{field}: {what}", remedy="See SSF 1.0 and RFC 8936.", field=field)
