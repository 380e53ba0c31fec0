"""Who may do what: the question that every door asks before it reads anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection

INGEST: Final = "ingest"
"""Scope of whoever sends records."""

DECIDE: Final = "decide"
"""Scope of a gateway that asks what happens to a request."""

READ: Final = "read"
"""Scope of whoever looks at what was found and decided."""

OPERATE: Final = "operate"
"""Scope of whoever approves, rejects and undoes decisions."""

ACCESS: Final = "access"
"""Scope of the provider's own sign-up, key and account pages."""

SIGNALS: Final = "signals"
"""Scope of an identity provider that is sent security events, and sends its own."""

SCOPES: Final = (INGEST, DECIDE, READ, OPERATE, ACCESS, SIGNALS)

Authorise = Callable[[HTTPConnection, str], None]
"""Returns where the connection's bearer token has the scope; else raises ApiError, 401 or 403.

It is called on the event loop and must not wait for a disk or a database. Calls by gRPC are shown to it as a
connection whose headers are the call's metadata.
"""
