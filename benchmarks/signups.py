"""Screening of sign-ups: whom it asks for more, family by family, and what it costs.

    python benchmarks/signups.py [--backlog 200000] [--known 20000] [--out FOLDER]

* asked: of each campaign the share that is asked for more; in hindsight, as a backlog is screened, and in
  order of arrival, when nothing that comes later is known. The threshold is the product's own and the same
  for all: nothing is set by the truth. ``at one in 1,000`` is what there would be at most if the threshold
  were set by the truth, so that one honest account of 1,000 is above it.
* honest: how many are asked for more. Resale stations are fraud and no campaign; they are counted apart.
* backlog: `stillwatch signups screen` on account records of ordinary people and operators, from file to file,
  after a small one that loads what has to be loaded; and the whole command with its start.
* online: ``POST /v1/signups`` one after the other through a real server in a process of its own, whose
  database knows so many sign-ups already. The processor time is the server's, a request.

Worlds: those of ``../shared/worlds`` where they are there, of which ``dev-hard`` was held out while screening
was made; and account records as `stillwatch simulate` makes them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from speed.record import RESULTS, keep, surroundings
from stillwatch.access.company import Knowledge
from stillwatch.access.levels import DEFAULT
from stillwatch.access.screening import screen
from stillwatch.app.progress import Silent
from stillwatch.app.screening import screen_backlog
from stillwatch.app.service.serving_access import serve_access
from stillwatch.app.service.tokens import Tokens
from stillwatch.ingest.reader import read_accounts
from stillwatch.settings import ScanSettings, ServeSettings
from stillwatch.simulate.presets import PRESETS
from stillwatch.simulate.records import records
from stillwatch.simulate.roster import enlist
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.signups import SignupSketcher

SHARED: Final = Path(__file__).parents[2] / "shared" / "worlds"
HELD_OUT: Final = "dev-hard"
SIMULATED: Final = (
    ("families", 1.0, 11),
    ("families", 1.0, 12),
    ("demo", 1.0, 11),
    ("june-2026", 0.05, 11),
    ("february-trio", 0.05, 11),
    ("quiet", 1.0, 11),
)
"""Preset, scale, seed."""

RESALE: Final = "resale"
ONE_BY_ONE: Final = 2_000
_KEY: Final = SketchKey(bytes(16))
_WAIT: Final = 60

Row = dict[str, Any]


class World(NamedTuple):
    """Account records with what is true of them."""

    name: str
    accounts: Path
    truth: dict[str, tuple[str, str | None]]  # kind and campaign of each account


def shared_worlds() -> Iterator[World]:
    """Yield the worlds of other authors that are there."""
    folders = sorted(path.parent for path in SHARED.glob("*/truth.parquet"))
    if not folders:
        print(f"{SHARED} is absent: screening is measured on simulated sign-ups alone", file=sys.stderr)
    for folder in folders:
        rows = pq.read_table(folder / "truth.parquet", columns=["account_id", "kind", "campaign"]).to_pylist()
        truth = {row["account_id"]: (row["kind"], row["campaign"]) for row in rows}
        name = f"{folder.name} (held out)" if folder.name == HELD_OUT else folder.name
        yield World(name, folder / "accounts.parquet", truth)


def simulated_worlds(out: Path) -> Iterator[World]:
    """Make account records alone, as the simulator does, and yield them."""
    for preset, scale, seed in SIMULATED:
        yield simulated(preset, scale, seed, out / f"{preset}-{seed}.parquet")


def simulated(preset: str, scale: float, seed: int, path: Path) -> World:
    """Write the account records of a preset, and return them with their truth."""
    plan, parts, truth, first = PRESETS[preset], [], dict[str, tuple[str, str | None]](), 0
    for population in plan.populations(scale, 1.0):
        roster = enlist(population, first, seed, plan.window)
        first += len(roster.created)
        parts.append(records(roster, seed))
        ids = parts[-1]["account_id"].to_pylist()
        truth |= dict.fromkeys(ids, (population.kind, population.campaign))
    pq.write_table(pa.concat_tables(parts), path)
    return World(f"simulated {preset}, seed {seed}", path, truth)


def asked(world: World) -> tuple[list[Row], list[Row]]:
    """Return what share of each campaign and of each honest kind is asked for more."""
    signups = sketched(world.accounts)
    found = {knowledge: screen(signups, DEFAULT, knowledge) for knowledge in Knowledge}
    campaigns, honest = dict[str, Row](), dict[str, Row]()
    for knowledge, table in found.items():
        limit = most_at_one_in_a_thousand(world, table)
        for row in table.to_pylist():
            kind, campaign = world.truth[row["account_id"]]
            into, group = (honest, kind) if campaign is None else (campaigns, campaign)
            told = into.setdefault(group, {"world": world.name, "group": group})
            told[f"{knowledge} n"] = told.get(f"{knowledge} n", 0) + 1
            told[knowledge] = told.get(knowledge, 0) + row["asked_more"]
            above = f"{knowledge}, at one in 1,000"
            told[above] = told.get(above, 0) + (row["risk"] > limit)
    return [shares(row) for _, row in sorted(campaigns.items())], honest_rows(world, honest)


def sketched(accounts: Path) -> pa.Table:
    """Read and sketch account records."""
    sketcher, batches = SignupSketcher(_KEY), []
    for batch in read_accounts([str(accounts)], digest=_KEY.digest):
        nobody = pa.nulls(batch.records.num_rows, pa.string())
        batches.append(sketcher.signups(batch.records, nobody))
    return pa.Table.from_batches(batches)


def most_at_one_in_a_thousand(world: World, table: pa.Table) -> float:
    """Return the risk above which one honest account of 1,000 is, resale stations aside."""
    honest = [
        row["risk"]
        for row in table.to_pylist()
        if world.truth[row["account_id"]] not in _EXCEPT and is_honest(world, row)
    ]
    return float(sorted(honest, reverse=True)[len(honest) // 1000])


_EXCEPT: Final = ((RESALE, None),)


def is_honest(world: World, row: Row) -> bool:
    """Whether a row is of no campaign."""
    return world.truth[row["account_id"]][1] is None


def shares(counts: Row) -> Row:
    """Return per cent of a campaign's accounts."""
    size = counts[f"{Knowledge.HINDSIGHT} n"]
    told: Row = {"world": counts["world"], "campaign": counts["group"], "accounts": size}
    for knowledge in Knowledge:
        told[f"asked % in {knowledge}"] = round(100 * counts[knowledge] / size, 1)
    for knowledge in Knowledge:
        told[f"% at one in 1,000, {knowledge}"] = round(
            100 * counts[f"{knowledge}, at one in 1,000"] / size, 1
        )
    return told


