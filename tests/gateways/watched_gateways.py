"""A LiteLLM proxy and an Envoy before one model provider, and a ``stillwatch serve`` that watches both."""

from __future__ import annotations

import json
import queue
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from documented import documented
from envoy_proxy import envoy_proxy
from litellm_proxy import CONFIG, litellm_proxy
from live_service import LiveService, until
from loopback_server import QuietHandler, serving
from redis_server import RedisServer
from watched_world import Asked, World, key_of

from stillwatch.app.service.reconciling import Decided, Reconciled, logged_in, read_outcomes, reconcile
from stillwatch.enforce.keys import write_keys

MODEL: Final = "assistant-large"
WORKERS: Final = 8
BODY: Final = 1_000  # exchanges in a body
SECONDS: Final = 300.0
_ANSWER: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": MODEL,
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is so."}}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}
_POLICY: Final = """
version = "1"
enforce = true
{rules}
[[rules]]
name = "sure"
when = {{ verdict = "campaign", risk_at_least = 0.85 }}
action = "throttle"
budget_per_hour = {budget}
"""


class Provider(QuietHandler):
    """A model provider that says one thing."""

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        self.body()
        self.reply(200, "application/json", json.dumps(_ANSWER).encode())


class Sent(NamedTuple):
    """A request that went through a gateway, and what came back."""

    at: float  # seconds since 1970
    gateway: str
    account: str
    status: int

    @property
    def is_refused(self) -> bool:
        """LiteLLM says 400 for whatever its guardrail refuses."""
        return self.status in (400, 403, 429)


class Undone(NamedTuple):
    """How long after an undo a request of an account flowed, by gateway, in seconds."""

    decision: str
    seconds: Mapping[str, float]


