"""The guard rules by the newest snapshot: what is in force, what has ended, and what is left of a budget."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforce.answers import refusal
from stillwatch.enforce.budgets import Budgets
from stillwatch.enforce.guard import LOOK_EVERY, STALE_AFTER, Guard
from stillwatch.enforce.links import LinkFile, Links, load_or_create_link_key
from stillwatch.enforce.snapshot import Terms, write_snapshot

BLOCK = Terms("block", "dec_1", "cmp_1", ("payment-shared",), "1", 0.0, dry_run=False)


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "now"


def guard(path: Path, clock: Clock, **decided: Terms) -> Guard:
    write_snapshot(path, decided)
    return Guard(path, clock=clock, ticks=clock)


def test_nobody_is_touched_of_whom_nothing_was_decided(path, clock):
    asked = guard(path, clock, a=BLOCK)
    assert asked.rule("b") == asked.rule(None) == ("allow", "", None, 0.0)
    assert asked.rule("a")[:2] == ("block", "enforced")


@pytest.mark.parametrize(
    ("change", "action", "outcome"),
    [
        ({}, "block", "enforced"),
        ({"dry_run": True}, "allow", "observed"),
        ({"action": "observe"}, "allow", "observed"),
        ({"action": "allow"}, "allow", "observed"),
        ({"expires_at": 1_000.0}, "allow", "skipped(expired)"),
        ({"expires_at": 1_000.1}, "block", "enforced"),
        ({"action": "verify", "verify_url": "https://a.example"}, "verify", "enforced"),
        ({"action": "reduce"}, "reduce", "enforced"),
        ({"action": "banish"}, "allow", "skipped(unknown action)"),
    ],
)
def test_what_is_in_force_is_done_and_everything_else_is_told(path, clock, change, action, outcome):
    assert guard(path, clock, a=BLOCK._replace(**change)).rule("a")[:2] == (action, outcome)


def test_what_is_undone_is_undone_at_the_next_look_and_a_lost_file_changes_nothing(path, clock):
    asked = guard(path, clock, a=BLOCK)
    path.unlink()
    clock.now += LOOK_EVERY
    assert asked.rule("a").action == "block"
    write_snapshot(path, {})
    assert asked.rule("a").action == "block"
    clock.now += LOOK_EVERY
    assert asked.rule("a").action == "allow"


def test_a_campaigns_accounts_share_one_budget_and_others_have_their_own(path, clock):
    shared = BLOCK._replace(action="throttle", budget_per_hour=360)
    asked = guard(path, clock, a=shared, b=shared, c=shared._replace(campaign_id="cmp_2"))
    taken = [asked.rule(account).action for account in "ababab"]
    assert taken == ["allow"] * 6
    refused = asked.rule("a")
    assert refused[:2] == ("throttle", "enforced")
    assert refused.retry_after == pytest.approx(10)
    assert asked.rule("b").action == "throttle"
    assert asked.rule("c")[:2] == ("allow", "skipped(within budget)")
    clock.now += 10
    assert [asked.rule("b").action, asked.rule("a").action] == ["allow", "throttle"]


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=200),
    st.integers(1, 10_000),
    st.integers(1, 8),
)
def test_no_budget_is_ever_exceeded_and_who_waits_as_told_is_served(pauses, per_hour, processes):
    clock = Clock()
    budgets = Budgets(processes, clock)
    rate, served = per_hour / 3600 / processes, 0
    for pause in pauses:
        clock.now += pause
        wait = budgets.take("cmp", per_hour)
        served += not wait
        if wait:
            assert Budgets.take(budgets, "cmp", per_hour) > 0
            clock.now += wait * (1 + 1e-9) + 1e-6
            assert budgets.take("cmp", per_hour) == 0
            served += 1
    assert served <= max(rate * 60, 1) + (clock.now - 1_000) * rate + 1e-3


def test_a_customer_learns_what_happened_how_long_it_lasts_and_what_to_name(path, clock):
    throttled = BLOCK._replace(action="throttle", budget_per_hour=60)
    asked = guard(
        path, clock, a=throttled, b=BLOCK, c=BLOCK._replace(action="verify", verify_url="https://v.example")
    )
    assert refusal(asked.rule("a")) is None
    answers = {account: refusal(asked.rule(account)) for account in "abc"}
    assert {account: answer.status for account, answer in answers.items()} == {"a": 429, "b": 403, "c": 403}
    assert dict(answers["a"].headers)["retry-after"] == "60"
    assert all(dict(answer.headers)["x-stillwatch-decision"] == "dec_1" for answer in answers.values())
    assert b'"decision_id": "dec_1"' in answers["b"].body
    assert b'"verify_url": "https://v.example"' in answers["c"].body
    assert b"cmp_1" not in b"".join(answer.body for answer in answers.values())
    assert refusal(asked.rule("nobody")) is None


@pytest.mark.parametrize(
    ("closed", "renewed", "after", "action"),
    [
        (True, False, 1, "block"),  # nobody is there who could have renewed it
        (True, True, 1, "allow"),  # it was not renewed
        (False, False, 1, "allow"),
        (True, False, 86_401, "allow"),  # and not for ever
    ],
)
def test_a_decision_that_fails_closed_outlives_its_end_while_the_service_is_gone(
    path, clock, closed, renewed, after, action
):
    asked = guard(path, clock, a=BLOCK._replace(expires_at=10_000.0, fail_closed=closed))
    clock.now = 10_000.0 + after
    at = clock.now if renewed else clock.now - STALE_AFTER - 1
    os.utime(path, (at, at))
    clock.now += LOOK_EVERY
    assert asked.rule("a").action == action
    assert asked.is_stale is not renewed


def test_whether_answers_are_reduced_takes_nothing_from_a_budget(path, clock):
    shared = BLOCK._replace(action="throttle", budget_per_hour=60)
    asked = guard(path, clock, a=shared, b=BLOCK._replace(action="reduce"), c=BLOCK)
    told = [asked.reduces(account) for account in ("a", "b", "c", "d", None)]
    assert told == [False, True, False, False, False]
    assert asked.rule("a")[:2] == ("allow", "skipped(within budget)")


def test_who_has_to_prove_who_it_is_gets_a_link_of_its_own(path, clock, tmp_path):
    asked = Terms(
        "verify", "dec_1", "cmp_1", dry_run=False, verify_url="https://v.example/verify?link={link}"
    )
    write_snapshot(path, {"a": asked, "b": asked, "c": BLOCK})
    key = tmp_path / "link.key"
    guarded = Guard(path, links=LinkFile(key), clock=clock, ticks=clock)

    assert guarded.rule("a").terms.verify_url == "https://v.example/verify?link="  # no key yet
    assert "link.key" in guarded.links.trouble
    links = Links(load_or_create_link_key(key))
    for account in ("a", "b"):
        address, _, link = guarded.rule(account).terms.verify_url.partition("=")
        assert address == "https://v.example/verify?link"
        assert links.read(link)[:2] == (account, "dec_1")
        assert link not in guarded.rule(account).terms.verify_url  # the next request has another
    assert guarded.links.trouble == ""
    assert guarded.rule("c").terms == BLOCK
    assert guard(path, clock, a=asked).rule("a").terms == asked
