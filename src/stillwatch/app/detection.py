"""Detection: from the ledger's relations to campaigns, one line per stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.membership import assess_membership
from stillwatch.accounts.profiles import profile_accounts, profile_behaviour
from stillwatch.accounts.signals import FACET, LIMIT, AccountSignal, account_signals
from stillwatch.app.progress import Progress
from stillwatch.app.run_folder import RunFolder
from stillwatch.campaigns.candidates import propose_candidates
from stillwatch.campaigns.inside import INSIDE_QUERY, MEMBERS_QUERY, WORK_QUERY
from stillwatch.campaigns.judging import judge
from stillwatch.campaigns.registry import FILE as REGISTRY
from stillwatch.campaigns.registry import Registry
from stillwatch.campaigns.results import WORK_OF_CAMPAIGNS, Results, bind_campaigns, build_results
from stillwatch.campaigns.selection import Campaign, select_campaigns
from stillwatch.contracts import (
    BEHAVIOUR,
    CANDIDATES,
    FAMILIES,
    FINDINGS,
    LINKS,
    MEMBERSHIP,
    PROFILES,
    SIGNALS,
    WORKLOADS,
)
from stillwatch.engines.engine import Engine
from stillwatch.linking.activity import ACTIVITY_QUERY
from stillwatch.linking.facets import Facet, facets
from stillwatch.linking.families import find_families
from stillwatch.linking.links import facet_limits, find_links, weigh_candidates
from stillwatch.linking.parties import PARTIES_QUERY

_VOLUMES = """
    SELECT w.candidate, count(*) AS exchanges, count(DISTINCT p.party) AS parties
    FROM work w JOIN parties p ON p.account_id = w.account_id GROUP BY w.candidate ORDER BY w.candidate
"""


@dataclass(frozen=True)
class Detection:
    """The run's tables, and how much each stage made."""

    results: Results
    counts: dict[str, dict[str, int]]


def detect(
    engine: Engine,
    state: Path | None,
    allowed: Collection[str],
    run: RunFolder,
    progress: Progress,
    kinds: Mapping[str, Facet] | None = None,
    signals: Mapping[str, AccountSignal] | None = None,
) -> Detection:
    """Find campaigns in the relations ``sketches`` and ``accounts``; each stage's table stays in ``run``.

    ``allowed`` accounts are in no candidate; ``state`` holds the names of earlier campaigns. ``kinds`` and
    ``signals`` are the facets and account signals to go by, every registered one where they are None.
    """
    kinds = facets() if kinds is None else kinds
    signals = account_signals() if signals is None else signals
    limits = facet_limits(kinds) | {FACET: LIMIT}

    progress.stage("accounts")
    profiles = run.table("profiles", PROFILES, lambda: profile_accounts(engine))
    progress.stage("workload families")
    families = run.table("families", FAMILIES, lambda: find_families(engine))
    engine.bind("families", families)
    run.relation("activity", engine, ACTIVITY_QUERY)
    engine.bind("parties", engine.table(PARTIES_QUERY))
    progress.stage("links")
    links = run.table("links", LINKS, lambda: find_links(engine, kinds))
    engine.bind("links", links)

    progress.stage("candidates")
    candidates, workloads = _candidates(engine, allowed, run, profiles, links)
    engine.bind("candidates", candidates)
    engine.bind("workloads", workloads)
    run.relation("inside", engine, INSIDE_QUERY)
    behaviour = run.table("behaviour", BEHAVIOUR, lambda: profile_behaviour(engine))
    progress.stage("membership")
    assessment = assess_membership(behaviour, signals)
    engine.bind("signals", run.table("signals", SIGNALS, lambda: assessment.signals))
    membership = run.table("membership", MEMBERSHIP, lambda: assessment.membership)
    engine.bind("membership", membership)
    engine.bind("members", engine.table(MEMBERS_QUERY))
    run.relation("work", engine, WORK_QUERY)

    progress.stage("judging")
    findings = run.table(
        "findings", FINDINGS, lambda: pa.concat_tables([assessment.findings, weigh_candidates(engine, kinds)])
    )
    volumes = engine.table(_VOLUMES)
    judgements = judge(findings, membership, volumes, workloads, limits)
    found = _named(select_campaigns(judgements, membership, volumes), state)
    bind_campaigns(engine, found, membership)
    run.relation("campaign_work", engine, WORK_OF_CAMPAIGNS)
    signal_facets = {name: signal.card.facet or "identity" for name, signal in signals.items()}
    results = build_results(engine, found, findings, profiles, limits, signal_facets)
    made = {
        "families": families.num_rows,
        "links": links.num_rows,
        "candidates": len(judgements),
        "campaigns": results.campaigns.num_rows,
    }
    return Detection(results, {"detection": made})


def _candidates(
    engine: Engine, allowed: Collection[str], run: RunFolder, profiles: pa.Table, links: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Return CANDIDATES without the accounts that are allowed, and WORKLOADS."""
    proposed = propose_candidates(engine, profiles, links)
    known = pa.array(sorted(allowed), pa.string())
    candidates = proposed.candidates.filter(pc.invert(pc.is_in(proposed.candidates["account_id"], known)))
    return (
        run.table("candidates", CANDIDATES, lambda: candidates),
        run.table("workloads", WORKLOADS, lambda: proposed.workloads),
    )


def _named(campaigns: list[Campaign], state: Path | None) -> Sequence[Campaign]:
    """Return the campaigns under the ids that the state knows them by."""
    if state is None:
        return campaigns
    path = state / REGISTRY
    named, registry = Registry.load(path).recognise(campaigns)
    registry.save(path)
    return named
