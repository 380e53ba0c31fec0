"""Detection: from the ledger's relations to campaigns, one line per stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.accounts.membership import Assessment, assess_membership
from stillwatch.accounts.ordinary import scaffold_uses
from stillwatch.accounts.profiles import profile_accounts, profile_behaviour
from stillwatch.accounts.signals import FACET, LIMIT, AccountSignal, account_signals
from stillwatch.app.progress import Progress
from stillwatch.app.stage_tables import StageTables
from stillwatch.app.standing import Standing
from stillwatch.campaigns.calibration import shipped_reference
from stillwatch.campaigns.candidates import propose_candidates
from stillwatch.campaigns.explained import explain_away
from stillwatch.campaigns.inside import MEMBERS_QUERY, VOLUMES_QUERY, WORK_QUERY, bind_inside
from stillwatch.campaigns.judging import Judgement, judge
from stillwatch.campaigns.labelling import (
    admit,
    label_reasons,
    match_labels,
    obey,
    ordinary_margins,
    tell_labels,
)
from stillwatch.campaigns.likeness import Traffic, traffic
from stillwatch.campaigns.lookalikes import select_lookalikes
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
    SEEDS,
    SIGNALS,
    WORKLOADS,
)
from stillwatch.engines.engine import Engine
from stillwatch.linking.activity import bind_activity, tally
from stillwatch.linking.facets import Facet, facets
from stillwatch.linking.facets.windows import keep_spans
from stillwatch.linking.families import find_seeds, size_families
from stillwatch.linking.links import facet_limits, find_links, weigh_candidates
from stillwatch.linking.parties import PARTIES_QUERY, join_parties


@dataclass(frozen=True)
class Detection:
    """The run's tables, and how much each stage made."""

    results: Results
    labelled: pa.Table  # LABELLED
    counts: dict[str, dict[str, int]]
    judgements: tuple[Judgement, ...]  # of every candidate
    traffic: Traffic | None  # None where there is none
    seeds: pa.Table  # SEEDS
    assessment: Assessment


def detect(
    engine: Engine,
    state: Path | None,
    standing: Standing,
    false_discovery_rate: float,
    run: StageTables,
    progress: Progress,
    kinds: Mapping[str, Facet] | None = None,
    signals: Mapping[str, AccountSignal] | None = None,
) -> Detection:
    """Find campaigns in the relations ``sketches`` and ``accounts``; each stage's table stays in ``run``.

    ``standing`` says who is in no candidate, who belongs together and which labels are to be obeyed;
    ``state`` holds the names of earlier campaigns; of the groups that are called campaigns at most the part
    ``false_discovery_rate`` is expected to be none. ``kinds`` and ``signals`` are the facets and account
    signals to go by, every registered one where they are None.
    """
    kinds = facets() if kinds is None else kinds
    signals = account_signals() if signals is None else signals
    limits = facet_limits(kinds) | {FACET: LIMIT}

    progress.stage("accounts")
    profiles = profile(engine, run)
    engine.bind("profiles", profiles)
    progress.stage("workload families")
    seeds = run.table("seeds", SEEDS, lambda: find_seeds(engine))
    engine.bind("seeds", seeds)
    bind_activity(engine, seeds)
    tally(engine)
    families = run.table("families", FAMILIES, lambda: size_families(engine, seeds))
    engine.bind("families", families)
    engine.bind("parties", join_parties(engine.table(PARTIES_QUERY), standing.parties))
    progress.stage("links")
    links = run.table("links", LINKS, lambda: find_links(engine, kinds))
    engine.bind("links", links)

    progress.stage("candidates")
    workloads = _bind_candidates(engine, standing.exempt, run, profiles, links)
    progress.stage("membership")
    behaviour = run.parts("behaviour", BEHAVIOUR, lambda: profile_behaviour(engine))
    assessment = assess_membership(behaviour, scaffold_uses(engine), signals)
    engine.forget("candidates")  # the candidates' accounts stand in MEMBERSHIP from here on
    engine.forget("seats")
    membership = run.table("membership", MEMBERSHIP, lambda: admit(assessment.membership, standing.labels))
    engine.bind("membership", membership)
    weighed = engine.table(MEMBERS_QUERY)
    engine.bind("members", weighed)
    engine.keep("work", WORK_QUERY)
    keep_spans(engine)

    progress.stage("judging")
    findings = run.table(
        "findings",
        FINDINGS,
        lambda: explain_away(pa.concat_tables([assessment.findings, weigh_candidates(engine, kinds)])),
    )
    volumes = engine.table(VOLUMES_QUERY)
    matched = match_labels(standing.labels, membership)
    weigh = partial(judge, findings, membership, volumes, workloads, limits)
    first = weigh(shipped_reference(), false_discovery_rate)
    taught = shipped_reference().with_honest(ordinary_margins(first, matched))
    judged = first if taught == shipped_reference() else weigh(taught, false_discovery_rate)
    judgements = obey(judged, matched)
    found = _named(select_campaigns(judgements, membership, volumes), state)
    lookalikes = select_lookalikes(judgements, weighed, found)
    bind_campaigns(engine, found, membership)
    told_of = [one.judgement.candidate for one in found]
    engine.bind("signals", run.table("signals", SIGNALS, lambda: assessment.signals(told_of)))
    engine.keep("campaign_work", WORK_OF_CAMPAIGNS)
    results = build_results(engine, found, lookalikes, findings, profiles, signal_facets(signals))
    made = {
        "families": families.num_rows,
        "links": links.num_rows,
        "candidates": len(judgements),
        "campaigns": results.campaigns.num_rows,
        "lookalikes": results.lookalikes.num_rows,
    }
    told = pa.concat_tables([results.reasons, label_reasons(found, matched)])
    labelled = tell_labels(standing.labels, matched, judged, found, profiles["account_id"])
    return Detection(
        replace(results, reasons=told),
        labelled,
        {"detection": made},
        tuple(judgements),
        traffic(engine, len(judgements)),
        seeds,
        assessment,
    )


def signal_facets(signals: Mapping[str, AccountSignal]) -> dict[str, str]:
    """Return the facet under which each account signal is told."""
    return {name: signal.card.facet or "identity" for name, signal in signals.items()}


def profile(engine: Engine, run: StageTables) -> pa.Table:
    """Return PROFILES of the relation ``sketches``: the first stage, which says how large the log is."""
    return run.table("profiles", PROFILES, lambda: profile_accounts(engine))


def _bind_candidates(
    engine: Engine, allowed: Collection[str], run: StageTables, profiles: pa.Table, links: pa.Table
) -> pa.Table:
    """Make ``candidates`` without the accounts that are allowed, ``workloads`` and ``inside``.

    Returns WORKLOADS.
    """
    proposed = propose_candidates(engine, profiles, links)
    known = pa.array(sorted(allowed), pa.string())
    candidates = proposed.candidates.filter(pc.invert(pc.is_in(proposed.candidates["account_id"], known)))
    workloads = run.table("workloads", WORKLOADS, lambda: proposed.workloads)
    engine.bind("candidates", run.table("candidates", CANDIDATES, lambda: candidates))
    engine.bind("workloads", workloads)
    bind_inside(engine)
    return workloads


def _named(campaigns: list[Campaign], state: Path | None) -> Sequence[Campaign]:
    """Return the campaigns under the ids that the state knows them by."""
    if state is None:
        return campaigns
    path = state / REGISTRY
    named, registry = Registry.load(path).recognise(campaigns)
    registry.save(path)
    return named
