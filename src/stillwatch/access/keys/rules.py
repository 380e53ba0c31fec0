"""What verifiers go by, whatever the key: the section ``keys`` of the access file."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, field_validator

from stillwatch.access.keys.urls import origin_of
from stillwatch.toml_file import Strict

Seconds = Annotated[int, Field(ge=5, le=3600)]


class KeyRules(Strict):
    """How requests prove that they may use a key."""

    origins: tuple[str, ...] = Field(
        default=(),
        description="Where clients reach the model, such as https://api.example.com: what DPoP proofs name.",
    )
    proof_seconds: Seconds = Field(
        default=60, description="Seconds that a DPoP proof holds from when it says it was made."
    )
    nonce: bool = Field(
        default=False, description="Every DPoP proof must hold a nonce that a verifier gave, RFC 9449, 8."
    )
    nonce_seconds: Seconds = Field(default=300, description="Seconds that such a nonce holds.")
    overlap_seconds: Annotated[int, Field(ge=0, le=90 * 86_400)] = Field(
        default=86_400,
        description="Seconds that a key which was rotated holds on, unless it is told otherwise.",
    )

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(origin_of, origins)))


DEFAULT: Final = KeyRules()
"""What holds without an access file."""
