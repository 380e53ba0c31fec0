"""Every exchange with its workload family: the table that linking and judging count over."""

from __future__ import annotations

from typing import Final

from stillwatch.linking.families import FEATURES

SESSION_GAP: Final = "INTERVAL 30 MINUTE"
"""A dialogue begun within this time of the account's last beginning belongs to the same sitting.

Only beginnings count: the steps of one dialogue follow each other closely whoever leads it.
"""

ACTIVITY_QUERY: Final = f"""
    SELECT s.exchange_id, s.account_id, s.timestamp, m.family,
           s.turns <= 1 AND coalesce(s.timestamp - lag(s.timestamp) OVER (
               PARTITION BY s.account_id, s.turns <= 1 ORDER BY s.timestamp, s.exchange_id)
               <= {SESSION_GAP}, false) AS resumed,
           s.turns, s.cues, s.capability, s.input_tokens, s.output_tokens,
           s.message_fp, s.network_fp
    FROM sketches s LEFT JOIN (
        SELECT f.exchange_id, f.account_id, f.timestamp, min(d.family) AS family
        FROM ({FEATURES}) f JOIN families d ON d.seed_fp = f.fp
        GROUP BY f.exchange_id, f.account_id, f.timestamp) m
    ON m.exchange_id = s.exchange_id AND m.account_id = s.account_id AND m.timestamp = s.timestamp
    ORDER BY s.timestamp, s.exchange_id, s.account_id
"""
"""ACTIVITY over the relations ``sketches`` and ``families``."""
