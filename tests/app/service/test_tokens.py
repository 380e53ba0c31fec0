"""Tokens: what holds, until when, and what of a token the file gives away."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import HTTPConnection

from stillwatch.app.service.authorising import SCOPES
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.tokens import FILE, Tokens, scopes_of
from stillwatch.contracts import TokenError

NOTICED = 0.6  # seconds after which a change of the file is seen


def asking(secret: str, scheme: str = "Bearer") -> HTTPConnection:
    header = f"{scheme} {secret}".encode()
    return HTTPConnection({"type": "http", "headers": [(b"authorization", header)]})


def status_of(tokens: Tokens, connection: HTTPConnection, scope: str) -> int:
    try:
        tokens.authorise(connection, scope)
    except ApiError as error:
        return error.status
    return 200


def test_a_token_holds_for_its_scopes_and_no_other(state):
    tokens = Tokens(state)
    secret = tokens.make("gateway", ["ingest", "read"]).secret
    assert [status_of(tokens, asking(secret), scope) for scope in SCOPES] == [200, 403, 200, 403, 403, 403]
    assert status_of(tokens, asking(secret, "bearer"), "read") == 200
    assert status_of(tokens, asking(secret, "Basic"), "read") == 401
    assert tokens.allows(secret, "ingest")
    assert not tokens.allows(secret, "decide")


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret[:-1],
        lambda secret: secret + "x",
        lambda secret: "x" + secret,
        lambda secret: secret.upper(),
        lambda secret: secret.rpartition("_")[0] + "_",
        lambda secret: "",
        lambda secret: "swt",
        lambda secret: "swt_\u00e9_\u00e9",
    ],
)
def test_what_is_nearly_a_token_is_none(state, change):
    tokens = Tokens(state)
    assert not tokens.allows(change(tokens.make("gateway", ["read"]).secret), "read")


def test_a_token_ends(state):
    tokens, now = Tokens(state), datetime.now(UTC)
    over = tokens.make("over", ["read"], now - timedelta(seconds=1)).secret
    soon = tokens.make("soon", ["read"], now + timedelta(seconds=1)).secret
    assert (tokens.allows(over, "read"), tokens.allows(soon, "read")) == (False, True)
    time.sleep(1.1)
    assert not tokens.allows(soon, "read")
    assert status_of(tokens, asking(soon), "read") == 401
    assert [token.name for token in tokens.list()] == ["over", "soon"]


def test_what_another_process_makes_and_takes_back_is_noticed(state):
    service, command = Tokens(state), Tokens(state)
    assert not service.allows("swt_none_none", "read")
    made = command.make("gateway", ["read"])
    assert service.allows(made.secret, "read")  # whoever was shown it may use it
    assert command.revoke(made.token.id).name == "gateway"
    time.sleep(NOTICED)
    assert not service.allows(made.secret, "read")
    with pytest.raises(TokenError, match="there is no token"):
        command.revoke(made.token.id)


@pytest.mark.parametrize("torn", ["", "[{", '[{"id": "x"}]', '{"a": 1}', "[1]", "\ud800"])
def test_a_torn_file_keeps_those_that_are_known_and_is_not_written_over(state, torn):
    service = Tokens(state)
    secret = service.make("gateway", ["read"]).secret
    assert service.allows(secret, "read")
    path = state / FILE
    path.write_text(torn, errors="surrogatepass")
    time.sleep(NOTICED)
    assert service.allows(secret, "read")
    with pytest.raises(TokenError, match="cannot be read"):
        Tokens(state).make("another", ["read"])
    assert path.read_text(errors="surrogatepass") == torn
    path.unlink()
    time.sleep(NOTICED)
    assert not service.allows(secret, "read")


def test_the_file_gives_no_token_away_and_is_its_owners_alone(state):
    made = Tokens(state).make("gateway", ["read"])
    text = (state / FILE).read_text()
    assert made.secret not in text
    assert made.secret.split("_", 2)[2] not in text
    assert json.loads(text)[0]["name"] == "gateway"
    assert (state / FILE).stat().st_mode & 0o777 == 0o600


def test_tokens_that_are_made_at_once_are_all_there(state):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: Tokens(state).make(f"t{number}", ["read"]), range(24)))
    tokens = Tokens(state)
    assert {token.id for token in tokens.list()} == {each.token.id for each in made}
    assert all(tokens.allows(each.secret, "read") for each in made)


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", "root"]])
def test_a_scope_that_there_is_none_of_is_refused(state, scopes):
    with pytest.raises(TokenError):
        Tokens(state).make("gateway", scopes)
    assert not (state / FILE).exists()


def test_scopes_may_be_told_together_or_apart():
    assert scopes_of(["read, operate", "ingest", ""]) == ("read", "operate", "ingest")
