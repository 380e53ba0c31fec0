"""``stillwatch top`` against a real service: one screen, one document, and clear errors."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent / "service"))
from control_desk import controlled, furnished, write_report

from stillwatch.app import cli
from stillwatch.app.top import Seen, screen

NASTY = "disk\x1b]0;owned\x07 full"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):
    state = tmp_path_factory.mktemp("top") / "state"
    store = furnished(state)
    write_report(state, error=NASTY)
    with controlled(state, store=store) as client:
        yield str(client.base_url)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "read.token"
    file.write_text("reader\n")
    return file


def test_one_screen_shows_traffic_campaigns_decisions_and_what_ails(service, token, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.run(["top", "--url", service, "--token-file", str(token), "--once"]) == 0
    printed = capsys.readouterr().out
    for part in (
        "Judge",
        "1,250,000",
        "Campaigns: 2",
        "cmp_1",
        "Decisions that stand: 1",
        "throttle",
        " 288,000 ",
        "3.1e-07",
    ):
        assert part in printed, part
    assert "! judge: disk ]0;owned  full" in printed
    assert "\x1b" not in printed


def test_a_program_gets_one_document(service, monkeypatch, capsys):
    monkeypatch.setenv("STILLWATCH_TOKEN", "reader")
    assert cli.run(["top", "--url", service, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == 1
    assert told["status"]["campaigns"]["campaign"] == 1
    assert told["campaigns"][0]["campaign_id"] == "cmp_1"
    assert told["decisions"][0]["accounts"] == 250


@pytest.mark.parametrize(
    ("now", "words"),
    [("02:59", "7 exchanges in 2 hours\n"), ("04:30", "7 exchanges in 2 hours up to 2026-06-01 03:00 UTC\n")],
)
def test_traffic_that_is_old_says_up_to_when(service, monkeypatch, capsys, now, words):
    monkeypatch.setenv("STILLWATCH_TOKEN", "reader")
    cli.run(["top", "--url", service, "--json"])
    status = json.loads(capsys.readouterr().out)["status"]
    hours = [{"hour": f"2026-06-01T0{hour}:00:00Z", "exchanges": hour + 2} for hour in (1, 2)]
    status |= {"now": f"2026-06-01T{now}:00Z", "traffic": {"hours": hours, "received": None}}
    console = Console(width=200)
    with console.capture() as shown:
        console.print(screen(Seen(status, {"total": 0, "campaigns": []}, None)))
    assert words in "\n".join(line.rstrip() for line in shown.get().splitlines()) + "\n"


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ("wrong", "the token does not hold"),
        ("sender", "the token has not the scope `read`"),
        ("", "it is no token"),
    ],
)
def test_a_token_that_does_not_do_is_told(service, token, capsys, held, words):
    token.write_text(held)
    assert cli.run(["top", "--url", service, "--token-file", str(token), "--once"]) == 2
    assert words in capsys.readouterr().err


def test_what_is_no_service_is_told(service, token, capsys):
    assert cli.run(["top", "--url", f"{service}/healthz?", "--token-file", str(token), "--once"]) == 2
    assert cli.run(["top", "--url", "127.0.0.1:8790", "--token-file", str(token)]) == 2
    assert "is no address of a service" in capsys.readouterr().err


def test_in_a_terminal_it_stays_until_it_is_interrupted(service, token):
    own, theirs = pty.openpty()
    program = [sys.executable, "-m", "stillwatch", "top", "--url", service, "--token-file", str(token)]
    running = subprocess.Popen(program, stdout=theirs, stderr=theirs, stdin=theirs, start_new_session=True)
    os.close(theirs)
    shown, end = b"", time.monotonic() + 60
    while b"cmp_1" not in shown and time.monotonic() < end:
        if select.select([own], [], [], 1)[0]:
            shown += os.read(own, 65_536)
    running.send_signal(signal.SIGINT)
    while running.poll() is None and time.monotonic() < end:
        if select.select([own], [], [], 0.2)[0]:
            with suppress(OSError):  # the other end is gone
                os.read(own, 65_536)
    os.close(own)
    assert b"cmp_1" in shown
    assert running.returncode == 0
