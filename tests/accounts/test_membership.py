"""Account signals: who is taken for one that serves a queue, and which honest account is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from assessing import assess, behave, members, pooled, ratios, tied_by

from stillwatch.accounts import profiles as accounts_profiles
from stillwatch.accounts.membership import assess_membership
from stillwatch.accounts.ordinary import scaffold_uses
from stillwatch.accounts.profiles import WHOLE_TRAFFIC, profile_accounts, profile_behaviour
from stillwatch.accounts.signals import account_signals
from stillwatch.accounts.signals.beta_binomial import BetaBinomial
from stillwatch.contracts import CANDIDATES, INSIDE, LINKS

START = datetime(2026, 4, 22, tzinfo=UTC)


def test_profiles_count_each_account_once(any_engine, traffic, names):
    traffic.queue(names("farm", 3), 10, scaffold=77)
    traffic.people(names("person", 20))
    traffic.bind(any_engine)
    profiles = profile_accounts(any_engine)
    assert profiles["account_id"].to_pylist() == sorted({row["account_id"] for row in traffic.sketches})
    assert sum(profiles["exchanges"].to_pylist()) == len(traffic.sketches)


def test_behaviour_counts_hours_sittings_and_dialogues(any_engine, traffic, names):
    traffic.people(names("person", 30), scaffold=88)
    traffic.bind_groups(any_engine, {}, {})
    for name, schema in {"candidates": CANDIDATES, "inside": INSIDE, "links": LINKS}.items():
        any_engine.bind(name, schema.empty_table())
    for row in pa.concat_tables(profile_behaviour(any_engine)).to_pylist():
        own = [x for x in traffic.sketches if x["account_id"] == row["account_id"]]
        cells = {(x["timestamp"].date(), x["timestamp"].hour) for x in own}
        assert row["candidate"] == WHOLE_TRAFFIC
        assert row["exchanges"] == len(own)
        assert row["standalone"] == sum(x["turns"] <= 1 for x in own)
        assert row["hours"] == [sum(hour == h for _, h in cells) for hour in range(24)]
        times = sorted(x["timestamp"] for x in own if x["turns"] <= 1)
        near = sum((b - a).total_seconds() <= 1800 for a, b in pairwise(times))
        assert row["resumed"] == near


@pytest.mark.parametrize("signal", ["load-balanced", "no-sessions", "round-the-clock", "standalone-requests"])
def test_a_signal_tells_a_queue_from_people(any_engine, traffic, names, signal):
    farm, client = names("farm", 40), names("client", 80)
    traffic.queue(farm, 30, scaffold=77)
    traffic.people(client, scaffold=88)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: farm, 1: client}, {0: 77, 1: 88})
    assert ratios(found, 0, signal).mean() > 0.5
    assert ratios(found, 1, signal).mean() < 0


def test_where_behaviour_is_cut_into_parts_makes_no_difference(any_engine, traffic, names, monkeypatch):
    farm, client, others = names("farm", 20), names("client", 20), names("person", 60)
    traffic.queue(farm, 12, scaffold=77)
    traffic.people(client, scaffold=88)
    traffic.people(others)
    groups, scaffolds = {0: farm, 1: client, 2: [*farm, *client]}, {0: 77, 1: 88}
    whole = pa.concat_tables(behave(any_engine, traffic, groups, scaffolds))
    monkeypatch.setattr(accounts_profiles, "_PART_ROWS", 1)
    parts = behave(any_engine, traffic, groups, scaffolds)
    assert [part["candidate"].unique().to_pylist() for part in parts] == [[WHOLE_TRAFFIC], [0], [1], [2]]
    assert pa.concat_tables(parts) == whole
    expected = assess_membership([whole], scaffold_uses(any_engine), account_signals())
    for size in (7, 50, 130):
        cut = [whole.slice(start, size) for start in range(0, whole.num_rows, size)]
        found = assess_membership(cut, scaffold_uses(any_engine), account_signals())
        assert (found.membership, found.findings) == (expected.membership, expected.findings)
        assert found.signals([0, 2]) == expected.signals([0, 2])


def test_people_beside_a_queue_with_the_same_words_are_no_members(any_engine, traffic, names):
    farm, copycats = names("farm", 40), names("copycat", 12)
    traffic.queue(farm, 30, scaffold=77)
    traffic.people(copycats, scaffold=77)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: [*farm, *copycats]}, {0: 77})
    assert members(found, 0) >= set(farm)
    assert len(members(found, 0) & set(copycats)) <= 1


def test_an_account_that_joined_late_or_left_early_does_its_share_while_it_is_there(
    any_engine, traffic, names
):
    """Thirty requests in the whole time are six in a fifth of it; six now and then are a visitor's."""
    farm, late, gone, visitors = names("farm", 40), names("late", 4), names("gone", 4), names("visitor", 6)
    traffic.queue(farm, 30, scaffold=77)
    traffic.people(names("person", 300))
    of_work = sorted(row["timestamp"] for row in traffic.sketches if row["account_id"] in farm)
    start, fifth = of_work[0], (of_work[-1] - of_work[0]) / 5
    for accounts, begin, length in ((late, 4, 1), (gone, 0, 1), (visitors, 0, 5)):
        for account in accounts:
            for part in range(6):
                at = begin + length * (part + traffic.random.random()) / 6
                traffic.exchange(account, start + at * fifth, 77)
    everyone = [*farm, *late, *gone, *visitors]
    found = assess(any_engine, traffic, {0: everyone}, {0: 77})
    assert ratios(found, 0, "load-balanced", [*late, *gone]).min() > -0.5
    assert ratios(found, 0, "load-balanced", visitors).max() < -2
    assert members(found, 0) >= {*farm, *late, *gone}


