"""The middleware before an ASGI application: by raw path and method, behind proxies, beside other ways."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from issuing import PATH, proof

from stillwatch.access.keys.asgi import KeyMiddleware, account_of, holder_of
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.trusted import Trusted
from stillwatch.access.keys.verifier import Holder, Verifier


@pytest.fixture
def ask(keys):
    """Asks an application behind the middleware; returns the status and whose request it was."""

    def one(*headers: tuple[str, str], kind="http", path=PATH, raw_path=None, client="127.0.0.1", **options):
        seen: list[Any] = []
        sent: list[dict] = []

        async def app(scope, receive, send):
            seen.append((account_of(scope), holder_of(scope)))
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message):
            sent.append(message)

        verifier = Verifier(PublishedKeys(keys.published, keys.pepper), keys.pepper)
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        scope = {"type": kind, "path": path, "headers": pairs, "client": (client, 1)}
        scope |= {"raw_path": raw_path} if raw_path else {}
        scope |= {"method": "POST"} if kind == "http" else {}
        asyncio.run(KeyMiddleware(app, verifier=verifier, **options)(scope, None, send))
        return sent[0].get("status", sent[0].get("code")), seen[0] if seen else None

    return one


def test_a_proof_is_held_against_the_path_as_it_was_sent(ask, keys):
    made = keys.bound("acct-3")
    path = b"/v1/models/a%2Fb"
    sent = [("authorization", f"DPoP {made.secret}")]
    named = ("dpop", proof(made.secret, htu="https://api.example.com/v1/models/a%2Fb"))
    status, whose = ask(*sent, named, path="/v1/models/a/b", raw_path=path)
    assert (status, whose) == (200, ("acct-3", Holder("acct-3", made.key.id, ())))
    other = ("dpop", proof(made.secret, htu="https://api.example.com/v1/models/a/b"))
    assert ask(*sent, other, path="/v1/models/a/b", raw_path=path) == (401, None)


def test_a_proxy_says_where_the_client_is_if_it_is_trusted(ask, keys):
    made = keys.issue(networks=["203.0.113.0/24"])
    sent = [("authorization", f"Bearer {made.secret}"), ("x-forwarded-for", "203.0.113.9")]
    trusted = Trusted(["127.0.0.1"], address_header="x-forwarded-for")
    assert ask(*sent, trusted=trusted)[0] == 200
    assert ask(*sent, trusted=trusted, client="192.0.2.1")[0] == 401
    assert ask(*sent)[0] == 401
    assert ask(sent[0], client="203.0.113.9")[0] == 200


def test_other_ways_to_know_an_account_stand_beside_it(ask):
    assert ask(others=lambda scope: "acct-9")[1] == ("acct-9", Holder("acct-9", "", ()))
    assert ask(others=lambda scope: None) == (401, None)
    assert ask(("x-api-key", "swk_made-up"), others=lambda scope: "acct-9") == (401, None)


def test_sockets_are_closed_and_the_life_of_the_application_is_not_touched(ask):
    assert ask(kind="websocket") == (3000, None)
    assert ask(kind="lifespan")[1] == (None, None)
    assert ask(path="/health", open_paths=frozenset({"/health"}))[0] == 200
