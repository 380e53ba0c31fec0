"""The middleware as one class that vLLM's ``--middleware`` takes, or any Starlette or FastAPI application.

Environment variables say what it works with: see :mod:`stillwatch.enforce.environment`.
"""

from __future__ import annotations

from stillwatch.enforce.asgi import App, StillwatchMiddleware
from stillwatch.enforce.environment import configured


class Middleware(StillwatchMiddleware):
    """Guards an application by what the environment says."""

    def __init__(self, app: App) -> None:
        """Guard ``app``.

        Raises:
            ValueError: a variable is missing or wrong; better the server does not start than unguarded.
        """
        found = configured()
        super().__init__(app, guard=found.guard, account_of=found.identity, told=found.outcomes.tell)
