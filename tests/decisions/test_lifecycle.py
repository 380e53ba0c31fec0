"""The life of decisions, held against a plain telling of what should hold after any course of events."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.contracts import PLANNED, DecisionError
from stillwatch.decisions import approvals
from stillwatch.decisions.decision import Status
from stillwatch.decisions.publishing import in_force
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import Store, open_store
from stillwatch.persistence.audit import AuditLog, verify_audit

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROW = {
    "verdict": "campaign",
    "q_value": 0.001,
    "reason_codes": ["payment-shared"],
    "policy_version": "1",
    "dry_run": False,
    "needs_approval": False,
    "approval_above": None,
    "seconds": 24 * 3600,
    "budget_per_hour": None,
    "verify_url": None,
    "max_tokens": None,
    "fail_closed": False,
}


def planned(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist([ROW | row for row in rows], schema=PLANNED)


def throttled(accounts: str, campaign: str = "cmp_1", **changes) -> list[dict]:
    base = {"campaign_id": campaign, "rule": "sure", "action": "throttle", "budget_per_hour": 100} | changes
    return [base | {"account_id": account} for account in accounts]


class Desk:
    """A store in a folder, whose clock is told, and which is settled with a judgement at a time."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(folder / "decisions.db")
        self.log = folder / "audit.jsonl"
        self.audit = AuditLog(self.log)
        self.now = BEGAN

    def settle(self, *rows: dict, exempt: str = "", after: timedelta = HOUR, judged_at=None, ancestors=None):
        self.now += after
        came_from = {name: frozenset(of) for name, of in (ancestors or {}).items()}
        return settle(self.store, self.audit, planned(*rows), self.now, exempt, judged_at, came_from)

    def asked(self, exempt: str = "") -> dict[str, str]:
        """What the gateway is asked of whom; to be observed is not."""
        found = in_force(self.store, self.now, exempt).decisions
        return {name: one.asked.action.value for name, one in sorted(found.items()) if one.asked.acts}

    def of(self, *statuses: Status):
        return self.store.decisions(statuses)

    def acting(self):
        """The decisions that stand and ask for more than to be observed."""
        return [one for one in self.of(Status.PENDING, Status.IN_FORCE) if one.asked.acts]

    def say(self, what, decision, note: str = "because"):
        return what(self.store, self.audit, decision.id, self.now, by="kim", note=note)


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


def test_a_group_is_observed_until_two_judgements_in_a_row_call_it(desk):
    desk.settle(*throttled("ab"))
    assert desk.asked() == {}
    desk.settle(*throttled("ab"), judged_at=desk.now)  # followed, not judged again
    assert desk.asked() == {}
    desk.settle(*throttled("abc"))
    assert desk.asked() == dict.fromkeys("abc", "throttle")
    desk.settle()
    assert desk.asked() == {}
    desk.settle(*throttled("ab"))
    assert desk.asked() == {}
    desk.settle(*throttled("ab"))
    assert desk.asked() == dict.fromkeys("ab", "throttle")


def test_a_group_to_watch_is_no_campaign_yet(desk):
    for _ in range(2):
        desk.settle(*throttled("a", verdict="watch", rule="watched", action="verify", verify_url="https://x"))
    assert desk.asked() == {"a": "verify"}
    desk.settle(*throttled("a", verdict="campaign"))
    assert desk.asked() == {"a": "verify"}
    desk.settle(*throttled("a", verdict="campaign"))
    assert desk.asked() == {"a": "verify"}  # both stand, and to verify is the stronger


def test_what_a_person_refused_is_refused_under_another_name_too(desk):
    """A campaign that splits or merges gets another name; who was spared is spared under that as well."""
    for _ in range(2):
        desk.settle(*throttled("ab"), *throttled("cd", "cmp_2"))
    one, other = sorted(desk.acting(), key=lambda decision: decision.campaign_id)
    desk.say(approvals.undo, one)
    desk.say(approvals.undo_account("c"), other)
    assert desk.asked() == {"d": "throttle"}

    born = {"cmp_3": ["cmp_1", "cmp_2"]}
    for _ in range(2):
        desk.settle(*throttled("abcde", "cmp_3"), ancestors=born)
    assert desk.asked() == dict.fromkeys("de", "throttle")
    for _ in range(2):
        desk.settle(*throttled("abcde", "cmp_4"))
    assert desk.asked() == dict.fromkeys("abcde", "throttle")  # another one, that has nothing to do with it


def test_who_fell_silent_stays_and_who_comes_joins_while_the_campaign_is_called(desk):
    for accounts in ("abc", "abc", "bd", "d"):
        desk.settle(*throttled(accounts))
    assert desk.asked() == dict.fromkeys("abcd", "throttle")
    [decision] = desk.of(Status.IN_FORCE)
    assert desk.store.counts([decision]) == {decision.id: 4}
    desk.settle(*throttled("d", verdict="watch", rule="no rule", action="observe"))
    assert desk.asked() == {}
    assert desk.store.get(decision.id).status is Status.RELEASED


