"""What people lay down for the service: policy, allow list and labels, looked at again when they change."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from stillwatch.app.allow import AllowList, read_allow
from stillwatch.app.service.places import ACCEPTED, accepted_labels
from stillwatch.app.service.rules_file import RulesFile
from stillwatch.app.standing import Known
from stillwatch.campaigns.labels import FILE as LABELS
from stillwatch.campaigns.labels import Kind, Label, Said, in_force, read_labels
from stillwatch.decisions.policy import Policy, read_policy
from stillwatch.settings import ServeSettings

OBSERVING: Final = Policy(version="observe")
"""What holds where no policy is told."""

POLICY: Final = "policy"
"""What :attr:`Rules.errors` calls the policy."""


class Rules:
    """The policy and what is known of accounts; a file that is wrong is refused, and the one before holds.

    Several threads may ask at once.
    """

    def __init__(
        self, settings: ServeSettings, begin: Callable[[RulesFile[Any]], None] = RulesFile.begin
    ) -> None:
        """Read everything once.

        Args:
            settings: name the files.
            begin: reads a file first. ``RulesFile.resume`` is for a process that is started again while the
                service runs.

        Raises:
            InputError: a file is wrong: a service must not start by another policy than it was given.
        """
        kept, own = settings.state / ACCEPTED, settings.state / LABELS
        self._policy = _file(POLICY, settings.policy, read_policy, kept / "policy.toml")
        self._allow = _file("allow list", settings.allow, read_allow, kept / "allow.csv")
        labels = _file("labels", settings.labels, read_labels, kept / "labels.jsonl")
        own_labels = RulesFile(
            "labels of the state folder", own, read_labels, accepted_labels(settings.state)
        )
        self._labels = [own_labels] if labels is None else [labels, own_labels]
        self._files = [one for one in (self._policy, self._allow, *self._labels) if one is not None]
        self._lock, self._allowed = threading.Lock(), settings.allow
        for file in self._files:
            begin(file)
        self.found: frozenset[str] = frozenset()
        """Exempt accounts that were found in the ledger, as those of an organisation are."""

    @property
    def policy(self) -> Policy:
        """The policy that holds."""
        return OBSERVING if self._policy is None else self._policy.said

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong with the files as they are now, by what people call each; empty where nothing is."""
        return {file.name: file.error for file in self._files if file.error is not None}

    def look(self) -> None:
        """Read what has changed, each file by itself."""
        with self._lock:
            for file in self._files:
                file.look()

    def exempt(self, now: datetime) -> frozenset[str]:
        """Return the accounts that nothing is asked of at ``now``."""
        known = self.known_at(now)
        allowed = (entry for entry in known.allow.holding(now) if entry.exempts)
        named = {entry.name for entry in allowed if entry.subject == "account_id"}
        honest = {
            label.subject
            for label in in_force(known.labels)
            if label.kind is Kind.ACCOUNT and label.verdict is Said.HONEST
        }
        return self.found | named | honest

    def known_at(self, now: datetime) -> Known:
        """Return what is known, at a moment: entries of the allow list end."""
        allow = AllowList() if self._allow is None else replace(self._allow.said, file=str(self._allowed))
        labels: tuple[Label, ...] = tuple(label for file in self._labels for label in file.said)
        return Known(now, allow, labels)


def forget_accepted(state: Path) -> None:
    """Remove the copies of the files that were right: they name accounts."""
    shutil.rmtree(state / ACCEPTED, ignore_errors=True)


def _file(name: str, path: Path | None, read: Callable[[Path], Any], kept: Path) -> RulesFile[Any] | None:
    return None if path is None else RulesFile(name, path, read, kept)
