"""The API by a real server: what it tells, what a person may change through it, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from control_desk import CAMPAIGN, MEMBERS_OF, SAID, WATCHED, controlled, furnished, view_of, write_judged
from receiving_desk import ndjson, records

from stillwatch.decisions.store import open_store
from stillwatch.persistence.audit import verify_audit

sys.path.insert(0, str(Path(__file__).parents[2] / "ingest"))
from postgres_server import PostgresUnavailableError, postgres

PAGE = Path(__file__).parents[3] / "docs" / "operating.md"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory):
    """A service that nobody changes."""
    with controlled(tmp_path_factory.mktemp("reading") / "state") as client:
        yield client


@pytest.fixture
def changing(tmp_path: Path):
    """A service of one test's own."""
    with controlled(tmp_path / "state") as client:
        yield client


def told(answer: httpx.Response, status: int = 200):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json() if status == 200 else answer.json()["error"]


def acting(client: httpx.Client) -> str:
    """The decision that throttles."""
    found = told(client.get("/v1/decisions", params={"status": "any"}))["decisions"]
    return next(one["id"] for one in found if one["action"] == "throttle")


def test_the_status_tells_of_every_part(api):
    status = told(api.get("/v1/status"))

    assert status["campaigns"] == {"campaign": 1, "watch": 1, "accounts": 250, "exchanges": 288_000}
    assert status["decisions"]["in_force"]["throttle"] == {"decisions": 1, "accounts": 250}
    assert status["decisions"]["by_status"]["in-force"] == 1
    assert status["judge"]["seen"] == 1_250_000
    assert status["judge"]["late"] is False
    assert status["gates"]["outcomes"] == [{"action": "throttle", "outcome": "enforced", "times": 40}]
    assert status["traffic"]["received"]["exchanges"] == 0
    assert status["troubles"] == []


def test_campaigns_come_with_their_reasons_their_days_and_what_is_decided(api):
    listed = told(api.get("/v1/campaigns"))
    assert [row["campaign_id"] for row in listed["campaigns"]] == [CAMPAIGN, WATCHED]
    watched = told(api.get("/v1/campaigns", params={"verdict": "watch"}))
    assert [row["campaign_id"] for row in watched["campaigns"]] == [WATCHED]

    found = told(api.get(f"/v1/campaigns/{CAMPAIGN}"))
    assert found["campaign"]["facets"] == {"identity": 4.2, "scaffold": 12.0, "tempo": 7.3}
    assert [each["signal"] for each in found["reasons"]] == ["scaffold-shared", "residential-proxy"]
    assert [each["exchanges"] for each in found["days"]] == [7000]
    assert {each["campaign_id"] for each in found["decisions"]} == {CAMPAIGN}


