"""What a gate process needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stillwatch.access.keys.trusted import Trusted
from stillwatch.app.service.desk import Desk
from stillwatch.app.service.key_check import KeyCheck, key_check
from stillwatch.enforce.guard import Guard
from stillwatch.enforce.identity import AccountOf, by_hashed_key, by_hop, first_of, nobody
from stillwatch.enforce.keys import KeyFile
from stillwatch.enforce.links import LinkFile
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.shared_budgets import budgets_for


@dataclass(frozen=True)
class GateSettings:
    """What a gate process needs to know."""

    snapshot: Path  # the file that the service writes
    outcomes: Path | None = None  # folder for what became of decisions
    host: str = "127.0.0.1"
    port: int = 8787
    grpc_port: int | None = 8788  # None: no gRPC
    processes: int = 1  # gates that serve the same accounts; among them budgets are divided without Redis
    redis: str = ""  # URL of the server through which budgets are shared
    keys: Path | None = None  # key file: whose each API key is
    identity_header: str = ""  # a header in which a trusted hop names the account
    trusted_hops: tuple[str, ...] = ()  # addresses or networks of such hops
    link_key: Path | None = None  # key of step-up links, once there is one
    metadata: str = ""  # where Envoy's filters leave the account, as NAMESPACE:NAME.NAME
    account_key: str | None = None  # field of LiteLLM's log that names the account
    issued_keys: Path | None = None  # published file of keys that stillwatch issued; None: it issues none
    key_pepper: Path | None = None  # by which they are hashed; needed with them
    address_header: str = ""  # in which a trusted hop names the client's address
    certificate_header: str = ""  # in which one names its certificate
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def identity(self, keys: KeyFile | None) -> AccountOf:
        """Return what tells whose request it is; a header that no hop was trusted for is not looked at."""
        ways: list[AccountOf] = []
        if self.identity_header and self.trusted_hops:
            ways.append(by_hop(self.identity_header, self.trusted_hops))
        if keys is not None:
            ways.append(by_hashed_key(keys))
        return first_of(*ways) if ways else nobody

    def desk(self) -> Desk:
        """Return the desk that rules by these settings."""
        budgets = budgets_for(self.redis, self.processes)
        links = None if self.link_key is None else LinkFile(self.link_key)
        guard = Guard(self.snapshot, processes=self.processes, budgets=budgets, links=links)
        keys = None if self.keys is None else KeyFile(self.keys)
        return Desk(guard, self.identity(keys), Outcomes(self.outcomes), self.key_check(), keys)

    def key_check(self) -> KeyCheck | None:
        """Return what keys that stillwatch issued are held against.

        Raises:
            KeyFileError: their pepper cannot be read or made.
        """
        if self.issued_keys is None or self.key_pepper is None:
            return None
        trusted = Trusted(
            self.trusted_hops,
            address_header=self.address_header,
            certificate_header=self.certificate_header,
        )
        return key_check(self.issued_keys, self.key_pepper, self.redis, self.processes, trusted)
