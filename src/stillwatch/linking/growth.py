"""Counts that grow: what was counted of the accounts that matter, and what came since.

Exchanges add up by account and family, so that only those that came since are looked at; of what lies before
them two days are read once more, since a sitting and a conversation go on over any border. Handovers are told
by these two days alone: who sent a message before them, and how many did, is not looked up again. What was
counted stands in relations whose names begin with ``known_``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pyarrow as pa

from stillwatch.contracts import USES
from stillwatch.engines.engine import Engine
from stillwatch.linking.activity import counts
from stillwatch.linking.facets.identity import SHARED
from stillwatch.linking.handovers import WITHIN, find_handovers

LOOK_BACK: Final = WITHIN
"""How far before what is new exchanges have to be at hand."""

KNOWN: Final = ("profiles", "uses", "hours", "networks", "handovers")
"""What is taken along from a judgement of the whole log."""

_SUMS: Final = ("exchanges", "messages", "standalone", "resumed", "input_tokens", "output_tokens")

_FOLLOWED: Final = """
    SELECT DISTINCT p.account, f.account_id FROM candidates f JOIN profiles p ON p.account_id = f.account_id
"""

_CANDIDATES: Final = """
    SELECT candidate, account_id FROM known_candidates
    UNION
    SELECT w.candidate, p.account_id FROM fresh_uses u JOIN known_workloads w ON w.family = u.family
    JOIN profiles p ON p.account = u.account
    WHERE p.account_id NOT IN (SELECT account_id FROM exempt)
"""
"""The accounts that were in each group, and those that have taken its work up since."""

NEWCOMERS: Final = """
    SELECT w.candidate, u.account, CAST(sum(u.exchanges) AS BIGINT) AS exchanges
    FROM fresh_uses u JOIN known_workloads w ON w.family = u.family
    JOIN profiles p ON p.account = u.account
    JOIN candidates c ON c.candidate = w.candidate AND c.account_id = p.account_id
    LEFT JOIN known_candidates k ON k.candidate = w.candidate AND k.account_id = p.account_id
    WHERE k.account_id IS NULL GROUP BY w.candidate, u.account ORDER BY w.candidate, u.account
"""
"""Accounts that are new in a group, and how much of its work each has done."""

_GROWN: Final = {
    "uses": f"""
        SELECT account, family, {", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in _SUMS)},
               min(first_seen) AS first_seen, max(last_seen) AS last_seen
        FROM (SELECT {", ".join(USES.names)} FROM known_uses
              UNION ALL SELECT {", ".join(USES.names)} FROM fresh_uses) u
        WHERE account IN (SELECT account FROM followed) GROUP BY account, family
    """,
    "hours": """
        SELECT account, family, hour, exchanges FROM known_hours
        WHERE account IN (SELECT account FROM followed)
        AND hour < (SELECT coalesce(min(hour), 2147483647) FROM fresh_hours)
        UNION ALL
        SELECT account, family, hour, CAST(sum(exchanges) AS BIGINT) AS exchanges
        FROM (SELECT account, family, hour, exchanges FROM known_hours
              WHERE hour >= (SELECT min(hour) FROM fresh_hours)
              UNION ALL SELECT account, family, hour, exchanges FROM fresh_hours) h
        WHERE account IN (SELECT account FROM followed) GROUP BY account, family, hour
    """,
}
"""What the followed accounts did in all: hours before the first that anything came for are as they were."""

_HELD: Final = """
    WITH fresh AS (
        SELECT fp, account FROM fresh_{name}
        EXCEPT
        SELECT k.fp, k.account FROM known_{name} k
        JOIN fresh_{name} f ON f.fp = k.fp AND f.account = k.account),
    theirs AS (
        SELECT fp FROM known_{name} WHERE account IN (SELECT account FROM followed)
        UNION
        SELECT fp FROM fresh WHERE account IN (SELECT account FROM followed))
    SELECT fp, account FROM known_{name} WHERE fp IN (SELECT fp FROM theirs)
    UNION ALL
    SELECT fp, account FROM fresh WHERE fp IN (SELECT fp FROM theirs)
"""
"""What the followed accounts hold, and everybody who holds it too: how many do says how rare it is."""

_RECORDS: Final = f"""
    SELECT * FROM accounts WHERE account_id IN (SELECT account_id FROM followed)
    {
    "".join(
        f"OR ({column}) IN (SELECT {column} FROM accounts"
        " WHERE account_id IN (SELECT account_id FROM followed))"
        for column, _ in SHARED.values()
    )
}
"""
"""The same of account records."""


def remember_counts(engine: Engine) -> None:
    """Keep what was counted of the whole log, for what comes after it."""
    for name in KNOWN:
        engine.keep(f"known_{name}", f"SELECT * FROM {name}")


def forget_counts(engine: Engine) -> None:
    """Let go of what :func:`remember_counts` kept."""
    for name in KNOWN:
        engine.forget(f"known_{name}")


def count_fresh(engine: Engine, counted: str) -> None:
    """Count the exchanges of ``activity`` of which ``counted`` is true: make ``fresh_uses`` and its like.

    ``activity`` also holds what came up to :data:`LOOK_BACK` before them.
    """
    find_handovers(engine)
    engine.keep("fresh_handovers", "SELECT * FROM handovers")
    for name, query in counts(counted).items():
        engine.keep(f"fresh_{name}", query)


def find_followed(engine: Engine, exempt: Collection[str]) -> None:
    """Make ``candidates``: the known groups, with the accounts that have taken their work up since.

    Accounts that are ``exempt`` are in none.
    """
    engine.bind("exempt", pa.table({"account_id": pa.array(sorted(exempt), pa.string())}))
    engine.keep("candidates", _CANDIDATES)


def add_up(engine: Engine) -> None:
    """Make ``uses``, ``hours``, ``networks``, ``handovers`` and ``accounts`` of those in ``candidates``.

    Of other accounts they hold who shares something with these accounts, and no more.
    """
    engine.keep("followed", _FOLLOWED)
    for name, query in _GROWN.items():
        engine.keep(name, query)
    for name in ("networks", "handovers"):
        engine.keep(name, _HELD.format(name=name))
    engine.keep("accounts", _RECORDS)
    for name in ("uses", "hours", "networks", "handovers"):
        engine.forget(f"fresh_{name}")
