"""Account records: the product's own account table, and exports of LiteLLM's user table.

Both are one row per account as Parquet, CSV or JSON lines; only the account's id must be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from stillwatch.contracts import ACCOUNT
from stillwatch.ingest import columns, table
from stillwatch.ingest.columns import Column
from stillwatch.ingest.exchange import Account
from stillwatch.ingest.format import Columns, Format, account_of
from stillwatch.ingest.values import Record

_ATTRIBUTES: Final = (  # in the order of the contract, from created_at on
    Column(columns.ACCOUNT_MOMENT, ("created_at",)),
    Column(columns.TEXT, ("email", "user_email")),
    Column(columns.TEXT, ("phone", "phone_number")),
    Column(columns.TEXT, ("payment_fingerprint",)),
    Column(columns.TEXT, ("device_fingerprint",)),
    Column(columns.TEXT, ("signup_ip", "signup_address")),
    Column(columns.TEXT, ("country",)),
    Column(columns.TEXT, ("plan",)),
    Column(columns.TEXT, ("programme", "program")),
    Column(columns.TEXT, ("organization", "organization_id")),
    Column(columns.LEVEL, ("verification_level",)),
    Column(columns.DOMAIN_MOMENT, ("domain_registered_at",)),
    Column(columns.DAYS, ("domain_age_days",)),
)
_ACCOUNT_FIELDS: Final = ("account_id", "user_id")
NAMES: Final = columns.known_names(_ATTRIBUTES) | set(_ACCOUNT_FIELDS)

_EXAMPLE: Final = (
    '{"account_id":"acct_1","created_at":"2026-01-01T00:00:00Z","email":"someone@example.org",'
    '"signup_ip":"192.0.2.7","country":"KR","plan":"payg"}'
)


def recognises(record: Record) -> bool:
    """Whether a record describes an account: it names one, and no request."""
    return any(field in record for field in _ACCOUNT_FIELDS) and not {"messages", "startTime"} & record.keys()


def is_likely(record: Record) -> bool:
    """Whether a record in no format of a log is an account's: it has more of its fields than of a log's."""
    own = len(NAMES & record.keys())
    return recognises(record) and own > 2 and own > len(table.NAMES & record.keys())


def read(record: Record, account_fields: Sequence[str]) -> Account:
    """A row of an account table.

    Raises:
        Malformed: the account is missing, or a value is not of its column's type.
    """
    return Account._make((account_of(record, account_fields), *(column.of(record) for column in _ATTRIBUTES)))


def read_columns(batch: pa.RecordBatch, account_fields: Sequence[str]) -> pa.RecordBatch | None:
    """A batch of the table as columns of ``ACCOUNT``; None where a value needs :func:`read`."""
    account = Column(columns.IDENTIFIER, tuple(account_fields), required=True)
    return columns.checked(batch, (account, *_ATTRIBUTES), ACCOUNT)


FORMAT: Final = Format(
    name="accounts",
    summary="account records: stillwatch's own table or LiteLLM's user table, as Parquet, CSV or JSON lines",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
    columns=Columns(names=NAMES, read=read_columns),
)
