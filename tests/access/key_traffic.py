"""What the requests of one key look like: of crowds that share it, and of honest people who seem to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from stillwatch.contracts import SKETCH

START = datetime(2026, 4, 22, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

Send = Callable[..., None]
Case = Callable[[Send], None]


def traffic(*cases: Case) -> pa.Table:
    """Return the sketches of keys that are used like this; each key's account is called as its case is."""
    rows: list[dict[str, Any]] = []
    for number, case in enumerate(sorted(cases, key=lambda each: each.__name__)):
        _write(rows, case, 2**63 + sum(map(ord, case.__name__)) * 1000, number)
    columns = {field.name: [row.get(field.name, _empty(field)) for row in rows] for field in SKETCH}
    return pa.table(columns, schema=SKETCH)


def _write(rows: list[dict[str, Any]], case: Case, key: int, number: int) -> None:
    def send(at: datetime, network: int, client: int, asn: int | None = None, status: int = 200) -> None:
        row = {"exchange_id": f"{number}-{len(rows)}", "timestamp": at, "account_id": case.__name__}
        row |= {"key_fp": key, "network_fp": network, "client_fp": client, "tls_fp": client % 3}
        rows.append(row | {"asn": asn, "status": status})

    case(send)


def _empty(field: pa.Field) -> Any:
    if field.nullable:
        return None
    return [] if pa.types.is_list(field.type) else 0


def a_key_in_a_forum(send: Send) -> None:
    """Thirty strangers, each at home, some with the same program."""
    dice = Random(1)
    for day in range(4):
        for stranger in range(30):
            begins = START + day * DAY + 18 * HOUR + dice.randrange(60) * MINUTE
            for number in range(12):
                send(begins + number * 2 * MINUTE, network=stranger, client=stranger % 9, asn=stranger % 5)


def a_key_that_a_station_resells(send: Send) -> None:
    """Six customers round the clock, of whom the log names no operator of a network."""
    for hour in range(72):
        for customer in range(6):
            send(START + hour * HOUR + customer * MINUTE, network=customer, client=10 + customer)


def runners(send: Send) -> None:
    """CI jobs, a few at once, each on a machine that is new: one client, four requests a run."""
    dice = Random(2)
    for run in range(120):
        begins = START + dice.randrange(10 * 24 * 60) * MINUTE
        for number in range(4):
            send(begins + number * MINUTE / 2, network=1000 + run, client=1, asn=8075)


def runners_of_many_clients(send: Send) -> None:
    """The same of a key that twelve kinds of jobs use, one at a time."""
    for run in range(120):
        for number in range(4):
            send(START + run * HOUR + number * MINUTE, network=run, client=run % 12, asn=run % 4)


def a_laptop_that_moves(send: Send) -> None:
    """Home, train, office, train, home; a telephone beside it."""
    for day in range(10):
        for hour in range(8, 22):
            at = START + day * DAY + hour * HOUR
            send(at, network=(1, 2, 3)[hour // 8], client=1, asn=hour // 8)
            send(at + MINUTE, network=50, client=2, asn=9)


def a_traveller(send: Send) -> None:
    """Twelve hotels and back: networks come back and are there for days."""
    for day in range(24):
        for hour in range(4):
            send(START + day * DAY + hour * HOUR, network=day % 12, client=1, asn=day % 12)


def an_office(send: Send) -> None:
    """Forty colleagues behind one address."""
    for day in range(5):
        for colleague in range(40):
            for hour in range(9, 17):
                send(START + day * DAY + hour * HOUR + colleague * MINUTE / 5, network=7, client=colleague)


def a_carrier_that_changes_addresses(send: Send) -> None:
    """One telephone whose every request comes from another address of its carrier."""
    for number in range(400):
        send(START + number * 5 * MINUTE, network=number % 60, client=1, asn=1)


def a_pool_of_proxies(send: Send) -> None:
    """Each request from a network of its own: odd, and no crowd."""
    for number in range(60):
        send(START + number * HOUR, network=number, client=number % 4, asn=number % 9)


def services_in_one_cloud(send: Send) -> None:
    """Six services of one customer in six regions of one cloud."""
    for hour in range(100):
        for service in range(6):
            send(START + hour * HOUR, network=service, client=service, asn=16509)


def a_demonstration(send: Send) -> None:
    """Five people try one key in one afternoon, and never again."""
    for minute in range(0, 120, 3):
        for person in range(5):
            send(START + minute * MINUTE, network=person, client=person, asn=person)


def guesses(send: Send) -> None:
    """Strangers who have its name and not the key: all are refused."""
    for hour in range(72):
        send(START + hour * HOUR, network=1, client=1)
        for stranger in range(2, 12):
            send(START + hour * HOUR, network=stranger, client=stranger, status=401)


SHARED = (a_key_in_a_forum, a_key_that_a_station_resells)
HONEST: dict[Case, str | None] = {
    runners: "runners",
    runners_of_many_clients: "runners",
    a_laptop_that_moves: None,
    a_traveller: "moving",
    an_office: None,
    a_carrier_that_changes_addresses: "moving",
    a_pool_of_proxies: "rotating",
    services_in_one_cloud: None,
    a_demonstration: None,
    guesses: None,
}
"""What each is told as; None: it is not told of at all."""
