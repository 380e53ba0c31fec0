"""Shared signals against a provider in a process of its own: nothing lost and nothing twice, both ways."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from control_desk import view_of
from joserfc import jwt
from receiving_desk import KEY, running, sealing
from signal_peer import AUDIENCE, key_of

from stillwatch.access.signals.outbox import Outbox
from stillwatch.access.signals.signals_file import SignalsFile
from stillwatch.access.signals.vocabulary import RECEIVED, Risk, risk_change
from stillwatch.app.service.api import api_routes
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.signal_delivery import Delivery
from stillwatch.app.service.signal_desk import SignalDesk
from stillwatch.app.service.signal_feed import SignalFeed
from stillwatch.app.service.signal_polling import Polling
from stillwatch.app.service.signal_routes import signal_routes
from stillwatch.contracts import AccountEvent
from stillwatch.decisions import approvals
from stillwatch.decisions.store import open_store
from stillwatch.persistence.audit import AuditLog, verify_audit

sys.path.insert(0, str(Path(__file__).parents[2] / "decisions"))
from decided_store import decided

HERE = Path(__file__).parent
IDP, US = "https://idp.example.com", "https://stillwatch.example.com"
URI = {event: uri for uri, event in RECEIVED.items()}
TOKENS = {"Bearer signals": "signals", "Bearer read": "read"}


def authorise(connection: Any, scope: str) -> None:
    held = TOKENS.get(connection.headers.get("authorization", ""))
    if held is None:
        raise ApiError(401, "unauthorized", "there is no bearer token", remedy="Send one.")
    if held != scope:
        raise ApiError(403, "forbidden", f"the token has no scope {scope}", remedy="Send another.")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Peer:
    """The provider's process, which can be killed and started again at the same address."""

    def __init__(self, home: Path, transmitter: str, port: int) -> None:
        self.home, self._transmitter, self._port = home, transmitter, port
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, HERE / "signal_peer.py", self.home, self._transmitter, str(self._port)]
        self._process = subprocess.Popen(command)
        eventually(lambda: self._answers())

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/jwks").is_success
        except httpx.HTTPError:
            return False

    def taken(self) -> list[dict[str, Any]]:
        path = self.home / "taken.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, int]]:
    """The provider, and the port at which it looks for this service's keys."""
    port = free_port()
    peer = Peer(tmp_path_factory.mktemp("idp"), f"http://127.0.0.1:{port}", free_port())
    peer.start()
    yield peer, port
    peer.kill()


@pytest.fixture
def peer(provider: tuple[Peer, int]) -> Peer:
    for name in ("taken.jsonl", "issued.json", "polls.jsonl", "away", "picky"):
        (provider[0].home / name).unlink(missing_ok=True)
    return provider[0]


def file_of(peer: Peer, tmp_path: Path) -> SignalsFile:
    secret = tmp_path / "peer.token"
    secret.write_text("of-the-peer\n")
    subjects = {"format": "iss_sub", "issuer": IDP}
    return SignalsFile.model_validate(
        {
            "issuer": US,
            "mapping": {"block": ["account-disabled"]},
            "streams": [
                {
                    "name": "pushed",
                    "audience": AUDIENCE,
                    "push": f"{peer.url}/events",
                    "token_file": secret,
                    "subjects": subjects,
                },
                {
                    "name": "polled",
                    "audience": AUDIENCE,
                    "events": ["risk-level-change"],
                    "subjects": {"format": "opaque"},
                },
            ],
            "issuers": [
                {
                    "issuer": IDP,
                    "audience": [US],
                    "jwks_url": f"{peer.url}/jwks",
                    "poll": f"{peer.url}/poll",
                }
            ],
        }
    )


