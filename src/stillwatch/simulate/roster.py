"""From a family to its accounts: groups, seeds, countries, life spans, networks; all as arrays."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stillwatch.simulate import networks
from stillwatch.simulate.dice import Seeds, choose, derive, generator, name_seed
from stillwatch.simulate.population import Enrolment, Grouping, Population, Sharing
from stillwatch.simulate.tempo import Crew
from stillwatch.simulate.tempo.arrivals import DAY, HOUR, Integers
from stillwatch.simulate.window import Window

FOREVER: Final = np.iinfo(np.int64).max
_SETTLING: Final = 12  # hours from sign-up to the first request, at most, where sign-ups come in bursts


class Roster(NamedTuple):
    """The accounts of one family; account ``i`` of it is number ``first + i`` of the world."""

    population: Population
    first: int
    crew: Crew
    key: np.uint64  # the family's own seed
    groups: int
    country: Integers  # index into networks.COUNTRIES
    created: Integers
    banned: Integers  # FOREVER where never

    def shared_seed(self, sharing: Sharing, purpose: str) -> Seeds:
        """Return a seed per account, equal for those who share."""
        base = name_seed(int(self.key), purpose)
        if sharing is Sharing.EVERYONE:
            return np.full(len(self.crew.seed), base, dtype=np.uint64)
        return derive(base, self.crew.group if sharing is Sharing.GROUP else np.arange(len(self.crew.seed)))


def enlist(population: Population, first: int, seed: int, window: Window) -> Roster:
    """Return the accounts of ``population``, numbered from ``first``."""
    count = int(population.accounts)
    key = name_seed(seed, population.name)
    rng = generator(seed, population.name, "roster")
    group = _groups(population.grouping, count, rng)
    settled = (
        group if population.grouping.count is None else np.arange(count)
    )  # a client's users live anywhere
    country = choose(derive(name_seed(int(key), "country"), settled), [c.weight for c in networks.COUNTRIES])
    created, begins = _created(population.enrolment, count, window, rng)
    banned = _banned(population.enrolment, count, window, rng)
    sleeper = np.arange(count) >= round(count * (1 - population.enrolment.standby))
    if population.enrolment.standby:
        wake = window.at(population.enrolment.ban or 0.0) + rng.integers(1, 4 * HOUR, size=count)
        begins = np.where(sleeper, wake, begins)
    crew = Crew(
        seed=derive(key, np.arange(count)),
        group=group,
        weight=np.exp(rng.normal(0.0, population.spread, size=count)),
        active_from=begins,
        # an operator's queue notices a ban after an hour or two of refusals
        active_until=np.where(
            banned < FOREVER, banned + rng.integers(HOUR // 2, 2 * HOUR, size=count), banned
        ),
        offset=np.array([c.offset for c in networks.COUNTRIES], dtype=np.int64)[country],
    )
    return Roster(population, first, crew, key, int(group.max()) + 1, country, created, banned)


def _groups(grouping: Grouping, count: int, rng: np.random.Generator) -> Integers:
    if grouping.count is not None:
        weights = 1.0 / np.arange(1, grouping.count + 1)
        return rng.choice(grouping.count, size=count, p=weights / weights.sum()).astype(np.int64)
    if grouping.size <= 1.0:
        return np.arange(count, dtype=np.int64)
    opens = rng.random(count) < 1.0 / grouping.size
    opens[0] = True
    return np.cumsum(opens, dtype=np.int64) - 1


def _created(
    enrolment: Enrolment, count: int, window: Window, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Return when each account was created and when it begins to send."""
    if enrolment.bursts:
        return _in_bursts(enrolment, count, window, rng)
    age = np.minimum(rng.exponential(270 * DAY, size=count), 800 * DAY).astype(np.int64)
    within = window.start + (rng.random(count) * (window.end - window.start)).astype(np.int64)
    late = rng.random(count) < enrolment.during
    late[0] = False  # somebody must be there on the first day
    created = np.where(late, within, window.start - age)
    return created, created


def _in_bursts(
    enrolment: Enrolment, count: int, window: Window, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    length = window.end - window.start
    burst = np.arange(count) * enrolment.bursts // count
    start = np.sort(rng.random(enrolment.bursts)) * (enrolment.waves * length + DAY) - DAY
    start[0] = -(enrolment.burst_hours + _SETTLING) * HOUR  # the queue has workers from the first hour
    within = rng.random(count) * enrolment.burst_hours * HOUR
    created = window.start + (start[burst] + within).astype(np.int64)
    return created, created + rng.integers(HOUR // 6, _SETTLING * HOUR, size=count)


def _banned(enrolment: Enrolment, count: int, window: Window, rng: np.random.Generator) -> Integers:
    banned = np.full(count, FOREVER, dtype=np.int64)
    if enrolment.ban is not None:
        first_pool = np.arange(count) < round(count * (1 - enrolment.standby))
        at = window.at(enrolment.ban) + rng.integers(0, HOUR // 2, size=count)
        banned = np.where(first_pool, at, banned)
    return banned
