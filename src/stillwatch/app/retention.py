"""Retention: what leaves a state folder, from ledger, campaign registry and labels together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from stillwatch.app import forgotten_decisions, forgotten_signups, forgotten_step_ups
from stillwatch.app.progress import Progress
from stillwatch.app.run_folder import is_run_folder
from stillwatch.app.service.places import accepted_labels
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

_BESIDE: Final = {
    "decision_members": forgotten_decisions,
    "step_ups": forgotten_step_ups,
    "signups": forgotten_signups,
}
"""What the database keeps of accounts, by the name under which it is counted."""


@dataclass(frozen=True)
class Departure:
    """What leaves, or left, a state folder."""

    removed: Removed
    campaign_members: int  # entries of members in the registry
    campaigns: int  # that have no member any more
    labels: int = 0  # of analysts, taken away or cut
    beside: Mapping[str, int] = field(default_factory=dict)  # rows of the database, see _BESIDE
    unknown: tuple[str, ...] = ()  # accounts that were to be forgotten and of which nothing is held

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to remove."""
        others = self.campaign_members, self.labels, *self.beside.values()
        return not any(asdict(self.removed).values()) and not any(others)

    def document(self) -> dict[str, Any]:
        """The counts for a program."""
        counts = {
            "campaign_members": self.campaign_members,
            "campaigns": self.campaigns,
            "labels": self.labels,
        }
        return {**asdict(self.removed), **counts, **dict.fromkeys(_BESIDE, 0), **self.beside}


class Request(Protocol):
    """Something that is to be removed."""

    def plan(self, layout: Layout, on_bytes: Callable[[int], None]) -> tuple[Plan, Stays, frozenset[str]]:
        """Return the ledger's part, which members stay in the registry, and the accounts that were found."""

    def forgotten(self) -> frozenset[str]:
        """Return the accounts of which no trace may stay, in the labels of analysts neither."""

    def beside(self, state: Path) -> Mapping[str, Mapping[str, int]]:
        """Return how many rows the database keeps of each account that is to leave no trace, by kind."""

    def forget_beside(self, state: Path, kind: str) -> None:
        """Take those of a kind away."""

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

    def beside(self, state: Path) -> Mapping[str, Mapping[str, int]]:
        """See :meth:`Request.beside`: decisions, step-ups and sign-ups have times of their own."""
        return {}

    def forget_beside(self, state: Path, kind: str) -> None:
        """See :meth:`Request.forget_beside`."""

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

    def beside(self, state: Path) -> Mapping[str, Mapping[str, int]]:
        """See :meth:`Request.beside`."""
        return {kind: of.kept(state, self.database, self.accounts) for kind, of in _BESIDE.items()}

    def forget_beside(self, state: Path, kind: str) -> None:
        """See :meth:`Request.forget_beside`."""
        _BESIDE[kind].forget(state, self.database, self.accounts, self.by)

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
            accepted_labels(state).unlink(missing_ok=True)  # a service that runs copies them anew
        for kind in (kind for kind, rows in departure.beside.items() if rows):
            request.forget_beside(state, kind)
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
    beside = request.beside(state)
    departure = Departure(
        plan.removed(layout),
        _memberships(registry) - _memberships(kept),
        len(registry.members) - len(kept.members),
        len(touched),
        {kind: sum(rows.values()) for kind, rows in beside.items()},
        request.unknown(found.union(named, *beside.values()), registry),
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
