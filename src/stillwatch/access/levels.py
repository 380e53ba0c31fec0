"""Verification levels: how well it is known who uses an account, and which level what it does needs."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

from pydantic import Field, model_validator

from stillwatch.toml_file import Strict


class Level(IntEnum):
    """How well it is known who uses an account; each level costs the holder of many accounts more.

    The numbers are those of ``verification_level`` in account records and in policies. They follow the
    idea of identity assurance in NIST SP 800-63-4: who proves more may do more.
    """

    NONE = 0
    MAIL = 1
    """A message to the address was answered."""

    TOTP = 2
    """A second factor: codes by time (RFC 6238)."""

    PASSKEY = 3
    """A key that cannot be phished or copied between people (WebAuthn)."""

    ORGANIZATION = 4
    """The sign-in of an organisation that answers for its people (OpenID Connect)."""

    IDENTITY = 5
    """A person's identity, checked by a provider of such checks."""


Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Need(Strict):
    """What an account has to be known by, where all of this holds of it; what is not said may be anything."""

    level: Level = Field(description="Level that is needed, 0 to 5.")
    plans: Names | None = Field(default=None, description="The account is on one of these plans.")
    programmes: Names | None = Field(default=None, description="It is in one of these programmes.")
    models: Names | None = Field(default=None, description="It uses one of these models.")
    requests_per_day_at_least: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="It sends, or is going to send, so many requests a day."
    )

    def holds(self, plan: str | None, programme: str | None, model: str | None, requests: int | None) -> bool:
        """Whether it is about such an account; what is not known of it matches no condition."""
        return all(
            (
                self.plans is None or plan in self.plans,
                self.programmes is None or programme in self.programmes,
                self.models is None or model in self.models,
                self.requests_per_day_at_least is None or (requests or 0) >= self.requests_per_day_at_least,
            )
        )


class Levels(Strict):
    """Which level what an account does needs: the section ``levels`` of the access file."""

    everybody: Level = Field(default=Level.MAIL, description="What every account needs.")
    needs: tuple[Need, ...] = Field(default=(), description="What some need; the highest that holds counts.")
    doubtful: Level = Field(
        default=Level.PASSKEY, description="What a sign-up is asked for that looks like one of many."
    )

    @model_validator(mode="after")
    def _rises(self) -> Levels:
        if self.doubtful <= self.everybody:
            raise ValueError("doubtful is not above everybody: a doubtful sign-up would be asked for nothing")
        return self

    def needed(
        self,
        plan: str | None = None,
        programme: str | None = None,
        model: str | None = None,
        requests_per_day: int | None = None,
    ) -> Level:
        """Return the level that an account needs, whatever is thought of it."""
        holding = (need.level for need in self.needs if need.holds(plan, programme, model, requests_per_day))
        return max(self.everybody, *holding, Level.NONE)


DEFAULT: Final = Levels()
"""What holds without an access file."""
