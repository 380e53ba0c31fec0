"""What the doors of shared signals work with, and the threads that send and fetch beside them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from stillwatch.access.signals.believing import Issuers
from stillwatch.access.signals.outbox import Outbox
from stillwatch.access.signals.signals_file import SignalsFile, read_signals_file
from stillwatch.access.signals.signing_keys import SigningKeys
from stillwatch.app.decision_store import AUDIT
from stillwatch.app.service.authorising import Authorise
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.room import Room
from stillwatch.app.service.signal_delivery import Delivery
from stillwatch.app.service.signal_polling import Polling
from stillwatch.app.service.signal_taking import Taking
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database
from stillwatch.settings import ServeSettings

_REQUESTS: Final = 64
_BYTES: Final = 2**24
_THREADS: Final = 8
PATIENCE: Final = 25.0
"""Seconds for which a receiver that polls is held back: less than proxies wait for an answer."""


class Worker(Protocol):
    """What runs beside the doors."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


@dataclass(frozen=True)
class SignalDesk:
    """The signals file, the outbox, the keys to sign with, whose tokens are believed, and who may ask."""

    file: SignalsFile
    database: Database
    outbox: Outbox
    keys: SigningKeys
    taking: Taking
    audit: AuditLog
    authorise: Authorise
    patience: float = PATIENCE
    room: Room = field(default_factory=lambda: Room(_REQUESTS, _BYTES))
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "signals"))

    @classmethod
    def of(
        cls, file: SignalsFile, state: Path, store: str | Path, receiver: Receiver, authorise: Authorise
    ) -> SignalDesk:
        """Return the desk of a state folder; the judge makes the tables of the database."""
        database = Database(address_of(store))
        return cls(
            file,
            database,
            Outbox(database, file),
            SigningKeys(state),
            Taking(Issuers(file.issuers), receiver),
            AuditLog(state / AUDIT),
            authorise,
        )

    def workers(self) -> list[Worker]:
        """Return what pushes to receivers, and what polls issuers; nothing is started."""
        pushed = [stream for stream in self.file.streams if stream.push is not None]
        polled = [issuer for issuer in self.file.issuers if issuer.poll is not None]
        return [
            *(Delivery(stream, self.file, self.outbox, self.keys) for stream in pushed),
            *(Polling(issuer, self.taking) for issuer in polled),
        ]


def signal_desk(settings: ServeSettings, receiver: Receiver, authorise: Authorise) -> SignalDesk | None:
    """Return the desk of a service; None where it has no signals file.

    Raises:
        InputError: the signals file is wrong.
    """
    if settings.signals is None:
        return None
    file = read_signals_file(settings.signals)
    return SignalDesk.of(file, settings.state, settings.store, receiver, authorise)
