"""Sign-ups made to order: people with nothing in common over two years, and groups among them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from stillwatch.access.levels import DEFAULT
from stillwatch.access.network_lists import NetworkLists
from stillwatch.access.screening import screen
from stillwatch.contracts import ACCOUNT
from stillwatch.ingest.accounts import FORMAT
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.signups import SignupSketcher

KEY = SketchKey(bytes(range(16)))
START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 500
DAY = START + timedelta(days=400)
"""On which groups sign up."""

_FIRST = ("anna", "ben", "carla", "david", "emil", "fatima", "grace", "hugo", "ines", "jonas", "kim")
_LAST = ("adler", "bauer", "costa", "dubois", "evans", "fischer", "garcia", "haddad", "ivanov", "jensen")
_PROVIDERS = ("gmail.com", "outlook.com", "yahoo.com", "qq.com", "naver.com", "gmx.de")

Row = dict[str, Any]


def person(number: int, at: datetime, **fields: Any) -> Row:
    """Somebody who shares nothing; the same number is the same person."""
    dice = random.Random(number)
    name = dice.choice(("{f}.{l}", "{f}{l}{n}", "{i}{l}{n}", "{l}.{f}", "{f}_{l}{n}"))
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    local = name.format(f=first, l=last, i=first[0], n=dice.randrange(1, 100))
    return {
        "account_id": f"acct-{number}",
        "created_at": at.isoformat(),
        "email": f"{local}@{dice.choice(_PROVIDERS)}",
        "phone": f"+1 555 {number:07}",
        "payment_fingerprint": f"card-{number}",
        "device_fingerprint": f"device-{number}",
        "signup_ip": f"{10 + number % 90}.{number // 90 % 250}.{number % 240}.{1 + number % 200}",
        "plan": "payg",
    } | fields


def people(count: int = 600, first: int = 0) -> list[Row]:
    """People whose sign-ups are spread evenly over all days."""
    return [
        person(number, START + timedelta(days=DAYS * (number - first + 0.5) / count))
        for number in range(first, first + count)
    ]


def group(count: int, *, hours: float = 20.0, first: int = 100_000, **fields: Any) -> list[Row]:
    """Sign up so many within some hours; a field that can be called gives each its own value."""
    return [
        person(
            first + place,
            DAY + timedelta(hours=hours * place / count),
            **{name: value(place) if callable(value) else value for name, value in fields.items()},
        )
        for place in range(count)
    ]


def sketched(
    rows: Iterable[Row], lists: NetworkLists | None = None, answering: Iterable[str] = ()
) -> pa.Table:
    """Account records as SIGNUP rows, in their order."""
    accounts = [(*FORMAT.read(row, FORMAT.account_fields), "made", place) for place, row in enumerate(rows)]
    columns = zip(*accounts, strict=True)
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, ACCOUNT, strict=True)]
    records = pa.RecordBatch.from_arrays(arrays, schema=ACCOUNT)
    kinds = (lists or NetworkLists()).kinds(records["signup_ip"])
    return pa.Table.from_batches([SignupSketcher(KEY, answering).signups(records, kinds)])


def screened(rows: Iterable[Row], **how: Any) -> dict[str, Row]:
    """What screening says of each account among ordinary people, by its id."""
    lists, answering = how.pop("lists", None), how.pop("answering", ())
    table = sketched([*people(), *rows], lists, answering)
    return {row["account_id"]: row for row in screen(table, how.pop("levels", DEFAULT), **how).to_pylist()}


def asked(found: dict[str, Row], rows: Iterable[Row]) -> float:
    """Which share of some accounts is asked for more."""
    own = [found[row["account_id"]]["asked_more"] for row in rows]
    return sum(own) / len(own)
