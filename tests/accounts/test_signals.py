"""Every account signal beside its honest twin: what it must see, and what it must not take for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from assessing import assess, pooled, ratios
from signal_cases import CASES, SCAFFOLD, one_time_zone

from stillwatch.accounts.behaviour import Behaviour
from stillwatch.accounts.ordinary import Ordinary, Uses
from stillwatch.accounts.signals import BUILT_IN, account_signals
from stillwatch.accounts.signals.even_load import ordinary_dispersion
from stillwatch.accounts.signals.signal import Observation
from stillwatch.contracts import BEHAVIOUR

SPEAKS = 1 / 3
"""Share of the most that a signal may say which it says of a campaign, at least."""

SILENT = 1 / 5
"""The same of the honest twin, at most."""


class Constant:
    """The signal if it said the same of every account, whatever the data."""

    def __init__(self, signal, llr):
        self.card, self.llr = signal.card, llr

    def fit(self, ordinary):
        return self

    def __call__(self, group, core):
        return np.full(len(group), self.llr)

    def evidence(self, group, core, ratio):
        return ratio

    def describe(self, members):
        return Observation(0.0, 0.0, "whatever")


class Blind:
    """The signal if it knew of no ordinary traffic."""

    def __init__(self, signal):
        self.card, self.signal = signal.card, signal

    def fit(self, ordinary):
        whole, uses = ordinary.whole, ordinary.uses
        nobody = {name: column[:0] for name, column in vars(uses).items()}
        return self.signal.fit(Ordinary(whole.where(np.zeros(len(whole), bool)), Uses(**nobody)))


def removed(signal):
    return Constant(signal, 0.0)


def blunt(signal):
    return Constant(signal, most(signal))


def most(signal):
    """Return the most that the signal says of one account: against it, where it cannot speak for it."""
    return signal.card.cap or signal.card.floor


def said(case, signal, scene, engine, traffic):
    """Return what the signal, heard alone, says of the scene as a share of the most that it may.

    A signal that speaks for a facet is heard for the group as a whole, another one for each account.
    """
    groups, heard = {0: scene.group}, {case.signal: signal}
    found = assess(engine, traffic, groups, {0: SCAFFOLD}, scene.links, heard)
    if signal.card.facet:
        return pooled(found, case.signal)[0] / signal.card.group_cap
    return ratios(found, 0, case.signal, scene.about).mean() / most(signal)


every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_a_signal_speaks_of_a_campaign_and_nothing_does_without_it(case, any_engine, traffic, names):
    signal, log = BUILT_IN[case.signal], (case.campaign(traffic, names), any_engine, traffic)
    assert said(case, signal, *log) >= SPEAKS > said(case, removed(signal), *log)


@every_case
def test_a_signal_keeps_silent_of_its_honest_twin_and_a_blunt_one_would_not(case, any_engine, traffic, names):
    signal, log = BUILT_IN[case.signal], (case.twin(traffic, names), any_engine, traffic)
    assert said(case, signal, *log) <= SILENT < said(case, blunt(signal), *log)


@pytest.mark.parametrize("case", [case for case in CASES if case.excused], ids=str)
def test_the_twin_shows_what_a_campaign_shows(case, any_engine, traffic, names):
    """The signal is silent for what it knows of everybody else, not for want of anything to see."""
    scene = case.twin(traffic, names)
    traffic.accounts.clear()  # nobody says whom he belongs to
    assert said(case, Blind(BUILT_IN[case.signal]), scene, any_engine, traffic) > SILENT


@pytest.mark.parametrize("case", [case for case in CASES if BUILT_IN[case.signal].card.facet], ids=str)
def test_a_finding_says_what_it_saw_and_what_ordinary_traffic_shows(case, any_engine, traffic, names):
    scene = case.campaign(traffic, names)
    found = assess(any_engine, traffic, {0: scene.group}, {0: SCAFFOLD}, scene.links)
    (row,) = [row for row in found.findings.to_pylist() if row["signal"] == case.signal]
    assert None not in (row["observed"], row["expected"], row["accounts"], row["exchanges"])
    assert row["observed"] != row["expected"]


def without_a_case(registry):
    return registry.keys() - {case.signal for case in CASES}


def test_every_signal_has_its_case():
    assert without_a_case(BUILT_IN) == set()
    assert len(CASES) == len(BUILT_IN)


def test_a_signal_without_a_case_is_noticed():
    tied = BUILT_IN["tied"]
    novel = Constant(tied, 0.0)
    novel.card = replace(tied.card, id="novel")
    assert without_a_case(BUILT_IN | {"novel": novel}) == {"novel"}


def test_the_registry_is_complete_and_every_signal_says_what_it_is():
    assert list(account_signals()) == sorted(BUILT_IN)
    for name, signal in BUILT_IN.items():
        card = signal.card
        assert card.id == name
        assert min(len(card.shows), len(card.honest_twin), len(card.method)) > 10
        assert card.floor < 0 <= card.cap
        assert card.cap > 0 or card.facet is None
        assert card.group_cap >= 0 >= card.group_floor


def test_the_clock_that_is_expected_is_that_of_the_log(any_engine, traffic, names):
    """Where everybody keeps office hours a group that keeps them shows nothing that others do not."""
    scene = one_time_zone(traffic, names)
    found = assess(any_engine, traffic, {0: scene.group}, {0: SCAFFOLD})
    (row,) = [row for row in found.findings.to_pylist() if row["signal"] == "one-clock"]
    assert row["observed"] == pytest.approx(row["expected"], abs=0.05)


def users_of(scaffolds, each):
    """Return ordinary traffic in which the accounts of each scaffold do what ``each`` draws for them."""
    family = np.repeat(np.arange(scaffolds), 40)
    counts = np.maximum(each(len(family)), 1)
    return Ordinary(Behaviour.of(BEHAVIOUR.empty_table()), Uses(family, counts, 2 * counts))


def test_even_volumes_count_for_as_much_as_those_of_other_scaffolds_differ():
    random = np.random.default_rng(3)
    alike = users_of(20, lambda count: random.negative_binomial(2, 2 / 32, count))
    unlike = users_of(20, lambda count: random.negative_binomial(0.5, 0.5 / 30.5, count))
    assert ordinary_dispersion(alike.uses) == 0.5
    assert ordinary_dispersion(unlike.uses) >= 1.4


def test_one_scaffold_with_a_giant_does_not_say_how_all_others_differ():
    random = np.random.default_rng(4)
    alike = users_of(20, lambda count: random.negative_binomial(1, 1 / 31, count)).uses
    alike.exchanges[:40:10] = 50_000
    assert ordinary_dispersion(alike) == 1.0


def test_without_scaffolds_rates_are_taken_for_exponential():
    assert ordinary_dispersion(users_of(0, np.zeros).uses) == 1.0


def test_a_share_that_others_give_to_a_scaffold_makes_a_stranger_likelier():
    """Where all who use a scaffold do little else, one who does half of his work with it is less of one."""
    group = replace(users_of(0, np.zeros).whole, exchanges=np.array([30] * 40 + [15]), total=np.full(41, 30))
    core = np.array([1.0] * 40 + [0.0])
    now_and_then = users_of(20, lambda count: np.full(count, 5))
    dedicated = replace(now_and_then.uses, total=now_and_then.uses.exchanges)
    half, whole = (
        BUILT_IN["dedicated"].fit(Ordinary(now_and_then.whole, uses))(group, core)[-1]
        for uses in (now_and_then.uses, dedicated)
    )
    assert half < whole < 0
