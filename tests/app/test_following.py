"""What came since a judgement is weighed as a judgement of everything would weigh it, for less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.app.detection import Detection, detect
from stillwatch.app.event_log import EventLog
from stillwatch.app.following import Followed, follow, remember
from stillwatch.app.progress import Silent
from stillwatch.app.stage_tables import InMemory
from stillwatch.app.standing import Standing
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, DECLARED, SKETCH, Verdict
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.ingest.reader import read_accounts, read_exchanges
from stillwatch.linking.growth import LOOK_BACK
from stillwatch.simulate.world import simulate
from stillwatch.sketch.key import load_or_create_key
from stillwatch.sketch.sketcher import Sketcher

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any) -> tuple[pa.Table, pa.Table]:
    """Sketches and account records of a log with campaigns."""
    folder = tmp_path_factory.mktemp("following")
    simulate("demo", scale=0.1, seed=5, honest=1.0, out=folder / "world")
    key = load_or_create_key(folder / "key")
    sketcher = Sketcher(key)
    log = read_exchanges([str(folder / "world" / "exchanges-*.parquet")], digest=key.digest)
    records = read_accounts([str(folder / "world" / "accounts.parquet")], digest=key.digest)
    sketches = [sketcher.exchanges(batch.records).records for batch in log]
    accounts = [sketcher.accounts(batch.records) for batch in records]
    return (
        pa.Table.from_batches(sketches, SKETCH),
        pa.Table.from_batches([one for one in accounts if one.num_rows], ACCOUNT_SKETCH),
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with open_engine("duckdb", memory="1GiB", threads=2, spill=tmp_path / "spill") as engine:
        yield engine


def nobody(**changes: Any) -> Standing:
    return Standing(
        **{
            "exempt": frozenset(),
            "parties": (),
            "labels": (),
            "declared": DECLARED.empty_table(),
            "warnings": (),
            "counts": {},
        }
        | changes
    )


def judged(engine: Engine, standing: Standing) -> Detection:
    return detect(engine, None, standing, 0.01, InMemory(), Silent())


def at(engine: Engine, world: tuple[pa.Table, pa.Table], folder: Path) -> tuple[EventLog, list[datetime]]:
    engine.bind("sketches", world[0])
    engine.bind("accounts", world[1])
    engine.bind("account_events", ACCOUNT_EVENTS.empty_table())
    log = EventLog(engine, folder)
    return log, log.ticks(HOUR)


def followed(engine: Engine, log: EventLog, since: datetime, until: datetime, standing: Standing) -> Followed:
    log.bind(since)
    basis = remember(engine, judged(engine, standing), since)
    log.bind(until, since - LOOK_BACK)
    found = follow(engine, basis, standing, newcomers=pa.table({}))
    assert found is not None
    return found


def members(accounts: pa.Table) -> set[frozenset[str]]:
    """The accounts of each campaign, whatever its name."""
    found = defaultdict(set)
    for row in accounts.filter(pc.equal(accounts["verdict"], Verdict.CAMPAIGN.value)).to_pylist():
        found[row["campaign_id"]].add(row["account_id"])
    return {frozenset(own) for own in found.values()}


@pytest.mark.parametrize("hours", [1, 30])
def test_the_members_are_those_of_a_judgement_of_everything(engine, world, tmp_path, hours):
    log, ticks = at(engine, world, tmp_path)
    end = ticks[-1]
    found = followed(engine, log, end - hours * HOUR, end, nobody())
    log.bind(end)
    assert members(found.members) == members(judged(engine, nobody()).results.accounts)
    assert len(members(found.members)) > 0


def renamed(sketches: pa.Table, accounts: list[str], since: datetime) -> pa.Table:
    """The log, had these accounts gone on under another name from ``since`` on."""
    ids = sketches["account_id"]
    late = pc.and_(
        pc.is_in(ids, pa.array(accounts)),
        pc.greater_equal(sketches["timestamp"], pa.scalar(since, sketches.schema.field("timestamp").type)),
    )
    new = pc.if_else(late, pc.binary_join_element_wise("late", ids, "-"), ids)
    return sketches.set_column(sketches.schema.get_field_index("account_id"), "account_id", new).cast(SKETCH)


def busy(sketches: pa.Table, accounts: set[str], since: datetime, count: int) -> list[str]:
    """The accounts that send most from ``since`` on."""
    late = sketches.filter(pc.field("timestamp") >= pa.scalar(since, sketches.schema.field("timestamp").type))
    late = late.filter(pc.is_in(late["account_id"], pa.array(sorted(accounts))))
    counted = late.group_by("account_id").aggregate([([], "count_all")])
    most = counted.sort_by([("count_all", "descending"), ("account_id", "ascending")])
    return list(most["account_id"].to_pylist()[:count])


def test_who_takes_a_campaigns_work_up_is_counted_in_and_who_is_declared_is_not(engine, world, tmp_path):
    log, ticks = at(engine, world, tmp_path)
    log.bind(ticks[-1])
    campaign = max(members(judged(engine, nobody()).results.accounts), key=len)
    since = ticks[-1] - 72 * HOUR
    chosen = busy(world[0], set(campaign), since, 6)
    log, _ = at(engine, (renamed(world[0], chosen, since), world[1]), tmp_path)
    declared = f"late-{chosen[0]}"
    found = followed(engine, log, since, ticks[-1], nobody(exempt=frozenset({declared})))
    home = next(own for own in members(found.members) if own & campaign)
    late = {f"late-{account}" for account in chosen}
    assert len(home & late) >= 4
    assert declared not in home
    reasons = found.reasons(home & late)
    assert set(reasons["account_id"].drop_null().to_pylist()) == home & late
    assert reasons["account_id"].null_count > 0


def test_who_tries_the_scaffold_beside_work_of_their_own_is_left_alone(engine, world, tmp_path):
    log, ticks = at(engine, world, tmp_path)
    log.bind(ticks[-1])
    campaigns = members(judged(engine, nobody()).results.accounts)
    since = ticks[-1] - 72 * HOUR
    member = busy(world[0], set(max(campaigns, key=len)), since, 1)[0]
    scaffold = world[0].filter(pc.equal(world[0]["account_id"], member)).slice(0, 1).to_pylist()[0]
    honest = set(world[0]["account_id"].to_pylist()) - set().union(*campaigns)
    curious = busy(world[0], honest, since, 3)
    rows = world[0].to_pylist()
    tried: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["account_id"] in curious and row["timestamp"] >= since and tried[row["account_id"]] < 3:
            tried[row["account_id"]] += 1
            row |= {
                name: scaffold[name] for name in ("system_fp", "tools_fp", "head_fp", "tail_fp", "shingles")
            }
    assert sorted(tried) == sorted(curious)
    log, _ = at(engine, (pa.Table.from_pylist(rows, SKETCH), world[1]), tmp_path)
    found = followed(engine, log, since, ticks[-1], nobody())
    assert members(found.members)
    assert not set().union(*members(found.members)) & set(curious)


def test_a_judgement_without_campaigns_leaves_nothing_to_follow(engine, world, tmp_path):
    log, ticks = at(engine, world, tmp_path)
    since = ticks[2]
    found = followed(engine, log, since, ticks[8], nobody())
    assert members(found.members) == set()
    assert found.reasons([]).num_rows == 0


def test_a_newcomer_is_weighed_again_as_it_does_more_and_nobody_is_while_nobody_new_does_any(
    engine, world, tmp_path
):
    log, ticks = at(engine, world, tmp_path)
    log.bind(ticks[-1])
    campaign = max(members(judged(engine, nobody()).results.accounts), key=len)
    since = ticks[-1] - 72 * HOUR
    (chosen,) = busy(world[0], set(campaign), since, 1)
    log, ticks = at(engine, (renamed(world[0], [chosen], since), world[1]), tmp_path)
    log.bind(since)
    basis = remember(engine, judged(engine, nobody()), since)
    log.bind(since, since - LOOK_BACK)
    assert follow(engine, basis, nobody()) is None
    counted, weighed, newcomers = [], 0, None
    ends = [end for end in ticks if end > since]
    for end in ends:
        log.bind(end, since - LOOK_BACK)
        found = follow(engine, basis, nobody(), newcomers=newcomers)
        if found is not None:
            weighed, newcomers = weighed + 1, found.newcomers
            counted.append(f"late-{chosen}" in set().union(*members(found.members)))
    assert not counted[0]  # one request says little
    assert counted[-1]
    assert 2 <= weighed < len(ends)
    assert follow(engine, basis, nobody(), newcomers=newcomers) is None
