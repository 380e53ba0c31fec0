"""One small simulated world, scanned once through the command line, for every test of the story."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import forked_commands
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules lie beside this file

SCALE = "0.2"


@dataclass(frozen=True)
class Finished:
    """How one command ended and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Finished]


@dataclass(frozen=True)
class World:
    """A simulated world's files."""

    folder: Path

    @property
    def accounts(self) -> Path:
        return self.folder / "accounts.parquet"

    @property
    def glob(self) -> str:
        """The request log, as a pattern that stillwatch expands itself."""
        return str(self.folder / "exchanges-*.parquet")

    def exchanges(self) -> pa.Table:
        """The request log as one table."""
        return pa.concat_tables(
            pq.read_table(path) for path in sorted(self.folder.glob("exchanges-*.parquet"))
        )

    def campaigns(self) -> dict[str, set[str]]:
        """The true campaigns: name -> accounts."""
        found: dict[str, set[str]] = {}
        for row in pq.read_table(self.folder / "truth.parquet").to_pylist():
            if row["campaign"] is not None:
                found.setdefault(row["campaign"], set()).add(row["account_id"])
        return found


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the tests' own: the user's sketch key and settings stay out of it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def stillwatch(home: Path) -> Command:
    """Runs a command; ``stdin`` feeds it bytes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}
    environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "COLUMNS": "100"}

    def run(*arguments: str | Path, stdin: bytes = b"") -> Finished:
        done = forked_commands.run(arguments, stdin=stdin, environment=environment)
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def world(stillwatch: Command, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("story") / "world"
    done = stillwatch("simulate", "demo", "--scale", SCALE, "--seed", "5", "--out", folder, "--quiet")
    assert done.code == 0, done.err
    return World(folder)


@pytest.fixture(scope="session")
def scanned(stillwatch: Command, world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a plain scan of the world."""
    out = tmp_path_factory.mktemp("scanned") / "run"
    done = stillwatch("scan", world.glob, "--accounts", world.accounts, "--out", out, "--quiet")
    assert done.code == 0, done.err
    return out