def honest_rows(world: World, kinds: dict[str, Row]) -> list[Row]:
    """Return a row for all honest accounts, and one for each kind of which any is asked for more."""
    clear = [row for kind, row in kinds.items() if kind != RESALE]
    rows = [_honest(world, "all but resale", clear)]
    for kind, row in sorted(kinds.items()):
        if kind == RESALE or any(row[knowledge] for knowledge in Knowledge):
            rows.append(_honest(world, kind, [row]))
    return rows


def _honest(world: World, kind: str, rows: list[Row]) -> Row:
    size = sum(row[f"{Knowledge.HINDSIGHT} n"] for row in rows)
    told: Row = {"world": world.name, "kind": kind, "accounts": size}
    for knowledge in Knowledge:
        number = sum(row[knowledge] for row in rows)
        told[f"asked in {knowledge}"] = number
        told[f"per 1,000 in {knowledge}"] = round(1000 * number / size, 2)
    return told


def backlog(count: int, folder: Path) -> list[Row]:
    """Screen account records from file to file, in this process and by the command."""
    small = simulated("demo", 1.0, 3, folder / "small.parquet")
    large = simulated("june-2026", count / 525_000, 3, folder / "large.parquet")
    settings = ScanSettings.read(sketch_key=folder / "sketch.key")
    screen_backlog(str(small.accounts), folder / "small.out.parquet", settings, Silent())
    began = time.perf_counter()
    done = screen_backlog(str(large.accounts), folder / "large.out.parquet", settings, Silent())
    warm = time.perf_counter() - began
    command = [sys.executable, "-m", "stillwatch", "signups", "screen", str(large.accounts), "--quiet"]
    command += ["--out", str(folder / "again.parquet"), "--sketch-key", str(folder / "sketch.key")]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    whole = time.perf_counter() - began
    accounts = done.table.num_rows
    return [
        {"what": "from file to file", "accounts": accounts, "seconds": warm, "a second": accounts / warm},
        {"what": "the whole command", "accounts": accounts, "seconds": whole, "a second": accounts / whole},
    ]


