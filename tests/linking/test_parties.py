"""Who belongs together openly: by declared organisation, and by parties that a list names."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.linking.parties import join_parties

OWN = {"a1": "17", "a2": "17", "b1": "42", "b2": "42", "c": "c", "d": "d"}


def joined(*declared):
    table = join_parties(pa.table({"account_id": list(OWN), "party": list(OWN.values())}), declared)
    groups: dict[int, set[str]] = {}
    for row in table.to_pylist():
        groups.setdefault(row["party"], set()).add(row["account_id"])
    return sorted(map(sorted, groups.values()))


def test_without_a_declaration_organisations_stay():
    assert joined() == [["a1", "a2"], ["b1", "b2"], ["c"], ["d"]]


def test_a_party_joins_accounts_and_brings_their_organisations_along():
    assert joined(("c", "acme"), ("d", "acme")) == [["a1", "a2"], ["b1", "b2"], ["c", "d"]]
    assert joined(("a1", "acme"), ("c", "acme")) == [["a1", "a2", "c"], ["b1", "b2"], ["d"]]


def test_parties_that_share_an_account_are_one_in_whatever_order_they_come():
    declared = [("a1", "acme"), ("c", "acme"), ("c", "bolt"), ("b2", "bolt")]
    expected = [["a1", "a2", "b1", "b2", "c"], ["d"]]
    assert joined(*declared) == joined(*reversed(declared)) == expected


def test_an_unknown_account_and_a_party_of_one_change_nothing():
    assert joined(("nobody", "acme"), ("c", "acme")) == joined()
