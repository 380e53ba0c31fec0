"""Worlds from the door: what is on disk is what was asked for, and the truth is true."""

import hashlib
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from stillwatch.contracts import UsageError
from stillwatch.simulate.world import simulate

SHARED = Path(__file__).parents[2].parent / "shared" / "worlds"


def make(out, preset="demo", scale=0.2, seed=7, honest=1.0, **more):
    return simulate(preset, scale=scale, seed=seed, honest=honest, out=out, **more)


def exchanges(world: Path) -> pa.Table:
    return ds.dataset(sorted(world.glob("exchanges-*.parquet"))).to_table()


def digests(world: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(world.iterdir())}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "world"
    return make(out, scale=1.0)


@pytest.fixture(scope="module")
def log(demo):
    truth = pq.read_table(demo.out / "truth.parquet").select(["account_id", "kind", "campaign"])
    joined = exchanges(demo.out).join(truth.cast(_plain(truth.schema)), "account_id")
    return joined.sort_by("timestamp")


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, pa.large_string()) for f in schema])


def test_the_same_request_gives_the_same_bytes(tmp_path):
    make(tmp_path / "a")
    make(tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_gives_another_world(tmp_path):
    one, other = make(tmp_path / "a", scale=0.02), make(tmp_path / "b", scale=0.02, seed=8)
    assert one.exchanges == other.exchanges
    assert not set(digests(one.out).values()) & set(digests(other.out).values())


def test_bytes_do_not_depend_on_the_workers(tmp_path, monkeypatch):
    make(tmp_path / "a", scale=1.0)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    make(tmp_path / "b", scale=1.0)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize("preset", ["demo", "june-2026", "slow-slice"])
def test_schemas_are_those_of_the_table_format(preset, tmp_path):
    if not SHARED.exists():
        pytest.skip("the evaluation worlds are not here")
    world = make(tmp_path / "w", preset, scale=0.001)
    assert exchanges(world.out).schema.equals(pq.read_schema(SHARED / "dev-easy" / "exchanges.parquet"))
    for name in ("accounts", "truth", "truth_exchanges"):
        theirs = pq.read_schema(SHARED / "dev-easy" / f"{name}.parquet")
        assert pq.read_schema(world.out / f"{name}.parquet").equals(theirs), name


def test_counts_are_those_of_the_preset(tmp_path):
    world = make(tmp_path / "w", "june-2026", scale=0.001, honest=1.0)
    assert world.campaigns == {"june-2026": 25}
    assert (world.attack_exchanges, world.exchanges) == (28_800, 57_600)
    assert abs(world.accounts - 525) < 15
    first, last = pc.min_max(exchanges(world.out)["timestamp"]).as_py().values()
    assert (str(first.date()), str(last.date())) == ("2026-04-22", "2026-06-05")


def test_honest_scales_the_honest_part_alone(tmp_path):
    half = make(tmp_path / "half", "june-2026", scale=0.0005, honest=0.5)
    none = make(tmp_path / "none", "june-2026", scale=0.0005, honest=0.0)
    assert (half.exchanges - half.attack_exchanges, half.attack_exchanges) == (7_200, 14_400)
    assert none.exchanges == none.attack_exchanges == 14_400


def test_progress_tells_every_row(tmp_path):
    seen: list[int] = []
    world = make(tmp_path / "w", scale=1.0, on_rows=seen.append)
    assert len(seen) == len(world.files) > 1
    assert sum(seen) == world.exchanges == 80_000


def test_files_follow_one_another_in_time(demo):
    last = None
    for number, path in enumerate(demo.files):
        assert path.name == f"exchanges-{number:05d}.parquet"
        times = pq.read_table(path, columns=["timestamp"])["timestamp"].to_pylist()
        assert times == sorted(times)
        assert last is None or times[0] >= last
        last = times[-1]


def test_truth_agrees_with_the_exchanges(demo):
    table, truth = exchanges(demo.out), pq.read_table(demo.out / "truth.parquet")
    made = _counts(table)
    attacks = pq.read_table(demo.out / "truth_exchanges.parquet")["request_id"]
    hits = _counts(table.filter(pc.is_in(table["request_id"], attacks.combine_chunks())))
    for row in truth.to_pylist():
        assert row["exchanges"] == made.get(row["account_id"], 0)
        assert row["attack_exchanges"] == hits.get(row["account_id"], 0)
        assert (row["kind"] == "attack") == (row["campaign"] is not None)
    assert sum(hits.values()) == len(attacks) == demo.attack_exchanges


def _counts(table: pa.Table) -> dict[str, int]:
    counted = table.group_by("account_id").aggregate([("account_id", "count")])
    return dict(zip(counted["account_id"].to_pylist(), counted["account_id_count"].to_pylist(), strict=True))


def test_ids_are_unique(demo):
    table, accounts = exchanges(demo.out), pq.read_table(demo.out / "accounts.parquet")
    assert pc.count_distinct(table["request_id"]).as_py() == table.num_rows
    assert pc.count_distinct(accounts["account_id"]).as_py() == accounts.num_rows == demo.accounts
    assert set(table["account_id"].to_pylist()) <= set(accounts["account_id"].to_pylist())


def test_messages_are_valid_chat_json(log):
    for text in log["messages"].to_pylist()[::40]:
        messages = json.loads(text)
        roles = [message["role"] for message in messages]
        spoken = roles[1:] if roles[0] == "system" else roles
        assert spoken == (["user", "assistant"] * len(spoken))[: len(spoken)]
        assert len(spoken) % 2 == 1
        assert all(message["content"].strip() for message in messages)


def test_tools_are_valid_json_where_present(log):
    tools = [text for text in log["tools"].to_pylist() if text is not None]
    assert tools
    assert all(tool["function"]["name"] for text in set(tools) for tool in json.loads(text))


def test_messages_have_the_size_of_real_logs(tmp_path):
    world = make(tmp_path / "w", "june-2026", scale=0.001)
    assert 1_000 <= world.message_bytes / world.exchanges <= 1_400


def test_a_conversation_repeats_its_history(log):
    rows = log.filter(pc.and_(pc.equal(log["kind"], "individual"), pc.is_valid(log["conversation_id"])))
    by_conversation: dict[str, list[list[dict[str, str]]]] = {}
    for row in rows.select(["conversation_id", "messages"]).to_pylist():
        by_conversation.setdefault(row["conversation_id"], []).append(json.loads(row["messages"]))
    grown = [turns for turns in by_conversation.values() if len(turns) > 2]
    assert len(grown) > 100
    for turns in grown:
        assert all(b[: len(a)] == a and len(b) == len(a) + 2 for a, b in pairwise(turns))


def test_nobody_sends_before_the_account_exists(demo, log):
    accounts = pq.read_table(demo.out / "accounts.parquet").select(["account_id", "created_at"])
    early = log.join(accounts, "account_id").filter(pc.field("timestamp") < pc.field("created_at"))
    assert early.num_rows == 0


def test_score_accepts_the_world(demo, tmp_path):
    if not SHARED.exists():
        pytest.skip("the evaluation worlds are not here")
    pytest.importorskip("polars")
    truth = pq.read_table(demo.out / "truth.parquet")
    verdicts = [("campaign" if c else "clear") for c in truth["campaign"].to_pylist()]
    found = pa.table(
        {"account_id": truth["account_id"], "verdict": verdicts, "campaign_id": truth["campaign"]}
    )
    pq.write_table(found, tmp_path / "accounts.parquet")
    command = [sys.executable, SHARED / "score.py", demo.out, tmp_path, "--json"]
    scored = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert scored["campaigns_found"] == "3/3"
    assert scored["honest_flagged"] == 0
    assert scored["mean_group_f1"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"preset": "july"}, "june-2026"),
        ({"scale": 0.0}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"honest": -1.0}, "honest"),
        ({"preset": "quiet", "honest": 0.0}, "honest"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments, told, tmp_path):
    with pytest.raises(UsageError, match=told):
        make(tmp_path / "w", **arguments)
    assert not (tmp_path / "w").exists()


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("keep")
    with pytest.raises(UsageError, match="not empty"):
        make(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_a_world_of_the_same_preset_is_replaced(tmp_path):
    make(tmp_path / "w", scale=1.0)
    small = make(tmp_path / "w", scale=0.02)
    assert exchanges(tmp_path / "w").num_rows == small.exchanges
    with pytest.raises(UsageError, match="not empty"):
        make(tmp_path / "w", "quiet", scale=0.02)