@contextmanager
def service(
    tmp_path: Path, provider: tuple[Peer, int]
) -> Iterator[tuple[SignalDesk, httpx.Client, Receiver]]:
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    store = open_store(state / "decisions.db")
    receiver = Receiver(state, KEY)
    file = file_of(provider[0], tmp_path)
    desk = replace(SignalDesk.of(file, state, state / "decisions.db", receiver, authorise), patience=1.0)
    app = control_plane([*signal_routes(desk), *api_routes(view_of(state, store), authorise)])
    try:
        with running(app, "signals", host="127.0.0.1") as client:
            yield desk, client, receiver
    finally:
        receiver.close()
        store.close()


@pytest.fixture
def desk(tmp_path: Path, provider: tuple[Peer, int]) -> Iterator[SignalDesk]:
    """A desk whose keys are served where the provider looks for them."""
    with service(tmp_path, provider) as (desk, *_):
        yield desk


def feed_of(desk: SignalDesk, state: Path, exempt: frozenset[str] = frozenset()) -> SignalFeed:
    store = open_store(state / "decisions.db")
    mapping = desk.file.mapping
    return SignalFeed(
        lambda: store, desk.database, desk.outbox, mapping, AuditLog(state / "audit.jsonl"), lambda _: exempt
    )


def told(outbox: Outbox, stream: str) -> list[tuple[str, str, str]]:
    """Drain a stream: account, event and level, in the order in which a receiver gets them."""
    found = []
    while waiting := outbox.waiting(stream, 100):
        found += [
            (one.account_id, one.event.rpartition("/")[2], one.claims.get("current_level", ""))
            for one in waiting
        ]
        outbox.acknowledge(stream, [one.jti for one in waiting])
    return found


def test_a_decision_is_told_once_and_taken_back_once(desk: SignalDesk, tmp_path: Path) -> None:
    state = tmp_path / "state"
    decision = decided(state, "acct-1", "acct-2", action="verify", verify_url="https://a.example.com/v")
    assert feed_of(desk, state).look() == 6
    assert feed_of(desk, state).look() == 0
    assert told(desk.outbox, "pushed") == [
        ("acct-1", "risk-level-change", "HIGH"),
        ("acct-2", "risk-level-change", "HIGH"),
        ("acct-1", "account-credential-change-required", ""),
        ("acct-2", "account-credential-change-required", ""),
    ]
    store = open_store(state / "decisions.db")
    approvals.undo(
        store, AuditLog(state / "audit.jsonl"), decision.id, datetime.now(UTC), by="kim", note="no"
    )
    assert feed_of(desk, state).look() == 4
    assert told(desk.outbox, "pushed") == [
        ("acct-1", "risk-level-change", "LOW"),
        ("acct-2", "risk-level-change", "LOW"),
    ]
    assert told(desk.outbox, "polled")[-1] == ("acct-2", "risk-level-change", "LOW")
    verify_audit(state / "audit.jsonl")


def test_what_is_tried_out_and_who_is_exempt_is_told_to_nobody(desk: SignalDesk, tmp_path: Path) -> None:
    decided(tmp_path / "state", "acct-1", dry_run=True)
    assert feed_of(desk, tmp_path / "state").look() == 0
    decided(tmp_path / "state", "acct-2", "acct-3", campaign_id="cmp_2", action="block")
    assert feed_of(desk, tmp_path / "state", frozenset({"acct-3"})).look() == 3
    assert told(desk.outbox, "pushed") == [
        ("acct-2", "risk-level-change", "HIGH"),
        ("acct-2", "account-disabled", ""),
    ]


