"""The command line from outside: exit codes, streams, one-line errors. Detection is tested elsewhere."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO

import forked_commands
import pytest

from stillwatch import __version__

STILLWATCH = Path(sys.executable).with_name("stillwatch")
SECONDS = 240


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """The user's own settings and sketch key stay out of the tests."""
    home = str(tmp_path_factory.mktemp("home"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}
    return inherited | {"HOME": home, "XDG_CONFIG_HOME": home, "COLUMNS": "100", "TERM": "xterm-256color"}


@pytest.fixture(scope="module")
def stillwatch(environment):
    def run(*arguments, stdin=b"", **variables) -> subprocess.CompletedProcess[str]:
        done = forked_commands.run(arguments, stdin=stdin, environment=environment | variables)
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture(scope="module")
def world(stillwatch, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "world"
    done = stillwatch("simulate", "demo", "--scale", "0.3", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def scanned(stillwatch, world, tmp_path_factory) -> subprocess.CompletedProcess[str]:
    out = tmp_path_factory.mktemp("cli-run") / "run"
    accounts = world / "accounts.parquet"
    log = world / "exchanges-*.parquet"
    return stillwatch("scan", log, "--accounts", accounts, "--out", out, "--json", "--fail-on", "campaign")


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert text.startswith("stillwatch: ")
    return text


def test_the_version_is_told(stillwatch):
    assert stillwatch("--version").stdout == f"stillwatch {__version__}\n"


@pytest.mark.parametrize("command", ["scan", "replay", "explain", "simulate"])
def test_help_teaches_by_example(stillwatch, command):
    done = stillwatch(command, "--help")
    assert done.returncode == 0
    assert f"stillwatch {command} " in done.stdout.split("Examples:")[1]
    for option in ("--json", "--quiet"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["scan"], "Missing argument 'INPUT'. See `stillwatch scan --help`"),
        (["scan", "log", "--colour"], "No such option: --colour"),
        (["scan", "log", "--max-rejects", "5%"], "field --max-rejects: '5%'"),
        (["scan", "log", "--allow", "absent.txt"], "field --allow: 'absent.txt'"),
        (["scan", "absent.jsonl"], "absent.jsonl"),
        (["explain", "absent", "cmp_1"], "absent: there is no such run folder"),
        (["simulate", "atlantis"], "no preset is called 'atlantis'. Choose one of: demo,"),
        (["simulate", "demo", "--scale", "0"], "field --scale: '0'"),
        (["sing"], "No such command 'sing'. See `stillwatch --help`"),
    ],
)
def test_a_mistake_is_one_line_that_helps(stillwatch, tmp_path, arguments, complaint):
    out = ["--out", str(tmp_path / "out")] if arguments[0] != "explain" else []
    done = stillwatch(*arguments, *(out if len(arguments) > 1 else []))
    assert done.returncode == 2
    assert done.stdout == ""
    assert complaint in one_line(done.stderr)


def test_a_name_cannot_write_to_the_terminal(stillwatch):
    done = stillwatch("explain", "run\x1b[31m\nfolder", "cmp_1")
    assert "\x1b" not in one_line(done.stderr)


def test_a_scan_prints_one_document_and_fails_on_a_campaign_if_told(scanned):
    document = json.loads(scanned.stdout)
    assert scanned.returncode == 1
    assert scanned.stderr == ""  # no terminal, no progress
    assert document["version"] == 1
    assert set(document) == {"version", "out", "report", "pdf", "campaigns", "accounts", "counts", "warnings"}
    assert {group["verdict"] for group in document["campaigns"]} >= {"campaign"}
    assert set(document["accounts"]) == {"campaign", "watch", "clear"}
    assert Path(document["report"]).is_file()
    findings = (Path(document["out"]) / "findings.ocsf.jsonl").read_text(encoding="utf-8").splitlines()
    ids = [group["campaign_id"] for group in document["campaigns"]]
    assert [json.loads(line)["finding_info"]["uid"] for line in findings] == ids
    rows = (Path(document["out"]) / "campaigns.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [row.partition(",")[0] for row in rows[1:]] == ids


def test_explain_speaks_of_campaigns_and_accounts(stillwatch, scanned):
    document = json.loads(scanned.stdout)
    campaign = document["campaigns"][0]["campaign_id"]
    told = stillwatch("explain", document["out"], campaign)
    assert (told.returncode, told.stderr) == (0, "")
    assert campaign in told.stdout
    told = json.loads(stillwatch("explain", document["out"], campaign, "--json").stdout)
    assert (told["kind"], told["campaign_id"]) == ("campaign", campaign)
    member = told["firmest_members"][0]["account_id"]
    assert member in stillwatch("explain", document["out"], member).stdout


def test_explain_can_keep_quiet(stillwatch, scanned):
    document = json.loads(scanned.stdout)
    told = stillwatch("explain", document["out"], document["campaigns"][0]["campaign_id"], "--quiet")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert stillwatch("explain", document["out"], "cmp_nobody", "--quiet").returncode == 2


def test_too_many_rejects_end_with_a_code_of_their_own(stillwatch, tmp_path):
    row = {"timestamp": "2026-05-01T00:00:00Z", "account_id": "a", "request_id": "1"}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(row) + "\n{broken\n", encoding="utf-8")
    done = stillwatch("scan", log, "--format", "table", "--out", tmp_path / "run")
    assert done.returncode == 3
    assert "--max-rejects" in one_line(done.stderr)
    assert json.loads((tmp_path / "run" / "rejected.jsonl").read_text())["line"] == 2


def test_a_clean_scan_tells_where_it_left_the_report(stillwatch, tmp_path):
    row = {"timestamp": "2026-05-01T00:00:00Z", "account_id": "a", "request_id": "1"}
    done = stillwatch(
        "scan", "-", "--out", tmp_path / "my run", "--fail-on", "campaign", stdin=json.dumps(row).encode()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 campaigns and 0 to watch among 1 account\n")
    assert str(tmp_path / "my run" / "report.html") in done.stdout


def test_a_pdf_is_written_where_it_is_asked_for_and_does_not_outlive_its_run(stillwatch, tmp_path):
    row = {"timestamp": "2026-05-01T00:00:00Z", "account_id": "a", "request_id": "1"}
    arguments, log = ("scan", "-", "--out", tmp_path / "run"), json.dumps(row).encode()
    printed = tmp_path / "run" / "report.pdf"
    told = stillwatch(*arguments, "--pdf", stdin=log)
    assert str(printed) in told.stdout, told.stderr
    assert printed.read_bytes().startswith(b"%PDF")
    assert str(printed) not in stillwatch(*arguments, stdin=log).stdout
    assert not printed.exists()
    document = stillwatch(*arguments, "--json", stdin=log, STILLWATCH_PDF="1").stdout
    assert json.loads(document)["pdf"] == str(printed)
    assert printed.exists()


def test_a_report_is_printed_again_beside_the_page(stillwatch, tmp_path):
    row = {"timestamp": "2026-05-01T00:00:00Z", "account_id": "a", "request_id": "1"}
    assert stillwatch("scan", "-", "--out", tmp_path / "run", stdin=json.dumps(row).encode()).returncode == 0
    page = tmp_path / "ko.html"
    again = stillwatch("report", tmp_path / "run", "--lang", "ko", "--pdf", "--out", page, "--json")
    assert json.loads(again.stdout) == {
        "version": 1,
        "report": str(page),
        "pdf": str(tmp_path / "ko.pdf"),
    }
    assert (tmp_path / "ko.pdf").read_bytes().startswith(b"%PDF")
    assert "ko.pdf" not in stillwatch("report", tmp_path / "run", "--out", page).stdout


def test_a_simulation_tells_how_to_scan_it(stillwatch, tmp_path):
    done = stillwatch("simulate", "demo", "--scale", "0.01", "--out", tmp_path / "my world")
    command = done.stdout.splitlines()[-1]
    assert "'" in command  # quoted, for the space
    assert command.split(":", 1)[1].strip().startswith("stillwatch scan ")
    quiet = stillwatch("simulate", "demo", "--scale", "0.01", "--out", tmp_path / "my world", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_simulation_is_described_as_json(stillwatch, tmp_path):
    done = stillwatch("simulate", "demo", "--scale", "0.01", "--out", tmp_path / "world", "--json")
    document = json.loads(done.stdout)
    assert document["preset"] == "demo"
    assert all(Path(file).is_file() for file in document["files"])


def test_progress_is_shown_to_a_person_alone(environment, tmp_path):
    shown, terminal = pty.openpty()
    with subprocess.Popen(
        [STILLWATCH, "simulate", "demo", "--scale", "0.1", "--out", tmp_path / "world", "--json"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment | {"NO_COLOR": "1"},
    ) as process:
        os.close(terminal)
        seen = b"".join(iter(lambda: _read(shown), b"")).decode()
        document = process.communicate(timeout=SECONDS)[0]
    os.close(shown)
    assert process.returncode == 0
    assert json.loads(document)["exchanges"] > 0
    assert re.search(r"simulate .*\d rows +\S+ rows/s", seen)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", seen)  # no colour where NO_COLOR asks for none


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_a_reader_that_leaves_is_no_defect(environment):
    with subprocess.Popen(
        [STILLWATCH, "scan", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        process.stdout.close()
        complaint = process.stderr.read()
        process.wait(SECONDS)
    assert process.returncode == -signal.SIGPIPE
    assert complaint == b""


def test_ctrl_c_says_how_to_go_on(environment, tmp_path):
    with _scan_of_a_pipe(environment, tmp_path / "run") as process:
        row = b'{"timestamp": "2026-05-01T00:00:00Z", "account_id": "a"}\n'
        process.stdin.write(row * 40_000)  # more than it looks at before it begins
        process.stdin.flush()
        _wait_for(tmp_path / "run" / "rejected.jsonl")  # it is at work now, and waits for its input
        process.send_signal(signal.SIGINT)
        complaint = process.stderr.read().decode()
        process.wait(SECONDS)
    assert process.returncode == 130
    assert "goes on from the last stage" in one_line(complaint)


def test_ctrl_c_ends_the_wait_for_an_input_that_says_nothing_yet(environment, tmp_path):
    with _scan_of_a_pipe(environment, tmp_path / "run") as process:
        process.stdin.write(b"{")
        process.stdin.flush()
        _wait_until_taken(process.stdin)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            process.kill()
        complaint = process.stderr.read().decode()
    assert process.returncode == 130
    assert "interrupted" in complaint


def _scan_of_a_pipe(environment: dict[str, str], out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [STILLWATCH, "scan", "-", "--out", out],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=_hear_ctrl_c,
    )


def _wait_until_taken(pipe: IO[bytes]) -> None:
    for _ in range(30 * 20):
        if not any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))):
            return
        time.sleep(0.05)
    raise TimeoutError("nobody read the pipe")


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores it


def _wait_for(path: Path) -> None:
    for _ in range(30 * 20):
        if path.exists():
            return
        time.sleep(0.05)
    raise TimeoutError(f"{path} never appeared")
