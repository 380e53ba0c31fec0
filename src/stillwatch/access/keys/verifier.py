"""The verifier: whether the key that a request shows lets it in, and whose it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Final, NamedTuple

from stillwatch.access.keys.dpop import Fault, ProofError, Proofs, Proven
from stillwatch.access.keys.issued import is_within
from stillwatch.access.keys.known import KeySource, KnownKey
from stillwatch.access.keys.nonces import Nonces
from stillwatch.access.keys.pepper import Pepper
from stillwatch.access.keys.refusals import Reason, Refused
from stillwatch.access.keys.replays import OwnReplays, Replays
from stillwatch.access.keys.written import id_of

_NOBODY: Final = bytes(32)


class Shown(NamedTuple):
    """What a request shows, as far as a hop that is trusted vouches for it."""

    key: str
    is_dpop: bool = False  # sent as ``Authorization: DPoP``
    method: str = ""
    path: str = ""  # as the client asked for it
    proofs: Sequence[str] = ()  # values of its DPoP headers
    address: str = ""  # of the client; empty where nobody vouches for one
    certificate: str = ""  # its thumbprint x5t#S256; empty where nobody vouches for one


class Holder(NamedTuple):
    """Whose key it is, and what it may."""

    account_id: str
    key_id: str
    scopes: tuple[str, ...]


class Verifier:
    """Holds keys against those that were issued, in constant time; threads may share it."""

    def __init__(
        self,
        keys: KeySource,
        pepper: Pepper,
        replays: Replays | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Verify.

        Args:
            keys: published or in the database.
            pepper: by which they are hashed.
            replays: remembers DPoP proofs; None: in this process alone.
            clock: seconds since 1970.
        """
        self._keys, self._pepper, self._clock = keys, pepper, clock
        self._proofs = Proofs(replays or OwnReplays(), Nonces(pepper, clock), clock)

    def verify(self, shown: Shown) -> Holder | Refused:
        """Return whose request it is, or why it is turned away.

        What is wrong with a key is told to those alone who have it whole: a guess learns nothing.
        """
        number = id_of(shown.key)
        key = None if number is None else self._keys.find(number)
        kept = _NOBODY if key is None else key.hash
        if not compare_digest(self._pepper.hash(shown.key), kept) or key is None:
            return Refused(Reason.UNKNOWN)
        reason = self._reason(key, shown)
        if reason is None:
            return Holder(key.account_id, key.id, key.scopes)
        nonce = self._proofs.nonces.give() if reason is Fault.NONCE else ""
        return Refused(reason, key.id, key.account_id, nonce)

    def troubles(self) -> dict[str, str]:
        """Return what does not work as it should, by what it is."""
        found = {"keys": self._keys.trouble, "proofs": self._proofs.replays.trouble}
        return {name: trouble for name, trouble in found.items() if trouble}

    def _reason(self, key: KnownKey, shown: Shown) -> Reason | Fault | None:
        if key.revoked:
            return Reason.REVOKED
        if key.expires_at is not None and self._clock() >= key.expires_at:
            return Reason.EXPIRED
        if key.networks and not is_within(shown.address, key.networks):
            return Reason.ADDRESS
        if key.x5t_s256 is not None and key.x5t_s256 != shown.certificate:
            return Reason.CERTIFICATE
        return self._unproven(key, shown)

    def _unproven(self, key: KnownKey, shown: Shown) -> Reason | Fault | None:
        if key.jkt is None:
            return Reason.UNBOUND if shown.is_dpop else None
        if not shown.is_dpop:
            return Reason.UNPROVEN
        proven = Proven(shown.key, key.jkt, shown.method, shown.path)
        try:
            self._proofs.check(shown.proofs, proven, self._keys.rules)
        except ProofError as error:
            return error.fault
        return None
