"""``POST /v1/signups``: what to ask of a new account, at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pyarrow as pa
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from stillwatch.access.network_lists import NetworkLists
from stillwatch.access.signup_memory import SignupMemory
from stillwatch.app.campaign_accounts import JudgedAccounts
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.asked import only, wrong
from stillwatch.app.service.authorising import ACCESS
from stillwatch.app.service.doors import Doors
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.places import JUDGED
from stillwatch.contracts import ACCOUNT
from stillwatch.ingest.accounts import FORMAT, NAMES
from stillwatch.ingest.exchange import Account
from stillwatch.ingest.values import Malformed
from stillwatch.sketch.signups import SignupSketcher

MOST: Final = 1000
"""Sign-ups of one request."""

_LONGEST_ID: Final = 1024
_LONGEST_NAME: Final = 80
_BETWEEN: Final = 60.0
"""Seconds between two looks for what is too old to be kept."""


def signup_routes(desk: AccessDesk) -> list[BaseRoute]:
    """Return the routes that screen sign-ups.

    Raises:
        InputError: a list of networks that the access file names cannot be read.
    """
    screening = Screening(desk)
    return [Route("/v1/signups", Doors(desk.authorise).door(ACCESS, screening.answer), methods=["POST"])]


class Screening:
    """Reads sign-ups, sketches them, and asks the memory."""

    def __init__(self, desk: AccessDesk) -> None:
        """Read the operator's lists."""
        self._asked = desk.file.signups
        self._audit = desk.audit
        self._memory = SignupMemory(desk.database, desk.file.levels)
        self._networks = NetworkLists(self._asked.networks, self._asked.asn_database)
        self._sketcher = SignupSketcher(desk.key, self._asked.answering)
        self._campaigns = JudgedAccounts(desk.state / JUDGED)
        self._expired = 0.0

    def answer(self, request: Request, body: bytes) -> Document:
        """Answer one sign-up with what is asked of it, or many with a list; those that cannot be read apart.

        Raises:
            ApiError: the body is no JSON (400), no sign-up, or more than :data:`MOST` of them (422).
            StoreError: the database is away; nothing was kept.
        """
        only(request)
        told = _json(body)
        if isinstance(told, dict):
            return self._one(told)
        if not isinstance(told, list) or not 1 <= len(told) <= MOST:
            raise wrong("body", f"it is no sign-up and no list of 1 to {MOST:,} of them")
        return self._many(told)

    def _one(self, told: Mapping[str, Any]) -> Document:
        try:
            account = _account(told)
        except Malformed as error:
            raise wrong(error.field, str(error).removeprefix(f"{error.field}: ")) from None
        return self._screen([account])[0]

    def _many(self, told: list[Any]) -> Document:
        accounts, rejected = list[Account](), list[dict[str, Any]]()
        for place, each in enumerate(told):
            try:
                accounts.append(_account(each))
            except Malformed as error:
                rejected.append({"index": place, "reason": str(error)})
        return {"signups": self._screen(accounts), "rejected": rejected}

    def _screen(self, accounts: list[Account]) -> list[dict[str, Any]]:
        if not accounts:
            return []
        now = datetime.now(UTC)
        self._let_go(now)
        columns = [*zip(*accounts, strict=True), ["api"] * len(accounts), range(1, len(accounts) + 1)]
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, ACCOUNT, strict=True)]
        records = pa.RecordBatch.from_arrays(arrays, schema=ACCOUNT)
        signups = self._sketcher.signups(records, self._networks.kinds(records["signup_ip"]))
        table = pa.Table.from_batches([signups])
        return self._memory.screen(table, now, self._audit, self._campaigns.accounts())

    def _let_go(self, now: datetime) -> None:
        """Forget some of what is older than the access file lets be kept, now and then."""
        if time.monotonic() - self._expired >= _BETWEEN or not self._expired:
            self._expired = time.monotonic()
            self._memory.expire(now - timedelta(days=self._asked.remember_days))


def _account(told: Any) -> Account:
    """Read a sign-up as a row of an account table; one field that would do nothing refuses it.

    Raises:
        Malformed: a field is unknown, the account is missing, or a value is not of its column's type.
    """
    if not isinstance(told, dict):
        raise Malformed("body", "expected an object, found another value")
    unknown = sorted(told.keys() - NAMES)
    if unknown:
        raise Malformed(unknown[0][:_LONGEST_NAME], "it is no field of a sign-up")
    account = Account._make(FORMAT.read(told, FORMAT.account_fields))
    if len(account.account_id) > _LONGEST_ID:
        raise Malformed("account_id", f"expected at most {_LONGEST_ID:,} characters")
    return account


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        remedy = 'Send an object such as {"account_id": "acct-1", "email": "someone@example.com"}.'
        raise ApiError(400, "no_json", "the body is no JSON", remedy=remedy) from None