def test_to_be_observed_lapses_with_the_rule_that_it_came_from(desk):
    desk.settle(*throttled("ab", rule="no rule", action="observe", budget_per_hour=None))
    [observed] = desk.of(Status.IN_FORCE)
    for _ in range(2):
        desk.settle(*throttled("abc"))
    [stands] = desk.of(Status.IN_FORCE)
    assert desk.asked() == dict.fromkeys("abc", "throttle")
    assert (stands.rule, desk.store.get(observed.id).status) == ("sure", Status.RELEASED)


def test_a_decision_ends_by_itself_unless_a_judgement_renews_it(desk):
    for _ in range(2):
        desk.settle(*throttled("a"))
    [first] = desk.of(Status.IN_FORCE)
    desk.settle(*throttled("a"), after=timedelta(hours=11))
    assert desk.store.get(first.id).expires_at == first.expires_at  # half its time is left
    desk.settle(*throttled("a"), after=timedelta(hours=2))
    assert desk.store.get(first.id).expires_at == desk.now + timedelta(hours=24)
    desk.now += timedelta(hours=24)
    assert desk.asked() == {}
    desk.settle(*throttled("a"))
    assert desk.store.get(first.id).status is Status.EXPIRED
    assert desk.asked() == {"a": "throttle"}  # anew: its campaign is called still


def test_more_accounts_than_may_be_wait_for_a_person(desk):
    for _ in range(2):
        desk.settle(*throttled("abcd", approval_above=3))
    [waiting] = desk.of(Status.PENDING)
    assert (waiting.expires_at, desk.asked()) == (None, {})
    desk.settle(*throttled("abcde", approval_above=3))
    told = desk.say(approvals.approve, waiting)
    assert (told.changed, told.decision.approved_accounts, told.decision.approved_by) == (True, 5, "kim")
    assert told.decision.expires_at == desk.now + timedelta(hours=24)
    assert desk.asked() == dict.fromkeys("abcde", "throttle")
    assert desk.say(approvals.approve, waiting).changed is False


def test_an_approval_is_good_for_twice_what_was_approved(desk):
    for _ in range(2):
        desk.settle(*throttled("abcd", approval_above=3))
    [first] = desk.of(Status.PENDING)
    desk.say(approvals.approve, first)
    desk.settle(*throttled("efgh", approval_above=3))
    assert desk.asked() == dict.fromkeys("abcdefgh", "throttle")
    desk.settle(*throttled("hi", approval_above=3))
    assert desk.asked() == dict.fromkeys("abcdefgh", "throttle")
    [second] = desk.of(Status.PENDING)
    assert [member.account_id for member in desk.store.accounts(second.id)] == ["i"]
    desk.settle(*throttled("j", approval_above=3))
    desk.say(approvals.approve, second)
    assert desk.asked() == dict.fromkeys("abcdefghij", "throttle")
    assert {one.asked.budget_per_hour for one in desk.of(Status.IN_FORCE)} == {100}


@pytest.mark.parametrize("refuse", [approvals.undo, approvals.reject])
def test_what_a_person_refused_is_not_decided_again_for_a_while(desk, refuse):
    limit = 0 if refuse is approvals.reject else None
    for _ in range(2):
        desk.settle(*throttled("a", approval_above=limit))
    [decision] = desk.acting()
    assert desk.say(refuse, decision).changed
    assert desk.say(refuse, decision).changed is False
    for day in range(30):
        desk.settle(*throttled("ab", approval_above=limit), after=timedelta(days=day > 0, seconds=1))
        assert desk.asked() == {}
        assert desk.acting() == []
    desk.settle(*throttled("ab", approval_above=limit), after=timedelta(days=1))
    assert len(desk.acting()) == 1


def test_a_person_may_say_otherwise(desk):
    for _ in range(2):
        desk.settle(*throttled("a"))
    [decision] = desk.of(Status.IN_FORCE)
    desk.say(approvals.undo, decision)
    desk.settle(*throttled("ab"))
    told = desk.say(approvals.approve, decision, "it was one after all")
    assert (told.decision.status, told.decision.ended_by, told.decision.ended_at) == (
        Status.IN_FORCE,
        "",
        None,
    )
    desk.settle(*throttled("ab"))
    assert desk.asked() == dict.fromkeys("ab", "throttle")


def test_one_account_goes_and_does_not_come_back(desk):
    for _ in range(2):
        desk.settle(*throttled("abc"))
    [decision] = desk.of(Status.IN_FORCE)
    assert desk.say(approvals.undo_account("b"), decision).accounts == 2
    assert desk.say(approvals.undo_account("b"), decision).changed is False
    desk.settle(*throttled("abc"))
    assert desk.asked() == dict.fromkeys("ac", "throttle")
    desk.settle(*throttled("abc", policy_version="2", budget_per_hour=50))
    assert desk.asked() == dict.fromkeys("ac", "throttle")


