"""A PostgreSQL server of a test's own: a fresh cluster in a folder, on a Unix socket, ended by its id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 20


class PostgresUnavailableError(Exception):
    """No server can be started here; the message says why."""


def program(name: str) -> str:
    """Where a program of the server lies: on the path, or where Debian keeps them.

    Raises:
        PostgresUnavailableError: it is not installed.
    """
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(kept[-1]) if kept else None)
    if found is None:
        raise PostgresUnavailableError(f"the PostgreSQL server is not installed ({name} is not found)")
    return found


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a server in ``folder``, yield the address of its database and end it, whoever is connected.

    A folder that one ran in before has its data still.

    Raises:
        PostgresUnavailableError: it is not installed.
    """
    initdb, server = program("initdb"), program("postgres")
    owner = _owner()
    if owner is not None:
        os.chown(folder, owner, -1)
        for parent in (folder, *folder.parents[:-1]):
            if not os.access(parent, os.X_OK) or parent.stat().st_mode & 0o011 == 0:
                parent.chmod(parent.stat().st_mode | 0o011)
    data = folder / "data"
    initialise = [initdb, "-D", str(data), "-U", "reader", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    if not data.exists():
        subprocess.run(initialise, check=True, capture_output=True, user=owner, cwd=folder)
    command = [server, "-D", str(data), "-k", str(folder), "-h", "", "-F"]
    with (folder / "server.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, user=owner, cwd=folder)
    try:
        _wait_until_ready(process, folder)
        yield f"postgresql://reader@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown: the usual one waits for clients to go
        process.wait(STOP_SECONDS)


def _owner() -> int | None:
    """The server refuses to run as the superuser; another user must own its files then."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names["nobody"])


def execute(address: str, sql: str, **values: str) -> str:
    """Run statements, in which ``:'name'`` is one of ``values`` as a literal; return what they print.

    Raises:
        CalledProcessError: the server does not answer, or a statement fails.
    """
    command = [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address]
    named = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
    done = subprocess.run([*command, *named], input=sql, text=True, check=True, capture_output=True)
    return done.stdout


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            execute(f"postgresql://reader@/postgres?host={folder}", "SELECT 1")
            return
        except subprocess.CalledProcessError:
            time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not become ready:\n{(folder / 'server.out').read_text()[-2000:]}")
