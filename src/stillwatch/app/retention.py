"""Retention: what leaves a state folder, from ledger, campaign registry and labels together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from stillwatch.app import forgotten_decisions, forgotten_signups
from stillwatch.app.progress import Progress
from stillwatch.app.run_folder import is_run_folder
from stillwatch.campaigns import labels
from stillwatch.campaigns.registry import FILE as REGISTRY
from stillwatch.campaigns.registry import Registry
from stillwatch.contracts import RunFolderError
from stillwatch.engines.parquet import sweep
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.locks import Waiting, alone
from stillwatch.ledger.removal import (
    Plan,
    Removed,
    carry_out,
    plan_expiry,
    plan_forgetting,
    rows_to_write,
    size_to_read,
)

Stays: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True)
class Departure:
    """What leaves, or left, a state folder."""

    removed: Removed
    campaign_members: int  # entries of members in the registry
    campaigns: int  # that have no member any more
    labels: int = 0  # of analysts, taken away or cut
    decision_members: int = 0  # entries of members in decisions
    signups: int = 0  # that are remembered
    unknown: tuple[str, ...] = ()  # accounts that were to be forgotten and of which nothing is held

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to remove."""
        others = self.campaign_members, self.labels, self.decision_members, self.signups
        return not any(asdict(self.removed).values()) and not any(others)

    def document(self) -> dict[str, Any]:
        """The counts for a program."""
        counts = {
            "campaign_members": self.campaign_members,
            "campaigns": self.campaigns,
            "labels": self.labels,
            "decision_members": self.decision_members,
            "signups": self.signups,
        }
        return {**asdict(self.removed), **counts}


class Request(Protocol):
    """Something that is to be removed."""

    def plan(self, layout: Layout, on_bytes: Callable[[int], None]) -> tuple[Plan, Stays, frozenset[str]]:
        """Return the ledger's part, which members stay in the registry, and the accounts that were found."""

    def forgotten(self) -> frozenset[str]:
        """Return the accounts of which no trace may stay, in the labels of analysts neither."""

    def decided(self, state: Path) -> Mapping[str, int]:
        """Return in how many decisions each account is of which no trace may stay."""

    def forget_decided(self, state: Path) -> None:
        """Take them out of those."""

    def signed_up(self, state: Path) -> frozenset[str]:
        """Return whose sign-ups are remembered of whom no trace may stay."""

    def forget_signed_up(self, state: Path) -> None:
        """Take those away."""

    def unknown(self, found: frozenset[str], registry: Registry) -> tuple[str, ...]:
        """Return the accounts that were named and of which neither ledger nor registry holds anything."""


@dataclass(frozen=True)
class Expiry:
    """Everything before ``cut``, a full hour."""

    cut: datetime

    def plan(self, layout: Layout, on_bytes: Callable[[int], None]) -> tuple[Plan, Stays, frozenset[str]]:
        """See :meth:`Request.plan`: a member stays while it has an exchange."""
        plan, remaining = plan_expiry(layout, self.cut, on_bytes)
        return plan, remaining.__contains__, frozenset()

    def forgotten(self) -> frozenset[str]:
        """See :meth:`Request.forgotten`: what an analyst said stays until the account is forgotten."""
        return frozenset()

    def decided(self, state: Path) -> Mapping[str, int]:
        """See :meth:`Request.decided`: decisions have a time of their own."""
        return {}

    def forget_decided(self, state: Path) -> None:
        """See :meth:`Request.forget_decided`."""

    def signed_up(self, state: Path) -> frozenset[str]:
        """See :meth:`Request.signed_up`: the access file says how long sign-ups are kept."""
        return frozenset()

    def forget_signed_up(self, state: Path) -> None:
        """See :meth:`Request.forget_signed_up`."""

    def unknown(self, found: frozenset[str], registry: Registry) -> tuple[str, ...]:
        """See :meth:`Request.unknown`: nobody is named."""
        return ()


