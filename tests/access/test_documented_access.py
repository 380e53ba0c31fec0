"""The worked examples of the pages on keys and on sealed reasoning do what the pages say."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from documented_access import example
from issuing import ORIGIN, PATH, issuing

from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.verifier import Holder, Shown, Verifier
from stillwatch.access.keys.written import PATTERN, new_key
from stillwatch.access.seals import SealError
from stillwatch.access.seals.keyring import rotate
from stillwatch.app import cli


def test_the_pattern_for_scanners_is_the_one_that_is_documented():
    shown = example("keys.md", "keys-pattern").strip()
    assert shown == PATTERN
    key = new_key().text
    assert re.findall(shown, f"token: {key}\n") == [key]


def test_the_commands_run_as_they_are_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    number = ""
    for line in example("keys.md", "keys-commands").splitlines():
        words = re.findall(r'"[^"]*"|\S+', line.replace(" ID ", f" {number} "))
        assert cli.run([word.strip('"') for word in words[1:]]) == 0
        printed = re.search(PATTERN, capsys.readouterr().out)
        number = printed.group()[4:14] if printed else number


def test_the_middleware_lets_in_who_has_a_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    with issuing(tmp_path) as keys:
        made, revoked = keys.issue("acct-7"), keys.issue()
        keys.revoke(revoked)
    keys.published.rename(tmp_path / "state" / "issued-keys")
    shown = {}
    exec(example("keys.md", "keys-middleware"), shown)

    def ask(path: str = PATH, **headers: str):
        sent = []

        async def send(message):
            sent.append(message)

        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": pairs, "client": ("::1", 1)}
        asyncio.run(shown["app"](scope, None, send))
        return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])

    assert ask(authorization=f"Bearer {made.secret}")[:2] == (200, b"Hello, acct-7.")
    status, body, headers = ask(authorization=f"Bearer {revoked.secret}")
    assert (status, json.loads(body)["error"]["code"]) == (401, "stillwatch_key_revoked")
    assert headers[b"www-authenticate"].startswith(b"Bearer error=")
    assert json.loads(ask()[1])["error"]["code"] == "stillwatch_key_missing"
    assert ask("/health")[:2] == (200, b"Hello, None.")


def test_the_clients_proof_proves(tmp_path):
    shown = {}
    exec(example("keys.md", "keys-proof"), shown)
    with issuing(tmp_path) as keys:
        made = keys.issue(jkt=shown["pair"].thumbprint())
        verifier = Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper)

        def ask(nonce: str | None = None):
            sent = shown["dpop"](made.secret, "POST", f"{ORIGIN}{PATH}", nonce)
            scheme, _, key = sent["authorization"].partition(" ")
            return verifier.verify(Shown(key, scheme == "DPoP", "POST", PATH, [sent["dpop"]]))

        answer = ask()  # the verifier began within this second: it may ask for a nonce
        if not isinstance(answer, Holder):
            answer = ask(answer.nonce)
        assert answer == Holder("acct-1", made.key.id, ())


@pytest.fixture
def sealed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rotate(tmp_path / "seal.keys", datetime.now(UTC), begins_in=timedelta())
    shown = {}
    exec(example("sealed-reasoning.md", "seals"), shown)
    return shown


def test_reasoning_opens_where_it_was_sealed_and_is_an_event_elsewhere(sealed):
    assert sealed["reasoning"] == b"First, divide both sides by 3."
    with pytest.raises(SealError, match="does not belong here") as refused:
        sealed["seals"].open(sealed["token"], sealed["place"]._replace(account_id="acct-2"))
    assert refused.value.reason == "foreign"
    received = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.path, self.headers["authorization"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    shown = {}
    exec(example("sealed-reasoning.md", "seals-event"), shown)
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        shown["tell"](refused.value.event, f"http://127.0.0.1:{server.server_port}", "swt_1")
        thread.join()
    path, token, [row] = received[0]
    assert (path, token) == ("/v1/account-events", "Bearer swt_1")
    assert {name: row[name] for name in ("account_id", "other_account_id", "event", "source")} == {
        "account_id": "acct-2",
        "other_account_id": "acct-1",
        "event": "seal-foreign",
        "source": "gateway-1",
    }
    assert datetime.fromisoformat(row["timestamp"]).tzinfo is not None
