"""The signals file: whom security events are sent to, in which form, and whose are believed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from stillwatch.access.signals.signing_keys import Algorithm
from stillwatch.access.signals.subjects import Subjects
from stillwatch.access.signals.vocabulary import Signal
from stillwatch.settings import span_of
from stillwatch.toml_file import Strict, read_toml

_FORM: Final = "See `docs/shared-signals.md` for what a signals file may say"

Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Asked = tuple[
    Literal[Signal.CREDENTIAL_CHANGE_REQUIRED, Signal.SESSION_REVOKED, Signal.ACCOUNT_DISABLED], ...
]
Span = Annotated[timedelta, BeforeValidator(span_of)]


class Mapping(Strict):
    """What a decision asks of the identity provider, beside the change of risk that every one tells."""

    throttle: Asked = Field(default=(), description="Events for accounts that are throttled.")
    verify: Asked = Field(
        default=(Signal.CREDENTIAL_CHANGE_REQUIRED,),
        description="Events for accounts that must prove themselves.",
    )
    reduce: Asked = Field(default=(), description="Events for accounts that are reduced.")
    block: Asked = Field(default=(), description="Events for accounts that are blocked.")

    def of(self, action: str) -> frozenset[Signal]:
        """Return the events for an action; ``observe`` asks for none."""
        return frozenset(map(Signal, getattr(self, action, ())))


class Stream(Strict):
    """A receiver of events: ``[[streams]]``."""

    name: Name = Field(description="Its stream_id.")
    audience: str = Field(min_length=1, description="`aud` of its tokens, as the receiver wants it.")
    push: Url | None = Field(
        default=None,
        description="Where tokens are pushed to (RFC 8935); without it they are polled (RFC 8936).",
    )
    token_file: Path | None = Field(default=None, description="File with the bearer token for pushing.")
    events: Annotated[tuple[Signal, ...], Field(min_length=1)] = Field(
        default=tuple(Signal), description="Events that it wants."
    )
    subjects: Subjects = Field(description="How accounts are named.")


class Issuer(Strict):
    """Whose events are believed: ``[[issuers]]``."""

    issuer: str = Field(min_length=1, description="`iss` of its tokens, exactly.")
    audience: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="`aud` that tokens for this service have; one is enough."
    )
    jwks_url: Url | None = Field(default=None, description="Where its keys are.")
    jwks_file: Path | None = Field(default=None, description="File with its keys, as a JWK set.")
    poll: Url | None = Field(
        default=None, description="Where its tokens are polled; without it they are pushed."
    )
    token_file: Path | None = Field(default=None, description="File with the bearer token for polling.")
    oldest: Span = Field(
        default=timedelta(days=7), description="How long ago a token may have been issued, such as 7d."
    )
    subjects: Subjects | None = Field(
        default=None, description="How it names accounts; default: iss_sub of its own, or opaque."
    )

    @model_validator(mode="after")
    def _has_keys(self) -> Issuer:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("give either jwks_url or jwks_file")
        return self

    @property
    def names(self) -> Subjects:
        """How it names accounts."""
        return self.subjects or Subjects(format="iss_sub", issuer=self.issuer)


class SignalsFile(Strict):
    """Everything that a signals file may say."""

    issuer: str = Field(
        pattern=r"^https?://[^/?#\s]+$",
        description="`iss` of the tokens that are sent, and where receivers reach this service.",
    )
    algorithm: Algorithm = Field(default="ES256", description="ES256 or RS256.")
    mapping: Mapping = Field(default=Mapping(), description="What decisions ask of the identity provider.")
    streams: tuple[Stream, ...] = Field(default=(), description="Who receives events.")
    issuers: tuple[Issuer, ...] = Field(default=(), description="Whose events are believed.")

    @model_validator(mode="after")
    def _told_apart(self) -> SignalsFile:
        for what, names in (
            ("streams", [stream.name for stream in self.streams]),
            ("issuers", [issuer.issuer for issuer in self.issuers]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} have one name")
        return self

    def stream(self, name: str) -> Stream | None:
        """Return a stream, None where there is none of this name."""
        return next((stream for stream in self.streams if stream.name == name), None)


def read_signals_file(path: Path) -> SignalsFile:
    """Read a signals file.

    Raises:
        InputError: the file cannot be read, is no TOML, or says something that it may not say; every mistake
            in it is named.
    """
    return read_toml(path, SignalsFile, "signals file", _FORM)
