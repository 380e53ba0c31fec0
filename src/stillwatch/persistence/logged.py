"""What is changed is written to the audit log first, inside the transaction that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.contracts import StoreError
from stillwatch.persistence.audit import AuditLog


def log_change(audit: AuditLog, kind: str, entry: Mapping[str, Any]) -> None:
    """Write what is going to be changed; an error ends the transaction that it is called in.

    Raises:
        StoreError: the log cannot be written.
        AuditError: the log is broken.
    """
    try:
        audit.append(kind, entry)
    except OSError as error:
        raise StoreError(
            f"the audit log cannot be written ({error.strerror}), so that nothing was changed",
            remedy="Make room, or let this user write there",
            file=str(error.filename) if error.filename else None,
        ) from error
