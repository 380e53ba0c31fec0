"""Policy, allow list and labels are read again when they change; while they are wrong the old ones hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.app.service.rules import OBSERVING, Rules, forget_accepted
from stillwatch.app.service.rules_file import RulesFile
from stillwatch.campaigns.labels import FILE as LABELS
from stillwatch.contracts import InputError
from stillwatch.settings import ServeSettings

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text('version = "first"\nenforce = true\n')
    return path


@pytest.fixture
def allow(tmp_path: Path) -> Path:
    path = tmp_path / "allow.csv"
    path.write_text("account_id,reason,until\na,a pentest,2026-06-15\nb,an office,\n")
    return path


@pytest.fixture
def rules(tmp_path: Path, policy: Path, allow: Path) -> Rules:
    return Rules(ServeSettings.read(state=tmp_path / "state", policy=policy, allow=allow))


def test_without_a_policy_everything_is_observed(tmp_path):
    rules = Rules(ServeSettings.read(state=tmp_path / "state"))
    assert rules.policy == OBSERVING
    assert not rules.policy.enforce
    assert rules.exempt(NOW) == frozenset()


def test_a_policy_that_is_wrong_is_refused_until_it_comes_right(rules, policy, caplog):
    policy.write_text('version = "second"\nenforce = "perhaps"\n')
    rules.look()
    assert rules.policy.version == "first"
    assert str(policy) in rules.errors["policy"]
    rules.look()
    assert list(rules.errors) == ["policy"]
    (line,) = caplog.records  # once
    assert (line.levelname, str(policy) in line.getMessage()) == ("ERROR", True)
    policy.write_text('version = "third"\nenforce = false\n')
    rules.look()
    assert (rules.policy.version, rules.policy.enforce, rules.errors) == ("third", False, {})


def test_a_file_that_is_gone_is_wrong_and_what_it_said_holds(rules, policy, allow):
    policy.unlink()
    rules.look()
    assert (rules.policy.version, list(rules.errors)) == ("first", ["policy"])
    policy.write_text('version = "back"\n')
    allow.unlink()
    rules.look()
    assert rules.exempt(NOW) == {"a", "b"}
    assert (rules.policy.version, list(rules.errors)) == ("back", ["allow list"])  # each counts by itself
    allow.write_text("c\n")
    rules.look()
    assert (rules.policy.version, rules.exempt(NOW), rules.errors) == ("back", {"c"}, {})


def test_a_service_does_not_start_by_a_policy_that_is_wrong(tmp_path, policy):
    policy.write_text("nonsense")
    with pytest.raises(InputError):
        Rules(ServeSettings.read(state=tmp_path / "state", policy=policy))


def test_a_judge_that_is_started_again_goes_on_by_what_was_right_before(tmp_path, rules, policy, allow):
    settings = ServeSettings.read(state=tmp_path / "state", policy=policy, allow=allow)
    policy.write_text('version = "second"\nenforce = true\n')
    rules.look()
    policy.write_text("nonsense")
    allow.unlink()
    resumed = Rules(settings, RulesFile.resume)
    assert (resumed.policy.version, resumed.exempt(NOW)) == ("second", {"a", "b"})
    assert list(resumed.errors) == ["policy", "allow list"]
    assert resumed.known_at(NOW).allow.file == str(allow)
    with pytest.raises(InputError):
        Rules(settings)
    allow.write_text("c\n")
    resumed.look()
    assert (resumed.exempt(NOW), list(resumed.errors)) == ({"c"}, ["policy"])
    forget_accepted(settings.state)
    with pytest.raises(InputError, match=r"policy\.toml"):  # nothing is known that was right
        Rules(settings, RulesFile.resume)


def test_an_entry_of_the_allow_list_ends_with_its_last_day(rules):
    assert rules.exempt(NOW) == {"a", "b"}
    assert rules.exempt(NOW + timedelta(hours=12)) == {"b"}
    assert [entry.name for entry in rules.known_at(NOW + timedelta(days=1)).allow.holding(NOW)] == ["a", "b"]


def test_accounts_that_were_found_to_be_exempt_are(rules):
    rules.found = frozenset({"colleague"})
    assert rules.exempt(NOW) == {"a", "b", "colleague"}


def test_a_label_that_comes_while_the_service_runs_exempts(rules, tmp_path):
    state = tmp_path / "state"
    label = (
        '{"kind": "account", "subject": "known", "verdict": "honest", "by": "kim", "note": "a class", '
        '"time": "2026-06-01T00:00:00+00:00", "members": []}\n'
    )
    (state / LABELS).write_text(label)
    rules.look()
    assert rules.errors == {}
    assert rules.exempt(NOW) == {"a", "b", "known"}
