"""The access file: what the provider asks of sign-ups, keys and people who step up; one section a concern."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from stillwatch.access.keys.rules import KeyRules
from stillwatch.access.levels import Levels
from stillwatch.access.signups import Signups
from stillwatch.access.step_up import StepUp
from stillwatch.toml_file import Strict, read_toml

_FORM: Final = "See `docs/access.md` for what an access file may say"


_ADDRESS: Final = r"^(https://[^/?#@\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^?#\s]*)?$"
"""Passkeys and the pages' cookies need https; in the clear on this machine alone, where it can be tried."""


class AccessFile(Strict):
    """Everything that an access file may say."""

    public_url: str = Field(
        pattern=_ADDRESS,
        description="Where people's browsers reach the access door, such as https://accounts.example.com.",
    )
    levels: Levels = Field(default=Levels(), description="Which verification level what needs.")
    step_up: StepUp = Field(default=StepUp(), description="What people may prove who they are with.")
    keys: KeyRules = Field(default=KeyRules(), description="How requests prove that they may use a key.")
    signups: Signups = Field(default=Signups(), description="How sign-ups are screened.")

    @property
    def origin(self) -> str:
        """The public URL without a slash at its end."""
        return self.public_url.rstrip("/")


def read_access_file(path: Path) -> AccessFile:
    """Read an access file.

    Raises:
        InputError: the file cannot be read, is no TOML, or says something that it may not say; every mistake
            in it is named.
    """
    return read_toml(path, AccessFile, "access file", _FORM)