@dataclass(frozen=True)
class Forgetting:
    """Everything of ``accounts``."""

    accounts: frozenset[str]
    database: str | None = None  # the store of decisions, where it is not in the state folder
    by: str = ""  # who asks, for the audit log

    def plan(self, layout: Layout, on_bytes: Callable[[int], None]) -> tuple[Plan, Stays, frozenset[str]]:
        """See :meth:`Request.plan`: all others stay."""
        plan, found = plan_forgetting(layout, self.accounts, on_bytes)
        return plan, lambda account: account not in self.accounts, found

    def forgotten(self) -> frozenset[str]:
        """See :meth:`Request.forgotten`."""
        return self.accounts

    def decided(self, state: Path) -> Mapping[str, int]:
        """See :meth:`Request.decided`."""
        return forgotten_decisions.memberships(state, self.database, self.accounts)

    def forget_decided(self, state: Path) -> None:
        """See :meth:`Request.forget_decided`."""
        forgotten_decisions.forget(state, self.database, self.accounts, self.by)

    def signed_up(self, state: Path) -> frozenset[str]:
        """See :meth:`Request.signed_up`."""
        return forgotten_signups.kept(state, self.database, self.accounts)

    def forget_signed_up(self, state: Path) -> None:
        """See :meth:`Request.forget_signed_up`."""
        forgotten_signups.forget(state, self.database, self.accounts)

    def unknown(self, found: frozenset[str], registry: Registry) -> tuple[str, ...]:
        """See :meth:`Request.unknown`."""
        known = found.union(*registry.members.values())
        return tuple(sorted(self.accounts - known))


def foresee(state: Path, request: Request, progress: Progress, waiting: Waiting) -> Departure:
    """Return what :func:`remove` would take away; changes nothing.

    Raises:
        LedgerError: there is no ledger, or a file in it is damaged.
        RunFolderError: the folder is a run, or its registry is damaged.
        InputError: its labels are damaged.
        StoreError: its store of decisions is away.
    """
    with _held(state, waiting) as layout:
        return _worked_out(state, layout, request, progress)[1]


def remove(state: Path, request: Request, progress: Progress, waiting: Waiting) -> Departure:
    """Take away what ``request`` asks for and return what it was.

    The ledger loses all of it or nothing, wherever the process dies; the same request again does the rest.

    Raises:
        LedgerError: there is no ledger, it cannot be written, or a file in it is damaged.
        RunFolderError: the folder is a run, or its registry is damaged.
        InputError: its labels are damaged.
        StoreError: its store of decisions is away.
    """
    with _held(state, waiting) as layout:
        plan, departure, registry = _worked_out(state, layout, request, progress)
        progress.stage("write what stays", rows_to_write(plan))
        carry_out(layout, plan, progress.advance)
        if departure.campaign_members:
            registry.save(state / REGISTRY)
        if departure.labels:
            labels.forget(state / labels.FILE, request.forgotten())
        if departure.decision_members:
            request.forget_decided(state)
        if departure.signups:
            request.forget_signed_up(state)
        sweep([state])
        progress.done()
    return departure


def _worked_out(
    state: Path, layout: Layout, request: Request, progress: Progress
) -> tuple[Plan, Departure, Registry]:
    registry = Registry.load(state / REGISTRY)
    progress.stage("look through", size_to_read(layout), "bytes")
    plan, stays, found = request.plan(layout, progress.advance)
    progress.done()
    kept = registry.keeping(stays)
    told = labels.read_labels(state / labels.FILE)
    touched = [label for label in told if labels.without([label], request.forgotten()) != (label,)]
    named = frozenset(account for label in touched for account in (*label.members, label.subject))
    decided, signed_up = request.decided(state), request.signed_up(state)
    departure = Departure(
        plan.removed(layout),
        _memberships(registry) - _memberships(kept),
        len(registry.members) - len(kept.members),
        len(touched),
        sum(decided.values()),
        len(signed_up),
        request.unknown(found | named | signed_up | decided.keys(), registry),
    )
    return plan, departure, kept


def _memberships(registry: Registry) -> int:
    return sum(len(members) for members in registry.members.values())


@contextmanager
def _held(state: Path, waiting: Waiting) -> Iterator[Layout]:
    if is_run_folder(state):
        raise RunFolderError(
            "this is a run folder, whose tables and report name accounts as well",
            remedy="Delete the folder whole, and scan again where its findings are still needed",
            file=str(state),
        )
    with alone(state / "ledger", waiting) as layout:
        yield layout