def online(known: int, folder: Path) -> list[Row]:
    """Fill the memory, and then time single sign-ups."""
    world = simulated("june-2026", known / 525_000, 5, folder / "known.parquet")
    rows = pq.read_table(world.accounts).sort_by([("created_at", "ascending")]).to_pylist()
    told = [json.loads(json.dumps(row, default=lambda moment: moment.isoformat())) for row in rows]
    before, single = told[:-ONE_BY_ONE], told[-ONE_BY_ONE:]
    with serving(folder) as (client, pid):
        began = time.perf_counter()
        for start in range(0, len(before), 500):
            client.post("/v1/signups", json=before[start : start + 500]).raise_for_status()
        filled = len(before) / (time.perf_counter() - began)
        worked = processor_seconds(pid)
        took = np.array([_timed(client, one) for one in single]) * 1e3
        worked = processor_seconds(pid) - worked
    return [
        {
            "known before": len(before),
            "a second in lists of 500": filled,
            "one by one": len(took),
            "median ms": float(np.median(took)),
            "p90 ms": float(np.quantile(took, 0.9)),
            "p99 ms": float(np.quantile(took, 0.99)),
            "processor ms": 1e3 * worked / len(took),
        }
    ]


def processor_seconds(pid: int | None) -> float:
    """Return the seconds that a process has worked, on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(client: httpx.Client, signup: Row) -> float:
    began = time.perf_counter()
    client.post("/v1/signups", json=signup).raise_for_status()
    return time.perf_counter() - began


@contextmanager
def serving(folder: Path) -> Iterator[tuple[httpx.Client, int | None]]:
    """Run the access door in a process of its own, and give a client with a token and the process."""
    state, access = folder / "state", folder / "access.toml"
    state.mkdir()
    access.write_text('public_url = "http://127.0.0.1"\n', encoding="utf-8")
    token = Tokens(state).make("bench", ["access"]).secret
    port = free_port()
    settings = ServeSettings.read(
        state=state, access=access, access_port=port, sketch_key=folder / "online.key"
    )
    context = multiprocessing.get_context("spawn")
    stopping = context.Event()
    process = context.Process(target=_serve, args=(settings.model_dump(), stopping))
    process.start()
    try:
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120, trust_env=False
        ) as client:
            wait_for(client)
            yield client, process.pid
    finally:
        stopping.set()
        process.join(_WAIT)


def _serve(settings: Row, stopping: Event) -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (stopping.wait(), ended.set()), daemon=True).start()
    serve_access(ServeSettings(**settings), ended)


def wait_for(client: httpx.Client) -> None:
    """Return when the door answers."""
    until = time.monotonic() + _WAIT
    while time.monotonic() < until:
        try:
            client.get("/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the access door does not answer")


def free_port() -> int:
    """Ask the kernel for a port."""
    import socket

    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backlog", type=int, default=200_000, help="accounts of the backlog")
    parser.add_argument("--known", type=int, default=20_000, help="sign-ups that the service knows before")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    made = surroundings("numba", "numpy", "pyarrow", "sqlalchemy", "starlette", "uvicorn")
    campaigns, honest = list[Row](), list[Row]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for world in (*shared_worlds(), *simulated_worlds(folder)):
            own = asked(world)
            campaigns += own[0]
            honest += own[1]
        figures = {"asked": campaigns, "honest": honest, "backlog": backlog(options.backlog, folder)}
        figures["online"] = online(options.known, folder)
    keep("signups", "Screening of sign-ups", made, figures, options.out)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
    main()
