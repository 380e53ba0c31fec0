"""Secrets at rest: encrypted under a key that lies beside the database and not in it.

AES-256-GCM with a random nonce of 96 bits (NIST SP 800-38D); what a secret is for is authenticated with it,
so that the row of one account cannot be put in the place of another's.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE: Final = 12
_PURPOSE: Final = b"stillwatch step-up secrets 1"


class SecretBox:
    """Seals and opens under one key."""

    def __init__(self, key: bytes) -> None:
        """Use 32 random bytes; the working key is derived from them (HKDF, RFC 5869)."""
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, _PURPOSE).derive(key))

    def seal(self, secret: str, purpose: str) -> str:
        """Return a text that says nothing without the key."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, secret.encode(), purpose.encode())
        return urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """Return what was sealed for this purpose.

        Raises:
            ValueError: it was sealed under another key or for another purpose, or it is damaged.
        """
        try:
            raw = urlsafe_b64decode(sealed)
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode()).decode()
        except InvalidTag:
            raise ValueError("it was sealed under another key, or is damaged") from None
