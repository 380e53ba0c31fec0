"""Every facet beside its honest twin: what it must see, and what it must not take for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from facet_cases import (
    CASES,
    MONDAY,
    SCAFFOLD,
    SCAFFOLDS,
    begin,
    crowd,
    everyday,
    exercise_sheet,
    hand_back,
    one_queue,
    refused,
)
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.contracts import FINDINGS, LINKS, Cue
from stillwatch.linking.activity import tally
from stillwatch.linking.facets import BUILT_IN, facets
from stillwatch.linking.facets.coverage import Hurdle, ordinary_repetition, weight_of_repetition
from stillwatch.linking.facets.facet import FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links
from stillwatch.linking.facets.tempo import synchrony
from stillwatch.linking.links import weigh_candidates

SPEAKS = 1 / 3
"""Share of what its facet may say at most that a signal says of a campaign, at least."""

SILENT = 1 / 10
"""The same of the honest twin, at most."""


def llr(facet, engine, signal=None):
    """Return candidate -> what the facet (or one signal of it) says, nothing where it is silent."""
    table = weigh_candidates(engine, {facet.card.name: facet})
    assert table.schema == FINDINGS
    assert set(table["signal"].to_pylist()) <= {known.id for known in facet.card.signals}
    sums = {}
    for row in table.to_pylist():
        if signal in (None, row["signal"]):
            sums[row["candidate"]] = sums.get(row["candidate"], 0.0) + row["llr"]
    return sums


class Removed:
    """The facet as if it was not there."""

    def __init__(self, facet):
        self.card = facet.card

    def links(self, engine):
        return no_links()

    def weigh(self, engine):
        return findings_table([])


class Blunt(Removed):
    """The facet if it said the most that it may of every group, whatever the data."""

    def weigh(self, engine):
        groups = engine.table("SELECT DISTINCT candidate FROM members ORDER BY candidate")
        name, side, cap = self.card.name, self.card.side, self.card.cap
        return findings_table(
            Finding(candidate, name, signal.id, side, cap, "whatever")
            for candidate in groups["candidate"].to_pylist()
            for signal in self.card.signals
        )


class Blind(Removed):
    """The facet if it knew of no ordinary traffic and of no declaration: only of the group itself."""

    def __init__(self, facet):
        super().__init__(facet)
        self.facet = facet

    def weigh(self, engine):
        for relation in ("sketches", "accounts", "profiles"):
            own = f"SELECT r.* FROM {relation} r JOIN members m ON m.account_id = r.account_id"
            engine.bind(relation, engine.table(f"{own} ORDER BY r.account_id"))
        engine.keep("activity", "SELECT a.* FROM activity a JOIN members m ON m.account = a.account")
        tally(engine)
        alone = "SELECT account, account_id, CAST(account AS BIGINT) AS party FROM members ORDER BY account"
        engine.bind("parties", engine.table(alone))
        return self.facet.weigh(engine)


def said(case, facet, engine):
    """Return what the case's signal says of the group in the log, as a share of the facet's cap."""
    return llr(facet, engine, case.signal).get(0, 0.0) / facet.card.cap


@pytest.fixture
def campaign(case, any_engine, traffic, names):
    """An engine over the log in which the case's campaign is candidate 0."""
    traffic.bind_groups(any_engine, {0: case.campaign(traffic, names)}, SCAFFOLDS)
    return any_engine


@pytest.fixture
def twin(case, any_engine, traffic, names):
    """The same of the honest twin."""
    traffic.bind_groups(any_engine, {0: case.twin(traffic, names)}, SCAFFOLDS)
    return any_engine


every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_a_signal_speaks_of_a_campaign_and_nothing_does_without_its_facet(case, campaign):
    facet = BUILT_IN[case.facet]
    assert said(case, facet, campaign) >= SPEAKS > said(case, Removed(facet), campaign)


@every_case
def test_a_signal_keeps_silent_of_its_honest_twin_and_a_blunt_one_would_not(case, twin):
    facet = BUILT_IN[case.facet]
    assert said(case, facet, twin) <= SILENT < said(case, Blunt(facet), twin)


