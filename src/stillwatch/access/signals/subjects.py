"""Subjects: how a security event names an account (RFC 9493)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from stillwatch.toml_file import Strict

_OLDER: Final = {"iss-sub": "iss_sub"}
"""Formats as drafts of RFC 9493 called them, in ``subject_type``."""

_ACCT: Final = "acct:"
_MEMBERS: Final = ("user", "account")
_DEEPEST: Final = 3
_HALF: Final = re.compile("[\ud800-\udfff]")


class Subjects(Strict):
    """How accounts are named between stillwatch and one identity provider."""

    format: Literal["iss_sub", "opaque", "account"] = Field(
        default="iss_sub", description="Form of the subjects that are sent; all three are read."
    )
    issuer: str | None = Field(
        default=None, description="`iss` of subjects in the form iss_sub: whose account ids these are."
    )
    domain: str | None = Field(
        default=None, description="Domain of subjects in the form account, as in acct:acct-1@example.com."
    )

    @model_validator(mode="after")
    def _complete(self) -> Subjects:
        if self.format == "account" and self.domain is None:
            raise ValueError("the form account needs a domain")
        if self.format == "iss_sub" and self.issuer is None:
            raise ValueError("the form iss_sub needs an issuer")
        return self

    def name(self, account_id: str) -> dict[str, str]:
        """Return the subject identifier of an account."""
        match self.format:
            case "opaque":
                return {"format": "opaque", "id": account_id}
            case "account":
                return {"format": "account", "uri": f"{_ACCT}{account_id}@{self.domain}"}
            case _:
                return {"format": "iss_sub", "iss": str(self.issuer), "sub": account_id}

    def account_of(self, subject: Any, depth: int = 0) -> str | None:
        """Return the account that a subject identifier names, None where it names none that is known here.

        Of a complex subject that is its user or account, of aliases the first that names one. Addresses and
        numbers of people name none: no raw identifier is kept that they could be looked up in.
        """
        if not isinstance(subject, Mapping) or depth > _DEEPEST:
            return None
        told = subject.get("format", subject.get("subject_type"))
        match _OLDER.get(told, told) if isinstance(told, str) else "complex":
            case "iss_sub":
                return _text(subject.get("sub")) if subject.get("iss") == self.issuer else None
            case "opaque":
                return _text(subject.get("id"))
            case "account":
                return self._of_uri(subject.get("uri"))
            case "aliases":
                listed = subject.get("identifiers")
                return self._first(listed if isinstance(listed, list) else [], depth)
            case "complex":
                return self._first([subject.get(name) for name in _MEMBERS], depth)
        return None

    def _first(self, subjects: list[Any], depth: int) -> str | None:
        found = (self.account_of(each, depth + 1) for each in subjects)
        return next(filter(None, found), None)

    def _of_uri(self, uri: Any) -> str | None:
        if not isinstance(uri, str) or not uri.startswith(_ACCT):
            return None
        name, _, domain = uri.removeprefix(_ACCT).rpartition("@")
        return _text(name) if domain == self.domain else None


def _text(value: Any) -> str | None:
    """Return a text; half a character, as of a name that was cut off, is none."""
    return value.strip() or None if isinstance(value, str) and not _HALF.search(value) else None
