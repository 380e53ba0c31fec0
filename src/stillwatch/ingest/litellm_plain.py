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
from stillwatch.ingest.lines import Block
from stillwatch.ingest.litellm_words import named_operation, named_status
from stillwatch.ingest.values import EARLIEST_EXCHANGE, Malformed, moment, now

_NULL: Final = Raw(b"null")
_MAX_INT64: Final = 2**63 - 1
_LONG_AFTER: Final = 1e12  # seconds since 1970; of larger numbers the microseconds may be infinite
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
    messages: Any = None
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
    if not all(map(_is_plain, account_fields)):
        return lambda block: [None] * block.size
    decoder = msgspec.json.Decoder(_payload(account_fields))
    accounts = [attrgetter(_attribute(field)) for field in account_fields]

    def read(block: Block) -> Sequence[Exchange | None]:
        payloads = _payloads(decoder, block)
        try:
            return [_row(payload, accounts) for payload in payloads]
        except _ERRORS:  # one of them is not plain: which?
            return [_row_or_none(payload, accounts) for payload in payloads]

    return read


def _is_plain(field: str) -> bool:
    """Whether a struct can have the field; JSON would write some signs of a name in more than one way."""
    odd = any(sign in '\\"' or sign < " " or "\ud800" <= sign <= "\udfff" for sign in field)
    return field.rpartition(".")[0] in ("", "metadata") and not odd


def _payloads(decoder: msgspec.json.Decoder[Any], block: Block) -> Sequence[Any]:
    """The payload of each line; None for a line that is none, or not a plain one."""
    is_text = block.raw.isascii() or _is_utf8(block.raw)  # msgspec does not ask what it passes over
    try:
        found = decoder.decode_lines(block.raw) if is_text else []
    except _ERRORS:
        found = []
    if len(found) == block.size:  # else there are blank lines, which count as lines
        return found
    return [_payload_of(decoder, line.raw) for line in block.each()]


def _payload_of(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    try:
        return decoder.decode(raw) if _is_utf8(raw) else None
    except _ERRORS:
        return None


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


def _row_or_none(payload: Any, accounts: Sequence[Callable[[object], str | None]]) -> Exchange | None:
    try:
        return _row(payload, accounts)
    except _ERRORS:
        return None


def _row(payload: Any, accounts: Sequence[Callable[[object], str | None]]) -> Exchange | None:
    """The row, field by field as ``litellm.read`` has it; None, or an error, where a value needs that."""
    if payload is None:
        return None
    metadata, parameters = payload.metadata, payload.model_parameters or _NO_PARAMETERS
    response, client = payload.response or _NO_RESPONSE, metadata.requester_metadata
    call, started = payload.litellm_call_id.strip(), _started(payload.startTime)
    account = _account(payload, accounts)
    longest, reasoning = _max_tokens(parameters), _reasoning_tokens(metadata, response)
    counts = payload.prompt_tokens, payload.completion_tokens, reasoning
    if not call or account is None or started is None:
        return None
    for count in (*counts, longest, parameters.seed, parameters.n):
        if count is not None and not 0 <= count <= _MAX_INT64:
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
        _tools(parameters) if parameters.tools or parameters.functions else None,
        _answer(response),
        longest,
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


def _started(seconds: float) -> int | None:
    """As ``moment`` has it, which decides where the number is not plainly seconds."""
    found = round(seconds * 1_000_000) if 0 < seconds < _LONG_AFTER else 0
    return found if EARLIEST_EXCHANGE <= found <= now() else moment(seconds, "startTime")


def _account(payload: Any, accounts: Sequence[Callable[[object], str | None]]) -> str | None:
    for get in accounts:
        found = _named(get(payload))
        if found:
            return found
    return None


def _named(value: str | None) -> str | None:
    return value.strip() or None if value else None


def _messages(found: object) -> str | None:
    """The messages compactly; a list of plain chat messages needs no more."""
    written = orjson.dumps(found)  # raises on numbers that the whole parser takes for others
    if type(found) is not list or not found:
        return chat.messages_json(found)
    for one in found:
        if type(one) is not dict or "role" not in one or one.get("content") == chat.REDACTED:
            return chat.messages_json(found)
    return written.decode()


def _tools(parameters: _Parameters) -> str | None:
    orjson.dumps((parameters.tools, parameters.functions))
    return chat.tools_json(parameters.tools, parameters.functions)


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
