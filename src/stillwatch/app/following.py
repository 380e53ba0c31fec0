"""Following: what came since a judgement of the whole log, held against the campaigns that it found.

A judgement looks at every account of the log, so that it is worth its cost only once the log has grown. In
between the campaigns that stand are followed: who has taken their work up since is weighed beside those who
did it before, by the counts of that judgement and of what came since. What is ordinary, which groups there
are and how sure each is stays as it was judged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.membership import Assessment, Bench
from stillwatch.accounts.profiles import grow_profiles, profile_behaviour
from stillwatch.accounts.signals import AccountSignal, account_signals
from stillwatch.app.detection import Detection, signal_facets
from stillwatch.app.standing import Standing
from stillwatch.campaigns.account_verdicts import Group, account_facets, account_reasons, belonging
from stillwatch.campaigns.inside import bind_inside
from stillwatch.campaigns.labelling import admit
from stillwatch.campaigns.results import BELONGS
from stillwatch.contracts import BEHAVIOUR, REASONS, Verdict, conform
from stillwatch.engines.engine import Engine
from stillwatch.linking.activity import bind_activity
from stillwatch.linking.facets import Facet, facets
from stillwatch.linking.growth import (
    NEWCOMERS,
    add_up,
    count_fresh,
    find_followed,
    forget_counts,
    remember_counts,
)
from stillwatch.linking.links import find_links
from stillwatch.linking.parties import PARTIES_QUERY, join_parties

_OWN: Final = "SELECT campaign_id, candidate FROM campaigns_own"
_OF_OWN: Final = """
    SELECT candidate, {column} FROM {relation} WHERE candidate IN (SELECT candidate FROM campaigns_own)
"""


@dataclass(frozen=True)
class Basis:
    """What a judgement of the whole log found, beside the relations that begin with ``known_``."""

    until: datetime  # what came from then on it does not know
    seeds: pa.Table  # SEEDS
    campaigns: pa.Table  # CAMPAIGNS, strongest first
    reasons: pa.Table  # REASONS of the campaigns
    bench: Bench  # the signals, fitted to what was ordinary


FOLLOWED: Final = pa.schema(
    [(name, pa.string()) for name in ("account_id", "campaign_id", "verdict")] + [("risk", pa.float64())]
)
"""Columns of ACCOUNTS, for the accounts that are in a group."""


@dataclass(frozen=True)
class Followed:
    """Where the accounts of a log stand now; to be asked before the engine's relations change."""

    members: pa.Table  # FOLLOWED
    newcomers: pa.Table  # accounts that are new in a group, and how much of its work they have done
    _engine: Engine
    _basis: Basis
    _groups: Sequence[Group]
    _assessment: Assessment
    _facet_of: Mapping[str, str]

    def reasons(self, accounts: Collection[str]) -> pa.Table:
        """Return REASONS of the groups, as they were judged, and of these of their accounts."""
        own = self._engine.table("SELECT candidate FROM campaigns_own ORDER BY candidate")
        signals = self._assessment.signals(own["candidate"].to_pylist())
        wanted = pc.is_in(signals["account_id"], pa.array(sorted(accounts), pa.string()))
        self._engine.bind("signals", signals.filter(wanted))
        shown = account_facets(self._engine, self._facet_of)
        rows = [row for group in self._groups for row in account_reasons(group, shown)]
        return pa.concat_tables([self._basis.reasons, pa.Table.from_pylist(rows, schema=REASONS)])


def remember(engine: Engine, detection: Detection, until: datetime) -> Basis:
    """Keep what the judgement that was just made, of all that was sent before ``until``, found."""
    remember_counts(engine)
    engine.keep("known_own", _OWN)
    engine.keep("known_candidates", _OF_OWN.format(column="account_id", relation="membership"))
    engine.keep("known_workloads", _OF_OWN.format(column="family", relation="workloads"))
    results = detection.results
    told = results.reasons.filter(
        pc.and_(
            pc.is_null(results.reasons["account_id"]),
            pc.is_in(results.reasons["campaign_id"], results.campaigns["campaign_id"].combine_chunks()),
        )
    )
    return Basis(until, detection.seeds, results.campaigns, told, detection.assessment.bench)


def forget(engine: Engine) -> None:
    """Let go of what :func:`remember` kept."""
    forget_counts(engine)
    for name in ("known_own", "known_candidates", "known_workloads"):
        engine.forget(name)


def follow(
    engine: Engine,
    basis: Basis,
    standing: Standing,
    kinds: Mapping[str, Facet] | None = None,
    signals: Mapping[str, AccountSignal] | None = None,
    newcomers: pa.Table | None = None,
) -> Followed | None:
    """Weigh who works as the campaigns of ``basis`` do, by what came since.

    Where nobody new has done any of their work since ``newcomers`` were weighed (nobody, where it is None)
    there is nothing to weigh, and None is returned.

    Reads ``accounts`` and ``sketches``, which holds that and what came up to ``LOOK_BACK`` before it, and
    takes the place of the relations that detection makes.
    """
    kinds = facets() if kinds is None else kinds
    signals = account_signals() if signals is None else signals
    counted = f"timestamp >= TIMESTAMP '{basis.until:%Y-%m-%d %H:%M:%S.%f}+00'"
    engine.bind("profiles", grow_profiles(engine, counted))
    bind_activity(engine, basis.seeds)
    count_fresh(engine, counted)
    find_followed(engine, standing.exempt)
    came = engine.table(NEWCOMERS)
    if came == (came.slice(0, 0) if newcomers is None else newcomers):
        return None
    add_up(engine)
    engine.bind("parties", join_parties(engine.table(PARTIES_QUERY), standing.parties))
    engine.bind("links", find_links(engine, kinds))
    engine.keep("workloads", "SELECT * FROM known_workloads")
    bind_inside(engine)
    # The whole traffic of these few accounts comes first, and is no measure of what is ordinary.
    behaviour = [conform(part, BEHAVIOUR, "accounts") for part in islice(profile_behaviour(engine), 1, None)]
    assessment = basis.bench.assess(behaviour)
    engine.bind("membership", admit(assessment.membership, standing.labels))
    return _told(engine, basis, assessment, signal_facets(signals), came)


def _told(
    engine: Engine, basis: Basis, assessment: Assessment, facet_of: Mapping[str, str], weighed: pa.Table
) -> Followed:
    engine.bind("campaigns_own", engine.table("SELECT * FROM known_own ORDER BY campaign_id"))
    engine.bind("belongs", belongs := engine.table(BELONGS))
    groups = _groups(basis.campaigns, belongs)
    rows = [
        {
            "account_id": account,
            "campaign_id": group.campaign_id,
            "verdict": group.verdict.value,
            "risk": risk,
        }
        for account, group, risk in belonging(groups, belongs)
    ]
    members = pa.Table.from_pylist(rows, schema=FOLLOWED)
    return Followed(members, weighed, engine, basis, groups, assessment, facet_of)


def _groups(campaigns: pa.Table, belongs: pa.Table) -> list[Group]:
    members: dict[str, list[str]] = {name: [] for name in campaigns["campaign_id"].to_pylist()}
    for row in belongs.to_pylist():
        members[row["campaign_id"]].append(row["account_id"])
    return [
        Group(
            row["campaign_id"],
            Verdict(row["verdict"]),
            row["q_value"],
            frozenset(members[row["campaign_id"]]),
        )
        for row in campaigns.select(["campaign_id", "verdict", "q_value"]).to_pylist()
    ]
