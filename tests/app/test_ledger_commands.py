"""``stillwatch ledger`` from outside: what it tells, what it removes, and whom it asks before."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import forked_commands
import pyarrow.parquet as pq
import pytest

from stillwatch.access.levels import DEFAULT
from stillwatch.access.signup_memory import SignupMemory
from stillwatch.decisions.store import open_store
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
sys.path.insert(0, str(Path(__file__).parents[1] / "decisions"))
from decided_store import decided
from signups_made import people, sketched

STILLWATCH = Path(sys.executable).with_name("stillwatch")
DOCS = Path(__file__).parents[2] / "docs"
SECONDS = 240
START = datetime(2026, 5, 1, tzinfo=UTC)
ACCOUNTS = [f"account-{number}" for number in range(6)]


def record(number: int) -> dict[str, object]:
    return {
        "timestamp": (START + timedelta(minutes=7 * number)).isoformat(),
        "request_id": f"r{number}",
        "account_id": ACCOUNTS[number % 5],  # the last one never asks
        "messages": [{"role": "user", "content": f"say {number}"}],
    }


def write_log(path: Path, numbers: range) -> Path:
    path.write_text("".join(json.dumps(record(number)) + "\n" for number in numbers), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    home = str(tmp_path_factory.mktemp("home"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}
    return inherited | {"HOME": home, "XDG_CONFIG_HOME": home, "COLUMNS": "100", "TERM": "xterm-256color"}


@pytest.fixture(scope="module")
def stillwatch(environment):
    def run(*arguments, **variables) -> subprocess.CompletedProcess[str]:
        done = forked_commands.run(arguments, environment=environment | variables)
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture(scope="module")
def scanned(stillwatch, tmp_path_factory) -> Path:
    """A state that two scans filled: 100 exchanges of twelve hours, in two parts each, and six records."""
    folder = tmp_path_factory.mktemp("ledger")
    records = folder / "accounts.jsonl"
    records.write_text(
        "".join(json.dumps({"account_id": a, "created_at": "2026-04-01T00:00:00Z"}) + "\n" for a in ACCOUNTS)
    )
    for step in (0, 1):
        log = write_log(folder / f"log-{step}.jsonl", range(step, 100, 2))
        done = stillwatch(
            *("scan", log, "--accounts", records, "--state", folder / "state", "--out", folder / "run", "-q")
        )
        assert done.returncode == 0, done.stderr
    campaigns = [
        {"campaign_id": "cmp_1", "members": ACCOUNTS[:3]},
        {"campaign_id": "cmp_2", "members": ACCOUNTS[2:3]},
    ]
    registry = "".join(json.dumps(campaign) + "\n" for campaign in campaigns)
    (folder / "state" / "campaigns.jsonl").write_text(registry, encoding="utf-8")
    return folder


@pytest.fixture
def state(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scanned / "state", tmp_path / "state"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def document(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text


def members(state: Path) -> dict[str, list[str]]:
    lines = (state / "campaigns.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["campaign_id"]: entry["members"] for entry in map(json.loads, lines)}


def test_stat_tells_what_is_there(stillwatch, state):
    told = stillwatch("ledger", "stat", state)
    assert (told.returncode, told.stderr) == (0, "")
    for words in ("100 of 5 accounts", "2026-05-01 00:00 UTC", "12 hours, up to 2 in one", "2026-05-01"):
        assert words in told.stdout
    found = document(stillwatch("ledger", "stat", state, "--verify", "--json"))
    assert (found["version"], found["exchanges"], found["parts"], found["damaged"]) == (1, 100, 24, [])
    assert (found["account_records"], found["hours"], found["first"]) == (6, 12, "2026-05-01T00:00:00+00:00")
    assert (found["days"][0]["day"], found["days"][0]["exchanges"]) == ("2026-05-01", 100)


def test_stat_names_what_is_damaged(stillwatch, state):
    part = sorted(state.rglob("part-*.parquet"))[3]
    part.write_bytes(b"torn")
    told = stillwatch("ledger", "stat", state)
    assert told.returncode == 2
    assert str(part.relative_to(state / "ledger")) in told.stdout
    assert "Restore it from a copy" in told.stdout


def test_no_command_needs_the_key(stillwatch, state, tmp_path):
    key = tmp_path / "absent" / "key"
    for arguments in (
        ["stat"],
        ["compact"],
        ["expire", "--keep", "1", "--yes"],
        ["forget", "account-1", "--yes"],
    ):
        command, *options = arguments
        done = stillwatch("ledger", command, state, *options, STILLWATCH_SKETCH_KEY=str(key))
        assert done.returncode == 0, done.stderr
    assert not key.parent.exists()


def test_compact_leaves_one_part_to_each_hour(stillwatch, state):
    done = document(stillwatch("ledger", "compact", state, "--json"))
    assert (done["hours"], done["exchanges"], done["parts_before"], done["parts_after"]) == (12, 100, 24, 12)
    assert document(stillwatch("ledger", "stat", state, "--json"))["crowded_hours"] == 0
    before = contents(state)
    again = stillwatch("ledger", "compact", state)
    assert again.stdout == "Nothing to compact: every hour is one part.\n"
    assert contents(state) == before


def test_a_scan_after_compaction_finds_every_exchange_there(stillwatch, scanned, state, tmp_path):
    stillwatch("ledger", "compact", state)
    done = stillwatch(
        *("scan", scanned / "log-0.jsonl", scanned / "log-1.jsonl"),
        *("--state", state, "--out", tmp_path / "run", "--json"),
    )
    counts = document(done)["counts"]
    assert (counts["exchanges"]["duplicates"], counts["ledger"]["exchanges"]) == (100, 0)


def test_expire_drops_whole_hours_and_who_is_over(stillwatch, state):
    before = contents(state)
    asked = ("ledger", "expire", state, "--before", "2026-05-01T11:10", "--json")
    foreseen = document(stillwatch(*asked, "--dry-run"))
    changed = {path for path, content in contents(state).items() if before.get(path) != content}
    assert changed <= {Path("ledger/use")}
    done = document(stillwatch(*asked, "--yes"))
    assert (foreseen["dry_run"], done["dry_run"]) == (True, False)
    assert {**foreseen, "dry_run": False} == done
    assert (done["before"], done["hours"]) == ("2026-05-01T11:00:00+00:00", 11)
    assert done["exchanges"] == 95  # the 95th came at 11:05
    assert done["account_records"] == 1
    assert document(stillwatch("ledger", "stat", state, "--json"))["exchanges"] == 5
    assert members(state) == {"cmp_1": ACCOUNTS[:3], "cmp_2": ACCOUNTS[2:3]}
    assert "Nothing to remove" in stillwatch(*asked[:-1], "--yes").stdout


def test_the_registry_keeps_no_member_without_an_exchange(stillwatch, state):
    done = document(stillwatch("ledger", "expire", state, "--before", "2026-05-01T12:00", "--yes", "--json"))
    assert (done["campaign_members"], done["campaigns"]) == (4, 2)
    assert (state / "campaigns.jsonl").read_bytes() == b""


@pytest.mark.parametrize("options", [[], ["--before", "2026-05-01", "--keep", "3"]])
def test_expire_wants_one_time(stillwatch, state, options):
    done = stillwatch("ledger", "expire", state, *options, "--yes")
    assert done.returncode == 2
    assert "give either --before or --keep" in one_line(done.stderr).lower()


def test_forget_leaves_no_byte_of_an_account(stillwatch, scanned, state):
    ledger, unwanted = state / "ledger", ACCOUNTS[2]
    # What a scan leaves that dies before it seals, and one that dies over a file.
    part = sorted(ledger.rglob("part-*.parquet"))[-1]
    shutil.copy(part, ledger / "staging" / "sketches" / "run-1.parquet")
    shutil.copy(ledger / "accounts" / "accounts.parquet", ledger / "staging" / "accounts" / "run-1.parquet")
    for folder in (state, ledger / "accounts", ledger / "staging" / "sketches"):
        (folder / ".campaigns.jsonl.4711.tmp").write_text(unwanted)
    foreseen = document(stillwatch("ledger", "forget", state, unwanted, "nobody", "--dry-run", "--json"))
    done = document(stillwatch("ledger", "forget", state, unwanted, "nobody", "--yes", "--json"))
    assert {**foreseen, "dry_run": False} == done
    assert (done["accounts"], done["unknown"]) == ([unwanted, "nobody"], ["nobody"])
    assert (done["exchanges"], done["account_records"], done["staged_account_records"]) == (20, 1, 1)
    assert (done["campaign_members"], done["campaigns"]) == (2, 1)
    for path, content in contents(state).items():
        assert unwanted.encode() not in content, path
        if path.suffix == ".parquet":
            ids = pq.ParquetFile(state / path).read()["account_id"].to_pylist()
            assert unwanted not in ids, path
            assert set(ids) <= set(ACCOUNTS)
    assert members(state) == {"cmp_1": ACCOUNTS[:2]}
    assert document(stillwatch("ledger", "stat", state, "--verify", "--json"))["exchanges"] == 80


def test_forget_says_what_it_does_not_know_and_what_it_cannot_reach(stillwatch, state):
    told = stillwatch("ledger", "forget", state, "nobody", "--yes")
    assert told.returncode == 0
    assert "nobody: nothing is held of this account." in told.stdout
    for beyond in ("run folders", "rm -r", "--allow", "backups"):
        assert beyond in told.stdout


@pytest.mark.parametrize("command", [["expire", "--keep", "1"], ["forget", "account-1"]])
def test_nothing_goes_unasked(stillwatch, state, command):
    name, *options = command
    before = contents(state)
    done = stillwatch("ledger", name, state, *options)
    assert done.returncode == 2
    assert "--yes" in one_line(done.stderr)
    assert contents(state) == before


@pytest.mark.parametrize(("answer", "left"), [("n", 100), ("", 100), ("y", 80)])
def test_a_person_is_asked(stillwatch, environment, state, answer, left):
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [STILLWATCH, "ledger", "forget", state, "account-1"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        os.close(terminal)
        os.write(keyboard, f"{answer}\n".encode())
        told, asked = process.communicate(timeout=SECONDS)
    os.close(keyboard)
    assert process.returncode == 0
    assert "This removes 20 exchanges" in asked
    assert ("Removed 20 exchanges" if answer == "y" else "Nothing was removed") in told
    assert document(stillwatch("ledger", "stat", state, "--json"))["exchanges"] == left


def test_a_ledger_in_use_is_waited_for_with_a_word(environment, state):
    with (state / "ledger" / "use").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(
            [STILLWATCH, "ledger", "stat", state],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        ) as process:
            assert "waiting for another stillwatch" in process.stderr.readline()
            fcntl.flock(held, fcntl.LOCK_UN)
            assert "exchanges" in process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 0


@pytest.mark.parametrize("command", ["stat", "compact", "expire", "forget"])
def test_what_is_no_ledger_is_one_line(stillwatch, tmp_path, command):
    options = {"expire": ["--keep", "1", "--yes"], "forget": ["a", "--yes"]}.get(command, [])
    done = stillwatch("ledger", command, tmp_path, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no ledger here" in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_deleted_whole(stillwatch, scanned):
    done = stillwatch("ledger", "forget", scanned / "run", "account-1", "--yes")
    assert done.returncode == 2
    assert "Delete the folder whole" in one_line(done.stderr)


def test_a_damaged_file_stops_a_removal_before_it_begins(stillwatch, state):
    part = sorted(state.rglob("part-*.parquet"))[3]
    part.write_bytes(b"torn")
    before = contents(state)
    done = stillwatch("ledger", "forget", state, "account-1", "--yes")
    assert done.returncode == 2
    assert part.name in one_line(done.stderr)
    assert contents(state) == before


def test_every_field_of_the_documents_is_documented(stillwatch, state):
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    for command in (["stat"], ["compact"], ["expire", "--keep", "1", "--yes"], ["forget", "a", "--yes"]):
        name, *options = command
        section = (
            text.split(f"## ledger {name}\n")[1].split("\n## ")[0]
            + text.split("# JSON output")[1].split("\n## ")[0]
        )
        fields = document(stillwatch("ledger", name, state, *options, "--json"))
        assert [field for field in fields if f"`{field}`" not in section] == []


def test_quiet_says_nothing(stillwatch, state):
    for command in (["stat"], ["compact"], ["expire", "--keep", "1", "--yes"], ["forget", "a", "--yes"]):
        name, *options = command
        done = stillwatch("ledger", name, state, *options, "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_forget_reaches_labels_and_expire_leaves_them(stillwatch, state, scanned):
    run = scanned / "run"
    for account in ("account-1", "account-2"):
        note = f"{account} resells, as account-1 does"
        done = stillwatch("label", run, account, "honest", "--note", note, "--state", state)
        assert done.returncode == 0, done.stderr
    before = (state / "labels.jsonl").read_bytes()
    assert document(stillwatch("ledger", "expire", state, "--keep", "1", "--yes", "--json"))["labels"] == 0
    assert (state / "labels.jsonl").read_bytes() == before
    gone = document(stillwatch("ledger", "forget", state, "account-1", "--yes", "--json"))
    assert (gone["labels"], gone["unknown"]) == (2, [])
    assert b"account-1" not in b"".join(contents(state).values())
    [kept] = (state / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(kept)["note"] == "account-2 resells, as (forgotten) does"


def test_forget_reaches_sign_ups_that_are_remembered(stillwatch, state):
    open_store(state / "decisions.db").close()
    memory = SignupMemory(Database(address_of(state / "decisions.db")), DEFAULT)
    memory.screen(sketched(people(3)), datetime.now(UTC), AuditLog(state / "audit.jsonl"))
    told = document(stillwatch("ledger", "forget", state, "acct-1", "acct-2", "--dry-run", "--json"))
    assert (told["signups"], told["unknown"]) == (2, [])
    stillwatch("ledger", "forget", state, "acct-1", "acct-2", "--yes")
    assert memory.known(["acct-0", "acct-1", "acct-2"]) == {"acct-0"}
    assert b"acct-1" not in b"".join(contents(state).values())


def test_forget_reaches_decisions_and_the_audit_log_says_how_many_left(stillwatch, state):
    decided(state, "account-1", "account-2")
    told = document(stillwatch("ledger", "forget", state, "account-1", "--dry-run", "--json"))
    assert told["decision_members"] == 2  # of what is observed at first, and of what acts
    gone = document(stillwatch("ledger", "forget", state, "account-1", "--yes", "--json"))
    assert (gone["decision_members"], gone["unknown"]) == (2, [])
    assert b"account-1" not in b"".join(contents(state).values())
    entry = json.loads((state / "audit.jsonl").read_text().splitlines()[-1])
    assert {change["change"] for change in entry["changes"]} == {"forgotten"}
    shown = document(stillwatch("decisions", "list", "--state", state, "--json"))
    assert {one["accounts"] for one in shown["decisions"]} == {1}
    assert stillwatch("audit", "verify", state / "audit.jsonl").returncode == 0
