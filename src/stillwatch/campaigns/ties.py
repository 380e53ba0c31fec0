"""Ties: what the members of a campaign share with one another, thing by thing."""

from __future__ import annotations

from typing import Final

TIES_QUERY: Final = """
    SELECT campaign_id, facet, signal,
           dense_rank() OVER (PARTITION BY campaign_id, facet, signal ORDER BY value) - 1 AS value,
           account_id, holders
    FROM (
        SELECT *, count(*) OVER (PARTITION BY campaign_id, facet, signal, value) AS members FROM (
            SELECT b.campaign_id, l.facet, l.signal, l.value, l.account_id, l.holders
            FROM links l JOIN belongs b ON b.account_id = l.account_id
            UNION ALL
            SELECT DISTINCT w.campaign_id, 'scaffold', 'scaffold-shared', w.family, w.account_id, f.accounts
            FROM campaign_work w JOIN families f ON f.family = w.family
            JOIN (SELECT r.campaign_id, k.family FROM readings r
                  JOIN workloads k ON k.candidate = r.candidate) own
                ON own.campaign_id = w.campaign_id AND own.family = w.family) held) counted
    WHERE members >= 2
    ORDER BY campaign_id, facet, signal, value, account_id
"""
"""TIES over ``links``, ``families``, ``workloads``, ``campaign_work`` and what ``bind_campaigns`` made.

Shared things are numbered in the order of LINKS and FAMILIES, which the key does not touch.
"""
