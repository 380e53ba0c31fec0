"""Screening a backlog of sign-ups: what each shares with others of its time, against what is ordinary.

One idea carries it. Of each value that a sign-up holds (card, device, how its name is built, network, ...) it
is counted how many others of its spell hold it, and how many would by the rate at which it is held elsewhere
(:mod:`stillwatch.access.agreement`). Kinds of evidence are added, and two of them must agree
(:mod:`stillwatch.access.weighing`). Rates and threshold come from the sign-ups themselves.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from stillwatch.access.agreement import Floats, agreement, ordinary
from stillwatch.access.company import Company, Ints, Knowledge
from stillwatch.access.known import near_campaigns
from stillwatch.access.levels import Levels
from stillwatch.access.marks import marks
from stillwatch.access.population import NOTHING, Population
from stillwatch.access.signs import BURST, KNOWN, SHARED, Kind, Sign
from stillwatch.access.weighing import HONEST_ASKED, THRESHOLD, Evidence, reasons, weigh
from stillwatch.contracts import SCREENED, conform

GROUP = 2
"""Others who share a thing with a sign-up, from which on it counts as one of a burst."""


def screen(
    signups: pa.Table,
    levels: Levels,
    knowledge: Knowledge = Knowledge.HINDSIGHT,
    campaigns: Collection[str] = (),
) -> pa.Table:
    """Return SCREENED, one row for each sign-up in order of the accounts' ids.

    Args:
        signups: SIGNUP, each account once; their order does not matter.
        levels: which level what needs, and what a doubtful sign-up is asked for.
        knowledge: whether the first sign-up is judged by what came after it, too.
        campaigns: accounts of campaigns that are known.
    """
    if not signups.num_rows:
        return SCREENED.empty_table()
    population = Population.of(signups, knowledge)
    evidence = gather(population, campaigns)
    weighed, threshold = weigh(evidence), threshold_of(population)
    asked = weighed.asked(threshold)
    usual = usual_levels(population.table, levels)
    columns = {
        "account_id": population.table["account_id"],
        "risk": pa.array(weighed.risk(threshold)),
        "reason_codes": pa.array(reasons(evidence), SCREENED.field("reason_codes").type),
        "verification_level": pa.array(np.where(asked, np.maximum(usual, levels.doubtful), usual)),
        "asked_more": pa.array(asked & (usual < levels.doubtful)),
    }
    return conform(pa.table(columns).sort_by("account_id"), SCREENED, "access")


def gather(population: Population, campaigns: Collection[str] = ()) -> Evidence:
    """Return what each sign says of each sign-up, in nats, in the order of the population."""
    evidence: dict[Sign, Floats] = {}
    sharing = np.zeros(population.size, np.int64)
    for sign in SHARED:
        values = population.values(sign)
        found = population.company(values, population.parties(sign))
        evidence[sign] = _shared(population, sign, values, found)
        if sign.kind is Kind.THING:
            sharing = np.maximum(sharing, found.others)
    evidence[BURST] = _burst(population, sharing)
    evidence[KNOWN] = near_campaigns(population, campaigns)
    return evidence | marks(population.table)


def threshold_of(population: Population) -> float:
    """Return the nats from which on more is asked.

    They are a thousand to one, or what one of a thousand reaches when the times of all sign-ups are dealt out
    anew, where that is more: then spells are so full that things meet by chance.
    """
    by_chance = np.sort(weigh(gather(population.shuffled())).score)[::-1]
    allowed = int(population.size * HONEST_ASKED)
    return max(THRESHOLD, float(np.nextafter(by_chance[allowed], np.inf)))


def usual_levels(signups: pa.Table, levels: Levels) -> Ints:
    """Return the level that each plan and programme asks of everybody."""
    plans = list(zip(*(signups[name].to_pylist() for name in ("plan", "programme")), strict=True))
    needed = {pair: int(levels.needed(plan=pair[0], programme=pair[1])) for pair in set(plans)}
    return np.array([needed[pair] for pair in plans], np.int64)


def recurring(values: Ints, found: Company) -> float:
    """Return the share of holders whose value is held at other times as well, never 0 or 1."""
    held = values != NOTHING
    return float((np.count_nonzero(found.elsewhere[held]) + 1) / (np.count_nonzero(held) + 2))


def _shared(population: Population, sign: Sign, values: Ints, found: Company) -> Floats:
    spell = population.everybody
    # Of things everybody else is proof that they are rare; what is common is so at its own time, maybe.
    reference = spell.others + spell.elsewhere - found.others
    if sign.kind is not Kind.THING:
        reference = spell.elsewhere + 1
    expected = ordinary(found.elsewhere, recurring(values, found), spell.others, reference)
    return agreement(found.others, expected)


def _burst(population: Population, sharing: Ints) -> Floats:
    """Weigh how many of a spell share things with one another, those aside who share one's own."""
    values = np.where(sharing >= GROUP, 0, NOTHING)
    found = population.company(values, population.parties(BURST))
    others = np.maximum(found.others - sharing, 0)
    spell = population.everybody
    expected = ordinary(found.elsewhere, 1.0, spell.others, spell.elsewhere + 1)
    return np.where(sharing >= GROUP, agreement(others, expected), 0.0)
