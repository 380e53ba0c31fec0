"""The guard: what happens to a request, by the decision that is in force for its account."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.enforce.budgets import Budget, Budgets
from stillwatch.enforce.links import LinkFile
from stillwatch.enforce.snapshot import Current, Terms

LOOK_EVERY: Final = 0.5
"""Seconds between two looks for a newer snapshot: what is undone is undone within them."""

STALE_AFTER: Final = 180.0
"""Seconds without a sign of the service after which it counts as gone; it renews the snapshot each minute."""

_HELD_OVER: Final = 86_400.0
"""Seconds that a decision which is to fail closed outlives its expiry while the service is gone."""

_ALLOW: Final = "allow"
_REFUSING: Final = frozenset({"verify", "block"})


class Ruling(NamedTuple):
    """What happens to one request."""

    action: str  # allow, throttle, verify, reduce or block
    outcome: str  # enforced, observed, or skipped and why; empty where nothing was decided of the account
    terms: Terms | None = None
    retry_after: float = 0.0  # seconds, where a budget is used up


_NOTHING: Final = Ruling(_ALLOW, "")


class Guard:
    """Rules on requests from the newest snapshot, and goes on from it while nobody renews it."""

    def __init__(
        self,
        snapshot: Path,
        *,
        processes: int = 1,
        budgets: Budget | None = None,
        links: LinkFile | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Rule by the file ``snapshot``, which need not be there yet.

        Args:
            snapshot: where the service puts decisions.
            processes: how many processes serve the same accounts: a campaign's budget is shared out.
            budgets: where they share it instead.
            links: makes the links under which an account proves who uses it.
            clock: seconds since 1970, for what expires.
            ticks: seconds that only go forward, for budgets and for looking again.
        """
        self.current = Current(snapshot)
        self.budgets: Budget = budgets or Budgets(processes, ticks)
        self.links = links
        self._clock, self._ticks = clock, ticks
        self._looked = ticks()

    @property
    def is_stale(self) -> bool:
        """Whether the service that renews the snapshot has not been heard of for a while."""
        return self._clock() - self.current.renewed > STALE_AFTER

    def rule(self, account_id: str | None) -> Ruling:
        """Return what happens to a request of this account; of nobody known nothing was decided."""
        now = self._ticks()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self.current.refresh()
        held = self.current.held
        terms = None if held is None or account_id is None else held.find(account_id)
        if terms is None or account_id is None:
            return _NOTHING
        ruling = self._ruling(terms)
        return self._with_link(ruling, account_id) if ruling.action == "verify" else ruling

    def reduces(self, account_id: str | None) -> bool:
        """Whether answers to this account are to be reduced; takes nothing from a budget."""
        held = self.current.held
        terms = None if held is None or account_id is None else held.find(account_id)
        return terms is not None and terms.action == "reduce" and self._ruling(terms).action == "reduce"

    def _ruling(self, terms: Terms) -> Ruling:
        if terms.action in (_ALLOW, "observe"):
            return Ruling(_ALLOW, "observed", terms)
        if terms.expires_at and self._clock() >= terms.expires_at and not self._is_held_over(terms):
            return Ruling(_ALLOW, "skipped(expired)", terms)
        if terms.dry_run:
            return Ruling(_ALLOW, "observed", terms)
        if terms.action == "throttle":
            return self._throttled(terms)
        if terms.action in _REFUSING or terms.action == "reduce":
            return Ruling(terms.action, "enforced", terms)
        return Ruling(_ALLOW, "skipped(unknown action)", terms)

    def _with_link(self, ruling: Ruling, account_id: str) -> Ruling:
        """Name the place where this account proves who uses it: a link of its own, where there are any."""
        terms = ruling.terms
        if self.links is None or terms is None:
            return ruling
        address = self.links.fill(terms.verify_url, account_id, terms.decision_id)
        return ruling._replace(terms=terms._replace(verify_url=address))

    def _is_held_over(self, terms: Terms) -> bool:
        """Whether a decision that has run out holds on, since nobody is there who could have renewed it."""
        return terms.fail_closed and self.is_stale and self._clock() < terms.expires_at + _HELD_OVER

    def _throttled(self, terms: Terms) -> Ruling:
        wait = self.budgets.take(terms.campaign_id, terms.budget_per_hour)
        if not wait:
            return Ruling(_ALLOW, "skipped(within budget)", terms)
        return Ruling("throttle", "enforced", terms, wait)
