"""What a candidate's work is, and what its members did of it: queries over bound relations."""

from __future__ import annotations

from typing import Final

from stillwatch.campaigns.candidates import MIN_ACCOUNTS

INSIDE_QUERY: Final = """
    SELECT c.candidate, u.account, u.family
    FROM candidates c JOIN profiles p ON p.account_id = c.account_id JOIN uses u ON u.account = p.account
    JOIN workloads w ON w.candidate = c.candidate AND w.family = u.family
    UNION ALL
    SELECT c.candidate, u.account, u.family
    FROM candidates c JOIN profiles p ON p.account_id = c.account_id JOIN uses u ON u.account = p.account
    WHERE c.candidate NOT IN (SELECT candidate FROM workloads)
"""
"""INSIDE: a candidate's families as its accounts use them; all that they use where it has no family."""

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
