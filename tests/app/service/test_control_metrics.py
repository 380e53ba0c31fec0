"""Metrics can be read by Prometheus, tell what the service does, and the dashboard names no other."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from control_desk import controlled, furnished, view_of, write_report
from prometheus_client.parser import text_string_to_metric_families
from receiving_desk import KEY, ndjson, records, sealing

from stillwatch.app.service.going_past import Window
from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.app.service.reconciling import Reconciled
from stillwatch.app.service.view import View

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "packaging" / "grafana" / "stillwatch.json"


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Metrics of a service in which everything happened at least once."""
    state = tmp_path_factory.mktemp("metrics") / "state"
    store = furnished(state)
    receiver = Receiver(state, KEY, Limits(workers=2))
    with sealing(receiver, state) as sealer:
        view = view_of(state, store, receiver)
        view.sealer = sealer
        found = Reconciled(10, 7, 1, 2, 1, 0)
        now = datetime.now(UTC)
        view.going_past.last, view.going_past.unruled = Window(now - timedelta(minutes=5), now, found), 2
        with controlled(state, store=store, view=view) as client:
            assert client.post("/v1/exchanges", content=ndjson(records(5))).status_code == 200
            return samples(client.get("/metrics", headers={"authorization": ""}).text)


def test_they_tell_what_the_service_does(told):
    held = json.dumps({"action": "throttle", "dry_run": "false", "status": "in-force"})
    assert told["stillwatch_exchanges_received_total{}"] == 5
    assert told["stillwatch_judge_exchanges{}"] == 1_250_000
    assert told[f"stillwatch_decision_accounts{held}"] == 250
    assert told['stillwatch_campaigns{"verdict": "campaign"}'] == 1
    assert told['stillwatch_outcomes_total{"action": "throttle", "outcome": "enforced"}'] == 40
    assert told["stillwatch_fail_open_alert{}"] == 1
    assert told["stillwatch_requests_past_gate_total{}"] == 2
    assert told["stillwatch_store_up{}"] == 1
    assert 0 <= told["stillwatch_judge_age_seconds{}"] < 60


def test_every_metric_of_the_dashboard_exists(told):
    there = {name.partition("{")[0] for name in told} | {"stillwatch_requests_refused_total"}
    named = set(re.findall(r"\bstillwatch_[a-z_]+", json.dumps(json.loads(DASHBOARD.read_text())["panels"])))
    assert named
    assert named - there == set()


def test_every_metric_is_documented(told):
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    there = {name.partition("{")[0] for name in told}
    assert {name for name in there if f"`{name}`" not in page} == set()


def test_they_may_be_for_tokens_alone(tmp_path):
    with controlled(tmp_path / "state", open_metrics=False) as client:
        assert client.get("/metrics", headers={"authorization": ""}).status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer sender"}).status_code == 403
        assert client.get("/metrics").status_code == 200


def test_it_is_ready_while_it_takes_records(tmp_path):
    with controlled(tmp_path / "state") as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"ready": True, "parts": {"store": "ok", "inbox": "ok"}}
    state = tmp_path / "full"
    store, receiver = furnished(state), Receiver(state, KEY, Limits(inbox=0, workers=1))
    with controlled(state, store=store, view=view_of(state, store, receiver)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)


def test_a_judge_that_was_not_heard_of_for_long_is_told(tmp_path):
    state = tmp_path / "state"
    store = furnished(state)
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    write_report(
        state,
        at=long_ago,
        policy_error="no TOML",
        publishing_error="no space left",
        refused_files={"allow list": "no date"},
    )
    view = View(state, store, policy=state / "policy.toml", keys=state / "keys")
    with controlled(state, store=store, view=view) as client:
        status = client.get("/v1/status").json()
        assert status["judge"]["late"] is True
        assert [each["part"] for each in status["troubles"]] == [
            "judge",
            "policy",
            "allow list",
            "publishing",
            "key file",
        ]
        (state / "judge.json").write_text("{")
        assert client.get("/v1/status").json()["judge"] is None
