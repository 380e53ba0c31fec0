"""The outbox: what is to be told, in the database until its receiver has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from secrets import token_hex
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, case, delete, func, insert, select, update

from stillwatch.access.signals.outbox_tables import OUTBOX, STREAMS, TOLD
from stillwatch.access.signals.security_event import SecurityEvent
from stillwatch.access.signals.signals_file import SignalsFile, Stream
from stillwatch.access.signals.standing import Standing
from stillwatch.access.signals.vocabulary import VERIFICATION, Risk, Signal, Told
from stillwatch.persistence.database import Database

_FEW: Final = 500  # values that are named in a query


class StreamStatus(StrEnum):
    """Whether a stream's receiver wants its events now (SSF 1.0, section 8.1.2)."""

    ENABLED = "enabled"
    PAUSED = "paused"  # they wait
    DISABLED = "disabled"  # what happens meanwhile is not kept for it


class Status(NamedTuple):
    """The status of a stream, and why its receiver chose it."""

    status: StreamStatus
    reason: str


@dataclass(frozen=True)
class Queued:
    """A token that waits, before it is signed."""

    number: int
    jti: str
    account_id: str  # empty: it is of the stream itself
    event: str
    claims: Mapping[str, Any]
    transaction: str
    made_at: datetime

    def token_of(self, stream: Stream, issuer: str) -> SecurityEvent:
        """Return the token for its receiver; the same whenever it is asked for."""
        own = {"format": "opaque", "id": stream.name}
        return SecurityEvent(
            issuer=issuer,
            id=self.jti,
            issued_at=self.made_at,
            audience=(stream.audience,),
            subject=stream.subjects.name(self.account_id) if self.account_id else own,
            events={self.event: self.claims},
            transaction=self.transaction,
        )


