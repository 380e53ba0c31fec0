"""The secrets of step-up: keys in the state folder, and files that the access file names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.access.identity_checks import secret_of
from stillwatch.access.step_up import StepUp
from stillwatch.app.service.places import LINK_KEY
from stillwatch.contracts import InputError, KeyFileError
from stillwatch.enforce.links import load_or_create_link_key
from stillwatch.persistence.secret_files import read_secret

SECRETS_KEY: Final = "step-up.key"
"""File in the state folder with the key under which secrets of codes are encrypted."""


class KeptSecrets(NamedTuple):
    """What is read once, when the door opens."""

    link_key: bytes
    secrets_key: bytes
    clients: Mapping[str, str]  # of organisations, by their id; a public client has none
    webhook: bytes | None  # None: there is no provider of identity checks


def read_kept_secrets(state: Path, settings: StepUp) -> KeptSecrets:
    """Read the secrets; keys that are not there are made.

    Raises:
        KeyFileError: a key or a secret is open to others or damaged, or a key can be neither read nor made.
        InputError: a file that the access file names is not there, or holds no secret.
    """
    clients = {
        each.id: _text(each.client_secret_file, "step_up.organizations.client_secret_file")
        for each in settings.organizations
        if each.client_secret_file is not None
    }
    identity = settings.identity
    webhook = None if identity is None else _webhook_secret(identity.secret_file)
    return KeptSecrets(_key(state / LINK_KEY), _key(state / SECRETS_KEY), clients, webhook)


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
    remedy = "Name a file that can be read"
    try:
        return read_secret(path, "the secret", remedy).strip()
    except FileNotFoundError as error:
        raise InputError("the secret is not there", remedy=remedy, file=str(path), field=field) from error
