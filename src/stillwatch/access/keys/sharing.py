"""Keys that many use at once: ``credential-shared``, told from the requests in the ledger.

*Shared.* In a window of ten minutes the users of a key are at least as many as one can pair networks (/24,
/48) with client programs (user agent and TLS fingerprint), each in one pair alone: a maximum matching
(Hopcroft & Karp 1973). One who travels, or whose carrier gives every request another address, has one client;
an office has one network; a fleet of CI runners one client in many networks; somebody with a laptop, a
telephone and a CI job makes three. From four on it is a crowd. A key is shared that had a crowd in three
windows on two days, in networks of three operators (AS) where the log names them: services of one customer in
several regions of one cloud are no crowd.

*Not shared, from ten networks on.* ``runners``: nearly each network for one short burst, and never again.
``rotating``: the same with hardly more than one request each, as behind a pool of proxies. ``moving``:
networks come back, as they do of somebody who travels.

Reads the relation ``sketches`` (SKETCH) and ``exempt`` (``account_id``), accounts that were declared to serve
many. Requests that were refused (401, 403) do not count: whoever knows a key's name could send them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from stillwatch.contracts import SHARED_KEYS, conform
from stillwatch.engines.engine import Engine

WINDOW: Final = 600
"""Seconds within which users count as being there at once."""

CROWD: Final = 4
"""Users at once from which on they are not one person's devices."""

WINDOWS: Final = 3
DAYS: Final = 2
"""Windows with a crowd, and days that they are on, from which on a key is shared."""

OPERATORS: Final = 3
"""Operators of networks (AS) at once, where the log names them, that a crowd comes from."""

MANY: Final = 10
"""Networks in all from which on a key is told of though it is not shared."""

BRIEF: Final = 0.95
"""Part of a key's networks that are used for one burst alone where they are a fleet's or a pool's."""

BURST: Final = 2.5
"""Requests for each network on average from which on these are runs, and not a pool that rotates."""

_USED: Final = f"""
    SELECT key_fp, account_id, network_fp, client_fp, tls_fp, asn, timestamp,
           CAST(floor(epoch(timestamp) / {WINDOW}) AS BIGINT) AS slot
    FROM sketches
    WHERE key_fp IS NOT NULL AND network_fp IS NOT NULL AND (status IS NULL OR status NOT IN (401, 403))
      AND account_id NOT IN (SELECT account_id FROM exempt)
"""

_PLACES: Final = """
    SELECT key_fp, network_fp, count(*) AS requests,
           CASE WHEN max(timestamp) < min(timestamp) + INTERVAL 1 HOUR THEN 1 ELSE 0 END AS brief
    FROM key_uses GROUP BY key_fp, network_fp
"""

_AT_ONCE: Final = """
    SELECT n.key_fp, n.slot, n.networks, c.clients, n.operators
    FROM (SELECT key_fp, slot, count(DISTINCT network_fp) AS networks, count(DISTINCT asn) AS operators
          FROM key_uses GROUP BY key_fp, slot) n
    JOIN (SELECT key_fp, slot, count(*) AS clients
          FROM (SELECT DISTINCT key_fp, slot, client_fp, tls_fp FROM key_uses) d GROUP BY key_fp, slot) c
      ON c.key_fp = n.key_fp AND c.slot = n.slot
"""

_KEYS: Final = f"""
    SELECT k.key_fp, k.account_id, k.requests, p.networks, p.brief_networks, d.clients, w.networks_at_once,
           w.clients_at_once, k.first_seen, k.last_seen
    FROM (SELECT key_fp, min(account_id) AS account_id, count(*) AS requests, min(timestamp) AS first_seen,
                 max(timestamp) AS last_seen FROM key_uses GROUP BY key_fp) k
    JOIN (SELECT key_fp, count(*) AS networks, CAST(sum(brief) AS BIGINT) AS brief_networks
          FROM key_places GROUP BY key_fp) p ON p.key_fp = k.key_fp
    JOIN (SELECT key_fp, count(*) AS clients
          FROM (SELECT DISTINCT key_fp, client_fp, tls_fp FROM key_uses) e GROUP BY key_fp) d
      ON d.key_fp = k.key_fp
    JOIN (SELECT key_fp, max(networks) AS networks_at_once, max(clients) AS clients_at_once
          FROM key_windows GROUP BY key_fp) w ON w.key_fp = k.key_fp
    WHERE p.networks >= {MANY} OR (w.networks_at_once >= {CROWD} AND w.clients_at_once >= {CROWD})
    ORDER BY k.account_id NULLS LAST, k.first_seen NULLS LAST, k.last_seen NULLS LAST, k.key_fp NULLS LAST
"""

