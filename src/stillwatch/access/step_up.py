"""Step-up as the access file describes it: what people may prove who they are with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator

from stillwatch.toml_file import Strict

_LOOPBACK: Final = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|$)")
Some = Annotated[tuple[str, ...], Field(min_length=1)]


def secure(url: str, told_by: str | None = None) -> str:
    """Return a URL that nobody reads or changes on the way.

    Args:
        url: the URL.
        told_by: the URL of who names it, if that is not the operator: from elsewhere nobody sends this
            service to this machine.

    Raises:
        ValueError: it is neither https nor on this machine.
    """
    may_be_here = told_by is None or _LOOPBACK.match(told_by)
    if not url.startswith("https://") and not (may_be_here and _LOOPBACK.match(url)):
        raise ValueError("an address that is neither https nor on this machine")
    return url


class Organization(Strict):
    """An organisation whose own sign-in answers for its people (OpenID Connect Core 1.0)."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,40}$", description="Short name, which stands in URLs.")
    name: str = Field(min_length=1, max_length=80, description="What people know it as.")
    issuer: str = Field(description="Issuer, whose `/.well-known/openid-configuration` says the rest.")
    client_id: str = Field(min_length=1, description="What this door is registered as there.")
    client_secret_file: Path | None = Field(
        default=None, description="File with the client's secret; without one the client is a public one."
    )
    domains: Some | None = Field(
        default=None, description="Only people whose `hd`, or whose verified mail's domain, is one of these."
    )
    claims: dict[str, str] = Field(
        default={}, description="Only people whose token says this; of a list, among others."
    )
    whole_issuer: bool = Field(
        default=False, description="Everybody whom the issuer signs in: it serves this organisation alone."
    )

    _secure = field_validator("issuer")(secure)

    @model_validator(mode="after")
    def _answers_for_somebody(self) -> Organization:
        if not (self.domains or self.claims or self.whole_issuer):
            raise ValueError(
                "it has neither domains nor claims: anybody with an account at the issuer would pass; "
                "say whole_issuer = true where that is the organisation's own"
            )
        return self


class IdentityProvider(Strict):
    """A provider of identity checks: it is sent people, and says by a signed webhook what came of it."""

    name: str = Field(min_length=1, max_length=80, description="What people know it as.")
    start_url: str = Field(
        description="Where a check begins; `{reference}` and `{return_url}` in it are filled in."
    )
    secret_file: Path = Field(description="File with the secret of its webhooks: `whsec_` and base64.")

    _secure = field_validator("start_url")(secure)

    @field_validator("start_url")
    @classmethod
    def _has_its_reference(cls, url: str) -> str:
        if "{reference}" not in url:
            raise ValueError("it has no {reference}: a result could not be told apart from others")
        if re.search(r"\{(?!reference\}|return_url\})", url):
            raise ValueError("in braces there may be {reference} and {return_url} alone")
        return url


class StepUp(Strict):
    """The section ``step_up`` of the access file."""

    service: str = Field(
        default="", max_length=80, description="What people know your service as. Default: the host."
    )
    support_url: str | None = Field(
        default=None, description="Where people find help whom these pages do not help: https or mailto."
    )
    totp: bool = Field(default=True, description="Offer codes by time.")
    passkeys: bool = Field(default=True, description="Offer passkeys.")
    organizations: tuple[Organization, ...] = Field(default=(), description="Whose sign-in counts.")
    identity: IdentityProvider | None = Field(default=None, description="Who checks identities.")
    accounts_per_person: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Accounts that one person of an organisation, or one checked identity, may answer for.",
    )
    appeals_per_day: int = Field(default=3, ge=1, le=100, description="Appeals of one account in 24 hours.")

    @field_validator("support_url")
    @classmethod
    def _is_a_link(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "mailto:")):
            raise ValueError("it is neither https nor mailto")
        return url

    @field_validator("organizations")
    @classmethod
    def _told_apart(cls, found: tuple[Organization, ...]) -> tuple[Organization, ...]:
        names = [each.id for each in found]
        if len(set(names)) < len(names):
            raise ValueError("two organisations have one id")
        return found
