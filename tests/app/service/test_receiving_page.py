"""The commands of the page on sending records do what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from receiving_desk import TOKEN

PAGE = Path(__file__).parents[3] / "docs" / "receiving.md"
COMMANDS = re.findall(r"```sh\n(curl.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("command", COMMANDS, ids=["exchanges", "accounts"])
def test_the_commands_of_the_page_are_accepted_whole(client, command):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    ours = command.replace("http://127.0.0.1:8790", str(client.base_url).rstrip("/"))
    environment = {"TOKEN": TOKEN, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", ours], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    assert '"rejected":0' in done.stdout
    assert '"accepted":0' not in done.stdout
