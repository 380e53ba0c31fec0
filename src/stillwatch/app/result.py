"""What a scan gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class ScanResult:
    """The run's tables by the names of the contracts, its manifest, and the folder that holds them."""

    campaigns: pa.Table
    accounts: pa.Table
    members: pa.Table
    reasons: pa.Table
    timeline: pa.Table
    lookalikes: pa.Table
    ties: pa.Table
    declared: pa.Table
    labelled: pa.Table
    manifest: Mapping[str, Any]
    out: Path


@dataclass(frozen=True)
class ReplayResult(ScanResult):
    """A scan's result for the whole log, and what would have been decided on the way."""

    decisions: pa.Table
