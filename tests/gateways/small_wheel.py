"""The small wheel as it would be published: built from this checkout, and laid out in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "packaging" / "enforce"


def build_wheel(folder: Path) -> Path:
    """Build it into ``folder`` and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("stillwatch_enforce-*.whl")
    return wheel


def lay_out(wheel: Path, folder: Path) -> Path:
    """Install the wheel below ``folder``, so that a gateway's own environment stays as it is."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder
