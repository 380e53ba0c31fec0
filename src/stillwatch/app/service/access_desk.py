"""What every door of the access process works with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stillwatch.access.signals.outbox import Outbox
from stillwatch.app.access_file import AccessFile
from stillwatch.app.decision_store import AUDIT
from stillwatch.app.service.authorising import Authorise
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database
from stillwatch.sketch.key import SketchKey


@dataclass(frozen=True)
class AccessDesk:
    """The access file, the database, the key of fingerprints, and whose tokens hold."""

    state: Path
    file: AccessFile
    database: Database  # whose tables are there once the judge has started
    key: SketchKey
    authorise: Authorise
    key_pepper: Path  # by which API keys are hashed
    outbox: Outbox | None = None  # for identity providers; None: there are no streams
    redis: str = ""  # URL of the server through which proofs that were seen are shared

    @cached_property
    def audit(self) -> AuditLog:
        """The log in which every change is written before it is made."""
        return AuditLog(self.state / AUDIT)
