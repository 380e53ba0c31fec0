"""How the command behaves in a shell: completion, and no colour where none is wanted."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

STILLWATCH = Path(sys.executable).with_name("stillwatch")
SECONDS = 120


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    dropped = ("STILLWATCH_", "NO_COLOR", "FORCE_COLOR")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    return inherited | home | {"TERM": "xterm-256color", "COLUMNS": "100"}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("do", {"doctor"}),
        ("s", {"scan", "seals", "serve", "signals", "signups", "simulate"}),
        ("ledger f", {"forget"}),
        ("scan --max", {"--max-rejects"}),
        ("scan --lang ", {"en", "ko"}),
        ("scan --format openi", {"openinference"}),
        ("simulate q", {"quiet"}),
        ("explain RUN cmp_", {"cmp_1", "cmp_2"}),
        ("explain RUN cmp_2", {"cmp_2"}),
        ("explain ABSENT cmp_", set()),
    ],
)
def test_the_shell_completes_what_can_be_known(environment, tmp_path, typed, offered):
    (tmp_path / "run").mkdir()
    ids = pa.table({"campaign_id": ["cmp_2", "cmp_1"]})
    pq.write_table(ids, tmp_path / "run" / "campaigns.parquet")
    words = f"stillwatch {typed}".replace("RUN", str(tmp_path / "run"))
    asked = {"_STILLWATCH_COMPLETE": "complete_bash", "COMP_WORDS": words}
    asked["COMP_CWORD"] = str(words.count(" "))
    done = subprocess.run(
        [STILLWATCH], env=environment | asked, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == offered


def test_completion_is_installed_for_the_user_s_shell(environment, tmp_path):
    done = subprocess.run(
        ["bash", "-c", f"'{STILLWATCH}' --install-completion; exit $?"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bash completion installed" in done.stdout
    assert "stillwatch" in (tmp_path / ".bashrc").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "variables", "coloured"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False)],
)
def test_colour_is_left_out_where_asked(environment, tmp_path, options, variables, coloured):
    shown, terminal = pty.openpty()
    command = [STILLWATCH, *options, "simulate", "demo", "--scale", "0.01", "--out", tmp_path / "world"]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment | variables) as process:
        os.close(terminal)
        seen = b"".join(iter(lambda: _read(shown), b"")).decode()
    os.close(shown)
    assert process.returncode == 0, seen
    assert "simulate" in seen
    assert ("\x1b[3" in seen or "\x1b[1;3" in seen) is coloured, seen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""