@pytest.mark.parametrize("path", [f"/v1/campaigns/{CAMPAIGN}/members", "decision"])
def test_a_list_in_pages_is_the_whole_list(api, path):
    path = f"/v1/decisions/{acting(api)}" if path == "decision" else path
    found, after = [], {}
    while True:
        page = told(api.get(path, params={"limit": 99, **after}))
        found += [row["account_id"] for row in page["members"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == MEMBERS_OF[CAMPAIGN]


def test_an_account_tells_what_was_found_and_decided_of_it_whatever_its_id(api):
    account = told(api.get("/v1/accounts/acct-00007"))
    assert account["found"]["risk"] == 0.97
    assert [each["signal"] for each in account["reasons"]] == ["payment-shared"]
    assert [each["action"] for each in account["decisions"] if each["status"] == "in-force"] == ["throttle"]

    assert told(api.get("/v1/accounts/a%2Fb"))["campaigns"][0]["campaign_id"] == WATCHED
    assert told(api.get("/v1/accounts/honest"))["found"]["campaign_id"] is None


def test_the_policy_is_told_with_the_version_in_use(api):
    policy = told(api.get("/v1/policy"))
    assert (policy["version"], policy["in_use"], policy["error"]) == ("7", "7", None)
    assert policy["rules"][0]["seconds"] == 86_400


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/v1/campaigns/none", 404, None),
        ("/v1/campaigns/none/members", 404, None),
        ("/v1/accounts/none", 404, None),
        ("/v1/decisions/none", 404, None),
        ("/v1/nothing", 404, None),
        ("/v1/campaigns?limit=0", 422, "limit"),
        ("/v1/campaigns?limit=99999", 422, "limit"),
        ("/v1/campaigns?after=none", 422, "after"),
        ("/v1/campaigns?verdict=clear", 422, "verdict"),
        ("/v1/decisions?status=odd", 422, "status"),
        ("/v1/decisions?campain=cmp_1", 422, "campain"),
        ("/v1/status?odd=1", 422, "odd"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_form(api, path, status, field):
    error = told(api.get(path), status)
    assert {"code", "message", "remedy"} <= error.keys()
    assert error.get("field") == field


def test_a_decision_is_undone_and_approved_again_and_the_audit_log_has_it(changing, tmp_path):
    one = acting(changing)

    done = told(changing.post(f"/v1/decisions/{one}/undo", json=SAID))
    assert (done["changed"], done["decision"]["status"], done["decision"]["ended_by"]) == (
        True,
        "undone",
        "kim",
    )
    again = told(changing.post(f"/v1/decisions/{one}/undo", json=SAID))
    assert (again["changed"], again["revision"]) == (False, done["revision"])
    back = told(changing.post(f"/v1/decisions/{one}/approve", json=SAID | {"note": "it was none"}))
    assert (back["decision"]["status"], back["decision"]["why"]) == ("in-force", "it was none")
    assert told(changing.get("/v1/status"))["decisions"]["in_force"]["throttle"]["accounts"] == 250

    log = tmp_path / "state" / "audit.jsonl"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(entry["kind"], entry["by"]) for entry in entries][-2:] == [
        ("undone", "kim"),
        ("approved", "kim"),
    ]
    assert verify_audit(log).entries == len(entries)


def test_one_account_is_taken_out_and_the_others_stay(changing):
    one = acting(changing)
    done = told(changing.post(f"/v1/decisions/{one}/undo", json=SAID | {"account": "acct-00007"}))
    assert (done["decision"]["status"], done["decision"]["accounts"]) == ("in-force", 249)
    assert "throttle" not in {
        each["action"] for each in told(changing.get("/v1/accounts/acct-00007"))["decisions"]
    }


@pytest.mark.parametrize(
    ("what", "body", "status", "field"),
    [
        ("reject", json.dumps(SAID), 409, None),
        ("undo", "{", 400, None),
        ("undo", "[]", 422, "body"),
        ("undo", json.dumps({"by": "kim"}), 422, "note"),
        ("undo", json.dumps(SAID | {"by": " "}), 422, "by"),
        ("undo", json.dumps(SAID | {"note": "x" * 2001}), 422, "note"),
        ("undo", json.dumps(SAID | {"acount": "a"}), 422, "acount"),
        ("approve", json.dumps(SAID | {"account": "acct-00007"}), 422, "account"),
        ("undo", json.dumps(SAID | {"account": "stranger"}), 404, None),
        ("undo", "[" * 100_000, 400, None),
        ("undo", "x" * (2**20 + 1), 413, None),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_changes(api, what, body, status, field):
    before = told(api.get("/v1/status"))["decisions"]
    error = told(api.post(f"/v1/decisions/{acting(api)}/{what}", content=body), status)
    assert error.get("field") == field
    assert told(api.get("/v1/status"))["decisions"] == before


def test_a_token_opens_what_its_scope_is_and_nothing_else(api):
    one = acting(api)
    for token, path, status in [
        ("wrong", "/v1/status", 401),
        ("sender", "/v1/status", 403),
        ("reader", "/v1/status", 200),
    ]:
        answer = api.get(path, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == status
    refused = api.post(f"/v1/decisions/{one}/undo", json=SAID, headers={"authorization": "Bearer reader"})
    assert refused.status_code == 403


def test_failing_tokens_and_changes_have_their_rates_and_a_good_token_still_reads(tmp_path):
    with controlled(tmp_path / "state", failures=3, writes=2) as client:
        wrong = {"authorization": "Bearer wrong"}
        assert [client.get("/v1/status", headers=wrong).status_code for _ in range(5)] == [401] * 3 + [
            429
        ] * 2
        assert 1 <= int(client.get("/v1/status", headers=wrong).headers["retry-after"]) <= 60
        one = acting(client)
        answers = [client.post(f"/v1/decisions/{one}/undo", json=SAID) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert client.get("/v1/status").status_code == 200


@pytest.fixture
def cluster():
    """Where a PostgreSQL server may run, be ended and run again."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path may not be longer than about a hundred
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path):
    try:
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as unavailable:
        assert "CI" not in os.environ, "CI installs PostgreSQL"
        pytest.skip(str(unavailable))


def test_a_database_that_is_away_leaves_the_rest_going_on_and_comes_back(tmp_path, cluster):
    state = tmp_path / "state"
    state.mkdir()
    with ExitStack() as service:
        with running(cluster) as address:
            furnished(state, address).close()
            client = service.enter_context(controlled(state, store=open_store(address)))
            one = acting(client)
            page = told(client.get(f"/v1/decisions/{one}", params={"limit": 2, "after": "acct-00007"}))
            assert [row["account_id"] for row in page["members"]] == ["acct-00008", "acct-00009"]
            assert told(client.get("/v1/status"))["decisions"]["in_force"]["throttle"]["accounts"] == 250

        gone = client.get("/v1/decisions")
        assert told(gone, 503)["code"] == "unavailable"
        assert gone.headers["retry-after"] == "5"
        assert client.post(f"/v1/decisions/{one}/undo", json=SAID).status_code == 503
        status = told(client.get("/v1/status"))
        assert status["decisions"] is None
        assert [each["part"] for each in status["troubles"]] == ["store"]
        assert client.get("/readyz").json()["ready"] is True
        assert "stillwatch_store_up 0.0" in client.get("/metrics").text
        assert told(client.get("/v1/campaigns"))["total"] == 2
        assert client.post("/v1/exchanges", content=ndjson(records(3))).json()["accepted"] == 3

        with running(cluster):
            assert told(client.post(f"/v1/decisions/{one}/undo", json=SAID))["changed"] is True
            assert told(client.get("/v1/status"))["troubles"] == []


def test_an_audit_log_that_cannot_be_written_changes_nothing(changing, tmp_path):
    one = acting(changing)
    log = tmp_path / "state" / "audit.jsonl"
    log.rename(log.with_name("moved"))
    log.mkdir()
    assert changing.post(f"/v1/decisions/{one}/undo", json=SAID).status_code == 503
    assert told(changing.get(f"/v1/decisions/{one}"))["status"] == "in-force"


def test_a_service_that_has_judged_nothing_yet_says_so(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    store = open_store(state / "decisions.db")
    with controlled(state, store=store, view=view_of(state, store)) as client:
        status = told(client.get("/v1/status"))
        assert status["judge"] is None
        assert [each["part"] for each in status["troubles"]] == ["judge"]
        assert told(client.get("/v1/campaigns")) == {"campaigns": [], "total": 0, "next": None}
        assert told(client.get("/v1/policy"))["error"] is not None


def test_tables_that_are_damaged_are_told_until_the_judge_writes_them_anew(tmp_path):
    with controlled(tmp_path / "state") as client:
        for name in ("campaigns", "accounts"):
            (tmp_path / "state" / "judged" / f"{name}.parquet").write_bytes(b"PAR1 and nothing else")
        assert told(client.get("/v1/campaigns"), 503)["code"] == "unavailable"
        assert told(client.get("/v1/accounts/honest"), 503)["code"] == "unavailable"
        assert [each["part"] for each in told(client.get("/v1/status"))["troubles"]] == ["judge"]
        assert client.get("/metrics").status_code == 200
        write_judged(tmp_path / "state")
        assert told(client.get("/v1/campaigns"))["total"] == 2


def test_every_answer_says_what_a_browser_may_not_do_with_it(api):
    for path in ("/", "/v1/status", "/healthz", "/nothing"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_commands_of_the_page_do_what_it_says(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", "")
    commands = re.findall(r"^curl .*$", text, re.MULTILINE)
    assert len(commands) == 3
    with controlled(tmp_path / "state") as client:
        own = acting(client)
        for command in commands:
            ours = command.replace("http://127.0.0.1:8790", str(client.base_url).rstrip("/"))
            ours = ours.replace("dec_4f1c0a9be2d7", own).replace("acct-20419", "acct-00007")
            environment = {"TOKEN": "all", "PATH": "/usr/local/bin:/usr/bin:/bin"}
            shell = ["/bin/sh", "-c", f"{ours} --fail --silent"]
            done = subprocess.run(shell, env=environment, capture_output=True, check=True, timeout=30)
            assert json.loads(done.stdout)
