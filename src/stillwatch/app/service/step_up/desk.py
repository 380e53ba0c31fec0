"""What the step-up pages and their API work with."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from stillwatch.access.appeals import Appeals
from stillwatch.access.levels import Level
from stillwatch.access.organization_sign_in import SignIn
from stillwatch.access.passkeys import Site, site_of
from stillwatch.access.sealed_secret import SecretBox
from stillwatch.access.step_up import StepUp
from stillwatch.access.step_up_log import StepUpLog
from stillwatch.access.verifications import Verifications
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.step_up.kept_secrets import read_kept_secrets
from stillwatch.decisions.store import Store
from stillwatch.enforce.links import Links

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
        kept = read_kept_secrets(desk.state, self.settings)
        self.links = Links(kept.link_key, clock)
        self.links_of_any_time = Links(kept.link_key, lambda: 0.0)
        self.box = SecretBox(kept.secrets_key)
        self.webhook_secret = kept.webhook
        self.log = StepUpLog(desk.audit, desk.key.digest)
        self.appeals = Appeals(desk.database, desk.audit)
        self.verifications = Verifications(desk.database)
        self.store = Store(desk.database)
        back = f"{self.origin}{CALLBACK}"
        self.sign_ins = {
            each.id: SignIn(each, back, kept.clients.get(each.id)) for each in self.settings.organizations
        }

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
