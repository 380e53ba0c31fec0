"""The tables of one finished run, as the evidence stage reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import (
    ACCOUNTS,
    CAMPAIGNS,
    DECLARED,
    LABELLED,
    LOOKALIKES,
    MEMBERS,
    REASONS,
    TIES,
    TIMELINE,
    ContractError,
    RunFolderError,
    conform,
)

_SCHEMAS: Final = {
    "campaigns": CAMPAIGNS,
    "accounts": ACCOUNTS,
    "members": MEMBERS,
    "reasons": REASONS,
    "timeline": TIMELINE,
    "lookalikes": LOOKALIKES,
    "ties": TIES,
    "declared": DECLARED,
    "labelled": LABELLED,
}
_AGAIN: Final = "Run `stillwatch scan` again with the same --out to complete the folder"


@dataclass(frozen=True)
class RunTables:
    """Everything the evidence stage knows of a run: the tables of the contracts and the manifest.

    The manifest is read for these keys, each of which may be absent: ``stillwatch`` (version),
    ``started_at`` (ISO 8601), ``inputs`` (a list of objects with ``path``, ``bytes``, ``sha256``,
    ``format``), ``counts`` (stage -> name -> number), ``settings`` (name -> value) and ``warnings``
    (a list of objects with ``kind``, ``source``, ``also`` and what the words for the kind need).
    """

    campaigns: pa.Table
    accounts: pa.Table
    members: pa.Table
    reasons: pa.Table
    timeline: pa.Table
    lookalikes: pa.Table
    ties: pa.Table
    manifest: Mapping[str, Any]
    declared: pa.Table = field(default_factory=DECLARED.empty_table)
    labelled: pa.Table = field(default_factory=LABELLED.empty_table)

    @classmethod
    def load(cls, run_dir: Path) -> RunTables:
        """Read the tables and the manifest that ``stillwatch scan`` left in ``run_dir``.

        Raises:
            RunFolderError: the folder is missing, lacks a file, or holds one that cannot be read
                or has other columns.
        """
        if not run_dir.is_dir():
            raise RunFolderError(
                "there is no such run folder",
                remedy="Name the folder that `stillwatch scan --out` wrote",
                file=str(run_dir),
            )
        tables = {name: _read(run_dir / f"{name}.parquet", schema) for name, schema in _SCHEMAS.items()}
        return cls(**tables, manifest=_read_manifest(run_dir / "manifest.json"))


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        raise _missing(path)
    try:
        return conform(pq.ParquetFile(path).read(), schema, "evidence")
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, "it cannot be read as Parquet") from error
    except ContractError as error:
        raise _damaged(path, "its columns are not those of this version") from error


def _read_manifest(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise _missing(path)
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(path, "it cannot be read as JSON") from error
    if not isinstance(manifest, dict):
        raise _damaged(path, "it is not a JSON object")
    return manifest


def _missing(path: Path) -> RunFolderError:
    return RunFolderError("the run folder lacks this file", remedy=_AGAIN, file=str(path))


def _damaged(path: Path, how: str) -> RunFolderError:
    return RunFolderError(f"the file is damaged: {how}", remedy=_AGAIN, file=str(path))
