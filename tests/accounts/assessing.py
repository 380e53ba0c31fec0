"""Account signals over groups of a test's own choice, and how to read what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from stillwatch.accounts.membership import Assessment, assess_membership
from stillwatch.accounts.ordinary import scaffold_uses
from stillwatch.accounts.profiles import profile_behaviour
from stillwatch.accounts.signals import AccountSignal, account_signals
from stillwatch.campaigns.inside import bind_inside
from stillwatch.contracts import CANDIDATES, LINKS
from stillwatch.engines.engine import Engine


def assess(
    engine: Engine,
    traffic,
    groups: Mapping[int, Sequence[str]],
    scaffolds: Mapping[int, int],
    links=(),
    signals: Mapping[str, AccountSignal] | None = None,
) -> Assessment:
    """Assess the groups by ``signals``, by all that there are where None is given."""
    behaviour = behave(engine, traffic, groups, scaffolds, links)
    heard = account_signals() if signals is None else signals
    return assess_membership(behaviour, scaffold_uses(engine), heard)


def behave(engine: Engine, traffic, groups, scaffolds, links=()) -> list[pa.Table]:
    """Return BEHAVIOUR in the groups, in parts."""
    traffic.bind_groups(engine, groups, scaffolds)
    rows = [{"candidate": c, "account_id": a} for c, accounts in groups.items() for a in accounts]
    engine.bind("candidates", pa.Table.from_pylist(rows, schema=CANDIDATES))
    engine.bind("links", pa.Table.from_pylist(list(links), schema=LINKS))
    bind_inside(engine)
    return list(profile_behaviour(engine))


def members(assessment: Assessment, candidate: int) -> set[str]:
    rows = assessment.membership.to_pylist()
    return {row["account_id"] for row in rows if row["candidate"] == candidate and row["member"]}


def ratios(assessment: Assessment, candidate: int, signal: str, accounts=None):
    """Return what one signal says of each account of a candidate, in the order of their ids."""
    return np.array(
        [
            row["llr"]
            for row in assessment.signals([candidate]).to_pylist()
            if (row["candidate"], row["signal"]) == (candidate, signal)
            and (accounts is None or row["account_id"] in accounts)
        ]
    )


def pooled(assessment: Assessment, signal: str) -> dict[int, float]:
    """Return candidate -> what a signal says of the group as a whole."""
    rows = assessment.findings.to_pylist()
    return {row["candidate"]: row["llr"] for row in rows if row["signal"] == signal}


def tied_by(signal: str, groups: Sequence[Sequence[str]], holders: int):
    """Return LINKS of one value for each group of accounts; ``holders`` hold it in the whole log."""
    return [
        {
            "facet": "identity",
            "signal": signal,
            "value": number,
            "account_id": account,
            "holders": holders,
        }
        for number, accounts in enumerate(groups)
        for account in accounts
    ]