@contextmanager
def keys_served(desk: SignalDesk, port: int) -> Iterator[None]:
    """The transmitter's own doors at the address that the provider knows."""
    import asyncio
    import threading

    import uvicorn

    app = control_plane(signal_routes(desk))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    eventually(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


PUSHING = """
import sys, threading
from pathlib import Path
from stillwatch.access.signals.outbox import Outbox
from stillwatch.access.signals.signals_file import SignalsFile
from stillwatch.access.signals.signing_keys import SigningKeys
from stillwatch.app.service.signal_delivery import Delivery
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database
state = Path(sys.argv[1])
file = SignalsFile.model_validate_json(sys.argv[2])
outbox = Outbox(Database(address_of(state / "decisions.db")), file)
Delivery(file.streams[0], file, outbox, SigningKeys(state)).start()
"""


def test_both_sides_are_killed_in_the_middle_and_nothing_is_lost_or_twice(
    desk: SignalDesk, peer: Peer, provider: tuple[Peer, int], tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    levels = [Risk.LOW, Risk.HIGH, Risk.LOW, Risk.HIGH]
    for number in range(3):
        rise = (
            risk_change(f"acct-{n}", *levels[number : number + 2], [f"r{number}"], "dec_1", now)
            for n in range(12)
        )
        desk.outbox.tell(rise, now)
    command = [
        sys.executable,
        "-c",
        PUSHING,
        tmp_path / "state",
        desk.file.model_dump_json(exclude={"issuers"}),
    ]
    with keys_served(desk, provider[1]):
        ours = subprocess.Popen(command)
        eventually(lambda: len(peer.taken()) >= 10)
        peer.kill()
        peer.start()
        eventually(lambda: len(peer.taken()) >= 20)
        ours.send_signal(signal.SIGKILL)
        ours.wait()
        again = subprocess.Popen(command)
        eventually(lambda: desk.outbox.counts()["pushed"] == (0, 0))
        again.kill()
        again.wait()
    taken = peer.taken()
    assert len(taken) == len({each["jti"] for each in taken}) == 36
    by_account: dict[str, list[str]] = {}
    for each in taken:
        (claims,) = each["events"].values()
        by_account.setdefault(each["sub_id"]["sub"], []).append(claims["risk_reason"])
    assert by_account == {f"acct-{number}": ["r0", "r1", "r2"] for number in range(12)}


def test_a_receiver_that_is_away_is_waited_for_and_one_that_refuses_is_told(
    desk: SignalDesk, peer: Peer, provider: tuple[Peer, int]
) -> None:
    now = datetime.now(UTC)
    desk.outbox.tell([risk_change("acct-1", Risk.LOW, Risk.HIGH, [], "d", now)], now)
    desk.outbox.tell([risk_change("acct-2", Risk.HIGH, Risk.LOW, [], "d", now)], now)
    delivery = Delivery(desk.file.streams[0], desk.file, desk.outbox, desk.keys)
    with keys_served(desk, provider[1]), httpx.Client() as client:
        (peer.home / "away").touch()
        assert delivery.deliver(client) == 1.0
        assert (delivery.deliver(client), delivery.error) == (2.0, "503")
        assert desk.outbox.counts()["pushed"] == (2, 0)
        (peer.home / "away").unlink()
        (peer.home / "picky").touch()
        delivery.deliver(client)
        assert (desk.outbox.counts()["pushed"], len(peer.taken())) == ((0, 1), 1)
        (peer.home / "picky").unlink()
        assert desk.outbox.retry() == 1
        delivery.deliver(client)
    assert [each["sub_id"]["sub"] for each in peer.taken()] == ["acct-2", "acct-1"]


def test_a_receiver_polls_acknowledges_and_refuses(tmp_path: Path, provider: tuple[Peer, int]) -> None:
    now = datetime.now(UTC)
    with service(tmp_path, provider) as (desk, client, _):
        for before, after in ((Risk.LOW, Risk.HIGH), (Risk.HIGH, Risk.LOW)):
            desk.outbox.tell((risk_change(f"a{n}", before, after, [], "d", now) for n in range(3)), now)

        def poll(**asked: Any) -> dict[str, Any]:
            answer = client.post("/ssf/poll/polled", json={"returnImmediately": True} | asked)
            assert answer.status_code == 200, answer.text
            return answer.json()

        first = poll(maxEvents=2)
        assert (len(first["sets"]), first["moreAvailable"]) == (2, True)
        assert poll(maxEvents=2)["sets"].keys() == first["sets"].keys()
        keys = client.get("/ssf/jwks.json").json()["keys"]
        header = json.loads(_decoded(next(iter(first["sets"].values())).split(".")[0]))
        assert header == {"alg": "ES256", "kid": keys[0]["kid"], "typ": "secevent+jwt"}
        one, other = first["sets"]
        rest = poll(
            ack=[one], setErrs={other: {"err": "invalid_request", "description": "odd"}}, maxEvents=10
        )
        levels = [_claims(token)["events"] for token in rest["sets"].values()]
        assert [next(iter(each.values()))["current_level"] for each in levels] == ["HIGH", "LOW", "LOW"]
        assert desk.outbox.counts()["polled"] == (4, 1)
        while rest["sets"]:
            rest = poll(ack=list(rest["sets"]))
        assert poll(maxEvents=0) == {"sets": {}, "moreAvailable": False}
        began = time.monotonic()
        assert client.post("/ssf/poll/polled", json={}).json()["sets"] == {}
        assert time.monotonic() - began >= 0.9
        for wrong in ({"maxEvents": -1}, {"ack": "x"}, {"setErrs": []}, {"returnImmediately": 1}):
            assert client.post("/ssf/poll/polled", json=wrong).status_code == 400
        assert client.post("/ssf/poll/nobody", json={}).status_code == 404


def _decoded(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _claims(token: str) -> dict[str, Any]:
    return json.loads(_decoded(token.split(".")[1]))


def test_a_stream_says_what_it_is_and_can_be_paused(tmp_path: Path, provider: tuple[Peer, int]) -> None:
    now = datetime.now(UTC)
    with service(tmp_path, provider) as (desk, client, _):
        configuration = client.get("/.well-known/ssf-configuration", headers={"authorization": ""}).json()
        assert configuration["issuer"] == US
        assert configuration["delivery_methods_supported"] == ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]
        streams = client.get("/ssf/streams").json()
        assert [each["delivery"]["method"] for each in streams] == ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]
        assert client.get("/ssf/streams", params={"stream_id": "polled"}).json() == streams[1]
        assert client.get("/ssf/streams", params={"stream_id": "x"}).status_code == 404
        status = {"stream_id": "polled", "status": "paused", "reason": "repairs"}
        assert client.post("/ssf/status", json=status).json() == status
        assert client.get("/ssf/status", params={"stream_id": "polled"}).json() == status
        change = risk_change("a", Risk.LOW, Risk.HIGH, [], "d", now)
        desk.outbox.tell([change], now)
        assert client.post("/ssf/poll/polled", json={"returnImmediately": True}).json()["sets"] == {}
        client.post("/ssf/status", json=status | {"status": "enabled"})
        assert client.post("/ssf/verify", json={"stream_id": "polled", "state": "s1"}).status_code == 204
        sets = client.post("/ssf/poll/polled", json={}).json()["sets"]
        last = _claims(list(sets.values())[-1])
        assert last["sub_id"] == {"format": "opaque", "id": "polled"}
        verification = "https://schemas.openid.net/secevent/ssf/event-type/verification"
        assert last["events"] == {verification: {"state": "s1"}}
        client.post("/ssf/status", json=status | {"status": "disabled"})
        desk.outbox.tell([change], now)
        assert desk.outbox.counts()["polled"] == (0, 0)
        assert client.post("/ssf/status", json=status | {"status": "odd"}).status_code == 400
        assert client.get("/ssf/streams", headers={"authorization": "Bearer read"}).status_code == 403


def issued(peer: Peer, **changes: Any) -> str:
    key = key_of(peer.home)
    claims = {
        "iss": IDP,
        "aud": US,
        "jti": "j1",
        "iat": int(time.time()),
        "sub_id": {"format": "iss_sub", "iss": IDP, "sub": "acct-1"},
        "events": {URI[AccountEvent.ACCOUNT_DISABLED]: {"reason": "hijacking"}},
    }
    return jwt.encode({"alg": "ES256", "typ": "secevent+jwt", "kid": key.kid}, claims | changes, key)


def push(client: httpx.Client, token: str, **headers: str) -> httpx.Response:
    return client.post(
        "/ssf/events", content=token, headers={"content-type": "application/secevent+jwt"} | headers
    )


def test_an_event_is_in_the_ledger_and_in_the_account_once(
    tmp_path: Path, peer: Peer, provider: tuple[Peer, int]
) -> None:
    compromise = {URI[AccountEvent.CREDENTIAL_COMPROMISE]: {"credential_type": "password"}}
    with service(tmp_path, provider) as (_, client, receiver):
        for token in (issued(peer), issued(peer), issued(peer, jti="j2", events=compromise)):
            answer = push(client, token)
            assert (answer.status_code, answer.content) == (202, b"")
        unknown = issued(peer, jti="j3", events={"https://example.com/other": {}})
        assert push(client, unknown).status_code == 202
        with sealing(receiver, tmp_path / "state") as sealer:
            sealed = sealer.seal()
        assert (sealed.account_events, sealed.duplicate_account_events) == (2, 1)
        account = client.get("/v1/accounts/acct-1", headers={"authorization": "Bearer read"}).json()
    assert {(each["event"], each["source"]) for each in account["events"]} == {
        ("account-disabled", IDP),
        ("credential-compromise", IDP),
    }


def test_every_code_of_the_rfc(tmp_path: Path, peer: Peer, provider: tuple[Peer, int]) -> None:
    stranger = jwt.encode({"alg": "HS256", "typ": "secevent+jwt"}, _claims(issued(peer)), _oct())
    with service(tmp_path, provider) as (_, client, receiver):
        refused = {
            "invalid_request": push(client, "nonsense"),
            "invalid_key": push(client, stranger),
            "invalid_issuer": push(client, issued(peer, iss="https://other.example.com")),
            "invalid_audience": push(client, issued(peer, aud="https://other.example.com")),
            "authentication_failed": push(client, issued(peer), authorization="Bearer nobody"),
            "access_denied": push(client, issued(peer), authorization="Bearer read"),
        }
        for code, answer in refused.items():
            assert (answer.status_code, answer.json()["err"]) == (400, code), answer.text
            assert answer.json().keys() == {"err", "description"}
            assert answer.headers["content-language"] == "en"
        other = push(client, issued(peer), **{"content-type": "application/json"})
        assert other.json()["err"] == "invalid_request"
        assert receiver.figures().events == 0


def _oct() -> Any:
    from joserfc.jwk import OctKey

    return OctKey.import_key("0" * 43)


def test_events_are_fetched_and_acknowledged_once_kept(
    tmp_path: Path, peer: Peer, provider: tuple[Peer, int]
) -> None:
    tokens = {f"j{number}": issued(peer, jti=f"j{number}") for number in range(150)}
    tokens["bad"] = issued(peer, jti="bad", aud="https://other.example.com")
    (peer.home / "issued.json").write_text(json.dumps(tokens))
    with service(tmp_path, provider) as (desk, _, receiver):
        polling = Polling(desk.file.issuers[0], desk.taking)
        with httpx.Client() as client:
            assert polling.poll(client)
            polling = Polling(
                desk.file.issuers[0], desk.taking
            )  # the first was killed before it acknowledged
            while polling.poll(client):
                pass
        with sealing(receiver, tmp_path / "state") as sealer:
            assert sealer.seal().account_events == 150
    assert json.loads((peer.home / "issued.json").read_text()) == {}
    polls = [json.loads(line) for line in (peer.home / "polls.jsonl").read_text().splitlines()]
    assert next(each["setErrs"] for each in polls if each["setErrs"])["bad"]["err"] == "invalid_audience"
    assert polls[0]["returnImmediately"] is False
