"""Every exchange with its workload family: the table that linking and judging count over."""

from __future__ import annotations

from typing import Final

from stillwatch.linking.families import FAMILY

SESSION_GAP: Final = "INTERVAL 30 MINUTE"
"""A dialogue begun within this time of the account's last beginning belongs to the same sitting.

Only beginnings count: the steps of one dialogue follow each other closely whoever leads it.
"""

ACTIVITY_QUERY: Final = f"""
    SELECT exchange_id, account_id, timestamp, {FAMILY} AS family,
           turns <= 1 AND coalesce(timestamp - lag(timestamp) OVER (
               PARTITION BY account_id, turns <= 1 ORDER BY timestamp, exchange_id)
               <= {SESSION_GAP}, false) AS resumed,
           turns, cues, capability, input_tokens, output_tokens, message_fp, network_fp
    FROM sketches ORDER BY timestamp, exchange_id, account_id
"""
"""ACTIVITY over the relation ``sketches``, once families are known."""
