"""What a candidate's work is, and what its members did of it: queries over bound relations."""

from __future__ import annotations

from typing import Final

from stillwatch.campaigns.candidates import MIN_ACCOUNTS
from stillwatch.engines.engine import Engine

_SEATS: Final = """
    SELECT c.candidate, p.account, w.candidate IS NOT NULL AS at_work
    FROM candidates c JOIN profiles p ON p.account_id = c.account_id
    LEFT JOIN (SELECT DISTINCT candidate FROM workloads) w ON w.candidate = c.candidate
"""

_USED: Final = """
    SELECT w.candidate, u.account, u.family FROM uses u JOIN workloads w ON w.family = u.family
"""

_INSIDE: Final = """
    SELECT u.candidate, u.account, u.family
    FROM used u JOIN seats s ON s.candidate = u.candidate AND s.account = u.account
    UNION ALL
    SELECT s.candidate, u.account, u.family
    FROM (SELECT candidate, account FROM seats WHERE NOT at_work) s JOIN uses u ON u.account = s.account
"""


def bind_inside(engine: Engine) -> None:
    """Make ``seats``, the accounts of each candidate by number, and ``inside`` (INSIDE).

    A candidate's work is its families as its accounts use them; all that they use where it has no family.
    Step by step: an account that is in twelve candidates would bring all that it uses to each of them first.
    """
    engine.keep("seats", _SEATS)
    engine.keep("used", _USED)
    engine.keep("inside", _INSIDE)
    engine.forget("used")


MEMBERS_QUERY: Final = f"""
    SELECT m.candidate, p.account, m.account_id FROM membership m
    JOIN profiles p ON p.account_id = m.account_id
    JOIN (
        SELECT candidate, sum(CASE WHEN member THEN 1 ELSE 0 END) AS members
        FROM membership GROUP BY candidate) s ON s.candidate = m.candidate
    WHERE m.member OR s.members < {MIN_ACCOUNTS} ORDER BY m.candidate, m.account_id
"""
"""The accounts that facets weigh: the members, or everybody where too few work as one."""

WORK_QUERY: Final = """
    SELECT i.* FROM inside i JOIN members m ON m.candidate = i.candidate AND m.account = i.account
"""
"""INSIDE of those accounts only."""

VOLUMES_QUERY: Final = """
    SELECT w.candidate, CAST(sum(u.exchanges) AS BIGINT) AS exchanges, count(DISTINCT a.party) AS parties,
           count(DISTINCT w.account) AS accounts
    FROM work w JOIN uses u ON u.account = w.account AND u.family = w.family
    JOIN parties a ON a.account = w.account
    GROUP BY w.candidate ORDER BY w.candidate
"""
"""How much work each candidate's is, and of how many accounts and parties."""
