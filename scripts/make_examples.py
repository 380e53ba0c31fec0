"""Runs the documentation's examples and writes what they print into the pages.

``python scripts/make_examples.py`` after a change to what a command prints; a test fails while a page is
stale. In a ``console`` block each line that begins with ``$ `` is a command, and what follows is its output;
an ``sh`` block under ``<!-- run -->`` is run without showing what it prints. All pages share one empty
folder, in which the demonstration has been installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
PAGES = ("start.md", "your-logs.md", "verdicts.md")
_BLOCK = re.compile(r"^(?:<!-- run -->\n```sh|(?P<shown>```console))\n(?P<body>.*?)^```$", re.M | re.S)
_KEY = "0" * 32  # the digests of rejected records depend on it
_SECONDS = 500
_UNWANTED = ("STILLWATCH_", "MAKE", "MFLAGS", "FORCE_COLOR")  # of the caller, and of a make around this one

Shell = Callable[[str], str]


def pages(folder: Path, programs: Path = PROGRAMS) -> Iterator[tuple[str, str]]:
    """Name and text of every page, its examples run in the empty ``folder`` with these ``programs``."""
    shell = _shell(folder, programs)
    for name in PAGES:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        yield name, _BLOCK.sub(lambda block: _renewed(block, shell), text)


def _renewed(block: re.Match[str], shell: Shell) -> str:
    """The block with the output of its commands as it is now."""
    if not block["shown"]:
        shell(block["body"])
        return block[0]
    commands = [line for line in block["body"].splitlines() if line.startswith("$ ")]
    parts = [f"{command}\n{shell(command[2:]).rstrip()}\n" for command in commands]
    return "```console\n" + "\n".join(parts) + "```"


def _shell(folder: Path, programs: Path) -> Shell:
    """A shell in a checkout whose installation is done; it prints what users see on their terminal."""
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(programs)
    (folder / ".venv" / ".installed").touch()
    key = folder / ".config" / "stillwatch" / "sketch.key"
    key.parent.mkdir(parents=True)
    key.write_text(_KEY)
    key.chmod(0o600)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_UNWANTED)}
    environment |= {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
    environment["PATH"] = os.pathsep.join([str(folder / ".venv" / "bin"), environment["PATH"]])

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"exit code {done.returncode} of {command}\n{done.stdout}")
        return done.stdout.replace(f"{folder}/", "")

    return run


def main() -> None:
    """Write every page."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in pages(Path(folder)):
            (ROOT / "docs" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
