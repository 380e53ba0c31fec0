"""A database with every table, for what access keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(address_of(tmp_path / "decisions.db"))
    found.migrate()
    yield found
    found.close()
