"""Why a security event token is not taken, in the words of RFC 8935, section 2.4."""

from __future__ import annotations

from enum import StrEnum


class Err(StrEnum):
    """A code of the IANA registry "Security Event Token Error Codes"."""

    INVALID_REQUEST = "invalid_request"
    INVALID_KEY = "invalid_key"
    INVALID_ISSUER = "invalid_issuer"
    INVALID_AUDIENCE = "invalid_audience"
    AUTHENTICATION_FAILED = "authentication_failed"
    ACCESS_DENIED = "access_denied"


class Refusal(Exception):  # noqa: N818 - it answers the sender, whose error it is
    """A token that is not taken; the sender is told the code and what is wrong."""

    def __init__(self, err: Err, description: str) -> None:
        """``description`` is for the people who run the sender, in English."""
        super().__init__(f"{err.value}: {description}")
        self.err, self.description = err, description

    @property
    def document(self) -> dict[str, str]:
        """The body of the answer."""
        return {"err": self.err.value, "description": self.description}