@pytest.mark.parametrize("case", [case for case in CASES if case.excused], ids=str)
def test_the_twin_shows_what_a_campaign_shows(case, twin):
    """The facet is silent for what it knows of everybody else, not for want of anything to see."""
    assert said(case, Blind(BUILT_IN[case.facet]), twin) > SILENT


@every_case
def test_a_finding_says_what_it_saw_and_what_ordinary_traffic_shows(case, campaign):
    found = BUILT_IN[case.facet].weigh(campaign).to_pylist()
    (row,) = [row for row in found if row["signal"] == case.signal]
    assert None not in (row["observed"], row["expected"])
    assert row["observed"] != row["expected"]


def without_a_case(registry):
    """Return facet and id of each signal of ``registry`` that no case stands for."""
    known = {(name, signal.id) for name, facet in registry.items() for signal in facet.card.signals}
    return known - {(case.facet, case.signal) for case in CASES}


def test_every_signal_has_its_case():
    assert without_a_case(BUILT_IN) == set()
    assert len(CASES) == sum(len(facet.card.signals) for facet in BUILT_IN.values())


def test_a_signal_without_a_case_is_noticed():
    novel = Removed(BUILT_IN["focus"])
    novel.card = replace(novel.card, signals=(*novel.card.signals, FacetSignal("novel", "it", "anybody")))
    assert without_a_case(BUILT_IN | {"focus": novel}) == {("focus", "novel")}


def test_the_registry_is_complete_and_every_facet_says_what_it_is():
    assert list(facets()) == sorted(BUILT_IN)
    for name, facet in BUILT_IN.items():
        card = facet.card
        assert card.name == name
        assert card.side in ("linking", "extraction", "either")
        assert min(len(card.shows), len(card.honest_twin), len(card.method)) > 10
        assert card.cap > 0 >= card.floor
        assert card.signals


def test_nothing_links_people_who_share_nothing(any_engine, traffic, names):
    people = crowd(traffic, names)
    traffic.bind_groups(any_engine, {0: people[:40]}, {})
    for name in ("continuity", "elicitation", "identity", "network", "scaffold"):
        assert llr(BUILT_IN[name], any_engine).get(0, 0.0) < 0.5


def test_ranges_of_one_s_own_hide_no_shared_ones(any_engine, traffic, names):
    """Accounts on the move: three ranges of the farm, ten that nobody else uses, and elsewhere a carrier."""
    for number, account in enumerate(names("person", 300)):
        traffic.people([account], network_fp=traffic.fp() if number % 3 else 900)
    farm = names("farm", 40)
    for number, account in enumerate(farm):
        traffic.queue([account], 5, SCAFFOLD, network_fp=1 + number % 3)
        for _ in range(10):
            traffic.queue([account], 2, SCAFFOLD, network_fp=traffic.fp())
    traffic.bind_groups(any_engine, {0: farm}, {0: SCAFFOLD})
    assert llr(BUILT_IN["network"], any_engine)[0] > 10


def test_what_everybody_shares_says_nothing_of_a_group(any_engine, traffic, names):
    """A card processor's placeholder on every account is a hub: chance expects it in any group."""
    everyone = names("person", 300)
    for account in everyone:
        traffic.account(account, payment_fp=5)
    traffic.people(everyone)
    traffic.bind_groups(any_engine, {0: everyone[:40]}, {0: SCAFFOLD})
    assert llr(BUILT_IN["identity"], any_engine, "payment-shared")[0] == 0.0


def test_what_colleagues_share_openly_links_nobody(any_engine, traffic, names):
    """One organisation, one card, one office, seats made in one hour: all of it declared."""
    crowd(traffic, names)
    seats = names("seat", 40)
    for account in seats:
        traffic.account(account, payment_fp=1, organization_fp=9, created_at=MONDAY)
    traffic.people(seats, SCAFFOLD, network_fp=3)
    traffic.bind_groups(any_engine, {0: seats}, {0: SCAFFOLD})
    assert llr(BUILT_IN["identity"], any_engine).get(0, 0.0) == 0.0
    assert llr(BUILT_IN["network"], any_engine).get(0, 0.0) == 0.0


