"""What becomes of a token that does not open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

REFUSAL: Final = "This reasoning does not belong here."
"""All that a client is told, whatever is wrong: who tries tokens out learns nothing from the answer."""


class SealError(Exception):
    """A token that does not open here.

    ``reason`` is for the operator alone: malformed, unknown-key, tampered, foreign (of another account),
    conversation, position, model, stale or early. ``event`` is a row of ACCOUNT_EVENTS where it is foreign.
    """

    def __init__(self, reason: str, event: Mapping[str, Any] | None = None) -> None:
        """``reason`` is one of those words."""
        super().__init__(REFUSAL)
        self.reason, self.event = reason, event
