"""Installs the pinned LiteLLM proxy into a virtual environment of its own, once per lock file.

``python tests/gateways/install_litellm.py`` does it by hand; the tests do it on their own.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

LOCK = Path(__file__).with_name("requirements-litellm.lock")
HOME = Path(__file__).parents[2] / ".venv-litellm"
INSTALL_SECONDS = 600


class LiteLLMUnavailableError(Exception):
    """The proxy could not be installed; the message says why."""


def install_litellm(home: Path = HOME, lock: Path = LOCK) -> Path:
    """Return the proxy's executable, installing it only where it is absent or of another lock.

    Raises:
        LiteLLMUnavailableError: the environment could not be made, for want of a network most of all.
    """
    executable, stamp = home / "bin" / "litellm", home / "installed"
    wanted = _fingerprint(lock)
    with lock.open("rb") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # the suite's other process may be at it
        if not (stamp.is_file() and stamp.read_text() == wanted and executable.is_file()):
            venv.create(home, clear=True, with_pip=True)
            _pip_install(home / "bin" / "python", lock)
            stamp.write_text(wanted)  # last: an install that broke off leaves none and is made again
    return executable


def _fingerprint(lock: Path) -> str:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{hashlib.sha256(lock.read_bytes()).hexdigest()} python {python}"


def _pip_install(python: Path, lock: Path) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # --no-compile: the few modules that a start imports compile themselves, the rest need not.
    # --no-deps: the lock is the whole closure; to resolve it again would let a new release of any of them
    # (as "pydantic[email]>=1.8.0") reach an installation that asks for hashes, and break it.
    command += ["--no-compile", "--no-deps", "--retries", "2", "--require-hashes", "--requirement", str(lock)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise LiteLLMUnavailableError(f"pip did not end within {INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        raise LiteLLMUnavailableError(f"pip could not install the LiteLLM proxy: {lines[-1]}")


if __name__ == "__main__":
    try:
        print(install_litellm())
    except LiteLLMUnavailableError as unavailable:
        sys.exit(str(unavailable))
