"""A run that died goes on where it stopped; anything else in the folder is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.app.run_folder import MANIFEST, RunFolder
from stillwatch.contracts import PROFILES, RunFolderError

PURPOSE = {"sources": [["log", "0a1b"]]}


def made(count: int) -> pa.Table:
    rows = [
        {"account": n, "account_id": f"a{n}", "exchanges": n + 1, "first_seen": 0, "last_seen": n}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=PROFILES)


def refuse() -> pa.Table:
    raise AssertionError("this stage was done before")


def test_a_stage_that_was_done_is_not_done_again(tmp_path: Path):
    first = RunFolder(tmp_path / "run", PURPOSE)
    table = first.table("profiles", PROFILES, lambda: made(3))
    resumed = RunFolder(tmp_path / "run", PURPOSE)
    assert resumed.table("profiles", PROFILES, refuse).equals(table)
    assert resumed.once("intake", lambda: {"read": 5}) == {"read": 5}


def test_a_stage_in_parts_is_made_once_and_gone_through_as_often_as_need_be(tmp_path: Path):
    cut = [made(3), made(2)]
    parts = RunFolder(tmp_path / "run", PURPOSE).parts("profiles", PROFILES, lambda: iter(cut))
    assert pa.concat_tables(parts) == pa.concat_tables(cut)
    resumed = RunFolder(tmp_path / "run", PURPOSE).parts("profiles", PROFILES, refuse)
    for one in (parts, resumed):
        assert pa.concat_tables(one) == pa.concat_tables(cut)


def test_a_stage_in_parts_hands_each_on_as_soon_as_it_is_made(tmp_path: Path):
    def making():
        yield made(3)
        raise RuntimeError("power cut")

    parts = iter(RunFolder(tmp_path / "run", PURPOSE).parts("profiles", PROFILES, making))
    assert next(parts) == made(3)
    with pytest.raises(RuntimeError):
        next(parts)
    again = RunFolder(tmp_path / "run", PURPOSE).parts("profiles", PROFILES, lambda: iter([made(2)]))
    assert pa.concat_tables(again) == made(2)


def test_a_stage_that_died_is_done_anew(tmp_path: Path):
    first = RunFolder(tmp_path / "run", PURPOSE)
    with pytest.raises(RuntimeError):
        first.table("profiles", PROFILES, die)
    assert not (tmp_path / "run" / "stages" / "profiles.parquet").exists()
    assert RunFolder(tmp_path / "run", PURPOSE).table("profiles", PROFILES, lambda: made(2)).num_rows == 2


def die() -> pa.Table:
    raise RuntimeError("power cut")


def test_other_inputs_begin_from_nothing(tmp_path: Path):
    RunFolder(tmp_path / "run", PURPOSE).table("profiles", PROFILES, lambda: made(3))
    other = RunFolder(tmp_path / "run", {"sources": [["log", "ffff"]]})
    assert other.table("profiles", PROFILES, lambda: made(1)).num_rows == 1


def test_a_finished_run_is_replaced_not_resumed(tmp_path: Path):
    run = RunFolder(tmp_path / "run", PURPOSE)
    run.table("profiles", PROFILES, lambda: made(3))
    run.finish(run.manifest({"counts": {}}))
    assert json.loads((tmp_path / "run" / MANIFEST).read_text())["counts"] == {}
    again = RunFolder(tmp_path / "run", PURPOSE)
    assert not (tmp_path / "run" / MANIFEST).exists()
    assert again.table("profiles", PROFILES, lambda: made(2)).num_rows == 2


def test_a_folder_with_something_else_in_it_is_refused_and_untouched(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunFolderError) as raised:
        RunFolder(tmp_path, PURPOSE)
    assert str(tmp_path) in str(raised.value)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_the_manifest_names_versions_times_and_memory(tmp_path: Path):
    run = RunFolder(tmp_path / "run", PURPOSE)
    run.once("intake", dict)
    manifest = run.manifest({})
    assert {"python", "numpy", "pyarrow"} <= set(manifest["versions"])
    assert set(manifest["seconds"]) == {"intake"}
    assert manifest["peak_memory_bytes"] > 2**20


ALONE = """
import sys
from pathlib import Path
from stillwatch.app.run_folder import RunFolder
print(RunFolder(Path(sys.argv[1]), {}).manifest({})["peak_memory_bytes"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process begins with its starter's peak")
def test_the_peak_is_the_run_s_own_and_not_that_of_who_started_it(tmp_path: Path):
    held = bytearray(1_000_000_000)
    held[::4096] = b"x" * len(held[::4096])  # now it is resident
    command = [sys.executable, "-c", ALONE, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    del held
    assert int(done.stdout) < 900_000_000
