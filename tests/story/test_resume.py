"""A run that died goes on with the same content only, wherever it died, and ends in the same bytes."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import forked_commands
import pytest

TABLES = ("campaigns", "accounts", "members", "reasons", "timeline")
MAPPING = '[columns]\ntimestamp = "when"\naccount_id = "who"\nexchange_id = "id"\nmodel = "{model}"\n'


def command(*words: str | Path, home: Path) -> list[str]:
    return [*map(str, words), "--sketch-key", str(home / "key"), "--quiet"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path)


def write_log(folder: Path) -> Path:
    """Write a log, and beside it the files that a scan of it is told."""
    rows = [
        {"when": 1767225600 + n, "id": f"r{n}", "who": f"a{n % 50}", "large": "l", "small": "s"}
        for n in range(20_000)
    ]
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "mapping.toml").write_text(MAPPING.format(model="large"))
    (folder / "allow.txt").write_text("a1\n")
    (folder / "accounts.csv").write_text("account_id,country\na1,KR\na2,KR\n")
    return path


def scanning(log: Path, out: Path, *more: str | Path) -> list[str]:
    home = log.parent
    files = ["--mapping", home / "mapping.toml", "--allow", home / "allow.txt", "--accounts"]
    return command("scan", log, *files, home / "accounts.csv", "--out", out, *more, home=home)


def killed(words: list[str], at: Path) -> None:
    """Run a command until the file ``at`` is there, then end it as a power cut would."""
    process = forked_commands.start(words)
    deadline = time.monotonic() + 120
    while not at.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()


def finished(words: list[str], stdin: bytes = b"") -> None:
    """Run a command to its end."""
    done = forked_commands.run(words, stdin=stdin)
    assert done.returncode == 0, done.stderr


def done_before(out: Path) -> set[str]:
    return set(json.loads((out / "unfinished.json").read_text())["done"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing broke off."""
    out = tmp_path_factory.mktemp("whole") / "run"
    finished(scanning(write_log(out.parent), out))
    return out


@pytest.mark.parametrize(
    "at",
    [
        "unfinished.json",
        "rejected.jsonl",
        "stages/profiles.parquet",
        "stages/links.parquet",
        "members.parquet",
    ],
)
def test_a_run_killed_at_any_stage_ends_in_the_same_bytes(log, whole, tmp_path, at):
    broken = tmp_path / "broken"
    shutil.copy(whole.parent / "key", tmp_path)
    killed(scanning(log, broken), broken / at)
    assert not (broken / "manifest.json").exists()
    finished(scanning(log, broken))

    for name in TABLES:
        assert (broken / f"{name}.parquet").read_bytes() == (whole / f"{name}.parquet").read_bytes()
    counts = [json.loads((out / "manifest.json").read_text())["counts"] for out in (whole, broken)]
    assert counts[0] == counts[1]


@pytest.fixture
def unfinished(log: Path, tmp_path: Path) -> Path:
    """The folder of a run that died after its intake."""
    out = tmp_path / "run"
    killed(scanning(log, out), out / "stages" / "profiles.parquet")
    assert "intake" in done_before(out)
    return out


def resumed(out: Path, words: list[str]) -> bool:
    finished(words)
    return "intake" not in json.loads((out / "manifest.json").read_text())["seconds"]


def test_the_same_content_under_another_name_is_gone_on_with(log, unfinished, tmp_path):
    (tmp_path / "mapping.toml").rename(tmp_path / "other.toml")
    assert resumed(
        unfinished, [word.replace("mapping.toml", "other.toml") for word in scanning(log, unfinished)]
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mapping.toml", MAPPING.format(model="small")),
        ("allow.txt", "a2\n"),
        ("accounts.csv", "account_id,country\na1,KR\na2,US\n"),
    ],
)
def test_a_file_whose_content_changed_begins_anew(log, unfinished, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert not resumed(unfinished, scanning(log, unfinished))


def test_a_stream_is_read_anew_because_nobody_knows_what_it_will_hold(log, tmp_path):
    out = tmp_path / "run"
    words = [word if word != str(log) else "-" for word in scanning(log, out)]
    with log.open("rb") as stream:
        process = forked_commands.start(words, streams=(stream.fileno(), 1, 2))
        while not (out / "stages" / "profiles.parquet").exists() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
    assert "intake" in done_before(out)
    finished(words, log.read_bytes())

    assert "intake" in json.loads((out / "manifest.json").read_text())["seconds"]
