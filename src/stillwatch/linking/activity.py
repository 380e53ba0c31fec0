"""Every exchange with its workload family, and what each account did of each family, counted once.

Whatever is asked of groups of accounts is asked of these counts: a group is a set of accounts and families,
so that no query beyond this file reads the exchanges again but where a single payload matters.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import pyarrow as pa

from stillwatch.contracts import ACTIVITY
from stillwatch.engines.engine import Engine
from stillwatch.linking.families import CARRIED, family_of
from stillwatch.linking.handovers import find_handovers

SESSION_GAP: Final = "INTERVAL 30 MINUTE"
"""A dialogue begun within this time of the account's last beginning belongs to the same sitting.

Only beginnings count: the steps of one dialogue follow each other closely whoever leads it.
"""

NO_FAMILY: Final = -1
"""The family of an exchange that shares no scaffold."""

_REQUESTS: Final = f"""
    SELECT p.account, s.timestamp, s.turns <= 1 AS standalone, s.cues, s.capability, s.input_tokens,
           s.output_tokens, s.message_fp, s.network_fp,
           CASE WHEN len(s.history_fps) >= 1 THEN s.history_fps[len(s.history_fps)] END AS state_fp,
           CASE WHEN s.turns >= 3 AND len(s.history_fps) >= 3
                THEN s.history_fps[len(s.history_fps) - 2] END AS continued_fp,
           {", ".join(f"s.{name}" for name in CARRIED)}
    FROM sketches s JOIN profiles p ON p.account_id = s.account_id
"""

_RESUMED: Final = f"""
    SELECT account, family, count(*) AS resumed FROM (
        SELECT account, family, timestamp, lag(timestamp) OVER (
            PARTITION BY account ORDER BY timestamp, family) AS before
        FROM activity WHERE standalone) b
    WHERE timestamp <= before + {SESSION_GAP} AND {{counted}} GROUP BY account, family
"""

_USES: Final = f"""
    SELECT u.*, CAST(coalesce(r.resumed, 0) AS BIGINT) AS resumed FROM (
        SELECT account, family, count(*) AS exchanges, count(message_fp) AS messages,
               CAST(sum(CASE WHEN standalone THEN 1 ELSE 0 END) AS BIGINT) AS standalone,
               CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
               CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
               min(timestamp) AS first_seen, max(timestamp) AS last_seen
        FROM activity WHERE {{counted}} GROUP BY account, family) u
    LEFT JOIN ({_RESUMED}) r ON r.account = u.account AND r.family = u.family
"""

_KINDS: Final = """
    SELECT account, family, day, capability, cues, standalone, count(*) AS exchanges FROM (
        SELECT account, family, CAST(floor(epoch(timestamp) / 86400) AS INTEGER) AS day, capability, cues,
               standalone FROM activity) a
    GROUP BY account, family, day, capability, cues, standalone
"""

_HOURS: Final = """
    SELECT account, family, hour, count(*) AS exchanges FROM (
        SELECT account, family, CAST(floor(epoch(timestamp) / 3600) AS INTEGER) AS hour FROM activity
        WHERE {counted}) a
    GROUP BY account, family, hour
"""

_NETWORKS: Final = """
    SELECT DISTINCT network_fp AS fp, account FROM activity WHERE network_fp IS NOT NULL AND {counted}
"""


def bind_activity(engine: Engine, seeds: pa.Table) -> None:
    """Make ``activity`` (ACTIVITY) of ``sketches`` and ``profiles``, families by ``seeds`` (SEEDS)."""
    engine.map("activity", _REQUESTS, partial(_with_family, seeds), ACTIVITY)


def _with_family(seeds: pa.Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    family = family_of(seeds, batch).fill_null(NO_FAMILY)
    columns = [family if name == "family" else batch[name] for name in ACTIVITY.names]
    return pa.record_batch(columns, schema=ACTIVITY)


def tally(engine: Engine) -> None:
    """Count the relation ``activity``: make ``uses`` (USES), ``kinds`` (KINDS), ``hours`` (HOURS),
    ``networks`` and ``handovers``.

    The last two have ``fp`` and ``account``: one row for each address range that an account sent from, and
    for each state of a conversation that it handed on or took over.
    """
    engine.keep("kinds", _KINDS)
    for name, query in counts("TRUE").items():
        engine.keep(name, query)
    find_handovers(engine)


def counts(counted: str) -> dict[str, str]:
    """Return the queries of ``uses``, ``hours`` and ``networks`` over the exchanges of which this is true.

    What an account did before them tells whether a dialogue was begun in the same sitting.
    """
    queries = {"uses": _USES, "hours": _HOURS, "networks": _NETWORKS}
    return {name: query.format(counted=counted) for name, query in queries.items()}
