"""The desk that every door of the gate asks: it rules, tells what became of it, and counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from stillwatch.access.keys.refusals import Refused
from stillwatch.access.keys.verifier import Holder
from stillwatch.app.service.key_check import KeyCheck, named
from stillwatch.enforce.asgi import Scope
from stillwatch.enforce.guard import Guard, Ruling
from stillwatch.enforce.identity import AccountOf, nobody
from stillwatch.enforce.keys import KeyFile
from stillwatch.enforce.outcomes import Outcomes


@dataclass
class Desk:
    """What all doors of one gate process share."""

    guard: Guard
    identity: AccountOf = nobody
    outcomes: Outcomes = field(default_factory=Outcomes)
    keys: KeyCheck | None = None  # that stillwatch issued; None: it issues none
    key_file: KeyFile | None = None  # by which identity knows keys of others; None: it knows none
    asked: int = 0  # requests
    unidentified: int = 0  # of nobody known: nothing can be decided of them
    unauthorised: int = 0  # from a gateway without a token that holds

    def rule(
        self, account_id: str | None, call_id: str = "", *, cannot: frozenset[str] = frozenset()
    ) -> Ruling:
        """Return what happens to a request, and tell it.

        Args:
            account_id: whose it is; None where nobody knows.
            call_id: the gateway's id of it.
            cannot: actions that the gateway has no way to carry out; they are told as skipped.
        """
        self.asked += 1
        if account_id is None:
            self.unidentified += 1
        ruling = self.guard.rule(account_id)
        if ruling.terms is not None and account_id is not None:
            skipped = f"skipped(this gateway cannot {ruling.action})" if ruling.action in cannot else ""
            self.outcomes.tell(account_id, ruling, call_id, skipped)
        return ruling

    def holder(
        self, scope: Scope, method: str, path: str, address: str = "", certificate: str = ""
    ) -> Holder | Refused | None:
        """Return what :meth:`KeyCheck.holder` does; None where stillwatch issues no keys."""
        if self.keys is None:
            return None
        found = self.keys.holder(scope, method, path, address, certificate)
        self.asked += isinstance(found, Refused)
        return found

    def naming(self, account_id: str | None) -> list[tuple[str, str]]:
        """Return the header that names the account of a request which goes on, where keys are issued."""
        return [] if self.keys is None else [named(account_id)]

    def troubles(self) -> dict[str, str]:
        """Return what does not work as it should, by what it is; nothing where all does."""
        found = {
            "snapshot": self.guard.current.trouble,
            "service": "it has not renewed the snapshot for a while" if self.guard.is_stale else "",
            "key file": "" if self.key_file is None else self.key_file.refresh().trouble,
            "budgets": self.guard.budgets.trouble,
            "outcomes": self.outcomes.trouble,
            "links": "" if self.guard.links is None else self.guard.links.trouble,
            **({} if self.keys is None else self.keys.troubles()),
        }
        return {name: trouble for name, trouble in found.items() if trouble}
