"""Envoy's external processing: rules on a request and, where less is to be returned, rewrites both ways.

A request of whom nothing is decided costs one message: bodies come only where Envoy is asked for them, by
the mode that the answer to the headers sets. An answer that is streamed is rewritten line by line as it
passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as messages
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc
from envoy.type.v3 import http_status_pb2

from stillwatch.access.keys.refusals import Refused
from stillwatch.app.service.desk import Desk
from stillwatch.app.service.envoy_identity import MetadataPath, account_by_metadata, scope_of
from stillwatch.app.service.forward_auth import ACTION, Judged, announced
from stillwatch.app.service.key_check import UNAUTHORIZED, answer_of
from stillwatch.enforce.answers import Answer, refusal
from stillwatch.enforce.guard import Ruling
from stillwatch.enforce.reduction import (
    HEADER,
    Streamed,
    limit_of,
    reduced_answer_body,
    reduced_request_body,
)

_Mode = processing_mode_pb2.ProcessingMode


def _mode(answer: int) -> Any:
    """Return what Envoy is asked for of a request whose answer is to be reduced."""
    return _Mode(
        request_header_mode=_Mode.SEND,
        request_body_mode=_Mode.BUFFERED,
        response_header_mode=_Mode.SEND,
        response_body_mode=answer,
    )


_WHOLE: Final = _mode(_Mode.BUFFERED)
_PIECES: Final = _mode(_Mode.STREAMED)
_OVERWRITE = base_pb2.HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_LENGTH: Final = "content-length"
_STREAM: Final = "text/event-stream"
_JSON: Final = "application/json"
_MOST_BODY: Final = 2**20 - 2**16
"""Bytes of a request that Envoy holds as it is set up; of a longer one it waits for the rest for ever."""

_TOO_LONG: Final = Answer(
    413,
    (("content-type", "application/json"),),
    b'{"error": {"message": "The request is too large.", "type": "invalid_request_error"}}',
)


class Processor(external_processor_pb2_grpc.ExternalProcessorServicer):  # type: ignore[misc]
    """Rules on requests and reduces what a decision asks to reduce."""

    def __init__(self, desk: Desk, metadata: MetadataPath | None = None) -> None:
        """Answer from this desk.

        Args:
            desk: rules.
            metadata: where one of Envoy's filters leaves the account; None to go by headers.
        """
        self._desk, self._metadata = desk, metadata

    async def Process(  # noqa: N802 - the name in Envoy's interface
        self,
        request_iterator: AsyncIterator[messages.ProcessingRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[messages.ProcessingResponse]:
        """Serve one request: a message for each part of it that Envoy was asked for."""
        ruling, streamed = Ruling("allow", ""), Streamed()
        answers, limit = "", ""
        async for part in request_iterator:
            kind = part.WhichOneof("request")
            if kind == "request_headers":
                judged = self._judged(part, context.peer())
                if isinstance(judged, Answer):
                    yield _immediate(judged, UNAUTHORIZED)
                    continue
                account, ruling = judged
                limit = limit_of(_named(part.request_headers, ":path"))
                length = _named(part.request_headers, _LENGTH)
                too_long = ruling.action == "reduce" and length.isdigit() and int(length) > _MOST_BODY
                yield _immediate(_TOO_LONG, ruling.action) if too_long else self._begun(ruling, account)
            elif kind == "request_body":
                most = ruling.terms.max_tokens if ruling.terms else 0
                yield _rewritten(kind, reduced_request_body(part.request_body.body, most, limit))
            elif kind == "response_headers":
                answers = _named(part.response_headers, "content-type")
                yield _announced(answers)
            elif kind == "response_body" and answers.startswith(_STREAM):
                body = part.response_body
                yield _passed(streamed.take(body.body, ends=body.end_of_stream))
            elif kind == "response_body" and not answers.startswith(_JSON):
                yield messages.ProcessingResponse(response_body=messages.BodyResponse())
            elif kind == "response_body":
                yield _rewritten(kind, reduced_answer_body(part.response_body.body))
            else:
                yield messages.ProcessingResponse(**{kind: messages.TrailersResponse()})

    def _judged(self, part: messages.ProcessingRequest, peer: str) -> Judged | Answer:
        headers = [(each.key, _value(each)) for each in part.request_headers.headers.headers]
        call_id = next((value for name, value in headers if name == "x-request-id"), "")
        scope, asked = scope_of(headers, peer), dict(headers)
        holder = self._desk.holder(scope, asked.get(":method", ""), asked.get(":path", ""))
        if isinstance(holder, Refused):
            return answer_of(holder)
        if holder is not None:
            account: str | None = holder.account_id
        elif self._metadata is not None:
            account = account_by_metadata(part.metadata_context.filter_metadata, self._metadata)
        else:
            account = self._desk.identity(scope)
        return Judged(account, self._desk.rule(account, call_id))

    def _begun(self, ruling: Ruling, account: str | None) -> messages.ProcessingResponse:
        """Answer the headers of a request: refuse it, ask for its body, or let it go on."""
        refused = refusal(ruling)
        if refused is not None:
            return _immediate(refused, ruling.action)
        told = _options([*announced(ruling), *self._desk.naming(account)])
        mutation = messages.HeaderMutation(set_headers=told)
        if ruling.action != "reduce":
            common = messages.CommonResponse(header_mutation=mutation)
            return messages.ProcessingResponse(request_headers=messages.HeadersResponse(response=common))
        mutation.remove_headers.extend(["accept-encoding", _LENGTH])  # a compressed answer could not be read
        common = messages.CommonResponse(header_mutation=mutation)
        return messages.ProcessingResponse(
            request_headers=messages.HeadersResponse(response=common), mode_override=_WHOLE
        )


def _value(header: Any) -> str:
    return header.raw_value.decode("latin-1") if header.raw_value else str(header.value)


def _immediate(refused: Answer, action: str) -> messages.ProcessingResponse:
    headers = _options([*refused.headers, (ACTION, action)])
    response = messages.ImmediateResponse(
        status=http_status_pb2.HttpStatus(code=refused.status),
        headers=messages.HeaderMutation(set_headers=headers),
        body=refused.body,
        details="stillwatch",
    )
    return messages.ProcessingResponse(immediate_response=response)


def _named(headers: messages.HttpHeaders, name: str) -> str:
    return next((_value(each) for each in headers.headers.headers if each.key == name), "")


def _announced(kind: str) -> messages.ProcessingResponse:
    """Announce that less is returned, and ask for the answer: an object whole, anything else in pieces."""
    if not kind.startswith((_STREAM, _JSON)):
        return messages.ProcessingResponse(response_headers=messages.HeadersResponse(), mode_override=_PIECES)
    mutation = messages.HeaderMutation(set_headers=_options([HEADER]), remove_headers=[_LENGTH])
    common = messages.CommonResponse(header_mutation=mutation)
    return messages.ProcessingResponse(
        response_headers=messages.HeadersResponse(response=common),
        mode_override=_PIECES if kind.startswith(_STREAM) else _WHOLE,
    )


def _rewritten(kind: str, body: bytes) -> messages.ProcessingResponse:
    """Put another body in the place of a whole one, with its length."""
    length = _options([(_LENGTH, str(len(body)))])
    common = messages.CommonResponse(
        body_mutation=messages.BodyMutation(body=body),
        header_mutation=messages.HeaderMutation(set_headers=length),
    )
    return messages.ProcessingResponse(**{kind: messages.BodyResponse(response=common)})


def _passed(body: bytes) -> messages.ProcessingResponse:
    mutation = messages.BodyMutation(body=body) if body else messages.BodyMutation(clear_body=True)
    common = messages.CommonResponse(body_mutation=mutation)
    return messages.ProcessingResponse(response_body=messages.BodyResponse(response=common))


def _options(headers: list[tuple[str, str]]) -> list[base_pb2.HeaderValueOption]:
    """Return headers that take the place of those of the same name; Envoy reads their raw form alone here."""
    return [
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, raw_value=value.encode()), append_action=_OVERWRITE
        )
        for name, value in headers
    ]
