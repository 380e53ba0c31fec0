"""A snapshot says what was decided of an account, to all workers of a gateway, whatever goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforce.snapshot import Current, Snapshot, SnapshotError, Terms, write_snapshot

BLOCK = Terms("block", "d1", "cmp_1", ("payment-shared",), "1", 1e9, dry_run=False)
THROTTLE = Terms("throttle", "d2", "cmp_2", (), "1", 0.0, False, 500)
SOURCE = Path(__file__).parents[2] / "src"


@given(st.dictionaries(st.text(), st.sampled_from([BLOCK, THROTTLE])), st.lists(st.text()))
def test_it_says_of_everybody_what_was_decided(tmp_path_factory, decided, others):
    path = tmp_path_factory.mktemp("snapshot") / "now"
    write_snapshot(path, decided)
    snapshot = Snapshot(path)
    assert len(snapshot) == len(decided)
    for account in [*decided, *others]:
        assert snapshot.find(account) == decided.get(account)


def test_the_newest_file_counts_and_one_that_is_damaged_does_not(tmp_path):
    path = tmp_path / "now"
    current = Current(path)
    assert current.held is None
    assert "No such file" in current.trouble
    write_snapshot(path, {"a": BLOCK})
    assert current.refresh().held.find("a") == BLOCK
    write_snapshot(path, {"b": THROTTLE})
    assert current.held.find("a") == BLOCK  # nobody looked yet
    assert current.refresh().held.find("a") is None
    assert current.trouble == ""
    path.unlink()
    path.write_bytes(b"something else altogether, and long enough for a header")
    assert current.refresh().held.find("b") == THROTTLE
    assert "no snapshot" in current.trouble
    path.unlink()
    assert current.refresh().held.find("b") == THROTTLE


def test_it_says_whether_anybody_gets_less(tmp_path):
    path = tmp_path / "now"
    for action, dry_run, reduces in (
        ("reduce", False, True),
        ("reduce", True, False),
        ("block", False, False),
    ):
        write_snapshot(path, {"a": BLOCK._replace(action=action, dry_run=dry_run)})
        assert Snapshot(path).reduces is reduces


@pytest.mark.parametrize("cut", [0, 7, 31, 60, -1])
def test_part_of_a_snapshot_is_none(tmp_path, cut):
    path = tmp_path / "now"
    write_snapshot(path, {f"a{n}": BLOCK for n in range(5)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SnapshotError):
        Snapshot(path)


def test_terms_that_were_changed_on_the_disk_are_not_believed(tmp_path):
    path = tmp_path / "now"
    write_snapshot(path, {"a": BLOCK})
    path.write_bytes(path.read_bytes().replace(b'"block"', b'"allow"'))
    with pytest.raises(SnapshotError, match="damaged"):
        Snapshot(path)


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "now"
    write_snapshot(path, {"a": BLOCK})

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stillwatch.enforce.snapshot.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_snapshot(path, {"b": BLOCK})
    assert Snapshot(path).find("a") == BLOCK
    assert [entry.name for entry in tmp_path.iterdir()] == ["now"]


def test_it_needs_nothing_but_the_standard_library(tmp_path):
    write_snapshot(tmp_path / "now", {"a": BLOCK})
    asked = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n"
        "from pathlib import Path\n"
        "from stillwatch.enforce.snapshot import Snapshot\n"
        f"print(Snapshot(Path({str(tmp_path / 'now')!r})).find('a').action)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "block\n"
