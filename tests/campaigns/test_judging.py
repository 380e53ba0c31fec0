"""Judging: two sides must agree, no facet decides alone, and chance among many is counted."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.campaigns.calibration import Reference
from stillwatch.campaigns.judging import MIN_EXTRACTION, judge
from stillwatch.contracts import FINDINGS, MEMBERSHIP, WORKLOADS, FacetLimit, KeptClear, Verdict

LIMITS = {
    "identity": FacetLimit("linking", 6.0, 0.0),
    "scaffold": FacetLimit("linking", 3.0, 0.0, template=True),
    "sampling": FacetLimit("extraction", 10.0, -10.0, dispatch=True),
    "coverage": FacetLimit("extraction", 1.5, -8.0, template=True),
    "elicitation": FacetLimit("extraction", 3.0, 0.0, template=True),
    "focus": FacetLimit("extraction", 1.0, 0.0, template=True),
    "continuity": FacetLimit("extraction", 6.0, 0.0, dispatch=True),
    "tempo": FacetLimit("either", 8.0, -2.0, dispatch=True),
}


REFERENCE = Reference.of([0.4 + 0.01 * n for n in range(30)], candidates=1000, threshold=0.4)


def verdict(
    members=40,
    exchanges=900,
    parties=None,
    scaffold_shared=True,
    holders=8,
    others=0,
    level=0.01,
    habit="round-the-clock",
    **facets,
):
    """Judge one candidate, beside ``others`` for which nothing speaks."""
    rows = [
        {
            "candidate": candidate,
            "facet": name,
            "signal": {"identity": "payment-shared", "sampling": habit}.get(name, name),
            "accounts": members,
            "observed": members - members / holders,
            "side": LIMITS[name].side,
            "llr": llr if candidate == 0 else 0.0,
            "statement": "",
        }
        for candidate in range(1 + others)
        for name, llr in facets.items()
    ]
    accounts = [
        {"candidate": 0, "account_id": f"a{n}", "strength": 0.9, "member": n < members} for n in range(60)
    ] + [
        {"candidate": other, "account_id": f"o{n}", "strength": 0.9, "member": True}
        for other in range(1, 1 + others)
        for n in range(8)
    ]
    findings = pa.Table.from_pylist(rows, schema=FINDINGS)
    work = pa.table(
        {
            "candidate": range(1 + others),
            "accounts": [members] + [8] * others,
            "exchanges": [exchanges] + [900] * others,
            "parties": [parties or max(members, 8)] + [8] * others,
        }
    )
    works = [{"candidate": 0, "family": 0}] if scaffold_shared else []
    workloads = pa.Table.from_pylist(works, schema=WORKLOADS)
    membership = pa.Table.from_pylist(accounts, schema=MEMBERSHIP)
    return judge(findings, membership, work, workloads, LIMITS, REFERENCE, level)[0]


def test_both_sides_make_a_campaign():
    found = verdict(identity=50.0, scaffold=3.0, sampling=9.0)
    assert found.verdict is Verdict.CAMPAIGN
    assert found.score == pytest.approx(6 + 3 + 9)
    assert found.margin == pytest.approx(9 / MIN_EXTRACTION)
    assert found.q_value == pytest.approx(REFERENCE.p_value(found.margin))


@pytest.mark.parametrize("facets", [{"identity": 1e6, "scaffold": 1e6}, {"sampling": 1e6, "coverage": 1e6}])
def test_one_side_alone_is_never_enough_however_strong(facets):
    assert verdict(**facets).verdict is Verdict.CLEAR


def test_what_speaks_against_is_counted():
    assert verdict(identity=50.0, scaffold=3.0, sampling=9.0, coverage=-90.0).verdict is Verdict.CLEAR


def test_between_the_two_is_a_watch():
    assert verdict(identity=6.0, scaffold=3.0, sampling=4.0).verdict is Verdict.WATCH


def test_a_common_queue_speaks_on_the_side_that_needs_it():
    """Linked by cards, with a little extraction: the queue tips it; one that is short of both is clear."""
    assert verdict(identity=6.0, sampling=2.0, coverage=1.5, tempo=4.0).verdict is Verdict.CAMPAIGN
    assert verdict(scaffold=1.0, sampling=9.0, tempo=4.0).verdict is Verdict.CAMPAIGN
    assert verdict(scaffold=1.0, sampling=2.0, coverage=1.5, tempo=4.0).verdict is not Verdict.CAMPAIGN


def test_robots_that_keep_common_hours_are_no_campaign():
    """CI agents of unrelated builders under one harness: one clock, and nothing else of a harvest."""
    assert verdict(scaffold=3.0, sampling=1.0, tempo=8.0).verdict is Verdict.CLEAR


def test_what_a_template_gives_all_its_users_is_no_harvest():
    """Strangers under one elicitation prompt: its wording, its focus, payloads of their own, no dialogue."""
    template = {"scaffold": 3.0, "elicitation": 3.0, "focus": 1.0, "coverage": 1.5, "sampling": 1.0}
    assert verdict(**template).verdict is not Verdict.CAMPAIGN
    assert verdict(**template | {"sampling": 4.0, "tempo": 3.0}).verdict is Verdict.CAMPAIGN


def test_linked_accounts_of_ordinary_use_are_at_most_watched():
    """Resale stations: cards in common, no human day, and nothing that they do in common."""
    resale = {"identity": 6.0, "sampling": 7.0, "focus": 0.2}
    assert verdict(scaffold_shared=False, **resale).verdict is Verdict.WATCH
    assert verdict(scaffold_shared=False, **resale, holders=2).verdict is not Verdict.WATCH  # families
    assert verdict(scaffold_shared=False, **resale, continuity=6.0).verdict is Verdict.CAMPAIGN
    assert verdict(scaffold_shared=True, **resale).verdict is Verdict.CAMPAIGN


def test_the_seats_of_one_company_are_one_party():
    assert verdict(identity=6.0, scaffold=3.0, sampling=9.0, parties=1).verdict is Verdict.CLEAR


def test_a_handful_of_members_is_no_campaign():
    assert verdict(members=7, identity=50.0, sampling=9.0).verdict is Verdict.CLEAR


def test_a_handful_of_requests_is_no_campaign():
    assert verdict(members=10, exchanges=49, identity=50.0, sampling=9.0).verdict is Verdict.CLEAR


def test_a_request_or_two_of_each_account_is_no_campaign():
    assert verdict(members=60, exchanges=179, identity=50.0, sampling=9.0).verdict is Verdict.CLEAR


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"members": 7}, KeptClear.FEW_MEMBERS),
        ({"exchanges": 49}, KeptClear.LITTLE_WORK),
        ({"identity": 1.5, "scaffold": 0.0}, KeptClear.NOT_LINKED),
        ({"parties": 7}, KeptClear.ONE_PARTY),
        ({"sampling": 0.0, "elicitation": 3.0, "coverage": 1.0}, KeptClear.NOT_DEALT_OUT),
        ({"sampling": 1.5}, KeptClear.NO_EXTRACTION),
        ({"coverage": -90.0}, KeptClear.NO_EXTRACTION),
        ({"sampling": 3.0, "identity": 0.0, "scaffold": 4.0, "members": 7}, KeptClear.FEW_MEMBERS),
    ],
)
def test_a_clear_candidate_says_what_it_lacked(changes, why):
    found = verdict(**({"identity": 50.0, "scaffold": 3.0, "sampling": 9.0} | changes))
    assert found.verdict is Verdict.CLEAR
    assert found.kept_clear is why


def test_chance_among_many_candidates_is_a_reason_of_its_own():
    facets = {"identity": 3.0, "sampling": 6.0}
    assert verdict(**facets, level=0.05).verdict is Verdict.CAMPAIGN
    among_many = verdict(**facets, level=0.05, others=5000)
    assert among_many.kept_clear is KeptClear.NOT_SURE
    assert among_many.q_value > 0.1


@pytest.mark.parametrize("habit", ["no-sessions", "standalone-requests", "load-balanced", "one-clock"])
def test_strangers_who_take_up_one_template_now_and_then_are_no_campaign(habit):
    users = {"scaffold": 3.0, "sampling": 4.0, "coverage": 1.5, "focus": 1.0, "elicitation": 3.0}
    found = verdict(**users, habit=habit)
    assert (found.verdict, found.kept_clear) == (Verdict.CLEAR, KeptClear.ONE_TEMPLATE)
    assert verdict(**users, habit=habit, identity=3.0).verdict is Verdict.CAMPAIGN
    assert verdict(**users, habit="synchronised").verdict is Verdict.CAMPAIGN


def test_robots_of_unrelated_people_under_one_template_are_no_campaign():
    """They never rest, and that is all: a pool is fed alike, or by one queue, or was made by one hand."""
    robots = {"scaffold": 3.0, "sampling": 5.0, "coverage": 1.5, "focus": 1.0}
    found = verdict(**robots, habit="round-the-clock")
    assert (found.verdict, found.kept_clear) == (Verdict.CLEAR, KeptClear.NOT_DEALT_OUT)
    assert verdict(**robots, habit="round-the-clock", tempo=3.0).verdict is Verdict.CAMPAIGN


def test_candidates_of_whom_too_little_is_seen_cost_the_others_nothing():
    facets = {"identity": 3.0, "sampling": 6.0}
    unheard = verdict(**facets, exchanges=49, others=40)
    assert (unheard.q_value, unheard.heard) == (1.0, False)
    assert verdict(**facets).heard


def test_a_group_with_too_few_members_is_tested_and_never_called():
    few = verdict(identity=50.0, sampling=9.0, members=7)
    assert few.heard
    assert (few.verdict, few.kept_clear) == (Verdict.CLEAR, KeptClear.FEW_MEMBERS)


def test_the_level_decides_what_is_called():
    facets = {"identity": 3.0, "sampling": 6.0, "others": 40}
    strict = verdict(**facets, level=1e-9)
    assert strict.verdict is Verdict.WATCH
    assert verdict(**facets, level=0.2).verdict is Verdict.CAMPAIGN


def test_who_is_called_was_not_kept_clear():
    assert verdict(identity=50.0, sampling=9.0).kept_clear is None
