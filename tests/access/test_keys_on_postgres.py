"""On PostgreSQL keys are kept as in a file, whatever an account is called and however many change at once."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from issuing import issuing

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from postgres_server import PostgresUnavailableError, postgres

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp())
    try:
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as unavailable:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(unavailable))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_keys_are_kept_and_change_in_order(server, tmp_path):
    odd = "a\\b\0'계정"
    with issuing(tmp_path, server) as keys:
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(keys.issue, [odd] * 12))
        assert [revision for revision, _ in keys.store.changed(0).keys] == list(range(1, 13))
        assert {key.account_id for key in keys.store.page(odd)} == {odd}
        keys.revoke(made[0])
        rotated = keys.store.rotate(keys.audit, made[1].key.id, timedelta(hours=1), NOW, "kim")
        assert [key.id for _, key in keys.store.changed(12).keys[:1]] == [made[0].key.id]
        assert keys.store.get(rotated.key.id) == rotated.key
        assert keys.store.forget(keys.audit, [odd], NOW, "kim") == 13
        assert keys.store.page() == []
