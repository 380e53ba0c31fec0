"""For each account signal a campaign that shows it, and honest traffic that shows it too.

A signal must speak of the first and keep silent of the second, which the rest of the log explains, or what
its accounts declare. Both are logs of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from assessing import tied_by

SCAFFOLD = 77
MONDAY = datetime(2026, 4, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Scene:
    """Who is weighed: a group, and the accounts of it that the signal is about."""

    group: Sequence[str]
    about: Sequence[str]
    links: Sequence[dict[str, Any]] = ()

    @classmethod
    def of(cls, group: Sequence[str]) -> Scene:
        return cls(group, group)


Build = Callable[[Any, Callable[[str, int], list[str]]], Scene]


@dataclass(frozen=True)
class Case:
    signal: str
    campaign: Build
    twin: Build
    excused: bool = True  # the rest of the log, or a declaration, is all that tells the twin from a campaign

    def __str__(self) -> str:
        return self.signal


def queue_among_people(traffic, names):
    """Forty accounts that one dispatcher feeds, among people with sittings, dialogues and nights."""
    farm = names("farm", 40)
    traffic.queue(farm, 30, SCAFFOLD)
    traffic.people(names("person", 300))
    return Scene.of(farm)


def worker_pool(traffic, names):
    """One customer's forty keys behind one queue, which say whose they are."""
    for account in names("farm", 40):
        traffic.account(account, organization_fp=9)
    return queue_among_people(traffic, names)


def now_and_then(traffic, names):
    """People who ask one thing now and then, as everybody in the log does."""
    everyone = names("person", 340)
    for account in everyone:
        scaffold = SCAFFOLD if account < "person0040" else None
        for second in traffic.random.integers(0, 20 * 86_400, 2 + int(traffic.random.pareto(1.2) * 2) % 25):
            traffic.exchange(account, MONDAY + timedelta(seconds=int(second)), scaffold)
    return Scene.of(everyone[:40])


def pipelines(traffic, names):
    """Requests without a dialogue, in a log where hardly anybody holds one."""
    users = names("user", 40)
    traffic.people(users, SCAFFOLD, turns=1)
    traffic.people(names("person", 300), turns=1)
    return Scene.of(users)


def scheduled_jobs(traffic, names):
    """Jobs that run at any hour, in a log of such jobs."""
    jobs = names("job", 40)
    traffic.queue(jobs, 30, SCAFFOLD)
    for account in names("other", 300):
        traffic.queue([account], 30, traffic.fp())
    return Scene.of(jobs)


def office_hours(traffic, accounts: Sequence[str], scaffold: int | None = None) -> None:
    """Thirty requests of each account, between eight and five of any day."""
    for account in accounts:
        for second in traffic.random.integers(8 * 3600, 17 * 3600, 30):
            at = MONDAY + timedelta(days=int(traffic.random.integers(0, 20)), seconds=int(second))
            traffic.exchange(account, at, scaffold)


def one_operator(traffic, names):
    """Accounts that one operator runs in his office hours, among people of all time zones."""
    farm = names("farm", 40)
    office_hours(traffic, farm, SCAFFOLD)
    traffic.people(names("person", 300))
    return Scene.of(farm)


def one_time_zone(traffic, names):
    """Users in the office hours of the only time zone that there is."""
    users = names("user", 40)
    office_hours(traffic, users, SCAFFOLD)
    office_hours(traffic, names("person", 300))
    return Scene.of(users)


def resold_by_one_operator(traffic, names):
    """An operator's work in his office hours, on accounts that people of all time zones use as well."""
    farm = names("farm", 40)
    office_hours(traffic, farm, SCAFFOLD)
    traffic.people(farm)
    traffic.people(names("person", 300))
    return Scene.of(farm)


def colleagues_of_one_zone(traffic, names):
    """People who keep one time zone's office hours with the template and with everything else."""
    users = names("user", 40)
    office_hours(traffic, users, SCAFFOLD)
    office_hours(traffic, users)
    traffic.people(names("person", 300))
    return Scene.of(users)


def copycats(traffic, names):
    """People who use a farm's words in one request of five, where the farm does nothing else."""
    farm, borrowers = names("farm", 40), names("copycat", 12)
    traffic.queue(farm, 30, SCAFFOLD)
    traffic.queue(borrowers, 6, SCAFFOLD)
    for account in borrowers:
        traffic.queue([account], 24, traffic.fp())
    traffic.people(names("person", 300))
    return Scene([*farm, *borrowers], borrowers)


def users_of_one_client(traffic, names):
    """People who do all their work in one client."""
    users = names("user", 52)
    traffic.people(users, SCAFFOLD)
    traffic.people(names("person", 300))
    return Scene(users, users[40:])


def cards_in_pairs(traffic, names):
    """Two accounts of the farm to each of twenty cards, which nobody else has."""
    scene = queue_among_people(traffic, names)
    cards = [scene.group[first : first + 2] for first in range(0, 40, 2)]
    return Scene(scene.group, scene.about, tied_by("payment-shared", cards, holders=2))


def one_carrier(traffic, names):
    """One address range that nine accounts of ten come from, those of the group among them."""
    users = names("user", 40)
    traffic.people(users, SCAFFOLD)
    traffic.people(names("person", 300))
    return Scene(users, users, tied_by("network-shared", [users], holders=300))


CASES = (
    Case("dedicated", copycats, users_of_one_client, excused=False),
    Case("load-balanced", queue_among_people, worker_pool),
    Case("no-sessions", queue_among_people, now_and_then),
    Case("one-clock", one_operator, one_time_zone),
    Case("round-the-clock", queue_among_people, scheduled_jobs),
    Case("standalone-requests", queue_among_people, pipelines),
    Case("tied", cards_in_pairs, one_carrier, excused=False),
    Case("two-clocks", resold_by_one_operator, colleagues_of_one_zone, excused=False),
)
