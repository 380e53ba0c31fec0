"""Labels that were given, beside a run and as a list; to read them loads nothing of detection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.campaigns.labels import FILE, in_force, later_labels, read_labels
from stillwatch.contracts import RunFolderError
from stillwatch.evidence.tables import RunTables


def with_later_labels(tables: RunTables, run: Path) -> RunTables:
    """Return the run's tables with the labels that were given since, in the run folder or in its state.

    Raises:
        InputError: a file of labels is damaged.
    """
    state = (tables.manifest.get("settings") or {}).get("state")
    files = [run / FILE, *([Path(state) / FILE] if state else [])]
    given = in_force(label for file in files for label in read_labels(file))
    known = {(row["subject"], row["given_at"]) for row in tables.labelled.to_pylist()}
    later = [label for label in given if (label.subject, label.given_at) not in known]
    return replace(tables, labelled=pa.concat_tables([tables.labelled, later_labels(later)]))


def list_labels(folder: Path) -> list[dict[str, Any]]:
    """Return every label in a state or run folder as JSON, oldest first; ``in_force`` says which hold.

    Raises:
        RunFolderError: there is no such folder.
        InputError: the file of labels is damaged.
    """
    if not folder.is_dir():
        raise RunFolderError(
            "there is no such folder", remedy="Name a state folder or a run folder", file=str(folder)
        )
    labels = read_labels(folder / FILE)
    holding = set(map(id, in_force(labels)))
    return [label.document() | {"in_force": id(label) in holding} for label in labels]
