"""The small wheel needs nothing, decides from a snapshot, and shares no file with the large one."""

from __future__ import annotations

import subprocess
import venv
import zipfile
from pathlib import Path

import pytest
from deciding import decide
from small_wheel import build_wheel

_ASKS = """
import sys
from pathlib import Path
from stillwatch_enforce.guard import Guard
from stillwatch_enforce.answers import refusal
import stillwatch_enforce.vllm, stillwatch_enforce.litellm, stillwatch_enforce.shared_budgets
guard = Guard(Path(sys.argv[1]))
print([guard.rule(account).action for account in ("blocked", "reduced", "honest")])
print(refusal(guard.rule("blocked")).status, "stillwatch" in sys.modules)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_it_decides_in_an_environment_that_holds_nothing_else(wheel, tmp_path):
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = str(home / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, env={"PATH": ""})
    decide(tmp_path / "snapshot")
    done = subprocess.run(
        [python, "-c", _ASKS, str(tmp_path / "snapshot")], capture_output=True, text=True, check=True, env={}
    )
    assert done.stdout.splitlines() == ["['block', 'reduce', 'allow']", "403 False"]


def test_it_asks_for_nothing_and_owns_no_file_of_the_large_one(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        (metadata,) = [name for name in names if name.endswith("METADATA")]
        told = opened.read(metadata).decode()
        texts = [opened.read(name).decode() for name in names if name.endswith(".py")]
    required = [line for line in told.splitlines() if line.startswith("Requires-Dist")]
    assert [line for line in required if "extra ==" not in line] == []
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"stillwatch_enforce"}
    assert not any("stillwatch.enforce" in text for text in texts)
