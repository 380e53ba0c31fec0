"""What lies where in a service's state folder."""

from __future__ import annotations

from typing import Final

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

ENDINGS: Final = "endings.json"
"""Which processes of the service died."""

LINK_KEY: Final = "link.key"
"""Key of the links under which accounts step up; gates and hooks that name such links need it."""
