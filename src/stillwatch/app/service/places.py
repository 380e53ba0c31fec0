"""What lies where in a service's state folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stillwatch.campaigns.labels import FILE as LABELS

LEDGER: Final = "ledger"
SNAPSHOT: Final = "snapshot"
"""Decisions in force, for gates."""

ISSUED_KEYS: Final = "issued-keys"
"""Keys that stillwatch issued, as hashes, for gates."""

OUTCOMES: Final = "outcomes"
"""Folder of what gates did."""

JUDGED: Final = "judged"
"""Folder of the tables of the last judgement."""

JUDGE: Final = "judge.json"
"""What the judge says of its last tick."""

ACCEPTED: Final = "accepted"
"""Folder of copies of the rules files that were right, while the service runs."""

ENDINGS: Final = "endings.json"
"""Which processes of the service died."""

LINK_KEY: Final = "link.key"
"""Key of the links under which accounts step up; gates and hooks that name such links need it."""


def accepted_labels(state: Path) -> Path:
    """Return where the copy of the state folder's labels is."""
    return state / ACCEPTED / f"state-{LABELS}"
