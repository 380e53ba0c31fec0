"""The product's own exchange table: one row per request, from Parquet, CSV or JSON lines without a mapping.

Only ``timestamp`` and ``account_id`` must be there. ``messages`` and ``tools`` are JSON text (or lists).
Columns that are not known are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from stillwatch.contracts import EXCHANGE
from stillwatch.ingest import columns
from stillwatch.ingest.columns import Column
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Columns, Format, account_of
from stillwatch.ingest.values import Record

_ID: Final = Column(columns.IDENTIFIER, ("exchange_id", "request_id"))
_TIMESTAMP: Final = Column(columns.MOMENT, ("timestamp",), required=True)
_OTHERS: Final = (  # in the order of the contract, from key_id on
    Column(columns.IDENTIFIER, ("key_id", "api_key_id")),
    Column(columns.IDENTIFIER, ("organization_id", "organization")),
    Column(columns.IDENTIFIER, ("team_id", "team")),
    Column(columns.IDENTIFIER, ("conversation_id", "session_id")),
    Column(columns.TEXT, ("operation",)),
    Column(columns.TEXT, ("model",)),
    Column(columns.JSON, ("messages",)),
    Column(columns.JSON, ("tools",)),
    Column(columns.TEXT, ("answer",)),
    Column(columns.COUNT, ("max_tokens",)),
    Column(columns.NUMBER, ("temperature",)),
    Column(columns.NUMBER, ("top_p",)),
    Column(columns.WHOLE, ("seed",)),
    Column(columns.COUNT, ("choice_count", "n")),
    Column(columns.FLAG, ("stream",)),
    Column(columns.FLAG, ("logprobs",)),
    Column(columns.COUNT, ("input_tokens",)),
    Column(columns.COUNT, ("output_tokens",)),
    Column(columns.COUNT, ("reasoning_tokens",)),
    Column(columns.STATUS, ("status",)),
    Column(columns.TEXT, ("client_address", "ip")),
    Column(columns.ASN, ("asn",)),
    Column(columns.TEXT, ("user_agent",)),
    Column(columns.TEXT, ("tls_fingerprint", "ja4")),
)
_ACCOUNT_FIELDS: Final = ("account_id",)
_NESTED: Final = ("request", "response", "choices", "body")

_EXAMPLE: Final = (
    '{"timestamp":"2026-01-01T00:00:00.250000Z","request_id":"req_1","account_id":"acct_1",'
    '"api_key_id":"key_1","model":"large","messages":"[{\\"role\\":\\"user\\",\\"content\\":\\"Hello\\"}]",'
    '"input_tokens":12,"output_tokens":40,"status":200,"ip":"192.0.2.7","asn":64496,'
    '"user_agent":"openai-python/2.5","ja4":"t13d1516h2_8daaf6152771"}'
)


def recognises(record: Record) -> bool:
    """Whether a record is a row of this table."""
    return {"timestamp", "account_id"} <= record.keys() and not any(name in record for name in _NESTED)


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A row of the table as an exchange.

    Raises:
        Malformed: timestamp or account is missing, or a value is not of its column's type.
    """
    account = account_of(record, account_fields)
    row = (_ID.of(record), _TIMESTAMP.of(record), account, *(column.of(record) for column in _OTHERS))
    return identified(Exchange._make(row))


def read_columns(batch: pa.RecordBatch, account_fields: Sequence[str]) -> pa.RecordBatch | None:
    """A batch of the table as columns of ``EXCHANGE``; None where a value needs :func:`read`."""
    if any("." in field and field not in batch.schema.names for field in account_fields):
        return None
    account = Column(columns.IDENTIFIER, tuple(account_fields), required=True)
    identity = _ID._replace(required=True)  # a missing id is derived, record by record
    return columns.checked(batch, (identity, _TIMESTAMP, account, *_OTHERS), EXCHANGE)


NAMES: Final = columns.known_names((_ID, _TIMESTAMP, *_OTHERS)) | set(_ACCOUNT_FIELDS)

FORMAT: Final = Format(
    name="table",
    summary="stillwatch's own exchange table, as Parquet, CSV or JSON lines",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
    columns=Columns(names=NAMES, read=read_columns),
)
