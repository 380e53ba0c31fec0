"""Workload families against a plain greedy cover, and on traffic whose families are known."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.contracts import SKETCH
from stillwatch.linking.families import (
    CARRIED,
    MIN_ACCOUNTS,
    MIN_EXCHANGES,
    _stars,
    family_of,
    find_seeds,
    size_families,
)
from stillwatch.linking.lookup import LEADING

AT = datetime(2026, 4, 22, tzinfo=UTC)


CARRYING = f"SELECT exchange_id, {', '.join(CARRIED)} FROM sketches ORDER BY exchange_id"


def families_of(engine, traffic):
    traffic.bind(engine)
    traffic.bind_activity(engine, seeds := find_seeds(engine))
    (batch,) = engine.table(CARRYING).combine_chunks().to_batches()
    family = family_of(seeds, batch).to_pylist()
    return size_families(engine, seeds), dict(zip(batch["exchange_id"].to_pylist(), family, strict=True))


def test_a_scaffold_is_one_family_whatever_its_payload(any_engine, traffic, names):
    traffic.queue(names("a", 10), 12, scaffold=77)
    traffic.queue(names("b", 20), 12, scaffold=88)
    traffic.people(names("person", 50))
    families, family = families_of(any_engine, traffic)
    by_scaffold = {
        s: {family[x["exchange_id"]] for x in traffic.sketches if x["head_fp"] == s} for s in (77, 88)
    }
    assert by_scaffold == {77: {1}, 88: {0}}  # the larger one first
    assert families["accounts"].to_pylist() == [20, 10]
    ordinary = {family[x["exchange_id"]] for x in traffic.sketches if x["head_fp"] not in (77, 88)}
    assert ordinary == {None}


def test_payloads_in_common_do_not_glue_two_scaffolds(any_engine, traffic, names):
    """Both groups ask the same public problems: chaining through them would make one family of two."""
    problems = [traffic.fp() for _ in range(40)]
    for scaffold, prefix in ((77, "a"), (88, "b")):
        for number in range(400):
            when = AT + timedelta(minutes=number)
            account = f"{prefix}{number % 20:02}"
            traffic.exchange(account, when, scaffold, shingles=[problems[number % 40]])
    _, family = families_of(any_engine, traffic)
    found = {s: {family[x["exchange_id"]] for x in traffic.sketches if x["head_fp"] == s} for s in (77, 88)}
    assert len(found[77]) == len(found[88]) == 1
    assert found[77] != found[88]


def test_what_fewer_than_five_accounts_share_is_no_family(any_engine, traffic, names):
    traffic.queue(names("a", MIN_ACCOUNTS - 1), 50, scaffold=77)
    families, _ = families_of(any_engine, traffic)
    assert families.num_rows == 0


def test_families_do_not_depend_on_the_key_or_on_the_order_of_rows(any_engine, traffic, names):
    traffic.queue(names("a", 10), 12, scaffold=77, shingles=[5, 6])
    traffic.queue(names("b", 10), 12, scaffold=88, shingles=[6, 7])
    traffic.people(names("person", 30))
    _, before = families_of(any_engine, traffic)
    swap = {
        fp: 2**63 - fp
        for row in traffic.sketches
        for fp in (row["head_fp"], row["tail_fp"], *row["shingles"])
    }
    for row in traffic.sketches:
        row["head_fp"], row["tail_fp"] = swap[row["head_fp"]], swap[row["tail_fp"]]
        row["shingles"] = [swap[fp] for fp in row["shingles"]]
    traffic.sketches.reverse()
    _, after = families_of(any_engine, traffic)
    assert before == after


def test_an_empty_ledger_has_no_family(any_engine, traffic):
    any_engine.bind("sketches", SKETCH.empty_table())
    assert find_seeds(any_engine).num_rows == 0
    traffic.bind_activity(any_engine, find_seeds(any_engine))
    assert any_engine.table("SELECT account FROM activity ORDER BY account").num_rows == 0


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.frozensets(st.integers(0, 12), min_size=1, max_size=LEADING),
        st.integers(1, 90),
        min_size=1,
        max_size=25,
    )
)
def test_stars_are_the_plain_greedy_cover(signatures):
    rows = sorted((sorted(features), count) for features, count in signatures.items())
    padded = np.array([features + [-1] * (LEADING - len(features)) for features, _ in rows], np.int32)
    assert _stars(padded, np.array([count for _, count in rows])) == plain_greedy(rows)


def plain_greedy(rows):
    free, seeds = list(rows), []
    while True:
        counts = Counter()
        for features, count in free:
            counts.update(dict.fromkeys(features, count))
        best = min(counts, key=lambda feature: (-counts[feature], feature), default=None)
        if best is None or counts[best] < MIN_EXCHANGES:
            return seeds
        seeds.append(best)
        free = [(features, count) for features, count in free if best not in features]


def test_a_request_belongs_to_the_first_seed_that_it_carries_however_many_it_carries(any_engine, traffic):
    """Eight frequent phrases stand in each request; the ninth, a scaffold's, is rarer than all of them."""
    phrases, scaffold = [traffic.fp() for _ in range(8)], 77
    for number in range(600):
        carried = [*phrases, scaffold] if number % 4 == 0 else phrases
        traffic.exchange(f"a{number % 30:02}", AT + timedelta(minutes=number), shingles=carried)
    families, family = families_of(any_engine, traffic)
    assert set(family.values()) == {0}
    assert families["exchanges"].to_pylist() == [600]
