"""Account records of any number with their truth: ordinary people, organisations and operators.

They are the simulator's own records, without requests. One account in twenty is an operator's, as in the
largest published case among half a million others; operators of every family of campaigns, of a hundred,
three hundred and a thousand accounts, some of which share nothing that a record shows.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT, conform
from stillwatch.simulate.population import Population
from stillwatch.simulate.presets import Preset
from stillwatch.simulate.records import records
from stillwatch.simulate.roster import enlist
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.sketcher import Sketcher
from worlds import FAMILIES

_OF_AN_OPERATOR: Final = 20
_SIZES: Final = (100, 300, 1000)
_DAYS: Final = 14
_KEY: Final = SketchKey(bytes(16))
_BATCH_ROWS: Final = 65_536


def write_accounts(count: int, seed: int, path: Path) -> int:
    """Write ``count`` rows of ACCOUNT_SKETCH with ``operator`` beside, by id; return how many they became."""
    made, sketcher = _made(count, seed), Sketcher(_KEY)
    rows = conform(made.select(ACCOUNT.names), ACCOUNT, "benchmark").combine_chunks()
    sketched = [sketcher.accounts(batch) for batch in rows.to_batches(_BATCH_ROWS)]
    table = pa.Table.from_batches(sketched).append_column("operator", made["operator"])
    pq.write_table(table.sort_by("account_id"), path)
    return table.num_rows


def _made(count: int, seed: int) -> pa.Table:
    parts, first = [], 0
    operators = _operators(count // _OF_AN_OPERATOR)
    honest = count - sum(int(one.accounts) for one in operators)
    plan = Preset("linking", date(2026, 4, 22), _DAYS, operators, honest, honest)
    for number, population in enumerate(plan.populations(1.0, 1.0)):
        roster = enlist(population, first, seed, plan.window)
        first += len(roster.created)
        who = number if population.campaign else -1
        parts.append(records(roster, seed).append_column("operator", _repeated(who, len(roster.created))))
    table = pa.concat_tables(parts)
    table = table.append_column("source", pa.array(["simulated"] * len(table)))
    table = table.append_column("line", pa.array(np.arange(1, len(table) + 1)))
    for name in ("verification_level", "domain_registered_at", "domain_age_days"):
        table = table.append_column(name, pa.nulls(len(table)))
    fields = [*ACCOUNT, pa.field("operator", pa.int64())]
    return pa.table(
        {field.name: table[field.name].cast(field.type) for field in fields}, schema=pa.schema(fields)
    )


def _operators(accounts: int) -> tuple[Population, ...]:
    names, found = list(FAMILIES), list[Population]()
    while accounts > 0:
        number = len(found)
        size = min(_SIZES[number % len(_SIZES)], accounts)
        name = names[number % len(names)]
        found.append(FAMILIES[name](f"{name} {number}", size, size * _DAYS))
        accounts -= size
    return tuple(found)


def _repeated(value: int, count: int) -> pa.Array:
    return pa.array(np.full(count, value, np.int64))
