"""The fast way through LiteLLM's log: a line whose values are plainly good, decoded without its ballast.

Nine tenths of a StandardLoggingPayload are about the model's price, the key's budget and the upstream's
headers. The structs below name what is read; msgspec checks the rest to be JSON and builds nothing of it.
A value of another type than its struct says, or one that needs a decision, gives None, and then
:func:`stillwatch.ingest.litellm.read` decides: what is good, and the reason where it is not, is decided
there alone. (One thing it sees and msgspec does not: a number beyond the range of a double, in a field
that nobody reads.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw, Struct

from stillwatch.ingest import chat
from stillwatch.ingest.exchange import Exchange
from stillwatch.ingest.format import Plain
from stillwatch.ingest.litellm_words import named_operation, named_status
from stillwatch.ingest.values import Malformed, moment

_NULL: Final = Raw(b"null")
_MAX_INT64: Final = 2**63 - 1
_ERRORS: Final = (msgspec.MsgspecError, Malformed, ValueError, TypeError, RecursionError)


class _Details(Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(Struct, gc=False):
    completion_tokens_details: _Details | None = None


class _Client(Struct, gc=False):
    session_id: str | None = None


class _Metadata(Struct, gc=False):
    user_api_key_hash: str | None = None
    user_api_key_org_id: str | None = None
    user_api_key_team_id: str | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None
    usage_object: _Usage | None = None
    requester_metadata: _Client | None = None


class _Message(Struct, gc=False):
    content: str | None = None


class _Choice(Struct, gc=False):
    message: _Message | None = None
    text: str | None = None


class _Response(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    output: Raw = _NULL
    content: Raw = _NULL


class _Error(Struct, gc=False):
    error_code: str | int | None = None


class _Parameters(Struct, gc=False):
    tools: Any = None
    functions: Any = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    stream: bool | None = None
    logprobs: bool | None = None


class _Payload(Struct, gc=False, kw_only=True):
    litellm_call_id: str
    startTime: int | float  # noqa: N815 - LiteLLM's name
    call_type: str | None = None
    status: str | None = None
    session_id: str | None = None
    model: str | None = None
    model_group: str | None = None
    messages: Raw = _NULL
    response: _Response | None = None
    model_parameters: _Parameters | None = None
    stream: bool | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error_information: _Error | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None


_NO_PARAMETERS: Final = _Parameters()
_NO_RESPONSE: Final = _Response()


def plain(account_fields: Sequence[str]) -> Plain:
    """A reader of lines whose account is in one of ``account_fields``."""
    if not all(field.rpartition(".")[0] in ("", "metadata") for field in account_fields):
        return lambda raw: None
    decode = msgspec.json.Decoder(_payload(account_fields)).decode
    accounts = [attrgetter(_attribute(field)) for field in account_fields]

    def read(raw: bytes) -> Exchange | None:
        if not raw.isascii() and not _is_utf8(raw):  # which msgspec does not ask of what it passes over
            return None
        try:
            return _row(decode(raw), accounts)
        except _ERRORS:
            return None

    return read


def _payload(account_fields: Sequence[str]) -> type[Struct]:
    """The payload with the fields that may name the account beside its own."""
    fields: dict[str, list[tuple[str, Any, Any]]] = {"": [], "metadata": []}
    for field in account_fields:
        place, _, name = field.rpartition(".")
        base = _Metadata if place else _Payload
        if name not in base.__struct_fields__:
            attribute = _attribute(field).rpartition(".")[2]
            fields[place].append((attribute, str | None, msgspec.field(default=None, name=name)))
    metadata = msgspec.defstruct("_Metadata", fields["metadata"], bases=(_Metadata,), gc=False)
    own = [*fields[""], ("metadata", metadata, msgspec.field(default_factory=metadata))]
    return msgspec.defstruct("_Payload", own, bases=(_Payload,), gc=False, kw_only=True)


def _attribute(field: str) -> str:
    """Where a struct has the field: under its own name, or under one that every struct can take."""
    place, _, name = field.rpartition(".")
    base = _Metadata if place else _Payload
    attribute = name if name in base.__struct_fields__ else f"account_{name.encode().hex()}"
    return f"{place}.{attribute}" if place else attribute


def _row(payload: Any, accounts: Sequence[Callable[[object], str | None]]) -> Exchange | None:
    """The row, field by field as ``litellm.read`` has it; None where a value needs that."""
    metadata, parameters = payload.metadata, payload.model_parameters or _NO_PARAMETERS
    response, client = payload.response or _NO_RESPONSE, metadata.requester_metadata
    call, started = payload.litellm_call_id.strip(), moment(payload.startTime, "startTime")
    account = next((found for get in accounts if (found := _named(get(payload)))), None)
    counts = payload.prompt_tokens, payload.completion_tokens, _reasoning_tokens(metadata, response)
    asked = _max_tokens(parameters), parameters.seed, parameters.n
    if not call or account is None or started is None:
        return None
    if not all(count is None or 0 <= count <= _MAX_INT64 for count in (*counts, *asked)):
        return None
    error, address = payload.error_information, payload.requester_ip_address or metadata.requester_ip_address
    return Exchange(
        call,
        started,
        account,
        _named(metadata.user_api_key_hash),
        _named(metadata.user_api_key_org_id),
        _named(metadata.user_api_key_team_id),
        _named(payload.session_id) or _named(client.session_id if client else None),
        named_operation(payload.call_type),
        payload.model_group or payload.model or None,
        _messages(payload.messages),
        chat.tools_json(parameters.tools, parameters.functions),
        _answer(response),
        asked[0],
        parameters.temperature,
        parameters.top_p,
        parameters.seed,
        parameters.n,
        payload.stream if parameters.stream is None else parameters.stream,
        parameters.logprobs,
        *counts,
        named_status(payload.status, error.error_code if error else None),
        address.split(",", 1)[0].strip() or None if address else None,
        None,
        payload.user_agent or metadata.user_agent or None,
    )


def _named(value: str | None) -> str | None:
    return value.strip() or None if value else None


def _messages(raw: Raw) -> str | None:
    """The messages compactly; a list of plain chat messages needs no more."""
    found = orjson.loads(bytes(raw))
    is_chat = type(found) is list and all(type(one) is dict and "role" in one for one in found)
    if is_chat and found and found[0].get("content") != chat.REDACTED:
        return orjson.dumps(found).decode()
    return chat.messages_json(found)


def _answer(response: _Response) -> str | None:
    if response.choices is None:
        held = {"output": response.output, "content": response.content}
        given = {name: orjson.loads(bytes(raw)) for name, raw in held.items() if raw != _NULL}
        return chat.answer_text(given) if given else None
    for choice in response.choices:
        found = choice.message.content if choice.message is not None else choice.text
        if found:
            return found if found != chat.REDACTED else None
    return None


def _max_tokens(parameters: _Parameters) -> int | None:
    if parameters.max_tokens is not None:
        return parameters.max_tokens
    longer = parameters.max_completion_tokens
    return parameters.max_output_tokens if longer is None else longer


def _reasoning_tokens(metadata: _Metadata, response: _Response) -> int | None:
    for usage in (metadata.usage_object, response.usage):
        details = usage.completion_tokens_details if usage is not None else None
        if details is not None and details.reasoning_tokens is not None:
            return details.reasoning_tokens
    return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
