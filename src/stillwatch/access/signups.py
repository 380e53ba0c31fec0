"""What an access file says of sign-ups."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FilePath

from stillwatch.access.network_lists import NetworkList
from stillwatch.toml_file import Strict

Domain = Annotated[str, Field(pattern=r"^[^\s@.]+(\.[^\s@.]+)+$")]


class Signups(Strict):
    """How sign-ups are screened: the section ``signups`` of the access file."""

    networks: tuple[NetworkList, ...] = Field(
        default=(), description="Lists of networks of hosting providers, VPNs and proxies."
    )
    asn_database: FilePath | None = Field(
        default=None,
        description="MMDB that tells the AS number of an address, for lists that name AS numbers.",
    )
    answering: tuple[Domain, ...] = Field(
        default=(),
        description="Mail domains whose owner answers for its people, such as a university's without .edu.",
    )
    remember_days: int = Field(
        default=180, ge=7, le=3650, description="How long fingerprints of sign-ups are kept, in days."
    )
