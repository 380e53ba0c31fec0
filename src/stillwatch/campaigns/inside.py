"""What a candidate's work is, and what its members did of it: queries over bound relations."""

from __future__ import annotations

from typing import Final

from stillwatch.campaigns.candidates import MIN_ACCOUNTS

INSIDE_QUERY: Final = """
    SELECT c.candidate, a.* FROM activity a JOIN candidates c ON c.account_id = a.account_id
    JOIN workloads w ON w.candidate = c.candidate AND w.family = a.family
    UNION ALL
    SELECT c.candidate, a.* FROM activity a JOIN candidates c ON c.account_id = a.account_id
    WHERE c.candidate NOT IN (SELECT candidate FROM workloads)
    ORDER BY candidate, timestamp, exchange_id, account_id
"""
"""INSIDE: requests of a candidate's families by its accounts; all of theirs where it has no family."""

MEMBERS_QUERY: Final = f"""
    SELECT m.candidate, m.account_id FROM membership m JOIN (
        SELECT candidate, sum(CASE WHEN member THEN 1 ELSE 0 END) AS members
        FROM membership GROUP BY candidate) s ON s.candidate = m.candidate
    WHERE m.member OR s.members < {MIN_ACCOUNTS} ORDER BY m.candidate, m.account_id
"""
"""The accounts that facets weigh: the members, or everybody where too few work as one."""

WORK_QUERY: Final = """
    SELECT i.* FROM inside i JOIN members m ON m.candidate = i.candidate AND m.account_id = i.account_id
    ORDER BY i.candidate, i.timestamp, i.exchange_id, i.account_id
"""
"""INSIDE of those accounts only."""