class Outbox:
    """What waits for receivers; several threads and processes may use it at once."""

    def __init__(self, database: Database, file: SignalsFile) -> None:
        """Use a database whose tables are there, for the streams of ``file``."""
        self._database, self._file = database, file

    def tell(self, told: Iterable[Told], at: datetime) -> int:
        """Put events in for every stream that wants them; return how many tokens that makes.

        Raises:
            StoreError: the database is away; nothing was kept. So of all that follow.
        """
        with self._database.writing() as connection:
            return self.put(connection, told, at)

    def put(self, connection: Connection, told: Iterable[Told], at: datetime) -> int:
        """Put events in, in a transaction that is open."""
        stands = _statuses(connection)
        wanting = [
            stream
            for stream in self._file.streams
            if stands.get(stream.name, _ENABLED).status is not StreamStatus.DISABLED
        ]
        rows = [
            _row(stream.name, each.account_id, each.signal.uri, each.claims, each.transaction, at)
            for each in told
            for stream in wanting
            if each.signal in stream.events
        ]
        if rows:
            connection.execute(insert(OUTBOX), rows)
        return len(rows)

    def verify(self, stream: Stream, state: str | None, at: datetime) -> None:
        """Put in what shows a receiver that its stream works (SSF 1.0, section 8.1.4)."""
        claims = {} if state is None else {"state": state}
        with self._database.writing() as connection:
            connection.execute(insert(OUTBOX), [_row(stream.name, "", VERIFICATION, claims, "", at)])

    def waiting(self, stream: str, most: int) -> list[Queued]:
        """Return what is to be sent next, oldest first, of each account the oldest alone.

        Receivers that take several at once would else not know in which order they came.
        """
        first = (
            select(func.min(OUTBOX.c.number))
            .where(OUTBOX.c.stream == stream, OUTBOX.c.err == "")
            .group_by(OUTBOX.c.account_id)
            .order_by(func.min(OUTBOX.c.number))
            .limit(most)
        )
        with self._database.reading() as connection:
            numbers = connection.execute(first).scalars().all()
            asked = select(OUTBOX).where(OUTBOX.c.number.in_(numbers)).order_by(OUTBOX.c.number)
            return [_queued(row) for row in connection.execute(asked).mappings()]

    def acknowledge(self, stream: str, jtis: Collection[str]) -> int:
        """Remove what a receiver has; return how many there were. What is not there is had already."""
        return self._each(jtis, lambda part: delete(OUTBOX).where(_own(stream, part)))

    def refuse(self, stream: str, jti: str, err: str, description: str) -> int:
        """Set aside what a receiver will not have, with what it said; it is not sent again by itself."""
        told = {"err": err or "unknown", "description": description}
        return self._each([jti], lambda part: update(OUTBOX).where(_own(stream, part)).values(told))

    def retry(self, stream: str | None = None) -> int:
        """Let what was set aside wait again; return how many there were."""
        aside = update(OUTBOX).where(OUTBOX.c.err != "").values(err="", description="")
        with self._database.writing() as connection:
            return connection.execute(
                aside if stream is None else aside.where(OUTBOX.c.stream == stream)
            ).rowcount

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return of each stream how many wait, and how many its receiver would not have."""
        aside = func.sum(case((OUTBOX.c.err == "", 0), else_=1))
        asked = select(OUTBOX.c.stream, func.count(), aside).group_by(OUTBOX.c.stream)
        told = {stream.name: (0, 0) for stream in self._file.streams}
        with self._database.reading() as connection:
            for stream, count, refused in connection.execute(asked):
                told[stream] = count - int(refused), int(refused)
        return told

    def status(self, stream: str) -> Status:
        """Return whether a stream is enabled."""
        with self._database.reading() as connection:
            return _statuses(connection).get(stream, _ENABLED)

    def set_status(self, connection: Connection, stream: str, status: Status, at: datetime) -> None:
        """Keep what a receiver chose; what waits for a stream that it disabled is removed."""
        connection.execute(delete(STREAMS).where(STREAMS.c.stream == stream))
        row = {"stream": stream, "status": status.status.value, "reason": status.reason, "changed_at": at}
        connection.execute(insert(STREAMS).values(row))
        if status.status is StreamStatus.DISABLED:
            connection.execute(delete(OUTBOX).where(OUTBOX.c.stream == stream))

    def _each(self, jtis: Collection[str], statement: Any) -> int:
        named, count = list(jtis), 0
        if not named:
            return 0
        with self._database.writing() as connection:
            for begin in range(0, len(named), _FEW):
                count += connection.execute(statement(named[begin : begin + _FEW])).rowcount
        return count


_ENABLED: Final = Status(StreamStatus.ENABLED, "")


def told_of(connection: Connection) -> dict[str, Standing]:
    """Return what receivers were told of accounts."""
    rows = connection.execute(select(TOLD)).mappings()
    return {
        row["account_id"]: Standing(
            Risk(row["level"]), frozenset(map(Signal, row["asks"])), row["decision_id"]
        )
        for row in rows
    }


def keep_told(connection: Connection, standings: Mapping[str, Standing]) -> None:
    """Keep what receivers are told of some accounts in the place of what they were told before."""
    forget_told(connection, standings)
    rows = [
        {
            "account_id": account,
            "level": each.level.value,
            "asks": sorted(signal.value for signal in each.asks),
            "decision_id": each.decision_id,
        }
        for account, each in standings.items()
        if not each.is_ordinary
    ]
    if rows:
        connection.execute(insert(TOLD), rows)


def forget_told(connection: Connection, accounts: Collection[str]) -> None:
    """Keep nothing of what was told of some accounts."""
    named = list(accounts)
    for begin in range(0, len(named), _FEW):
        connection.execute(delete(TOLD).where(TOLD.c.account_id.in_(named[begin : begin + _FEW])))


def forget_accounts(connection: Connection, accounts: Sequence[str]) -> None:
    """Let no trace of some accounts stay, in what waits for receivers neither."""
    forget_told(connection, accounts)
    for begin in range(0, len(accounts), _FEW):
        connection.execute(delete(OUTBOX).where(OUTBOX.c.account_id.in_(accounts[begin : begin + _FEW])))


def named_in(connection: Connection, accounts: Sequence[str]) -> dict[str, int]:
    """Return how many rows name each of some accounts; nothing of those that none names."""
    found: Counter[str] = Counter()
    for begin in range(0, len(accounts), _FEW):
        for table in (TOLD, OUTBOX):
            own = table.c.account_id.in_(accounts[begin : begin + _FEW])
            found.update(connection.execute(select(table.c.account_id).where(own)).scalars())
    return dict(found)


def _statuses(connection: Connection) -> dict[str, Status]:
    rows = connection.execute(select(STREAMS)).mappings()
    return {row["stream"]: Status(StreamStatus(row["status"]), row["reason"]) for row in rows}


def _own(stream: str, jtis: Sequence[str]) -> Any:
    return (OUTBOX.c.stream == stream) & OUTBOX.c.jti.in_(jtis)


def _row(
    stream: str, account_id: str, event: str, claims: Mapping[str, Any], transaction: str, at: datetime
) -> dict[str, Any]:
    return {
        "stream": stream,
        "jti": token_hex(16),
        "account_id": account_id,
        "event": event,
        "claims": dict(claims),
        "txn": transaction,
        "made_at": at,
        "err": "",
        "description": "",
    }


def _queued(row: RowMapping) -> Queued:
    return Queued(
        row["number"],
        row["jti"],
        row["account_id"],
        row["event"],
        row["claims"],
        row["txn"],
        row["made_at"],
    )
