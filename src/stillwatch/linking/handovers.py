"""Handovers: conversations that go on under another account, found once for the links and for the groups."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from stillwatch.engines.engine import Engine

WITHIN: Final = timedelta(hours=48)
"""A conversation that goes on later than this is not taken for the same one."""

_MOST_SENDERS: Final = 5
"""A message that more accounts have sent is a figure of speech, not the state of a conversation."""

_FOREIGN: Final = """
    SELECT account, timestamp, continued_fp AS fp FROM activity c
    WHERE continued_fp IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM activity o WHERE o.account = c.account AND o.state_fp = c.continued_fp)
"""
"""Dialogues that go on from a state which this account never sent."""

_SENT: Final = """
    SELECT a.account, a.timestamp, a.state_fp AS fp FROM activity a
    WHERE a.state_fp IN (SELECT fp FROM foreign_states)
"""

_HANDOVERS: Final = f"""
    SELECT DISTINCT c.fp, c.account AS taker, s.account AS giver
    FROM foreign_states c
    JOIN sent_states s ON s.fp = c.fp AND s.timestamp < c.timestamp
        AND s.timestamp >= c.timestamp - INTERVAL {WITHIN // timedelta(hours=1)} HOUR
    JOIN (SELECT fp FROM sent_states GROUP BY fp HAVING count(DISTINCT account) <= {_MOST_SENDERS}) rare
        ON rare.fp = c.fp
"""
"""The same where another account sent that state, within two days before."""

_HELD: Final = f"SELECT DISTINCT fp, unnest([taker, giver]) AS account FROM ({_HANDOVERS}) t"


def find_handovers(engine: Engine) -> None:
    """Make ``handovers`` of ``activity``: ``fp`` and ``account`` of who sent a state or went on from it."""
    for name, query in (("foreign_states", _FOREIGN), ("sent_states", _SENT), ("handovers", _HELD)):
        engine.keep(name, query)
    for name in ("foreign_states", "sent_states"):
        engine.forget(name)