class Watched:
    """The gateways, the service beside them, and the world whose traffic they have."""

    def __init__(self, service: LiveService, world: World, budget: int) -> None:
        self.service, self.world, self.budget = service, world, budget
        self.addresses: dict[str, str] = {}
        self.shared = False  # whether budgets are shared through Redis
        self.began = time.time()
        self._token = ""

    def send_log(self, first: int, last: int, rate: float = 0.0) -> None:
        """Send a part of the log in order, at most ``rate`` exchanges a second; 0 is as fast as it goes."""
        began, self._token = time.monotonic(), self._token or self.service.token("ingest")
        for start in range(first, last, BODY):
            part = self.world.exchanges.slice(start, min(BODY, last - start))
            told = self.service.send("/v1/exchanges", part, self._token)
            assert (told["accepted"], told["rejected"]) == (part.num_rows, 0), told
            if rate:
                time.sleep(max(0.0, began + (start - first) / rate - time.monotonic()))

    def send_accounts(self) -> None:
        """Send all account records."""
        for start in range(0, self.world.accounts.num_rows, BODY):
            self.service.send(
                "/v1/accounts", self.world.accounts.slice(start, BODY), self.service.token("ingest")
            )

    def wait_until_seen(self, exchanges: int) -> None:
        """Wait until the judge has seen so many exchanges."""
        until(lambda: self.service.judge().get("seen", 0) >= exchanges, SECONDS, "judgement")

    def deciding(self, action: str) -> dict[str, list[str]]:
        """Return the accounts of each decision in force of an action."""
        found = self.service.decisions("--status", "in-force")
        return {one["id"]: self.service.members(one["id"]) for one in found if one["action"] == action}

    def drive(self, asked: Sequence[Asked]) -> list[Sent]:
        """Send requests through the gateways in turn, from a few threads, in about this order."""
        waiting: queue.SimpleQueue[tuple[str, Asked]] = queue.SimpleQueue()
        for number, one in enumerate(asked):
            waiting.put((tuple(self.addresses)[number % len(self.addresses)], one))
        done: list[Sent] = []
        workers = [threading.Thread(target=self._work, args=(waiting, done)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sorted(done)

    def _work(self, waiting: queue.SimpleQueue[tuple[str, Asked]], done: list[Sent]) -> None:
        while True:
            try:
                gateway, one = waiting.get_nowait()
            except queue.Empty:
                return
            done.append(self.ask(gateway, one.account, one.messages))

    def ask(self, gateway: str, account: str, messages: list[Any] | None = None) -> Sent:
        """Send one request of an account through a gateway."""
        return self.answered(gateway, account, messages)[0]

    def answered(
        self, gateway: str, account: str, messages: list[Any] | None = None
    ) -> tuple[Sent, dict[str, Any]]:
        """Send one request, and return what came back with its body."""
        body = {"model": MODEL, "messages": messages or [{"role": "user", "content": "Well?"}]}
        headers = {"authorization": f"Bearer {key_of(account)}", "content-type": "application/json"}
        at, connection = time.time(), HTTPConnection(urlsplit(self.addresses[gateway]).netloc, timeout=60)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            return Sent(at, gateway, account, answer.status), told
        finally:
            connection.close()

    def undo(self, decision: str, account: str) -> Undone:
        """Undo a decision as an operator does, while an account of it goes on asking both gateways."""
        stopping = threading.Event()
        seen: dict[str, list[Sent]] = {gateway: [] for gateway in self.addresses}

        def go_on(gateway: str) -> None:
            while not stopping.wait(0.03):
                seen[gateway].append(self.ask(gateway, account))

        threads = [threading.Thread(target=go_on, args=(gateway,)) for gateway in seen]
        for thread in threads:
            thread.start()
        try:
            state = ("--state", str(self.service.state))
            done = self.service.command(
                *("decisions", "undo", decision, *state, "--by", "kim", "--note", "a course")
            )
            assert done.returncode == 0, done.stderr
            time.sleep(2.5)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        at = self._undone_at()
        return Undone(decision, {gateway: _flows(sent) - at for gateway, sent in seen.items()})

    def _undone_at(self) -> float:
        lines = (self.service.state / "audit.jsonl").read_text().splitlines()
        entry = next(told for told in map(json.loads, reversed(lines)) if "undone" in json.dumps(told))
        return datetime.fromisoformat(entry["at"]).timestamp()

    def outcomes(self) -> Counter[tuple[str, str]]:
        """Count what gates told, by action and outcome."""
        told = read_outcomes(self.service.state / "outcomes")
        return Counter((one.action, one.outcome) for one in told if one is not None)

    def logged(self, count: int) -> pa.Table:
        """Return what LiteLLM pushed, once it is ``count`` requests, or after half a minute all there is."""
        began, table = time.monotonic(), self._pushed()
        while table.num_rows < count and time.monotonic() - began < 30:
            time.sleep(1)
            table = self._pushed()
        return table

    def _pushed(self) -> pa.Table:
        columns = ["timestamp", "account_id", "exchange_id", "status"]
        files = (self.service.state / "ledger" / "sketches").rglob("*.parquet")
        parts = [pq.read_table(path, columns=columns, partitioning=None) for path in sorted(files)]
        own = set(self.world.exchanges["request_id"].to_pylist())
        table = pa.concat_tables(parts)
        keep = [name not in own for name in table["exchange_id"].to_pylist()]
        return table.filter(pa.array(keep))

    def reconciled(self, logged: pa.Table, decided: Mapping[str, Decided]) -> Reconciled:
        """Hold LiteLLM's own log against what gates told."""
        return reconcile(logged_in(logged), decided, self.service.state / "outcomes")


def _flows(sent: Sequence[Sent]) -> float:
    """Return when the first of three requests that pass in a row was sent: a budget lets single ones pass."""
    for first, second, third in zip(sent, sent[1:], sent[2:], strict=False):
        if [one.status for one in (first, second, third)] == [200, 200, 200]:
            return first.at
    raise AssertionError(f"nothing flows: {Counter(one.status for one in sent)}")


@contextmanager
def watched(
    folder: Path,
    litellm: Path,
    world: World,
    *,
    tick: float = 2.0,
    budget: int = 60,
    gates: int = 1,
    rules: str = "",
) -> Iterator[Watched]:
    """Start the model provider, both gateways and the service, yield them, and end them all.

    Args:
        folder: for everything that they write.
        litellm: the proxy's executable.
        world: whose accounts have keys.
        tick: seconds between two looks of the judge.
        budget: requests an hour that the accounts of a campaign share.
        gates: processes that answer the gateways.
        rules: of the policy, before the one that throttles; DOOR stands for the access door's address.
    """
    hashes = {sha256(key_of(name).encode()).hexdigest(): name for name in world.names}
    write_keys(folder / "keys", hashes)
    options = ["--policy", str(folder / "policy.toml"), "--keys", str(folder / "keys")]
    options += ["--tick", str(tick), "--gates", str(gates), "--access", str(folder / "access.toml")]
    with ExitStack() as stack:
        redis = _redis(folder, stack)
        service = LiveService(folder, *options, *(("--redis", redis.url) if redis else ()))
        door = f"http://localhost:{service.access_port}"
        (folder / "access.toml").write_text(f'public_url = "{door}"\n')
        (folder / "policy.toml").write_text(_POLICY.format(budget=budget, rules=rules.replace("DOOR", door)))
        service.start()
        stack.callback(service.stop)
        found = Watched(service, world, budget)
        found.shared = redis is not None
        provider = stack.enter_context(serving(Provider))
        found.addresses["LiteLLM"] = stack.enter_context(_litellm(folder, litellm, found, provider))
        clusters = documented("envoy-clusters", **{"8787": str(service.gate_port)})
        found.addresses["Envoy"] = stack.enter_context(
            envoy_proxy(folder, provider, documented("envoy-ext-authz-http"), clusters)
        )
        yield found


def _redis(folder: Path, stack: ExitStack) -> RedisServer | None:
    if shutil.which("redis-server") is None:
        return None
    server = RedisServer(folder)
    server.start()
    stack.callback(server.stop)
    return server


@contextmanager
def _litellm(folder: Path, executable: Path, watched: Watched, provider: str) -> Iterator[str]:
    """Run LiteLLM with the guardrail and the push that the documentation shows."""
    own = folder / "litellm"
    own.mkdir()
    service = watched.service
    config = yaml.safe_load(CONFIG.read_text())
    config |= yaml.safe_load(documented("litellm-guardrail", **{"8787": str(service.gate_port)}))
    (own / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(CONFIG.with_name("key_file_auth.py"), own)
    keys = {key_of(name): {"user_id": name, "key_alias": name} for name in watched.world.names}
    with litellm_proxy(
        executable,
        own,
        keys=keys,
        upstream=provider,
        collector=f"http://127.0.0.1:{service.port}/v1/logs/litellm",
        config=own / "config.yaml",
        environment={"GENERIC_LOGGER_HEADERS": f"Authorization=Bearer {service.token('ingest')}"},
    ) as address:
        yield address
