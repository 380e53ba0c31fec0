"""Sealed reasoning: handed back as a token that opens in its own conversation alone. Usable by itself."""

from stillwatch.access.seals.errors import SealError
from stillwatch.access.seals.keyring import Keyring, SealKey
from stillwatch.access.seals.seals import Opened, Place, Seals

__all__ = ["Keyring", "Opened", "Place", "SealError", "SealKey", "Seals"]
