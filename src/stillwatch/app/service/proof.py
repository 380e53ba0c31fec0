"""What accounts have proved at the access door, as decisions look at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from stillwatch.access.levels import Level
from stillwatch.access.verifications import Verifications
from stillwatch.app.access_file import read_access_file
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database
from stillwatch.settings import ServeSettings


class StepUpProof:
    """Knows who proved who uses an account; raises StoreError while the database is away."""

    def __init__(self, verifications: Verifications, level: Level) -> None:
        """Ask ``verifications``; what a decision asks for is passed at ``level``."""
        self._verifications, self._level = verifications, level

    def revision(self) -> int:
        """Return a number that goes up whenever somebody passes."""
        return self._verifications.revision()

    def passed_at(self, accounts: Collection[str]) -> Mapping[str, datetime]:
        """Return when those of some accounts that passed at the level did so last."""
        return self._verifications.passed_at(accounts, self._level)

    def levels(self, accounts: Collection[str]) -> Mapping[str, int]:
        """Return the level of each of these accounts that reached any."""
        return self._verifications.levels(accounts)


def step_up_proof(settings: ServeSettings) -> StepUpProof | None:
    """Return what is known at the access door, None where there is none.

    Raises:
        InputError: the access file is wrong.
    """
    if settings.access is None:
        return None
    level = read_access_file(settings.access).levels.doubtful
    return StepUpProof(Verifications(Database(address_of(settings.store))), level)
