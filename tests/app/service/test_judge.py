"""The judge: it follows what it judged, a start anew confirms nothing, and an error costs one tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.app.service.judge import Judge
from stillwatch.app.service.judge_report import JudgeReport
from stillwatch.app.service.judged_tables import TABLES
from stillwatch.app.service.places import JUDGED
from stillwatch.app.service.rules import Rules
from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH, StoreError
from stillwatch.decisions.store import open_store
from stillwatch.engines.engine import open_engine
from stillwatch.ingest.reader import read_accounts, read_exchanges
from stillwatch.ledger.ledger import Ledger
from stillwatch.persistence.audit import AuditLog
from stillwatch.settings import ServeSettings
from stillwatch.simulate.world import simulate
from stillwatch.sketch.key import SketchKey, load_or_create_key
from stillwatch.sketch.sketcher import Sketcher

NOW = datetime(2026, 7, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class World:
    """Sketches of a log with campaigns in the order of time, and account records."""

    def __init__(self, folder: Path) -> None:
        simulate("demo", scale=0.1, seed=5, honest=1.0, out=folder / "world")
        self.key: SketchKey = load_or_create_key(folder / "key")
        sketcher = Sketcher(self.key)
        log = read_exchanges([str(folder / "world" / "exchanges-*.parquet")], digest=self.key.digest)
        records = read_accounts([str(folder / "world" / "accounts.parquet")], digest=self.key.digest)
        parts = [sketcher.exchanges(batch.records).records for batch in log]
        self.sketches = pa.Table.from_batches(parts, SKETCH).sort_by("timestamp")
        people = [sketcher.accounts(batch.records) for batch in records]
        self.accounts = pa.Table.from_batches([one for one in people if one.num_rows], ACCOUNT_SKETCH)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("judge"))


class Desk:
    """A state folder with a ledger, and judges of it."""

    def __init__(self, folder: Path, world: World) -> None:
        self.state, self.world, self.folder = folder / "state", world, folder
        self.state.mkdir()
        self.ledger = Ledger(self.state / "ledger", world.key.id)
        self.store = open_store(self.state / "decisions.db")
        self.away, self.away_by = False, StoreError("the database is away", remedy="Wait")

    def seal(self, sketches: pa.Table, accounts: pa.Table | None = None) -> None:
        with (
            open_engine(memory="1GiB", threads=1, spill=self.folder / "seal") as engine,
            self.ledger.in_use(),
        ):
            for batch in sketches.combine_chunks().to_batches():
                self.ledger.stage(batch)
            for batch in () if accounts is None else accounts.to_batches():
                self.ledger.stage_accounts(batch)
            self.ledger.flush()
            self.ledger.seal(engine)

    @contextmanager
    def judge(self) -> Iterator[Judge]:
        settings = ServeSettings.read(state=self.state, sketch_key=self.folder / "key")
        audit = AuditLog(self.state / "audit.jsonl")
        with open_engine(memory="1GiB", threads=2, spill=self.folder / "spill") as engine:
            yield Judge(settings, self.world.key, self.ledger, engine, Rules(settings), self.opened, audit)

    def opened(self):
        if self.away:
            raise self.away_by
        return self.store


@pytest.fixture
def make_desk(tmp_path: Path, world: World) -> Callable[[], Desk]:
    return lambda: Desk(tmp_path, world)


def members(judge: Judge) -> set[frozenset[str]]:
    found = defaultdict(set)
    for row in judge._found.accounts.to_pylist():
        if row["verdict"] == "campaign":
            found[row["campaign_id"]].add(row["account_id"])
    return {frozenset(own) for own in found.values()}


def late(sketches: pa.Table, accounts: set[str], until: datetime) -> pa.Table:
    """The log, had these accounts begun after ``until`` under names of their own."""
    ids = sketches["account_id"]
    moment = pa.scalar(until, sketches.schema.field("timestamp").type)
    own = pc.and_(pc.is_in(ids, pa.array(sorted(accounts))), pc.greater_equal(sketches["timestamp"], moment))
    named = pc.if_else(own, pc.binary_join_element_wise("late", ids, "-"), ids)
    return sketches.set_column(sketches.schema.get_field_index("account_id"), "account_id", named).cast(
        SKETCH
    )


def test_an_empty_ledger_is_no_error(make_desk):
    with make_desk().judge() as judge:
        status = judge.tick(NOW)
    assert (status.error, status.seen, status.judgements) == (None, 0, 0)


def test_what_is_followed_between_judgements_has_the_members_of_a_judgement(make_desk, world):
    desk, rows = make_desk(), world.sketches.num_rows
    first = rows * 96 // 100
    since = world.sketches["timestamp"][first].as_py()
    with_campaigns = world.sketches.slice(first)["account_id"].to_pylist()
    desk.seal(world.sketches.slice(0, first), world.accounts)
    with desk.judge() as judge:
        assert judge.tick(NOW).judgements == 1
        before = members(judge)
        called = set().union(*before)
        newcomers = sorted(called & set(with_campaigns), key=with_campaigns.count)[-4:]
        log = late(world.sketches, set(newcomers), since)
        desk.seal(log.slice(first))
        status = judge.tick(NOW + MINUTE)
        assert (status.judgements, status.followed, status.seen) == (1, 1, rows)
        followed = members(judge)
        assert judge.tick(NOW + 2 * MINUTE).followed == 1  # nothing new came
    assert followed != before
    with desk.judge() as judge:
        assert judge.tick(NOW + 3 * MINUTE).judgements == 1
        assert members(judge) == followed


def test_a_start_anew_judges_everything_and_confirms_nothing(make_desk, world):
    desk, half = make_desk(), world.sketches.num_rows // 2
    desk.seal(world.sketches.slice(0, half), world.accounts)
    for number in range(3):
        with desk.judge() as judge:
            status = judge.tick(NOW + number * MINUTE)
            status.write(desk.state)
            assert (status.judgements, status.judged_at, status.judged) == (1, NOW, half)
    report = JudgeReport.read(desk.state)
    assert (report.judged_at, report.judged) == (NOW, half)
    assert {one.judged_at for one in desk.store.decisions()} == {NOW}
    desk.seal(world.sketches.slice(half))
    with desk.judge() as judge:
        assert judge.tick(NOW + 9 * MINUTE).judged_at == NOW + 9 * MINUTE


def test_while_the_store_is_away_the_judge_says_so_and_goes_on_afterwards(make_desk, world):
    desk = make_desk()
    desk.seal(world.sketches, world.accounts)
    desk.away = True
    with desk.judge() as judge:
        status = judge.tick(NOW)
        assert "the database is away" in status.error
        assert status.judgements == 1
        desk.away_by = OverflowError("unforeseen")
        assert "OverflowError: unforeseen" in judge.tick(NOW).error
        desk.away = False
        status = judge.tick(NOW + MINUTE)
        assert (status.error, status.judgements) == (None, 1)  # what was judged is decided on now
    assert desk.store.decisions()
    assert {path.stem for path in (desk.state / JUDGED).glob("*.parquet")} == set(TABLES)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"judged_at": null, "judged": 1}', '{"judged": 3}'])
def test_a_report_that_says_nothing_tells_of_no_judgement(tmp_path, text):
    if text is not None:
        (tmp_path / "judge.json").write_text(text)
    report = JudgeReport.read(tmp_path)
    assert report is None or report.judged_at is None