def test_a_class_that_repeats_its_questions_speaks_against_a_dataset(any_engine, traffic, names):
    traffic.bind_groups(any_engine, {0: exercise_sheet(traffic, names)}, {0: SCAFFOLD})
    assert llr(BUILT_IN["coverage"], any_engine)[0] < -8


def test_a_dataset_says_little_where_no_scaffold_s_users_send_the_same(any_engine, traffic, names):
    for number in range(1, 9):
        traffic.queue(names(f"user{number}-", 10), 10, SCAFFOLDS[number])
    farm = names("farm", 20)
    traffic.queue(farm, 10, SCAFFOLD)
    traffic.bind_groups(any_engine, {0: farm}, SCAFFOLDS)
    (row,) = BUILT_IN["coverage"].weigh(any_engine).to_pylist()
    assert row["llr"] < 0
    assert row["expected"] < 0.1


def test_a_wording_that_everybody_has_on_the_same_day_says_nothing(any_engine, traffic, names):
    """The day of a release: everybody tries one prompt then, and nobody on the nineteen other days."""
    cue = 1 << list(Cue).index(Cue.REASONING_ELICITATION)
    for number, account in enumerate([*names("person", 300), *names("group", 40)]):
        scaffold = SCAFFOLD if number >= 300 else None
        traffic.exchange(account, MONDAY + timedelta(days=8, minutes=number), scaffold, cues=cue)
        if number < 300:
            for day in range(8):
                traffic.exchange(account, MONDAY + timedelta(days=day, minutes=number))
    traffic.bind_groups(any_engine, {0: names("group", 40)}, {0: SCAFFOLD})
    assert llr(BUILT_IN["elicitation"], any_engine) == {}


def test_the_repetition_that_is_expected_is_that_of_the_log_s_scaffolds(any_engine, traffic, names):
    """One scaffold, which repeats: of two that may be, with one that never does."""
    traffic.bind_groups(any_engine, {0: exercise_sheet(traffic, names)}, {0: SCAFFOLD})
    (row,) = BUILT_IN["coverage"].weigh(any_engine).to_pylist()
    assert row["observed"] == 1.0
    assert row["expected"] == pytest.approx(1 / 3)


@given(repeated=st.integers(0, 1000), seed=st.integers(0, 2**32 - 1))
def test_a_dataset_never_says_more_than_of_a_group_that_nothing_is_known_of(repeated, seed):
    """The log's scaffolds can only take from it: campaigns are among them, and must not speak for one."""
    counts = np.random.default_rng(seed).integers(0, 500, 20)
    scaffolds = pa.table({"exchanges": np.full(20, 500), "repeated": counts})
    known = weight_of_repetition(repeated, 1000, ordinary_repetition(scaffolds))
    unknown = weight_of_repetition(repeated, 1000, Hurdle(1e-9, 1.0, 1.0))
    assert known <= unknown + 1e-9


@pytest.mark.parametrize("facet", sorted(BUILT_IN))
def test_an_empty_log_says_nothing(any_engine, traffic, facet):
    traffic.bind_groups(any_engine, {}, {})
    assert llr(BUILT_IN[facet], any_engine) == {}
    assert BUILT_IN[facet].links(any_engine).num_rows == 0


def test_tempo_says_no_more_than_synchrony_alone_may(any_engine, traffic, names):
    traffic.bind_groups(any_engine, {0: one_queue(traffic, names)}, {0: SCAFFOLD})
    assert llr(BUILT_IN["tempo"], any_engine) == {0: 4.0}


def test_tempo_is_silent_on_groups_too_small_to_measure(any_engine, traffic, names):
    farm = names("farm", 11)
    traffic.queue(farm, 30, SCAFFOLD)
    traffic.bind_groups(any_engine, {0: farm}, {0: SCAFFOLD})
    assert llr(BUILT_IN["tempo"], any_engine) == {}


def test_synchrony_of_independent_loads_is_a_standard_score():
    random = np.random.default_rng(3)
    ordinary = random.poisson(100, 480).astype(float)
    scores = [synchrony(random.poisson(0.5, (16, 480)).astype(float), ordinary, 0) for _ in range(60)]
    assert abs(np.mean(scores)) < 0.6
    assert 0.4 < np.std(scores) < 1.6


