"""A policy says what is asked of whom; one that is wrong is refused with every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.contracts import ACCOUNT_SKETCH, ACCOUNTS, CAMPAIGNS, PLANNED, REASONS, InputError
from stillwatch.decisions.planning import plan_actions
from stillwatch.decisions.policy import Measure, Policy, read_policy

ROOT = Path(__file__).parents[2]
CAMPAIGN = {
    "campaign_id": "cmp_1",
    "verdict": "campaign",
    "score": 20.0,
    "q_value": 0.001,
    "accounts": 3,
    "exchanges": 900,
    "input_tokens": 1,
    "output_tokens": 1,
    "first_seen": 0,
    "last_seen": 1,
    "capabilities": [("coding", 1.0)],
    "facets": [("identity", 6.0), ("coverage", -1.0)],
    "summary": "three accounts",
}


def campaigns(*changes):
    return pa.Table.from_pylist([CAMPAIGN | change for change in changes], schema=CAMPAIGNS)


def accounts(*rows):
    blank = {"verdict": "campaign", "facets": [], "exchanges": 300, "risk": 0.99, "campaign_id": "cmp_1"}
    return pa.Table.from_pylist([blank | row for row in rows], schema=ACCOUNTS)


def records(**plans):
    rows = [{"account_id": account, "plan": plan} for account, plan in plans.items()]
    return pa.Table.from_pylist(rows, schema=ACCOUNT_SKETCH)


def planned(policy: Policy, *, of=None, groups=None, known=None, exempt=()):
    own = of if of is not None else accounts({"account_id": "a"}, {"account_id": "b"}, {"account_id": "c"})
    told = groups if groups is not None else campaigns({})
    found = known if known is not None else records()
    table = plan_actions(policy, told, own, found, REASONS.empty_table(), exempt)
    assert table.schema.equals(PLANNED)
    return {row["account_id"]: row for row in table.to_pylist()}


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text('version = "1"\n' + text, encoding="utf-8")
    return read_policy(path)


THROTTLE = """
[[rules]]
name = "free plans"
when = {{ {when} }}
action = "throttle"
budget_per_hour = 500
"""


def test_without_a_rule_everybody_is_observed(tmp_path):
    found = planned(policy(tmp_path, ""))
    assert {row["action"] for row in found.values()} == {"observe"}
    assert {row["rule"] for row in found.values()} == {"no rule"}
    assert not any(row["needs_approval"] for row in found.values())


def test_the_first_rule_that_holds_counts_account_by_account(tmp_path):
    text = THROTTLE.format(when='plans = ["free"]') + '[[rules]]\nname = "the rest"\naction = "block"\n'
    found = planned(policy(tmp_path, text), known=records(a="free", b="pro"))
    assert {account: row["action"] for account, row in found.items()} == {
        "a": "throttle",
        "b": "block",
        "c": "block",
    }
    assert found["a"]["budget_per_hour"] == 500
    assert found["b"]["budget_per_hour"] is None
    assert all(row["dry_run"] and row["seconds"] == 86_400 for row in found.values())


@pytest.mark.parametrize(
    ("when", "campaign", "account", "holds"),
    [
        ('verdict = "campaign"', {}, {}, True),
        ('verdict = "watch"', {}, {}, False),
        ("q_value_at_most = 0.001", {}, {}, True),
        ("q_value_at_most = 0.0009", {}, {}, False),
        ('facets = ["identity"]', {}, {}, True),
        ('facets = ["identity", "coverage"]', {}, {}, False),  # coverage speaks against it
        ("accounts_at_least = 3", {}, {}, True),
        ("accounts_at_least = 4", {}, {}, False),
        ("accounts_at_most = 2", {}, {}, False),
        ("risk_at_least = 0.85", {}, {"risk": 0.85}, True),
        ("risk_at_least = 0.85", {}, {"risk": 0.84}, False),
        ('plans = ["free"]', {}, {}, False),  # nothing is known of the account
        ('countries = ["KR"]', {}, {}, False),
    ],
)
def test_conditions_hold_or_not(tmp_path, when, campaign, account, holds):
    own = accounts({"account_id": "a"} | account)
    found = planned(policy(tmp_path, THROTTLE.format(when=when)), of=own, groups=campaigns(campaign))
    assert (found["a"]["action"] == "throttle") is holds


@pytest.mark.parametrize(
    ("when", "holding"),
    [
        ("verification_level_below = 2", "ab"),
        ("verification_level_at_least = 1", "bc"),
        ("verification_level_at_least = 1, verification_level_below = 2", "b"),
        ("verification_level_at_least = 0", "abc"),  # of d nothing is known
        ("", "abcd"),
    ],
)
def test_levels_of_verification_are_of_the_record(tmp_path, when, holding):
    rows = [{"account_id": name, "verification_level": level} for level, name in enumerate("abc")]
    known = pa.Table.from_pylist([*rows, {"account_id": "d"}], schema=ACCOUNT_SKETCH)
    own = accounts(*({"account_id": name} for name in "abcd"))
    found = planned(policy(tmp_path, THROTTLE.format(when=when)), of=own, known=known)
    assert [name for name, row in found.items() if row["action"] == "throttle"] == list(holding)


def test_every_row_says_what_a_decision_is_made_of(tmp_path):
    text = (
        '[[rules]]\nname = "sure"\naction = "verify"\nverify_url = "https://example.com/verify"\n'
        'if_unreachable = "closed"\napproval_above = 2\n'
    )
    found = planned(policy(tmp_path, text))["a"]
    assert (found["verdict"], found["q_value"], found["reason_codes"]) == ("campaign", 0.001, [])
    assert (found["verify_url"], found["fail_closed"]) == ("https://example.com/verify", True)
    assert (found["approval_above"], found["needs_approval"]) == (2, True)


def test_a_person_approves_what_reaches_more_accounts_of_one_campaign_than_the_rule_allows(tmp_path):
    text = THROTTLE.format(when="") + "approval_above = 2\n"
    three = planned(policy(tmp_path, text))
    assert [row["needs_approval"] for row in three.values()] == [True] * 3
    two = planned(policy(tmp_path, text), exempt={"c"})
    assert {account: row["needs_approval"] for account, row in two.items()} == {"a": False, "b": False}


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_nothing_is_ever_asked_of_who_is_exempt(called, exempt):
    every = Policy(version="1", enforce=True, rules=({"name": "all", "action": "block"},))
    own = accounts(*({"account_id": account} for account in sorted(called)))
    assert set(planned(every, of=own, exempt=exempt)) == called - exempt


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enforced = true", "field enforced: there is no such setting"),
        ('[[rules]]\nname = "x"\naction = "throttle"', "rule 'x': action throttle needs budget_per_hour"),
        ('[[rules]]\nname = "x"\naction = "verify"', "rule 'x': action verify needs verify_url"),
        ('[[rules]]\nname = "x"\naction = "verify"\nverify_url = "http://a.example"', "https://"),
        ('[[rules]]\nname = "x"\naction = "verify"\nverify_url = "http://localhost.example/"', "https://"),
        ('[[rules]]\nname = "x"\naction = "verify"\nverify_url = "https://a/{account}"', "no other braces"),
        (
            '[[rules]]\nname = "x"\naction = "verify"\nverify_url = "https://a/{link}{link}"',
            "no other braces",
        ),
        ('[[rules]]\nname = "x"\naction = "block"\nmax_tokens = 5', "max_tokens belongs to action reduce"),
        ('[[rules]]\nname = "x"\naction = "ban"', "rule 'x'.action"),
        ('[[rules]]\naction = "block"', "rule 1.name: it is missing"),
        ('[[rules]]\nname = "x"\naction = "block"\nduration = "soon"', "write it like 30m, 1h or 1d"),
        ('[[rules]]\nname = "x"\naction = "block"\nduration = 500000000000', "write it like 30m, 1h or 1d"),
        ('[[rules]]\nname = "x"\naction = "block"\nduration = "0m"', "write it like 30m, 1h or 1d"),
        ('[[rules]]\nname = "x"\naction = "block"\nduration = "99999d"', "ten years (3650d) at most"),
        (f'[[rules]]\nname = "x"\naction = "throttle"\nbudget_per_hour = {2**64}', "'x'.budget_per_hour"),
        (f'[[rules]]\nname = "x"\naction = "reduce"\nmax_tokens = {2**64}', "'x'.max_tokens"),
        (f'[[rules]]\nname = "x"\naction = "block"\napproval_above = {2**64}', "'x'.approval_above"),
        ('enforce = "yes"', "enforce: is neither true nor false"),
        ("enforce = 1", "enforce: is neither true nor false"),
        ('[[rules]]\nname = "x"\naction = "block"\napproval_above = "5"', "approval_above: is no number"),
        ('[[rules]]\nname = "x"\naction = "block"\napproval_above = true', "approval_above: is no number"),
        ('[[rules]]\nname = "x"\naction = "verify"\nverify_url = "https://"', "must name a host"),
        ('[[rules]]\nname = "x"\naction = "verify"\nverify_url = "https://[x/"', "must name a host"),
        (
            '[[rules]]\nname = "x"\naction = "verify"\nverify_url = "https://a/\\r\\nb"',
            "no control character",
        ),
        ("rules = " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ('[[rules]]\nname = "x"\naction = "block"\nwhen = { q_value_at_most = 2 }', "q_value_at_most"),
        ('[[rules]]\nname = "x"\naction = "block"\nwhen = { verdict = "clear" }', "accounts that are clear"),
        (
            '[[rules]]\nname = "x"\naction = "block"\n[[rules]]\nname = "x"\naction = "observe"',
            "two rules are called 'x'",
        ),
        ("rules = [", "it is no TOML"),
        ("rules = 3", "field rules"),
        ("rules = [3]", "rule 1"),
    ],
)
def test_a_mistake_is_named_by_its_place(tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        policy(tmp_path, text)
    assert said in str(caught.value)
    assert str(tmp_path / "policy.toml") in str(caught.value)
    assert "docs/policy.md" in caught.value.remedy


def test_every_mistake_is_named_at_once(tmp_path):
    with pytest.raises(InputError, match="rule 'x'") as caught:
        policy(tmp_path, 'enforced = 1\n[[rules]]\nname = "x"\naction = "ban"\ncolour = "red"\n')
    assert all(part in str(caught.value) for part in ("enforced", "rule 'x'.action", "rule 'x'.colour"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="the policy cannot be read"):
        read_policy(tmp_path / "none.toml")


def test_the_example_in_the_docs_is_a_policy_and_every_condition_and_action_is_documented(tmp_path):
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    path = tmp_path / "policy.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    example = read_policy(path)
    assert [rule.action for rule in example.rules] == [Measure.THROTTLE, Measure.VERIFY]
    conditions = type(example.rules[0].when).model_fields
    settings = [*conditions, *type(example.rules[0]).model_fields, *Policy.model_fields, *Measure]
    assert [name for name in settings if name not in page] == []
