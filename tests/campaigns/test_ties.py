"""Ties: only what members of one group share, numbered within the group."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.campaigns.ties import TIES_QUERY
from stillwatch.contracts import FAMILIES, LINKS, TIES, WORKLOADS, conform

NAMED = pa.string()


def table(columns, rows):
    return pa.table(
        {name: pa.array([row[i] for row in rows], kind) for i, (name, kind) in enumerate(columns)}
    )


@pytest.fixture
def ties(any_engine):
    """Returns the ties of two groups with these links, and of ``one`` with these requests in families."""

    def found(links, work=(), workloads=((0, 4),)):
        pair = [("campaign_id", NAMED), ("account_id", NAMED)]
        members = [("one", "a"), ("one", "b"), ("one", "c"), ("two", "c"), ("two", "d")]
        any_engine.bind("belongs", table(pair, members))
        any_engine.bind("links", pa.Table.from_pylist(links, schema=LINKS))
        any_engine.bind("readings", table([("campaign_id", NAMED), ("candidate", pa.int64())], [("one", 0)]))
        any_engine.bind(
            "workloads",
            conform(table([(n, pa.int64()) for n in WORKLOADS.names], workloads), WORKLOADS, "test"),
        )
        any_engine.bind(
            "campaign_work", table([*pair, ("family", pa.int64())], [("one", *row) for row in work])
        )
        families = [{"family": n, "seed_fp": n, "accounts": 90 + n, "exchanges": 500} for n in range(9)]
        any_engine.bind("families", pa.Table.from_pylist(families, schema=FAMILIES))
        rows = conform(any_engine.table(TIES_QUERY), TIES, "test").to_pylist()
        return [tuple(row.values()) for row in rows]

    return found


def link(value, *accounts, signal="payment-shared", facet="identity"):
    return [
        {"facet": facet, "signal": signal, "value": value, "account_id": account, "holders": len(accounts)}
        for account in accounts
    ]


def test_what_two_members_share_is_a_tie_and_the_whole_log_is_counted(ties):
    assert ties(link(8, "a", "b", "x", "y")) == [
        ("one", "identity", "payment-shared", 0, "a", 4),
        ("one", "identity", "payment-shared", 0, "b", 4),
    ]


def test_what_one_member_shares_with_strangers_is_none(ties):
    assert ties(link(8, "a", "x", "y")) == []


def test_values_are_numbered_within_group_and_signal(ties):
    links = [*link(3, "c", "d"), *link(5, "a", "b"), *link(9, "b", "c", "d"), *link(2, "a", "c", signal="x")]
    numbers = {(row[0], row[2], row[3]) for row in ties(links)}
    assert numbers == {
        ("one", "payment-shared", 0),
        ("one", "payment-shared", 1),
        ("one", "x", 0),
        ("two", "payment-shared", 0),
        ("two", "payment-shared", 1),
    }


def test_a_family_that_is_the_groups_work_is_a_tie_of_the_scaffold_facet(ties):
    work = [("a", 4), ("a", 4), ("b", 4), ("a", 7), ("b", 7), ("c", None)]
    assert ties([], work) == [
        ("one", "scaffold", "scaffold-shared", 0, "a", 94),
        ("one", "scaffold", "scaffold-shared", 0, "b", 94),
    ]