def test_continuity_takes_no_figure_of_speech_for_a_handover(any_engine, traffic, names):
    """Forty people who all say "go on": their dialogues hold the same words and are not one dialogue."""
    people = names("person", 40)
    for account in people:
        traffic.exchange(account, MONDAY, turns=1, history_fps=[5])
        later = MONDAY + timedelta(minutes=5)
        traffic.exchange(account, later, turns=3, history_fps=[9, traffic.fp(), 5])
    traffic.bind_groups(any_engine, {0: people[:20]}, {})
    assert llr(BUILT_IN["continuity"], any_engine).get(0, 0.0) == 0.0


def test_what_everybody_turns_to_on_a_day_is_no_focus(any_engine, traffic, names):
    users = names("user", 20)
    for account in [*users, *names("curious", 100)]:
        for minutes in range(4):
            traffic.exchange(account, MONDAY + timedelta(days=9, minutes=minutes), capability=3)
    for number, account in enumerate(names("other", 100)):
        traffic.people([account], capability=number % 10)
    traffic.bind_groups(any_engine, {0: users}, {})
    assert llr(BUILT_IN["focus"], any_engine)[0] < 0.3


def test_an_account_that_is_served_again_was_not_turned_away(any_engine, traffic, names):
    banned, others = names("banned", 20), names("standby", 20)
    refused(traffic, banned)
    for account in banned:
        traffic.exchange(account, MONDAY + timedelta(days=12), SCAFFOLD)
    begin(traffic, others, MONDAY + timedelta(days=8))
    everyday(traffic, names)
    traffic.bind_groups(any_engine, {0: [*banned, *others]}, {0: SCAFFOLD})
    assert llr(BUILT_IN["failover"], any_engine) == {}


def test_who_is_disabled_elsewhere_was_turned_away(any_engine, traffic, names):
    """No request of theirs was refused: who disabled them did so at the identity provider."""
    everyday(traffic, names)
    banned = begin(traffic, names("banned", 20), MONDAY)
    for account in banned:
        traffic.event(account, "account-disabled", MONDAY + timedelta(days=8))
    others = begin(traffic, names("standby", 20), MONDAY + timedelta(days=8))
    traffic.bind_groups(any_engine, {0: [*banned, *others]}, {0: SCAFFOLD})
    assert llr(BUILT_IN["failover"], any_engine)[0] > SPEAKS * BUILT_IN["failover"].card.cap
    for account in banned:
        traffic.event(account, "account-enabled", MONDAY + timedelta(days=9))
    traffic.bind(any_engine)
    assert llr(BUILT_IN["failover"], any_engine) == {}


def test_an_account_whose_reasoning_leaked_to_many_weighs_little(any_engine, traffic, names):
    """Everybody tries what one account lost: that links none of forty of them."""
    people = crowd(traffic, names)
    for number, account in enumerate(people[1:]):
        hand_back(traffic, account, people[0], number % 48)
    traffic.bind_groups(any_engine, {0: people[1:41]}, {})
    assert llr(BUILT_IN["continuity"], any_engine).get(0, 0.0) < 0.5


def test_the_same_reasoning_tried_again_and_again_is_one(any_engine, traffic, names):
    people = crowd(traffic, names)
    for number in range(100):
        hand_back(traffic, people[0], people[1], number % 48)
    traffic.bind_groups(any_engine, {0: people[:10]}, {})
    assert llr(BUILT_IN["continuity"], any_engine, "seal-foreign")[0] < 0.2


def test_scaffold_weighs_by_rarity(any_engine, traffic, names):
    farm, client = names("farm", 10), names("client", 200)
    traffic.queue(farm, 10, scaffold=77)
    traffic.people(client, scaffold=88)
    traffic.bind_groups(any_engine, {0: farm, 1: client}, {0: 77, 1: 88})
    found = llr(BUILT_IN["scaffold"], any_engine)
    assert found[0] == pytest.approx(np.log(210 / 10))
    assert found[1] < 0.1


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
