"""Every facet beside its honest twin: what it must see, and what it must not take for it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from stillwatch.contracts import FINDINGS, LINKS, Cue
from stillwatch.linking.facets import BUILT_IN, facets
from stillwatch.linking.facets.tempo import synchrony

START_DAY = 20


def llr(facet, engine, signal=None):
    """Return candidate -> what the facet (or one signal of it) says, nothing where it is silent."""
    table = BUILT_IN[facet].weigh(engine)
    assert table.schema == FINDINGS
    assert set(table["signal"].to_pylist()) <= {known.id for known in BUILT_IN[facet].card.signals}
    sums = {}
    for row in table.to_pylist():
        if signal in (None, row["signal"]):
            sums[row["candidate"]] = sums.get(row["candidate"], 0.0) + row["llr"]
    return sums


def crowd(traffic, names, count=300):
    """Unrelated people, each with a card, a device and a network of their own."""
    others = names("person", count)
    for number, account in enumerate(others):
        made = f"2025-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:00:00"
        traffic.account(account, payment_fp=traffic.fp(), device_fp=traffic.fp(), created_at=at(made))
    for account in others:
        traffic.people([account], network_fp=traffic.fp())
    return others


def at(text):
    from datetime import UTC, datetime

    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_registry_is_complete_and_every_facet_says_what_it_is():
    assert list(facets()) == sorted(BUILT_IN)
    for name, facet in BUILT_IN.items():
        card = facet.card
        assert card.name == name
        assert card.side in ("linking", "extraction", "either")
        assert min(len(card.shows), len(card.honest_twin), len(card.method)) > 10
        assert card.cap > 0 >= card.floor


def test_identity_sees_reused_cards_and_not_cards_of_one_s_own(any_engine, traffic, names):
    others = crowd(traffic, names)
    farm = names("farm", 40)
    for number, account in enumerate(farm):
        traffic.account(account, payment_fp=1 + number // 10, created_at=at("2026-04-21T10:00:00"))
    traffic.queue(farm, 5, scaffold=77)
    traffic.bind_groups(any_engine, {0: farm, 1: others[:40]}, {0: 77})
    assert llr("identity", any_engine, "payment-shared")[0] > 20
    assert llr("identity", any_engine, "payment-shared").get(1, 0.0) == 0.0


def test_what_colleagues_share_openly_links_nobody(any_engine, traffic, names):
    """One organisation, one card, one office, seats made in one hour: all of it declared."""
    crowd(traffic, names)
    seats = names("seat", 40)
    for account in seats:
        made = at("2026-04-21T10:00:00")
        traffic.account(account, payment_fp=1, organization_fp=9, created_at=made)
    traffic.people(seats, scaffold=77, network_fp=3)
    traffic.bind_groups(any_engine, {0: seats}, {0: 77})
    assert llr("identity", any_engine).get(0, 0.0) == 0.0
    assert llr("network", any_engine).get(0, 0.0) == 0.0


def test_identity_sees_a_sign_up_burst_and_not_sign_ups_over_a_year(any_engine, traffic, names):
    others = crowd(traffic, names)
    farm = names("farm", 40)
    for number, account in enumerate(farm):
        traffic.account(account, created_at=at("2026-04-21T10:00:00") + timedelta(minutes=number))
    traffic.queue(farm, 5, scaffold=77)
    traffic.bind_groups(any_engine, {0: farm, 1: others[:40]}, {0: 77})
    burst = llr("identity", any_engine, "signup-burst")
    assert burst[0] > 20
    assert burst[1] < 2


def test_what_everybody_shares_says_nothing_of_a_group(any_engine, traffic, names):
    """A card processor's placeholder on every account is a hub: chance expects it in any group."""
    everyone = names("person", 300)
    for account in everyone:
        traffic.account(account, payment_fp=5)
    traffic.people(everyone)
    traffic.bind_groups(any_engine, {0: everyone[:40]}, {0: 77})
    assert llr("identity", any_engine, "payment-shared")[0] == 0.0


def test_network_sees_a_farm_behind_few_addresses_and_not_homes(any_engine, traffic, names):
    others = crowd(traffic, names)
    farm = names("farm", 40)
    for number, account in enumerate(farm):
        traffic.queue([account], 5, scaffold=77, network_fp=1 + number % 3)
    traffic.bind_groups(any_engine, {0: farm, 1: others[:40]}, {0: 77})
    found = llr("network", any_engine)
    assert found[0] > 20
    assert found.get(1, 0.0) < 1


def test_scaffold_weighs_by_rarity(any_engine, traffic, names):
    farm, client = names("farm", 10), names("client", 200)
    traffic.queue(farm, 10, scaffold=77)
    traffic.people(client, scaffold=88)
    traffic.bind_groups(any_engine, {0: farm, 1: client}, {0: 77, 1: 88})
    found = llr("scaffold", any_engine)
    assert found[0] == pytest.approx(np.log(210 / 10))
    assert found[1] < 0.1


def test_tempo_sees_one_queue_and_not_people_with_the_same_day(any_engine, traffic, names):
    farm, client = names("farm", 30), names("client", 60)
    busy = [7, 8, 30, 31, 32, 100, 101, 170, 171, 172, 240, 333, 334, 335, 400, 401]
    for account in farm:
        for hour in traffic.random.choice(busy, 20):
            traffic.exchange(account, at("2026-04-22T00:00:00") + timedelta(hours=int(hour), minutes=5), 77)
    for account in [*client, *names("other", 200)]:
        for day in traffic.random.choice(20, 6, replace=False):
            hour = int(np.clip(traffic.random.normal(14, 3), 0, 23))
            traffic.exchange(account, at("2026-04-22T00:00:00") + timedelta(days=int(day), hours=hour), 88)
    traffic.bind_groups(any_engine, {0: farm, 1: client}, {0: 77, 1: 88})
    found = llr("tempo", any_engine)
    assert found[0] == 4.0  # the most that synchrony may say
    assert found[1] < 1