_CROWDED: Final = f"""
    SELECT DISTINCT u.key_fp, u.slot, u.network_fp, u.client_fp, u.tls_fp
    FROM key_uses u JOIN key_windows w ON w.key_fp = u.key_fp AND w.slot = u.slot
    WHERE w.networks >= {CROWD} AND w.clients >= {CROWD}
      AND (w.operators >= {OPERATORS} OR w.operators = 0)
    ORDER BY u.key_fp NULLS LAST, u.slot NULLS LAST, u.network_fp NULLS LAST, u.client_fp NULLS LAST,
             u.tls_fp NULLS LAST
"""


def find_shared_keys(engine: Engine) -> pa.Table:
    """Return SHARED_KEYS: keys that came from many networks, by account."""
    for name, query in (("key_uses", _USED), ("key_places", _PLACES), ("key_windows", _AT_ONCE)):
        engine.keep(name, query)
    crowds = _crowds(engine.table(_CROWDED))
    rows = [_told(row, crowds.get(row["key_fp"], {})) for row in engine.table(_KEYS).to_pylist()]
    for name in ("key_uses", "key_places", "key_windows"):
        engine.forget(name)
    told = [row for row in rows if row["kind"] == "shared" or row["networks"] >= MANY]
    return conform(pa.Table.from_pylist(told, schema=SHARED_KEYS), SHARED_KEYS, "access")


def count_keys(engine: Engine) -> int:
    """Return how many keys the relation ``sketches`` has."""
    found = engine.table("SELECT count(DISTINCT key_fp) AS keys FROM sketches ORDER BY 1")
    return int(found["keys"][0].as_py())


def _told(row: dict[str, Any], users: dict[int, int]) -> dict[str, Any]:
    """Return a row of SHARED_KEYS; ``users`` is how many there were at once, by window."""
    crowded = [slot for slot, number in users.items() if number >= CROWD]
    days = {slot * WINDOW // 86_400 for slot in crowded}
    return row | {
        "kind": _kind(row, len(crowded), len(days)),
        "users_at_once": max(users.values(), default=0),
        "crowded_windows": len(crowded),
        "crowded_days": len(days),
        "crowded_first": _moment(min(crowded)) if crowded else None,
        "crowded_last": _moment(max(crowded) + 1) if crowded else None,
    }


def _kind(row: dict[str, Any], windows: int, days: int) -> str:
    if windows >= WINDOWS and days >= DAYS:
        return "shared"
    if row["brief_networks"] < BRIEF * row["networks"]:
        return "moving"
    return "runners" if row["requests"] >= BURST * row["networks"] else "rotating"


def _crowds(pairs: pa.Table) -> dict[int, dict[int, int]]:
    """Return how many users there were at once, by key and window."""
    found: dict[int, dict[int, int]] = {}
    for (key, slot), own in groupby(_tuples(pairs), key=lambda pair: pair[:2]):
        found.setdefault(key, {})[slot] = _matched([(pair[2], pair[3:]) for pair in own])
    return found


def _tuples(pairs: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in pairs.columns), strict=True)


def _matched(pairs: list[tuple[Any, Any]]) -> int:
    """Return how many pairs there are of which no two have a network or a client in common, at most."""
    networks = {network: place for place, network in enumerate(dict.fromkeys(pair[0] for pair in pairs))}
    clients = {client: place for place, client in enumerate(dict.fromkeys(pair[1] for pair in pairs))}
    rows = [networks[network] for network, _ in pairs]
    columns = [clients[client] for _, client in pairs]
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (rows, columns)), shape=(len(networks), len(clients))).tocsr()
    return int(np.count_nonzero(maximum_bipartite_matching(graph) >= 0))


def _moment(slot: int) -> Any:
    return pa.scalar(slot * WINDOW * 1_000_000, pa.int64()).cast(pa.timestamp("us", tz="UTC")).as_py()
