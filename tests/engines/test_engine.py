"""What every engine does, one body per behaviour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH, TIMESTAMP, ContractError, UsageError
from stillwatch.engines.engine import ENGINES, Batchwise, Engine, EngineError, open_engine

U64 = pa.uint64()
NUMBERS = pa.table({"n": [3, 1, None, 2]})


def file_of(path: Path, table: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def test_an_unknown_engine_is_refused_with_the_names_of_the_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no engine 'abacus'") as caught:
        open_engine("abacus", spill=tmp_path)
    assert all(name in caught.value.remedy for name in ENGINES)


@pytest.mark.parametrize("memory", ["", "lots", "4", "-1GiB", "4GiB; DROP TABLE x"])
def test_memory_that_is_no_quantity_is_refused(opened: Callable[..., Engine], memory: str) -> None:
    with pytest.raises(UsageError, match="memory"):
        opened(memory=memory)


def test_no_threads_are_refused(opened: Callable[..., Engine]) -> None:
    with pytest.raises(UsageError, match="threads"):
        opened(threads=0)


def test_an_arrow_table_is_read(engine: Engine) -> None:
    engine.bind("numbers", NUMBERS)
    assert engine.table("SELECT n FROM numbers ORDER BY n NULLS LAST")["n"].to_pylist() == [1, 2, 3, None]


def test_a_view_is_read_like_a_table_and_runs_on_what_is_bound(engine: Engine) -> None:
    engine.bind("numbers", NUMBERS)
    engine.view("large", "SELECT n FROM numbers WHERE n >= 2")
    assert engine.table("SELECT n FROM large ORDER BY n")["n"].to_pylist() == [2, 3]
    engine.view("large", "SELECT n FROM numbers WHERE n >= 3")
    assert engine.table("SELECT n FROM large ORDER BY n")["n"].to_pylist() == [3]
    engine.forget("large")
    engine.bind("large", NUMBERS)
    assert engine.table("SELECT count(*) AS n FROM large")["n"].to_pylist() == [4]


def test_every_chunk_of_a_table_is_read_whichever_are_empty(engine: Engine) -> None:
    chunks = [pa.table({"n": pa.array(chunk, pa.int64())}) for chunk in ([], [1], [], [], [2, 3], [])]
    engine.bind("numbers", pa.concat_tables(chunks))
    assert engine.table("SELECT n FROM numbers ORDER BY n")["n"].to_pylist() == [1, 2, 3]


def test_nulls_come_last_in_either_direction_where_a_query_does_not_say(engine: Engine) -> None:
    engine.bind("numbers", NUMBERS)
    assert engine.table("SELECT n FROM numbers ORDER BY n")["n"].to_pylist()[-1] is None
    assert engine.table("SELECT n FROM numbers ORDER BY n DESC")["n"].to_pylist()[-1] is None


def test_a_name_can_be_bound_anew_to_any_kind_of_source(engine: Engine, tmp_path: Path) -> None:
    file = file_of(tmp_path / "one.parquet", pa.table({"n": [7]}))
    sources = [NUMBERS, [file], pa.table({"n": [8]}), [file, file]]
    sums = []
    for source in sources:
        engine.bind("source", source)
        sums += engine.table("SELECT sum(n) AS total FROM source ORDER BY 1")["total"].to_pylist()
    assert sums == [6, 7, 8, 14]


def test_a_kept_result_takes_the_place_of_what_had_its_name(engine: Engine, tmp_path: Path) -> None:
    file = file_of(tmp_path / "one.parquet", pa.table({"n": [7]}))
    for source in (NUMBERS, [file]):
        engine.bind("source", source)
        engine.keep("source", "SELECT n + 1 AS n FROM source")
        engine.keep("source", "SELECT n * 2 AS n FROM source")
        again = "SELECT n FROM source ORDER BY n NULLS LAST"
        assert engine.table(again)["n"].to_pylist() == ([16] if source == [file] else [4, 6, 8, None])
    engine.bind("source", NUMBERS)
    assert engine.table("SELECT count(*) AS rows FROM source ORDER BY 1")["rows"].to_pylist() == [4]


def test_what_was_forgotten_is_read_no_more_and_its_name_is_free(engine: Engine) -> None:
    engine.bind("numbers", NUMBERS)
    engine.keep("doubled", "SELECT 2 * n AS n FROM numbers")
    engine.keep("again", "SELECT n FROM doubled")
    for name in ("numbers", "doubled", "never was"):
        engine.forget(name)
    for name in ("numbers", "doubled"):
        with pytest.raises(duckdb.CatalogException):
            engine.table(f"SELECT n FROM {name} ORDER BY n")
    assert engine.table("SELECT n FROM again ORDER BY n")["n"].to_pylist() == [2, 4, 6, None]
    engine.bind("doubled", NUMBERS)
    assert engine.table("SELECT max(n) AS n FROM doubled ORDER BY n")["n"].to_pylist() == [3]


def test_a_thousand_files_read_as_one_table(engine: Engine, tmp_path: Path) -> None:
    files = [file_of(tmp_path / f"{i}.parquet", pa.table({"n": [i]})) for i in range(1000)]
    engine.bind("numbers", files)
    assert engine.table("SELECT n FROM numbers ORDER BY n")["n"].to_pylist() == list(range(1000))


@pytest.mark.parametrize("schema", [SKETCH, ACCOUNT_SKETCH])
def test_no_files_are_an_empty_table_of_the_given_schema(engine: Engine, schema: pa.Schema) -> None:
    engine.bind("nothing", [], schema)
    result = engine.table("SELECT * FROM nothing ORDER BY account_id")
    assert result.num_rows == 0
    assert result.cast(schema).schema == schema


def test_no_files_and_no_schema_is_a_defect(engine: Engine) -> None:
    with pytest.raises(ContractError, match="nothing"):
        engine.bind("nothing", [])


def test_folder_names_add_no_columns(engine: Engine, tmp_path: Path) -> None:
    engine.bind("numbers", [file_of(tmp_path / "date=2026-05-01" / "hour=07" / "part.parquet", NUMBERS)])
    assert engine.table("SELECT * FROM numbers ORDER BY n").column_names == ["n"]


def test_a_path_is_taken_as_it_is_written(engine: Engine, tmp_path: Path) -> None:
    odd = file_of(tmp_path / "it's [1] * ?" / "a%20{b,c}.parquet", pa.table({"n": [1]}))
    file_of(tmp_path / "it's 1 x y" / "a b.parquet", pa.table({"n": [2]}))
    engine.bind("numbers", [odd])
    assert engine.table("SELECT n FROM numbers ORDER BY n")["n"].to_pylist() == [1]


@pytest.mark.parametrize("content", [None, b"", b"PAR1 but not really PAR1"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_or_damaged_file_is_named(
    engine: Engine, tmp_path: Path, content: bytes | None, place: int
) -> None:
    files = [file_of(tmp_path / "good.parquet", NUMBERS)]
    files.insert(place, tmp_path / "bad.parquet")
    if content is not None:
        files[place].write_bytes(content)
    with pytest.raises(EngineError, match=r"bad\.parquet"):  # noqa: PT012 - an engine may find out at either call
        engine.bind("numbers", files)
        engine.table("SELECT n FROM numbers ORDER BY n")


def test_timestamps_are_utc_microseconds_whatever_their_source(engine: Engine) -> None:
    moment = datetime(2026, 5, 1, 7, 30, 0, 123456, tzinfo=UTC)
    kinds = {"s": pa.timestamp("s"), "utc": TIMESTAMP, "ns": pa.timestamp("ns", tz="Asia/Seoul")}
    times = pa.table(
        {name: pa.array([moment], TIMESTAMP).cast(kind, safe=False) for name, kind in kinds.items()}
    )
    engine.bind("times", times)
    result = engine.table("SELECT s, utc, ns, date_trunc('day', utc) AS day FROM times ORDER BY 1")
    assert set(result.schema.types) == {TIMESTAMP}
    assert result.to_pylist() == [
        {
            "s": moment.replace(microsecond=0),
            "utc": moment,
            "ns": moment,
            "day": datetime(2026, 5, 1, tzinfo=UTC),
        }
    ]


def test_whole_numbers_add_up_to_int64(engine: Engine) -> None:
    kinds = {"b": pa.uint8(), "i": pa.int32(), "l": pa.int64()}
    engine.bind("numbers", pa.table({name: pa.array([1, 2], kind) for name, kind in kinds.items()}))
    result = engine.table(
        "SELECT sum(b) AS b, sum(i) AS i, sum(l) AS l, count(*) AS n FROM numbers ORDER BY 1"
    )
    assert result.schema.types == [pa.int64()] * 4
    assert result.to_pylist() == [{"b": 3, "i": 3, "l": 3, "n": 2}]


def test_fingerprints_and_lists_of_them_pass_unchanged(engine: Engine) -> None:
    row = dict.fromkeys(SKETCH.names) | {"exchange_id": "e", "account_id": "a"}
    row |= {"timestamp": datetime(2026, 5, 1, tzinfo=UTC), "shingles": [2**64 - 1, 0], "history_fps": []}
    row |= {field.name: 2**64 - 1 for field in SKETCH if field.type == pa.uint64()}
    row |= {field.name: 1 for field in SKETCH if row[field.name] is None and not field.nullable}
    sketches = pa.Table.from_pylist([row], SKETCH)
    engine.bind("sketches", sketches)
    assert engine.table("SELECT * FROM sketches ORDER BY exchange_id").cast(SKETCH) == sketches


def test_frequent_values_are_those_that_plain_counting_finds(engine: Engine, effort: Any) -> None:
    """The values collide in few buckets: what a bucket allows is counted exactly."""

    @settings(max_examples=effort.examples, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10**15)), max_size=400), st.integers(1, 20))
    def found(rows: list[tuple[int, int]], least: int) -> None:
        assert_frequent(engine, rows, least)

    found()


def assert_frequent(engine: Engine, rows: list[tuple[int, int]], least: int) -> None:
    fps = [2**63 + fp * (2**30 + 1) for fp, _ in rows]
    times = pa.array([at for _, at in rows], pa.int64()).cast(TIMESTAMP)
    seen = {"fp": pa.array(fps, pa.uint64()), "fps": [[fp] for fp in fps], "timestamp": times}
    engine.bind(
        "seen",
        pa.table(seen, schema=pa.schema([("fp", U64), ("fps", pa.list_(U64)), ("timestamp", TIMESTAMP)])),
    )
    single = "CASE WHEN fp % 2 = 0 THEN fp END AS fp, CASE WHEN fp % 2 = 1 THEN fps END AS fps"
    found = engine.frequent(f"SELECT {single}, timestamp FROM seen", least)
    counted = Counter(fps)
    assert dict(zip(found["fp"].to_pylist(), found["occurrences"].to_pylist(), strict=True)) == {
        fp: count for fp, count in counted.items() if count >= least
    }
    for fp, first in zip(found["fp"].to_pylist(), found["first"].cast(pa.int64()).to_pylist(), strict=True):
        assert first == min(at for own, (_, at) in zip(fps, rows, strict=True) if own == fp)


def test_frequent_values_among_very_many_are_found(engine: Engine, effort: Any) -> None:
    """More values than there are buckets at first, nearly all of them once."""
    once = "SELECT CAST(range AS UBIGINT) * 7919 AS fp, TIMESTAMPTZ '2026-04-22 00:00:00+00' AS timestamp"
    often = "SELECT 7919 * 5, TIMESTAMPTZ '2026-04-21 00:00:00+00'"
    engine.keep("seen", f"{once} FROM range({effort.values}) UNION ALL {often} FROM range(60)")
    found = engine.frequent("SELECT fp, timestamp FROM seen", 50).to_pylist()
    first = datetime(2026, 4, 21, tzinfo=UTC)
    assert found == [{"fp": 7919 * 5, "occurrences": 61, "first": first}]


SIZED = pa.schema([("fp", U64), ("carried", pa.int64())])


def sizing() -> Batchwise:
    """A function of no module, which goes to another machine's process whole."""

    def sized(batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the fingerprints, and how many more each came with."""
        sizes = pc.list_value_length(batch["fps"]).cast(pa.int64())
        return pa.record_batch([batch["fp"], sizes], schema=SIZED).filter(pc.is_valid(batch["fp"]))

    return sized


def test_a_mapped_table_holds_what_the_function_gave_for_each_row(engine: Engine) -> None:
    rows = {"fp": pa.array([5, None, 2**63], U64), "fps": pa.array([[1, 2], [3], []], pa.list_(U64))}
    engine.bind("rows", pa.table(rows))
    for name in ("sizes", "rows"):  # which may take the place of what it was made of
        engine.map(name, "SELECT fp, fps FROM rows", sizing(), SIZED)
        found = engine.table(f"SELECT fp, carried FROM {name} ORDER BY fp")
        assert found.to_pylist() == [{"fp": 5, "carried": 2}, {"fp": 2**63, "carried": 0}]


def test_very_many_rows_are_mapped_once_each(engine: Engine) -> None:
    engine.bind(
        "numbers",
        pa.table({"fp": pa.array(range(300_000), U64), "fps": pa.array([[1]] * 300_000, pa.list_(U64))}),
    )
    engine.map("sizes", "SELECT fp, fps FROM numbers", sizing(), SIZED)
    total = engine.table(
        "SELECT count(DISTINCT fp) AS fps, CAST(sum(carried) AS BIGINT) AS n FROM sizes ORDER BY n"
    )
    assert total.to_pylist() == [{"fps": 300_000, "n": 300_000}]


def test_a_function_that_fails_leaves_what_had_the_name(engine: Engine) -> None:
    engine.bind("numbers", NUMBERS)
    with pytest.raises(Exception, match="no such batch"):
        engine.map("numbers", "SELECT n FROM numbers", failing, NUMBERS.schema)
    assert engine.table("SELECT count(*) AS rows FROM numbers ORDER BY 1")["rows"].to_pylist() == [4]


def failing(batch: pa.RecordBatch) -> pa.RecordBatch:
    raise ValueError("no such batch")


def test_a_stream_brings_the_rows_of_the_table_in_order(engine: Engine) -> None:
    engine.bind("numbers", pa.table({"n": range(200_000)}))
    query = "SELECT n, -n AS m FROM numbers ORDER BY m"
    batches = list(engine.stream(query))
    assert len(batches) > 1
    assert pa.Table.from_batches(batches) == engine.table(query)


def test_a_query_sees_bound_tables_and_no_variable_of_the_caller(engine: Engine) -> None:
    secret = pa.table({"n": [1]})
    with pytest.raises(Exception, match="secret"):
        engine.table("SELECT n FROM secret ORDER BY n")
    assert secret.num_rows == 1


def test_a_written_file_holds_what_the_query_says(engine: Engine, tmp_path: Path) -> None:
    engine.bind("numbers", NUMBERS)
    query = "SELECT n, n * 2 AS double FROM numbers ORDER BY n NULLS LAST"
    assert engine.write(query, tmp_path / "out.parquet") == 4
    assert pq.read_table(tmp_path / "out.parquet") == engine.table(query)


def test_bytes_written_depend_on_the_rows_alone(opened: Callable[..., Engine], tmp_path: Path) -> None:
    rows = pa.table({"n": range(150_000), "text": [f"row {i % 97}" for i in range(150_000)]})
    backwards = rows.take(pa.array(range(rows.num_rows - 1, -1, -1)))
    files = [
        file_of(tmp_path / f"{start}.parquet", backwards.slice(start, 10_000))
        for start in range(0, 150_000, 10_000)
    ]
    contents = set()
    for threads, source in [(1, rows), (2, backwards), (2, files), (1, files[::-1])]:
        engine = opened(threads=threads)
        engine.bind("source", source)
        engine.write("SELECT n, text, n % 7 AS rest FROM source ORDER BY n", tmp_path / "out.parquet")
        contents.add((tmp_path / "out.parquet").read_bytes())
    assert len(contents) == 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    engine.bind("texts", pa.table({"text": [*(str(i) for i in range(300_000)), "not a number"]}))
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "numbers.parquet"
    target.write_bytes(b"as it was")
    with pytest.raises(Exception, match="not a number"):
        engine.write("SELECT CAST(text AS BIGINT) AS n FROM texts ORDER BY n", target)
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == b"as it was"


@pytest.mark.unsupported(spark="it spills where its own settings say; and hash gives other numbers there")
def test_what_exceeds_the_memory_is_spilled_and_tidied_away(
    opened: Callable[..., Engine], tmp_path: Path
) -> None:
    rows = 2_000_000
    with opened(memory="64MiB", threads=2, spill=tmp_path / "deep" / "spill") as engine:
        engine.bind("numbers", pa.table({"n": range(rows)}))
        stream = engine.stream("SELECT n, hash(n) AS h, CAST(n AS VARCHAR) AS text FROM numbers ORDER BY h")
        assert sum(batch.num_rows for batch in stream) == rows
        assert list((tmp_path / "deep" / "spill").iterdir())
    assert not list((tmp_path / "deep").iterdir())


@pytest.mark.unsupported(spark="a list in no order; and Spark's memory is its process's, set when it starts")
def test_a_query_that_no_spilling_can_save_says_what_to_do(opened: Callable[..., Engine]) -> None:
    engine = opened(memory="32MiB")
    engine.bind("numbers", pa.table({"n": range(3_000_000)}))
    with pytest.raises(EngineError, match="Raise --memory"):
        engine.table("SELECT list(n) AS all_of_them FROM numbers ORDER BY 1")


@pytest.mark.parametrize("order", ["", " ORDER BY n"])
def test_damage_that_shows_half_way_is_told(engine: Engine, tmp_path: Path, order: str) -> None:
    file = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"n": range(1_000_000)}), file, use_dictionary=False, compression="zstd")
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100_000] = bytes(100_000)
    file.write_bytes(content)
    engine.bind("numbers", [file])
    with pytest.raises(EngineError, match=r"numbers\.parquet"):
        engine.table(f"SELECT n FROM numbers{order}")