def test_a_group_of_people_has_no_lucky_half(any_engine, traffic, names):
    client = names("client", 80)
    traffic.people(client, scaffold=88)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: client}, {0: 88})
    assert members(found, 0) == set()
    assert pooled(found, "round-the-clock")[0] < 0
    assert pooled(found, "no-sessions")[0] < 0


def test_one_operator_s_office_hours_are_one_clock_and_days_of_their_own_are_not(any_engine, traffic, names):
    """Each account of the farm works some of the same nine hours; each client keeps a day of its own."""
    farm, client = names("farm", 40), names("client", 80)
    for account in farm:
        for _ in range(30):
            at = timedelta(
                days=int(traffic.random.integers(0, 20)), hours=int(traffic.random.integers(8, 17))
            )
            traffic.exchange(
                account, START + at + timedelta(seconds=int(traffic.random.integers(0, 3600))), 77
            )
    traffic.people(client, scaffold=88)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: farm, 1: client}, {0: 77, 1: 88})
    assert pooled(found, "one-clock")[0] > 4
    assert pooled(found, "one-clock")[1] <= 0


def test_no_rhythm_at_all_is_no_common_clock(any_engine, traffic, names):
    farm = names("farm", 40)
    traffic.queue(farm, 30, scaffold=77)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: farm}, {0: 77})
    assert abs(pooled(found, "one-clock")[0]) < 1
    assert pooled(found, "round-the-clock")[0] > 3


def test_a_few_coincidences_make_no_member_of_a_pool_that_hands_everything_round(any_engine, traffic, names):
    """Sixty conversations tie each account of the pool to others; one ties a stranger to it."""
    pool, strangers = names("pool", 40), names("stranger", 6)
    traffic.queue([*pool, *strangers], 30, scaffold=77)
    traffic.people(names("person", 300))
    pairs = [(pool[i], pool[(i + step) % 40]) for i in range(40) for step in range(1, 31)]
    pairs += [(stranger, pool[number]) for number, stranger in enumerate(strangers)]
    links = [
        {"facet": "continuity", "signal": "continuity", "value": n, "account_id": account, "holders": 2}
        for n, pair in enumerate(pairs)
        for account in pair
    ]
    found = assess(any_engine, traffic, {0: [*pool, *strangers]}, {0: 77}, links=links)
    by_account = dict(zip(sorted([*pool, *strangers]), ratios(found, 0, "tied"), strict=True))
    assert min(by_account[account] for account in pool) > 2
    assert max(by_account[account] for account in strangers) < -1


def test_colleagues_of_one_organisation_speak_with_one_voice(any_engine, traffic, names):
    seats = names("seat", 40)
    for account in seats:
        traffic.account(account, organization_fp=9)
    traffic.queue(seats, 30, scaffold=77)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: seats}, {0: 77})
    assert max(row["llr"] for row in found.findings.to_pylist()) < 2


def test_an_untied_account_is_a_stranger_where_the_members_are_tied(any_engine, traffic, names):
    farm, judges = names("farm", 40), names("judge", 4)
    traffic.queue([*farm, *judges], 30, scaffold=77)
    traffic.people(names("person", 300))
    cards = tied_by("payment-shared", [farm[first : first + 5] for first in range(0, 40, 5)], holders=5)
    found = assess(any_engine, traffic, {0: [*farm, *judges]}, {0: 77}, cards)
    assert ratios(found, 0, "tied").min() < -1
    others = {name: signal for name, signal in account_signals().items() if name != "tied"}
    blunt = assess(any_engine, traffic, {0: [*farm, *judges]}, {0: 77}, cards, others)
    strength = (
        {row["account_id"]: row["strength"] for row in found.membership.to_pylist()},
        {row["account_id"]: row["strength"] for row in blunt.membership.to_pylist()},
    )
    assert all(strength[0][judge] < strength[1][judge] for judge in judges)


def test_being_untied_says_nothing_where_nobody_is_tied(any_engine, traffic, names):
    farm = names("farm", 40)
    traffic.queue(farm, 30, scaffold=77)
    traffic.people(names("person", 300))
    found = assess(any_engine, traffic, {0: farm}, {0: 77})
    assert np.abs(ratios(found, 0, "tied")).max() < 0.2


def test_a_log_of_one_minute_gives_no_verdict_on_days_and_sittings(any_engine, traffic, names):
    """Everything within a minute: no human day, no sitting can be told, and none is."""
    farm, people = names("farm", 20), names("person", 40)
    from datetime import UTC, datetime, timedelta

    for number in range(600):
        account = [*farm, *people][number % 60]
        when = datetime(2026, 4, 22, 12, 0, tzinfo=UTC) + timedelta(milliseconds=100 * number)
        traffic.exchange(account, when, 77 if account in farm else None)
    found = assess(any_engine, traffic, {0: farm}, {0: 77})
    assert np.abs(ratios(found, 0, "round-the-clock")).max() < 0.7
    assert np.abs(ratios(found, 0, "no-sessions")).max() < 0.7


def test_a_beta_binomial_recovers_the_shares_it_was_made_of():
    random = np.random.default_rng(5)
    trials = random.integers(20, 60, 4000)
    fitted = BetaBinomial.fit(random.binomial(trials, random.beta(3, 6, 4000)), trials)
    assert fitted.mean == pytest.approx(1 / 3, abs=0.02)
    assert fitted.alpha + fitted.beta == pytest.approx(9, rel=0.35)


def test_shares_of_nobody_are_the_uniform_prior():
    assert BetaBinomial.fit(np.array([1]), np.array([3])) == BetaBinomial(1.0, 1.0)
