"""Routes that records come in by."""

from __future__ import annotations

from typing import Final

from stillwatch.app.service.openapi.parts import TEXT, Part, answers, in_query, one_of, ref, refusal
from stillwatch.ingest.formats import FORMATS
from stillwatch.ingest.pushed import AUTO

_BYTES: Final[Part] = {"type": "string", "format": "binary"}
_KINDS: Final = (
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.stream",
    "application/octet-stream",
)
_FORMAT: Final = in_query("format", "Of the records; `auto` tells it from the first.", one_of(*FORMATS, AUTO))
_KEY: Final = in_query("account_key", "Field that names the account.", TEXT)


def _post(name: str, words: str, *parameters: Part) -> Part:
    content = {kind: {"schema": {} if kind.endswith("json") else _BYTES} for kind in _KINDS}
    return {
        "post": {
            "operationId": name,
            "summary": words,
            "description": "Wants a token with the scope `ingest`. What it is, is told from the content, "
            "plain or gzip. Records that cannot be read are turned away one by one.",
            "tags": ["receiving"],
            "parameters": list(parameters),
            "requestBody": {"required": True, "content": content},
            "responses": answers(ref("Receipt")),
        }
    }


def _traces() -> Part:
    protobuf, json = "application/x-protobuf", "application/json"
    refusals = {
        str(status): {**refusal(status), "content": {protobuf: {"schema": _BYTES}, json: {"schema": {}}}}
        for status in (400, 401, 403, 408, 413, 415, 429, 503)
    }
    kinds = {protobuf: {"schema": _BYTES}, json: {"schema": {"type": "object"}}}
    return {
        "post": {
            "operationId": "traces",
            "summary": "Spans by OTLP over HTTP (ExportTraceServiceRequest).",
            "description": "Wants a token with the scope `ingest`.",
            "tags": ["receiving"],
            "requestBody": {"required": True, "content": kinds},
            "responses": {
                "200": {"description": "ExportTraceServiceResponse.", "content": kinds},
                **refusals,
            },
        }
    }


RECEIVING: Final[dict[str, Part]] = {
    "/v1/traces": _traces(),
    "/v1/logs/litellm": _post(
        "litellm_logs", "Records that LiteLLM's `generic_api` callback posts.", _FORMAT, _KEY
    ),
    "/v1/exchanges": _post("exchanges", "Requests to a model, as a table or in a format.", _FORMAT, _KEY),
    "/v1/accounts": _post("account_records", "Account records, as a table."),
    "/v1/account-events": _post("account_events", "Account events, as rows or as OCSF events."),
}