def test_another_policy_takes_over_with_those_who_fell_silent(desk):
    for _ in range(2):
        desk.settle(*throttled("abc"))
    [old] = desk.of(Status.IN_FORCE)
    desk.settle(*throttled("cd", policy_version="2", action="block", budget_per_hour=None))
    [new] = desk.of(Status.IN_FORCE)
    assert desk.asked() == dict.fromkeys("abcd", "block")
    assert (desk.store.get(old.id).status, desk.store.get(old.id).superseded_by) == (
        Status.SUPERSEDED,
        new.id,
    )
    with pytest.raises(DecisionError, match=f"{new.id} took its place") as caught:
        desk.say(approvals.undo, old)
    assert caught.value.remedy == f"Run: stillwatch decisions undo {new.id}"
    with pytest.raises(DecisionError, match=f"{new.id} took its place") as caught:
        desk.say(approvals.undo_account("a"), old)
    assert caught.value.remedy == f"Run: stillwatch decisions undo {new.id} --account a"
    desk.settle(
        *throttled("cd", policy_version="3", action="verify", budget_per_hour=None, verify_url="https://x")
    )
    [newest] = desk.of(Status.IN_FORCE)
    with pytest.raises(DecisionError, match=f"{newest.id} took its place"):  # to the end of the chain
        desk.say(approvals.undo, old)
    desk.say(approvals.undo_account("a"), newest)
    assert desk.say(approvals.undo_account("a"), old).changed is False
    desk.say(approvals.undo, newest)
    assert desk.say(approvals.undo, old).changed is False


def test_what_is_in_force_goes_on_while_what_comes_after_it_waits(desk):
    for _ in range(2):
        desk.settle(*throttled("abc"))
    desk.settle(*throttled("abc", policy_version="2", action="block", approval_above=1))
    assert desk.asked() == dict.fromkeys("abc", "throttle")
    [waiting] = desk.of(Status.PENDING)
    desk.say(approvals.approve, waiting)
    assert desk.asked() == dict.fromkeys("abc", "block")
    assert len(desk.of(Status.SUPERSEDED)) == 2  # the first of them only observed


def test_a_policy_that_is_a_dry_run_again_asks_nothing_even_of_the_silent(desk):
    pro = throttled("z", rule="pro", action="block")
    for _ in range(2):
        desk.settle(*throttled("ab"), *pro)
    assert desk.asked() == {"a": "throttle", "b": "throttle", "z": "block"}
    desk.settle(*throttled("ab", dry_run=True))
    found = in_force(desk.store, desk.now, "").decisions
    assert {name: one.asked.dry_run for name, one in found.items()} == {"a": True, "b": True}


def test_what_is_enforced_counts_before_a_dry_run_and_the_smaller_budget_before_the_larger(desk):
    one = throttled("ab", "cmp_1")
    two = throttled("bc", "cmp_2", action="block", dry_run=True)
    three = throttled("c", "cmp_3", budget_per_hour=7)
    four = throttled("c", "cmp_4", budget_per_hour=9)
    for _ in range(2):
        desk.settle(*one, *two, *three, *four)
    found = in_force(desk.store, desk.now, "").decisions
    assert {name: decision.campaign_id for name, decision in found.items()} == {
        "a": "cmp_1",
        "b": "cmp_1",
        "c": "cmp_3",
    }


def test_who_is_exempt_is_left_out_of_what_was_decided_before_too(desk):
    for _ in range(2):
        desk.settle(*throttled("abc"))
    assert desk.asked(exempt="b") == dict.fromkeys("ac", "throttle")
    desk.settle(*throttled("abcd"), exempt="d")
    assert desk.asked() == dict.fromkeys("abc", "throttle")  # d was never put in


ACCOUNTS = "abcdefgh"
ACTIONS = ("observe", "throttle", "block")
GROUP = st.tuples(
    st.sampled_from(ACCOUNTS).flatmap(
        lambda a: st.frozensets(st.sampled_from(ACCOUNTS)).map(lambda s: s | {a})
    ),
    st.sampled_from(ACTIONS),
)
JUDGEMENT = st.dictionaries(st.sampled_from(["cmp_1", "cmp_2", "cmp_3"]), GROUP)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("judge"), JUDGEMENT, st.integers(1, 30)),
        st.tuples(st.just("undo"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("undo one"), st.integers(0, 5), st.sampled_from(ACCOUNTS)),
        st.tuples(st.just("wait"), st.integers(1, 40), st.just(0)),
    ),
    max_size=14,
)


