"""Parties: accounts that belong together openly count as one.

Colleagues under one declared organisation share a card, an office and a mail domain because they say so;
only sharing between parties is hidden, and only hidden sharing links.
"""

from __future__ import annotations

from typing import Final

PARTIES_QUERY: Final = """
    SELECT s.account_id,
           coalesce(CAST(coalesce(a.organization_fp, s.organization_fp) AS VARCHAR), s.account_id) AS party
    FROM (SELECT account_id, min(organization_fp) AS organization_fp FROM sketches GROUP BY account_id) s
    LEFT JOIN accounts a ON a.account_id = s.account_id
    UNION ALL
    SELECT a.account_id, coalesce(CAST(a.organization_fp AS VARCHAR), a.account_id)
    FROM accounts a LEFT JOIN (SELECT DISTINCT account_id FROM sketches) s ON s.account_id = a.account_id
    WHERE s.account_id IS NULL
    ORDER BY account_id
"""
"""Account and party, over ``sketches`` and ``accounts``: the declared organisation, else itself."""
