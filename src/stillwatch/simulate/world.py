"""The door: a preset, a scale and a seed in, a folder of Parquet files out.

The world is written in blocks of a fixed number of exchanges, each a file of its own, so that memory
does not grow with the world and blocks can be written side by side. What a block holds depends on its
number and the seed alone: the same request gives the same bytes.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.contracts import UsageError
from stillwatch.simulate.exchanges import Block, Scribe
from stillwatch.simulate.presets import PRESETS, Preset
from stillwatch.simulate.records import account_ids, records
from stillwatch.simulate.roster import Roster, enlist
from stillwatch.simulate.schedule import Slots, blocks, streams

BLOCK_ROWS: Final = 65_536
_MARK: Final = b"stillwatch.preset"
_FILES: Final = ("exchanges-*.parquet", "accounts.parquet", "truth.parquet", "truth_exchanges.parquet")
_REPEATING: Final = ["account_id", "api_key_id", "model", "tools", "status", "ip", "asn", "user_agent", "ja4"]
_TRUTH: Final = pa.schema(
    [
        ("account_id", pa.large_string()),
        ("kind", pa.large_string()),
        ("campaign", pa.large_string()),
        ("exchanges", pa.uint32()),
        ("attack_exchanges", pa.uint32()),
    ]
)
_TRUTH_EXCHANGES: Final = pa.schema([("request_id", pa.large_string())])


@dataclass(frozen=True, slots=True)
class WorldSummary:
    """What was written."""

    out: Path
    preset: str
    accounts: int
    exchanges: int
    attack_exchanges: int
    message_bytes: int
    campaigns: dict[str, int]  # accounts of each
    files: tuple[Path, ...]


@dataclass(slots=True)
class _Tally:
    """Counts that grow with the accounts, not with the exchanges."""

    exchanges: npt.NDArray[np.int64]
    attacks: npt.NDArray[np.int64]
    message_bytes: int = 0


def ignore(_: int) -> None:
    """Take no notice of progress."""


def simulate(
    preset: str,
    *,
    scale: float,
    seed: int,
    honest: float,
    out: Path,
    on_rows: Callable[[int], None] = ignore,
) -> WorldSummary:
    """Write the world ``preset`` to the folder ``out``.

    ``scale`` multiplies accounts and exchanges, ``honest`` the honest part of them; the days stay.
    ``on_rows`` is told the exchanges of each block once it is on disk.

    Raises:
        UsageError: no such preset, a number that cannot be meant, or a folder that holds other things.
    """
    plan = _preset(preset, scale, honest)
    return write_world(plan, preset, scale=scale, seed=seed, honest=honest, out=out, on_rows=on_rows)


def write_world(
    plan: Preset,
    name: str,
    *,
    scale: float = 1.0,
    seed: int,
    honest: float = 1.0,
    out: Path,
    on_rows: Callable[[int], None] = ignore,
) -> WorldSummary:
    """Write a world that need not be a preset; ``name`` marks the folder, which only it may replace.

    Raises:
        UsageError: the folder holds other things.
    """
    _clear(out, name)
    rosters = _rosters(plan, scale, honest, seed)
    ids = pa.chunked_array([account_ids(0, _accounts(rosters), seed)]).combine_chunks()
    _write(_marked(_accounts_table(rosters, seed), name), out / "accounts.parquet")
    tally = _Tally(np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.int64))
    found = streams(rosters, plan.window)
    scribe = Scribe(seed, plan.window, found, ids)
    schedule = blocks(found, plan.window, seed, BLOCK_ROWS)
    files = _write_exchanges(scribe, schedule, out, tally, on_rows)
    _write(_truth(rosters, ids, tally), out / "truth.parquet")
    return WorldSummary(
        out=out,
        preset=name,
        accounts=len(ids),
        exchanges=int(tally.exchanges.sum()),
        attack_exchanges=int(tally.attacks.sum()),
        message_bytes=tally.message_bytes,
        campaigns={r.population.campaign: len(r.created) for r in rosters if r.population.campaign},
        files=files,
    )


def _preset(name: str, scale: float, honest: float) -> Preset:
    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise UsageError(f"no preset is called {name!r}", remedy=f"Choose one of: {known}", field="preset")
    for field, value, least in (("scale", scale, 1e-6), ("honest", honest, 0.0)):
        if not math.isfinite(value) or not least <= value <= 1000:
            raise UsageError(
                f"{value} is outside {least} to 1000", remedy="1 is the published size", field=field
            )
    if not PRESETS[name].campaigns and honest == 0:
        raise UsageError("nothing is left of a world without campaigns", remedy="Take honest above 0")
    return PRESETS[name]


def _clear(out: Path, preset: str) -> None:
    """Make ``out`` an empty folder; replace only a world of the same preset."""
    if out.exists() and not out.is_dir():
        raise UsageError("is a file, not a folder", remedy="Name a new folder", file=str(out))
    if out.exists() and any(out.iterdir()):
        marked = out / "accounts.parquet"
        mark = (pq.read_schema(marked).metadata or {}).get(_MARK) if marked.exists() else None
        if mark != preset.encode():
            raise UsageError("the folder is not empty", remedy="Remove it or name another", file=str(out))
        for pattern in _FILES:
            for file in out.glob(pattern):
                file.unlink()
    out.mkdir(parents=True, exist_ok=True)


def _rosters(plan: Preset, scale: float, honest: float, seed: int) -> list[Roster]:
    rosters: list[Roster] = []
    for population in plan.populations(scale, honest):
        rosters.append(enlist(population, _accounts(rosters), seed, plan.window))
    return rosters


def _accounts(rosters: list[Roster]) -> int:
    return sum(len(roster.created) for roster in rosters)


def _accounts_table(rosters: list[Roster], seed: int) -> pa.Table:
    return pa.concat_tables([records(roster, seed) for roster in rosters]).sort_by("account_id")


def _marked(table: pa.Table, preset: str) -> pa.Table:
    return table.replace_schema_metadata({_MARK: preset.encode()})


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", compression_level=1, row_group_size=BLOCK_ROWS)


def _write_exchanges(
    scribe: Scribe, schedule: Iterator[Slots], out: Path, tally: _Tally, on_rows: Callable[[int], None]
) -> tuple[Path, ...]:
    """Write the blocks side by side and account for them in order."""
    files: list[Path] = []
    workers = max(1, os.cpu_count() or 1)
    with (
        pq.ParquetWriter(out / "truth_exchanges.parquet", _TRUTH_EXCHANGES, compression="zstd") as truth,
        ThreadPoolExecutor(workers) as pool,
    ):
        for path, block in _in_order(pool, workers + 1, _jobs(scribe, schedule, out)):
            files.append(path)
            _count(block, tally)
            truth.write_table(block.table.select(["request_id"]).filter(pa.array(block.attack)))
            on_rows(len(block.table))
    return tuple(files)


Job = Callable[[], tuple[Path, Block]]


def _jobs(scribe: Scribe, schedule: Iterator[Slots], out: Path) -> Iterator[Job]:
    first = 0
    for number, slots in enumerate(schedule):
        yield _job(scribe, number, first, slots, out / f"exchanges-{number:05d}.parquet")
        first += len(slots.time)


def _job(scribe: Scribe, number: int, first: int, slots: Slots, path: Path) -> Job:
    def run() -> tuple[Path, Block]:
        block = scribe.write(number, first, slots)
        pq.write_table(
            block.table,
            path,
            compression="zstd",
            compression_level=1,
            row_group_size=BLOCK_ROWS,
            use_dictionary=_REPEATING,
        )
        return path, block

    return run


def _in_order(pool: ThreadPoolExecutor, ahead: int, jobs: Iterator[Job]) -> Iterator[tuple[Path, Block]]:
    """Yield results in the order of the jobs, at most ``ahead`` of them in memory."""
    waiting: deque[Future[tuple[Path, Block]]] = deque()
    for job in jobs:
        waiting.append(pool.submit(job))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _count(block: Block, tally: _Tally) -> None:
    tally.exchanges += np.bincount(block.account, minlength=len(tally.exchanges))
    tally.attacks += np.bincount(block.account[block.attack], minlength=len(tally.attacks))
    tally.message_bytes += pc.sum(pc.binary_length(block.table["messages"])).as_py()


def _truth(rosters: list[Roster], ids: pa.Array, tally: _Tally) -> pa.Table:
    kinds = np.repeat([r.population.kind for r in rosters], [len(r.created) for r in rosters])
    campaigns = [c for r in rosters for c in [r.population.campaign] * len(r.created)]
    columns = [
        ids,
        pa.array(kinds.tolist()),
        pa.array(campaigns, type=pa.string()),
        pa.array(tally.exchanges),
        pa.array(tally.attacks),
    ]
    return pa.table(columns, names=_TRUTH.names).cast(_TRUTH).sort_by("account_id")
