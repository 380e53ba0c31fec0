"""Counts of the whole log and of what came since add up to the counts of everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.accounts.profiles import grow_profiles, profile_accounts
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, CANDIDATES, SEEDS, SKETCH, USES, WORKLOADS
from stillwatch.linking.activity import bind_activity, tally
from stillwatch.linking.growth import LOOK_BACK, add_up, count_fresh, find_followed, remember_counts

START = datetime(2026, 4, 22, tzinfo=UTC)
CUT = START + timedelta(days=12, minutes=17)
SCAFFOLD = 77
COUNTED = f"timestamp >= TIMESTAMP '{CUT:%Y-%m-%d %H:%M:%S}+00'"
TABLES = {
    "uses": ", ".join(USES.names),
    "hours": "account, family, hour, exchanges",
    "networks": "fp, account",
    "handovers": "fp, account",
}


def fill(traffic, names):
    """A pool that hands dialogues round, people who try its scaffold, and one account that comes late."""
    pool, people = names("pool", 12), names("person", 30)
    for account in [*pool, *people]:
        traffic.account(account, payment_fp=5 if account in pool[:3] else traffic.fp())
    traffic.queue(pool, 30, SCAFFOLD, network_fp=9)
    traffic.people(people, network_fp=10)
    traffic.people(people[:5], SCAFFOLD)
    for minute in range(12):
        traffic.exchange("late", CUT + timedelta(minutes=minute), SCAFFOLD, network_fp=9)
    for number in range(20):
        at, said = CUT + timedelta(minutes=11 * (number - 10)), 1_000 + number
        traffic.exchange(pool[number % 12], at, SCAFFOLD, history_fps=[said])
        later = {"history_fps": [said, 7_000 + number, 8_000 + number], "turns": 3}
        traffic.exchange(pool[(number + 1) % 12], at + timedelta(hours=1), SCAFFOLD, **later)
    return pool


@pytest.fixture
def seeds():
    return pa.Table.from_pylist([{"family": 0, "fp": SCAFFOLD}], schema=SEEDS)


def rows(engine, name: str, ids: dict[int, str]) -> set[tuple[object, ...]]:
    """The rows of a relation with accounts by id: their numbers depend on who was known first."""
    chosen = "SELECT account FROM followed"
    table = engine.table(f"SELECT {TABLES[name]} FROM {name} WHERE account IN ({chosen}) ORDER BY ALL")
    at = table.column_names.index("account")
    return {
        (*row[:at], ids[row[at]], *row[at + 1 :]) for row in zip(*table.to_pydict().values(), strict=True)
    }


def test_what_is_added_up_is_what_a_count_of_everything_says(any_engine, traffic, names, seeds):
    pool = fill(traffic, names)
    whole = pa.Table.from_pylist(traffic.sketches, schema=SKETCH)
    records = pa.Table.from_pylist(traffic.accounts, schema=ACCOUNT_SKETCH)

    def sketches(since: datetime, until: datetime) -> pa.Table:
        times = whole["timestamp"]
        bounds = [pa.scalar(moment, times.type) for moment in (since, until)]
        return whole.filter(pc.and_(pc.greater_equal(times, bounds[0]), pc.less(times, bounds[1])))

    any_engine.bind("accounts", records)
    any_engine.bind("account_events", ACCOUNT_EVENTS.empty_table())
    any_engine.bind("sketches", sketches(START, CUT))
    any_engine.bind("profiles", known_profiles := profile_accounts(any_engine))
    bind_activity(any_engine, seeds)
    tally(any_engine)
    remember_counts(any_engine)
    known = [{"candidate": 3, "account_id": account} for account in pool]
    any_engine.bind("known_candidates", pa.Table.from_pylist(known, schema=CANDIDATES))
    works = [{"candidate": 3, "family": 0}]
    any_engine.bind("known_workloads", pa.Table.from_pylist(works, schema=WORKLOADS))

    any_engine.bind("sketches", sketches(CUT - LOOK_BACK, START + timedelta(days=99)))
    grown = grow_profiles(any_engine, COUNTED)
    any_engine.bind("profiles", grown)
    bind_activity(any_engine, seeds)
    count_fresh(any_engine, COUNTED)
    find_followed(any_engine, exempt={"person0004"})
    add_up(any_engine)
    ids = dict(zip(grown["account"].to_pylist(), grown["account_id"].to_pylist(), strict=True))
    found = {name: rows(any_engine, name, ids) for name in TABLES}
    followed = any_engine.table("SELECT account_id FROM followed ORDER BY account_id")[
        "account_id"
    ].to_pylist()
    assert {"late", *pool} <= set(followed)
    assert "person0004" not in followed
    numbered = grown["account_id"].to_pylist()
    assert numbered[: known_profiles.num_rows] == known_profiles["account_id"].to_pylist()
    assert "late" in numbered[known_profiles.num_rows :]

    any_engine.bind("sketches", whole)
    profiles = profile_accounts(any_engine)
    assert profiles.drop_columns("account").equals(grown.sort_by("account_id").drop_columns("account"))
    any_engine.bind("profiles", profiles)
    bind_activity(any_engine, seeds)
    tally(any_engine)
    listed = ", ".join(f"'{account}'" for account in followed)
    any_engine.keep("followed", f"SELECT account FROM profiles WHERE account_id IN ({listed})")
    ids = dict(zip(profiles["account"].to_pylist(), profiles["account_id"].to_pylist(), strict=True))
    for name in TABLES:
        assert rows(any_engine, name, ids) == found[name], name
    assert len(found["handovers"]) > 20
