"""What the step-up pages and their API work with."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stillwatch.access.appeals import Appeals
from stillwatch.access.identity_checks import secret_of
from stillwatch.access.levels import Level
from stillwatch.access.organization_sign_in import SignIn
from stillwatch.access.passkeys import Site, site_of
from stillwatch.access.sealed_secret import SecretBox
from stillwatch.access.step_up import StepUp
from stillwatch.access.step_up_log import StepUpLog
from stillwatch.access.verifications import Verifications
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.places import LINK_KEY
from stillwatch.contracts import InputError, KeyFileError
from stillwatch.decisions.store import Store
from stillwatch.enforce.links import Links, load_or_create_link_key

SECRETS_KEY: Final = "step-up.key"
"""File in the state folder with the key under which secrets of codes are encrypted."""

CALLBACK: Final = "/verify/organization/callback"


class StepUpDesk:
    """Everything that is the same for every visitor; any thread may use it."""

    def __init__(self, desk: AccessDesk, clock: Callable[[], float] = time.time) -> None:
        """Work at an access door; ``clock`` tells seconds since 1970.

        Raises:
            KeyFileError: a key is open to others, damaged, or can be neither read nor made.
            InputError: a file that the access file names cannot be read, or holds no secret.
        """
        self.desk, self.clock = desk, clock
        self.database = desk.database
        link_key = _key(desk.state / LINK_KEY)
        self.links = Links(link_key, clock)
        self.links_of_any_time = Links(link_key, lambda: 0.0)
        self.box = SecretBox(_key(desk.state / SECRETS_KEY))
        self.log = StepUpLog(desk.audit, desk.key.digest)
        self.appeals = Appeals(desk.database, desk.audit)
        self.verifications = Verifications(desk.database)
        self.store = Store(desk.database)
        self.sign_ins = {each.id: self._sign_in(each.id) for each in self.settings.organizations}
        provider = self.settings.identity
        self.webhook_secret = None if provider is None else _webhook_secret(provider.secret_file)

    @property
    def settings(self) -> StepUp:
        """The section of the access file."""
        return self.desk.file.step_up

    @property
    def origin(self) -> str:
        """Where browsers reach the door."""
        return self.desk.file.origin

    @cached_property
    def base(self) -> str:
        """What paths begin with, as browsers see them."""
        return urlsplit(self.origin).path

    @cached_property
    def service(self) -> str:
        """What people know the provider's service as."""
        return self.settings.service or urlsplit(self.origin).netloc

    @cached_property
    def site(self) -> Site:
        """The site that passkeys are for."""
        return site_of(self.origin, self.service)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def level(self, asked: int) -> Level:
        """Return the level that a link asks for; 0: what the access file asks of the doubtful."""
        return Level(asked) if asked else self.desk.file.levels.doubtful

    def _sign_in(self, organization_id: str) -> SignIn:
        own = next(each for each in self.settings.organizations if each.id == organization_id)
        file = own.client_secret_file
        secret = None if file is None else _text(file, "step_up.organizations.client_secret_file")
        return SignIn(own, f"{self.origin}{CALLBACK}", secret)


def _key(path: Path) -> bytes:
    try:
        return load_or_create_link_key(path)
    except OSError as error:
        what = f"the key can be neither read nor made ({error.strerror})"
        raise KeyFileError(what, remedy="Look at the folder's rights and its room", file=str(path)) from error
    except ValueError as error:
        remedy = f"Run chmod 600 {path}, or restore it from a copy"
        raise KeyFileError("it is open to other users, or no key", remedy=remedy, file=str(path)) from error


def _webhook_secret(path: Path) -> bytes:
    text = _text(path, "step_up.identity.secret_file")
    try:
        return secret_of(text)
    except ValueError as error:
        remedy = "Write the secret there that the provider of identity checks shows"
        raise InputError(str(error), remedy=remedy, file=str(path)) from error


def _text(path: Path, field: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Name a file that can be read"
        raise InputError("the secret cannot be read", remedy=remedy, file=str(path), field=field) from error
