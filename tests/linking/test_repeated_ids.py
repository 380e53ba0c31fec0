"""One call id for every request: each request stays one exchange, with its own family."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from stillwatch.accounts.profiles import profile_accounts
from stillwatch.contracts import SKETCH
from stillwatch.linking.activity import bind_activity
from stillwatch.linking.families import find_seeds


def test_requests_that_share_a_call_id_keep_their_own_families(traffic, any_engine, names):
    accounts, scaffolds = names("a", 6), [101, 202]
    traffic.queue(accounts, 12, scaffolds[0])
    traffic.queue(accounts, 12, scaffolds[1])
    for number, row in enumerate(traffic.sketches):
        row["timestamp"] += timedelta(microseconds=number)

    def activity_of(rows):
        any_engine.bind("sketches", pa.Table.from_pylist(rows, schema=SKETCH))
        any_engine.bind("profiles", profile_accounts(any_engine))
        bind_activity(any_engine, find_seeds(any_engine))
        return any_engine.table("SELECT * FROM activity ORDER BY timestamp, account")

    expected = activity_of(traffic.sketches)
    assert set(expected["family"].to_pylist()) == {0, 1}
    assert activity_of([row | {"exchange_id": "one"} for row in traffic.sketches]) == expected
