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
from stillwatch.access.burst import GROUP, burst, most_of_a_burst
from stillwatch.access.company import Company, Ints, Knowledge
from stillwatch.access.known import near_campaigns
from stillwatch.access.levels import Levels
from stillwatch.access.marks import marks
from stillwatch.access.population import NOTHING, Population
from stillwatch.access.signs import BURST, KNOWN, NO_THINGS, THINGS, Kind, Sign
from stillwatch.access.steadiness import of_two, steady
from stillwatch.access.weighing import HONEST_ASKED, THRESHOLD, Evidence, reasons, weigh
from stillwatch.contracts import SCREENED, conform


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
    spelled = gather(population, campaigns)
    evidence = {**spelled, **steadiness(population, spelled)}
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
    sharing, alike = np.zeros(population.size, np.int64), np.zeros(population.size)
    for sign in (*THINGS, *NO_THINGS):
        values = population.values(sign)
        found = population.company(values, population.parties(sign))
        evidence[sign] = _shared(population, sign, values, found)
        if sign.kind is Kind.THING:
            sharing = np.maximum(sharing, found.others)
        elif sign.kind is Kind.NAME:
            strangers = found._replace(others=np.maximum(found.others - sharing, 0))
            nats = np.minimum(_shared(population, sign, values, strangers), sign.cap)
            alike = np.maximum(alike, nats)
    evidence[BURST] = np.minimum(_burst(population, sharing), most_of_a_burst(evidence, alike))
    evidence[KNOWN] = near_campaigns(population, campaigns)
    return evidence | marks(population.table)


def steadiness(population: Population, evidence: Evidence) -> dict[Sign, Floats]:
    """Return what things say where they have many holders; times are no part of it, so no threshold rises."""
    spell, told = population.everybody, list[Floats]()
    for sign in THINGS:
        values = population.values(sign)
        found = population.company(values, population.parties(sign))
        holders = found.others + found.elsewhere + 1
        nobody = np.zeros_like(holders)
        among = spell.others + spell.elsewhere - found.others
        expected = ordinary(nobody, recurring(values, found), spell.others, among)
        told.append(steady(found.others, holders, expected, *_with_as_many(values, holders)))
    return {sign: np.maximum(evidence[sign], nats) for sign, nats in zip(THINGS, of_two(told), strict=True)}


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


def _with_as_many(values: Ints, holders: Ints) -> tuple[Ints, Ints]:
    """Return how many hold other values that have half as many holders or more, and how many any other."""
    held = values != NOTHING
    sizes = np.zeros(int(values.max(initial=0)) + 1, np.int64)
    np.maximum.at(sizes, values[held], holders[held])
    ranked = np.sort(sizes)
    beyond = np.append(np.cumsum(ranked[::-1])[::-1], 0)
    own = np.where(held, sizes[values], 0)
    as_many = beyond[np.searchsorted(ranked, (holders + 1) // 2)] - own
    return np.maximum(as_many, 0), ranked.sum() - own


def _burst(population: Population, sharing: Ints) -> Floats:
    """Weigh how many of a spell share things with one another, those aside who share one's own."""
    values = np.where(sharing >= GROUP, 0, NOTHING)
    found = population.company(values, population.parties(BURST))
    others = np.maximum(found.others - sharing, 0)
    spell = population.everybody
    nats = burst(others, found.elsewhere, spell.others, spell.elsewhere)
    return np.where(sharing >= GROUP, nats, 0.0)
