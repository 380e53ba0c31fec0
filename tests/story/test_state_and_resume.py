"""Scans that follow one another: a run that was killed, a state that remembers, an allow list."""

from __future__ import annotations

import json
import time
from pathlib import Path

import forked_commands
import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated world."""
    world = tmp_path_factory.mktemp("state") / "world"
    run("simulate", "demo", "--scale", "0.2", "--seed", "5", "--out", str(world), key=world.parent / "key")
    return world


def arguments(world: Path, out: Path) -> list[str]:
    return [
        "scan",
        f"{world}/exchanges-*.parquet",
        "--accounts",
        f"{world}/accounts.parquet",
        "--out",
        str(out),
    ]


def command(*words: str, key: Path) -> list[str]:
    keyed = ["--sketch-key", str(key)] if words[0] == "scan" else []
    return [*words, *keyed, "--quiet"]


def run(*words: str, key: Path) -> None:
    done = forked_commands.run(command(*words, key=key))
    assert done.returncode == 0, done.stderr


def table(out: Path, name: str) -> bytes:
    return (out / f"{name}.parquet").read_bytes()


def ids(out: Path) -> dict[str, str]:
    rows = pq.read_table(out / "accounts.parquet").to_pylist()
    return {row["account_id"]: row["campaign_id"] for row in rows if row["verdict"] == "campaign"}


def test_a_killed_run_goes_on_and_gives_the_same_tables(log, tmp_path):
    key = tmp_path / "key"
    run(*arguments(log, tmp_path / "whole"), key=key)
    killed = forked_commands.start(command(*arguments(log, tmp_path / "killed"), key=key))
    families = tmp_path / "killed" / "stages" / "families.parquet"
    deadline = time.monotonic() + 120
    while not families.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "killed" / "manifest.json").exists()
    run(*arguments(log, tmp_path / "killed"), key=key)
    manifest = json.loads((tmp_path / "killed" / "manifest.json").read_text())
    assert "intake" not in manifest["seconds"]  # what was read and sketched was not read again
    assert {"look at the inputs", "membership", "report"} <= set(manifest["stages"])
    for name in ("campaigns", "accounts", "members", "reasons", "timeline"):
        assert table(tmp_path / "killed", name) == table(tmp_path / "whole", name)


def test_a_state_keeps_ids_and_exchanges_between_scans(log, tmp_path):
    key, state = tmp_path / "key", str(tmp_path / "state")
    run(*arguments(log, tmp_path / "first"), "--state", state, key=key)
    run(*arguments(log, tmp_path / "second"), "--state", state, key=key)
    first, second = ids(tmp_path / "first"), ids(tmp_path / "second")
    assert first == second != {}
    counts = json.loads((tmp_path / "second" / "manifest.json").read_text())["counts"]
    assert counts["ledger"]["exchanges"] == 0  # delivered twice, counted once
    assert counts["exchanges"]["duplicates"] == counts["exchanges"]["accepted"]
    assert not (tmp_path / "second" / "ledger").exists()


def test_an_allowed_account_is_never_flagged(log, tmp_path):
    key = tmp_path / "key"
    run(*arguments(log, tmp_path / "before"), key=key)
    allowed = sorted(ids(tmp_path / "before"))[:10]
    (tmp_path / "allow.txt").write_text("\n".join(f"{account} # red team" for account in allowed))
    run(*arguments(log, tmp_path / "after"), "--allow", str(tmp_path / "allow.txt"), key=key)
    assert not set(allowed) & set(ids(tmp_path / "after"))
    members = pq.read_table(tmp_path / "after" / "members.parquet")["account_id"].to_pylist()
    assert not set(allowed) & set(members)
