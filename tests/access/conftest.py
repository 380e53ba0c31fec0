"""A database with every table, and a store of keys, for what access keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from issuing import Issuing, issuing

from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(address_of(tmp_path / "decisions.db"))
    found.migrate()
    yield found
    found.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuing]:
    """A store of keys that a module's tests share."""
    with issuing(tmp_path_factory.mktemp("keys")) as opened:
        yield opened
