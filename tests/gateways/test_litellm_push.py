"""A real LiteLLM proxy pushes its log to the service, as the documentation says it can."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
from litellm_proxy import litellm_proxy
from loopback_server import serving
from mock_upstream import MockUpstream

sys.path.insert(0, str(Path(__file__).parents[1] / "app" / "service"))

from receiving_desk import KEY, TOKEN, sealing, served

from stillwatch.app.service.receiver import Limits, Receiver
from stillwatch.ledger.ledger import Ledger

CALLS = 12
OWNER = {"user_id": "user-1", "key_alias": "one", "team_id": "team-1", "org_id": "org-1"}
SECONDS = 60


def call(gateway, number):
    body = {"model": "assistant-large", "messages": [{"role": "user", "content": f"Say {number}."}]}
    request = urllib.request.Request(
        f"{gateway}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": "Bearer sk-one"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers["x-litellm-call-id"]


def test_what_the_proxy_pushes_is_in_the_ledger(litellm, tmp_path):
    state = tmp_path / "state"
    receiver = Receiver(state, KEY, Limits(workers=1))
    with served(receiver) as client, serving(MockUpstream) as upstream:
        environment = {"GENERIC_LOGGER_HEADERS": f"Authorization=Bearer {TOKEN}"}
        collector = f"{str(client.base_url).rstrip('/')}/v1/logs/litellm"
        peers = {"upstream": upstream, "collector": collector, "environment": environment}
        with litellm_proxy(litellm, tmp_path, keys={"sk-one": OWNER}, **peers) as gateway:
            called = {call(gateway, number) for number in range(CALLS)}
            deadline = time.monotonic() + SECONDS
            while receiver.figures().accepted < CALLS and time.monotonic() < deadline:
                time.sleep(0.1)
    with sealing(receiver, state) as sealer:
        sealer.seal()
    receiver.close()
    rows = [
        row
        for file in Ledger(state / "ledger", KEY.id).sketch_files()
        for row in pq.read_table(file).to_pylist()
    ]
    assert receiver.figures().rejected == 0
    assert receiver.figures().refused == {}
    # LiteLLM forgets the few calls that end while it posts a batch of its log.
    assert {row["exchange_id"] for row in rows} <= called
    assert len(rows) >= CALLS - 3
    assert {row["account_id"] for row in rows} == {"user-1"}
