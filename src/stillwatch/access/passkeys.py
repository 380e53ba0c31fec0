"""Passkeys: keys that a person's device makes for this site and uses once it saw its owner (WebAuthn 3).

An account that has a passkey uses one of its own. Registration asks for no attestation: which make of device
it is would say more of the person than is needed here. User verification (finger, face, PIN) is required both
times, so that a key that was picked up does not pass.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import Connection, Row, insert, select, update
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from stillwatch.access.step_up_tables import PASSKEYS
from stillwatch.persistence.database import Database

MOST: Final = 10
"""Passkeys of one account at most."""

_TIMEOUT: Final = 120_000  # milliseconds that a browser waits for the person
_TRANSPORTS: Final = frozenset(AuthenticatorTransport)


class PasskeyError(Exception):
    """An answer that proves nothing: of another site, account or challenge, or of a key that was copied."""


class Asked(NamedTuple):
    """What a browser is asked, and what its answer is held against."""

    options: str  # JSON, as WebAuthn's *OptionsJSON
    challenge: str  # base64url


class Site(NamedTuple):
    """The site that passkeys are for."""

    origin: str  # such as https://accounts.example.com
    name: str

    @property
    def host(self) -> str:
        """Relying party id: the host of the site."""
        return urlsplit(self.origin).hostname or ""


def site_of(public_url: str, name: str) -> Site:
    """Return the site at a public URL, whose path says nothing to WebAuthn."""
    parts = urlsplit(public_url)
    return Site(f"{parts.scheme}://{parts.netloc}".lower(), name or parts.netloc)


def every_passkey(database: Database) -> list[tuple[str, str, datetime]]:
    """Return id, account and time of every passkey that was made, the oldest first.

    Raises:
        StoreError: the database is away.
    """
    columns = PASSKEYS.c["credential_id", "account_id", "made_at"]
    asked = select(*columns).order_by(PASSKEYS.c.made_at, PASSKEYS.c.credential_id)
    with database.reading() as connection:
        return [(number, account, at) for number, account, at in connection.execute(asked)]


def has_passkey(connection: Connection, account_id: str) -> bool:
    """Whether an account has a passkey."""
    return bool(_own(connection, account_id))


def ask_to_make(connection: Connection, site: Site, account_id: str, handle: bytes, label: str) -> Asked:
    """Return what asks a browser to make a passkey.

    Args:
        connection: says which passkeys there are: a device that has one makes no second.
        site: that it is for.
        account_id: whose it will be.
        handle: what the device keeps of the account: 1 to 64 bytes that say nothing of the person.
        label: what the person sees in the list of their passkeys.
    """
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=site.name,
        user_id=handle,
        user_name=label,
        timeout=_TIMEOUT,
        exclude_credentials=_descriptors(_own(connection, account_id)),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return Asked(options_to_json(options), bytes_to_base64url(options.challenge))


def ask_to_use(connection: Connection, site: Site, account_id: str) -> Asked:
    """Return what asks a browser to use one of an account's passkeys."""
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        timeout=_TIMEOUT,
        allow_credentials=_descriptors(_own(connection, account_id)),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Asked(options_to_json(options), bytes_to_base64url(options.challenge))


def keep(
    connection: Connection, site: Site, account_id: str, challenge: str, answer: str, now: datetime
) -> None:
    """Verify that a browser made a passkey as it was asked, and keep its public key.

    Raises:
        PasskeyError: it did not, the key is known already, or the account has as many as it may.
    """
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # whatever a made-up answer brings the library to raise
        raise PasskeyError(str(error)) from error
    number = bytes_to_base64url(made.credential_id)
    if _find(connection, number) is not None or len(_own(connection, account_id)) >= MOST:
        raise PasskeyError("this passkey is known already, or there are too many")
    row = {
        "credential_id": number,
        "account_id": account_id,
        "public_key": bytes_to_base64url(made.credential_public_key),
        "sign_count": made.sign_count,
        "transports": _transports(answer),
        "synced": made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        "made_at": now,
        "used_at": now,
    }
    connection.execute(insert(PASSKEYS).values(row))


def use(
    connection: Connection, site: Site, account_id: str, challenge: str, answer: str, now: datetime
) -> None:
    """Verify that a browser used one of the account's passkeys as it was asked.

    Its counter must have gone up where it counts at all: of a key that was copied two count.

    Raises:
        PasskeyError: it did not.
    """
    row = _find(connection, _credential_id(answer))
    if row is None or row.account_id != account_id:
        raise PasskeyError("it is no passkey of this account")
    try:
        used = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(row.public_key),
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise PasskeyError(str(error)) from error
    own = PASSKEYS.c.credential_id == row.credential_id
    connection.execute(update(PASSKEYS).where(own).values(sign_count=used.new_sign_count, used_at=now))


def _own(connection: Connection, account_id: str) -> Sequence[Row[Any]]:
    asked = select(PASSKEYS).where(PASSKEYS.c.account_id == account_id).order_by(PASSKEYS.c.made_at)
    return connection.execute(asked).all()


def _find(connection: Connection, credential_id: str) -> Row[Any] | None:
    own = PASSKEYS.c.credential_id == credential_id
    return connection.execute(select(PASSKEYS).where(own).with_for_update()).one_or_none()


def _descriptors(rows: Sequence[Row[Any]]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(row.credential_id),
            transports=[AuthenticatorTransport(each) for each in row.transports] or None,
        )
        for row in rows
    ]


def _credential_id(answer: str) -> str:
    try:
        told = json.loads(answer)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PasskeyError("the answer cannot be read") from None
    if not isinstance(told, str) or len(told) > 2000:
        raise PasskeyError("the answer names no passkey")
    return told


def _transports(answer: str) -> list[str]:
    """Return how a device says that it is reached; a hint that is verified by nothing."""
    told = json.loads(answer).get("response", {}).get("transports")
    return [each for each in told if each in _TRANSPORTS] if isinstance(told, list) else []
