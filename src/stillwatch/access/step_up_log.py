"""What people did in step-up, as the audit log has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.logged import log_change


class StepUpLog:
    """Writes entries that name an account by a keyed digest.

    The log can never be shortened, and most who step up are honest: once an account is forgotten, nothing may
    say that it was here. With the sketch key an entry can still be matched with an account that is named.
    """

    def __init__(self, audit: AuditLog, digest: Callable[[bytes], str]) -> None:
        """Write to ``audit``; ``digest`` is a keyed hash."""
        self.audit, self._digest = audit, digest

    def name(self, account_id: str) -> str:
        """Return what the log calls an account."""
        return self._digest(b"step-up account\0" + account_id.encode("utf-8", "surrogatepass"))

    def holder(self, *who: str) -> str:
        """Return the keyed hash of a person as a provider knows them."""
        return self._digest(b"step-up holder\0" + "\0".join(who).encode("utf-8", "surrogatepass"))

    def tell(self, kind: str, account_id: str, **entry: Any) -> None:
        """Add an entry about an account; call it before what it tells of is committed.

        Raises:
            StoreError: it cannot be written.
            AuditError: the log is broken.
        """
        log_change(self.audit, kind, {"account": self.name(account_id), **entry})
