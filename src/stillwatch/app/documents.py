"""The one JSON document that each command prints with ``--json``; their fields are in the reference."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from stillwatch.contracts import Action, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from stillwatch.app.result import ReplayResult, ScanResult
    from stillwatch.simulate.world import WorldSummary


VERSION: Final = 1
"""Of all documents; goes up when a field goes away or changes its meaning."""


def scan_document(result: ScanResult) -> dict[str, Any]:
    """The groups found and how many accounts got which verdict; everything else is in the run folder."""
    verdicts = Counter(result.accounts["verdict"].to_pylist())
    return {
        "out": str(result.out),
        "report": str(result.out / "report.html"),
        "pdf": str(result.out / "report.pdf") if result.manifest["settings"]["pdf"] else None,
        "campaigns": result.campaigns.to_pylist(maps_as_pydicts="strict"),
        "accounts": {verdict.value: verdicts[verdict] for verdict in Verdict},
        "counts": result.manifest["counts"],
        "warnings": result.manifest["warnings"],
    }


def report_document(page: Path, pdf: Path | None = None) -> dict[str, Any]:
    """Where the report is that was written again."""
    return {"report": str(page), "pdf": None if pdf is None else str(pdf)}


def replay_document(result: ReplayResult) -> dict[str, Any]:
    """What a scan of the whole log tells, and how often each action was recommended on the way."""
    actions = Counter(result.decisions["action"].to_pylist())
    decided = result.decisions["decided_at"].drop_null().to_pylist()
    return scan_document(result) | {
        "decisions": {action.value: actions[action] for action in Action},
        "first_decision": decided[0] if decided else None,
        "last_decision": decided[-1] if decided else None,
    }


def world_document(world: WorldSummary) -> dict[str, Any]:
    """Where the world is, and how much of what it holds."""
    return dataclasses.asdict(world)


def show(document: dict[str, Any]) -> None:
    """Write ``document`` to stdout, headed by its version, as indented JSON.

    It is UTF-8 whatever the locale; paths become text.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps({"version": VERSION} | document, default=str, option=options))
    sys.stdout.buffer.flush()