class Plain:
    """The same life told plainly, without decisions: who is asked what, by campaign and rule.

    A rule has one action here and no limit, so that a decision is no more than a set of accounts with an end.
    """

    def __init__(self) -> None:
        self.now = BEGAN
        self.called: list[set[str]] = [set(), set()]
        self.standing: dict[tuple[str, str], list] = {}  # accounts, end
        self.refused: dict[tuple[str, str], datetime] = {}
        self.out: dict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)

    def judge(self, judgement: dict, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.called = [self.called[1], set(judgement)]
        self.standing = {
            key: own for key, own in self.standing.items() if own[1] > self.now and key[0] in judgement
        }
        month = timedelta(days=30)
        for campaign, (accounts, action) in judgement.items():
            key = campaign, action
            if action == "observe" or (campaign not in self.called[0] and key not in self.standing):
                continue
            if self.now - self.refused.get(key, self.now - 2 * month) < month:
                continue
            gone = {name for name, when in self.out[key].items() if self.now - when < month}
            if accounts - gone:
                own = self.standing.setdefault(key, [set(), self.now + timedelta(hours=24)])
                own[0] |= accounts - gone
        for own in self.standing.values():
            if own[1] - self.now < timedelta(hours=12):
                own[1] = self.now + timedelta(hours=24)

    def undo(self, key: tuple[str, str]) -> None:
        if key in self.standing:
            del self.standing[key]
            self.refused[key] = self.now

    def undo_one(self, key: tuple[str, str], account: str) -> None:
        self.standing[key][0].discard(account)
        self.out[key].setdefault(account, self.now)

    def asked(self) -> dict[str, str]:
        told = [
            (ACTIONS.index(action), account)
            for (_, action), (accounts, end) in self.standing.items()
            if end > self.now
            for account in accounts
        ]
        return {account: ACTIONS[rank] for rank, account in sorted(told)}


def rows_of(judgement: dict) -> list[dict]:
    return [
        row
        for campaign, (accounts, action) in judgement.items()
        for row in throttled("".join(sorted(accounts)), campaign, rule=action, action=action)
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_any_course_of_events_ends_as_a_plain_telling_says(events):
    with tempfile.TemporaryDirectory() as folder:
        desk, plain = Desk(Path(folder)), Plain()
        for event, what, more in events:
            if event == "judge":
                desk.settle(*rows_of(what), after=timedelta(hours=more))
                plain.judge(what, more)
            elif event == "wait":
                desk.now += timedelta(days=what)
                plain.now += timedelta(days=what)
            else:
                acting = [one for one in desk.of(Status.IN_FORCE) if one.asks_at(desk.now) and one.asked.acts]
                if not acting:
                    continue
                one = acting[what % len(acting)]
                key = one.campaign_id, one.rule
                if event == "undo":
                    desk.say(approvals.undo, one)
                    plain.undo(key)
                elif more in plain.standing[key][0]:
                    desk.say(approvals.undo_account(more), one)
                    plain.undo_one(key, more)
            assert desk.asked() == plain.asked()
        if desk.log.exists():
            assert verify_audit(desk.log).entries == desk.store.revision()
        desk.store.close()


LIMIT = 2
RULINGS = st.lists(
    st.one_of(
        st.tuples(st.just("judge"), JUDGEMENT, st.sampled_from("12")),
        st.tuples(st.sampled_from(["approve", "reject", "undo"]), st.integers(0, 5), st.just("")),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(RULINGS)
def test_nobody_is_acted_on_beyond_what_a_person_approved(events):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        for event, what, version in events:
            if event == "judge":
                rows = [row | {"approval_above": LIMIT, "policy_version": version} for row in rows_of(what)]
                desk.settle(*rows)
            else:
                rule_on(desk, event, what)
            counts = desk.store.counts(desk.acting())
            for one in desk.acting():
                if one.status is Status.IN_FORCE:
                    assert counts[one.id] <= max(LIMIT, 2 * (one.approved_accounts or 0))
            for key in {(one.campaign_id, one.rule) for one in desk.acting()}:
                own = [one for one in desk.acting() if (one.campaign_id, one.rule) == key]
                assert len({one.asked for one in own if one.status is Status.IN_FORCE}) <= 1
                assert sum(one.status is Status.PENDING for one in own) <= 1
        desk.store.close()


def rule_on(desk: Desk, event: str, which: int) -> None:
    what = {"approve": approvals.approve, "reject": approvals.reject, "undo": approvals.undo}[event]
    statuses = {
        "approve": (Status.PENDING, Status.UNDONE),
        "reject": (Status.PENDING,),
        "undo": (Status.IN_FORCE,),
    }
    found = desk.of(*statuses[event])
    if found:
        with suppress(DecisionError):  # another one stands for the same campaign and rule
            desk.say(what, found[which % len(found)])