@pytest.mark.parametrize("facet", sorted(BUILT_IN))
def test_an_empty_log_says_nothing(any_engine, traffic, facet):
    traffic.bind_groups(any_engine, {}, {})
    assert llr(facet, any_engine) == {}
    assert BUILT_IN[facet].links(any_engine).num_rows == 0


def test_tempo_is_silent_on_groups_too_small_to_measure(any_engine, traffic, names):
    farm = names("farm", 11)
    traffic.queue(farm, 30, scaffold=77)
    traffic.bind_groups(any_engine, {0: farm}, {0: 77})
    assert llr("tempo", any_engine) == {}


def test_synchrony_of_independent_loads_is_a_standard_score():
    random = np.random.default_rng(3)
    ordinary = random.poisson(100, 480).astype(float)
    scores = [synchrony(random.poisson(0.5, (16, 480)).astype(float), ordinary, 0) for _ in range(60)]
    assert abs(np.mean(scores)) < 0.6
    assert 0.4 < np.std(scores) < 1.6


def test_continuity_sees_a_dialogue_that_changes_its_account_and_not_one_that_stays(
    any_engine, traffic, names
):
    pool, people = names("pool", 20), names("person", 60)
    for number in range(30):
        dialogue(traffic, [pool[number % 20], pool[(number + 7) % 20]])
        dialogue(traffic, [people[number], people[number]])
    traffic.bind_groups(any_engine, {0: pool, 1: people[:20]}, {})
    found = llr("continuity", any_engine)
    assert found[0] > 20
    assert found.get(1, 0.0) == 0.0


def test_continuity_takes_no_figure_of_speech_for_a_handover(any_engine, traffic, names):
    """Forty people who all say "go on": their dialogues hold the same words and are not one dialogue."""
    people = names("person", 40)
    for account in people:
        traffic.exchange(account, at("2026-04-23T10:00:00"), turns=1, history_fps=[5])
        traffic.exchange(account, at("2026-04-23T10:05:00"), turns=3, history_fps=[9, traffic.fp(), 5])
    traffic.bind_groups(any_engine, {0: people[:20]}, {})
    assert llr("continuity", any_engine).get(0, 0.0) == 0.0


def dialogue(traffic, accounts):
    """Four turns; the account changes halfway where two are given."""
    states, history = [traffic.fp() for _ in range(4)], []
    for turn, state in enumerate(states):
        history = [*history, state][-4:]
        when = at("2026-04-23T10:00:00") + timedelta(minutes=10 * turn)
        traffic.exchange(accounts[turn // 2], when, turns=2 * turn + 1, history_fps=history)
        history = [*history, traffic.fp()][-4:]


@pytest.mark.parametrize(("bit", "cue"), list(enumerate(Cue)))
def test_elicitation_sees_a_wording_that_only_the_group_uses(any_engine, traffic, names, bit, cue):
    farm, client = names("farm", 10), names("client", 60)
    traffic.queue(farm, 10, scaffold=77, cues=1 << bit)
    traffic.people(client)
    traffic.bind_groups(any_engine, {0: farm, 1: client[:10]}, {0: 77})
    found = llr("elicitation", any_engine)
    assert found[0] > 3
    assert found.get(1, 0.0) == 0.0


def test_elicitation_says_nothing_where_everybody_words_it_so(any_engine, traffic, names):
    traffic.queue(names("a", 60), 10, scaffold=77, cues=1)
    traffic.bind_groups(any_engine, {0: names("a", 10)}, {0: 77})
    assert llr("elicitation", any_engine).get(0, 0.0) == 0.0


def test_coverage_tells_a_dealt_out_dataset_from_a_class(any_engine, traffic, names):
    farm, students = names("farm", 20), names("student", 20)
    traffic.queue(farm, 10, scaffold=77)
    for account in students:
        for question in range(10):
            when = at("2026-04-23T10:00:00") + timedelta(minutes=question)
            traffic.exchange(account, when, 88, message_fp=1000 + question)
    traffic.bind_groups(any_engine, {0: farm, 1: students}, {0: 77, 1: 88})
    found = llr("coverage", any_engine)
    assert found[0] > 1
    assert found[1] < -8


def test_focus_sees_one_ability_and_not_the_ordinary_mix(any_engine, traffic, names):
    farm, people = names("farm", 10), names("person", 100)
    traffic.queue(farm, 10, scaffold=77, capability=3)
    for number, account in enumerate(people):
        traffic.people([account], capability=number % 10)
    traffic.bind_groups(any_engine, {0: farm, 1: people}, {0: 77})
    found = llr("focus", any_engine)
    assert found[0] > 0.8
    assert found[1] < 0.4


def test_links_are_the_same_whatever_the_key(any_engine, traffic, names):
    farm = names("farm", 30)
    for number, account in enumerate(farm):
        traffic.account(account, payment_fp=1 + number % 4, device_fp=1 + number % 7)
    traffic.bind_groups(any_engine, {0: farm}, {})
    before = BUILT_IN["identity"].links(any_engine)
    for row in traffic.accounts:  # another key: other fingerprints, in another order
        row["payment_fp"], row["device_fp"] = 900 - 7 * row["payment_fp"], row["device_fp"] * 31 % 101
    traffic.bind(any_engine)
    assert before.schema == LINKS
    assert BUILT_IN["identity"].links(any_engine).equals(before)
