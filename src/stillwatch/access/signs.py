"""The signs by which sign-ups of one hand are known, in one screen, each with its honest twin."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a sign speaks of; only signs of different kinds are independent of one another."""

    THING = "thing"  # one thing that several people would have to own
    NAME = "name"
    PLACE = "place"
    PROGRAMME = "programme"
    MOMENT = "moment"
    CAMPAIGN = "campaign"
    MARK = "mark"


class Sign(NamedTuple):
    """Something that sign-ups have in common."""

    code: str  # as it stands in ``reason_codes``
    column: str  # of SIGNUP
    kind: Kind
    cap: float  # nats that it may say at most
    what: str
    honest_twin: str


SHARED: Final = (
    Sign("payment-shared", "payment_fp", Kind.THING, 8.0, "the same card", "a family, a firm on one card"),
    Sign("device-shared", "device_fp", Kind.THING, 8.0, "the same device", "a family, a shared computer"),
    Sign("phone-shared", "phone_fp", Kind.THING, 8.0, "the same telephone number", "a family, an office"),
    Sign("mailbox-shared", "mailbox_fp", Kind.THING, 8.0, "one mailbox behind several addresses", "a tester"),
    Sign("mail-domain", "domain_fp", Kind.NAME, 4.0, "a mail domain of their own", "staff of one firm"),
    Sign("serial-names", "head_fp", Kind.NAME, 4.0, "names that begin alike", "namesakes, one language"),
    Sign("serial-names", "tail_fp", Kind.NAME, 4.0, "names that end alike", "namesakes, one language"),
    Sign(
        "generated-names", "pattern_fp", Kind.NAME, 3.0, "names built alike", "a popular way to write a name"
    ),
    Sign("signup-address", "address_fp", Kind.PLACE, 2.5, "one address", "an office, a carrier, a VPN exit"),
    Sign("signup-network", "network_fp", Kind.PLACE, 2.5, "one network", "an office, a campus, a carrier"),
    Sign(
        "programme-abuse",
        "programme_fp",
        Kind.PROGRAMME,
        2.0,
        "one programme, with mail for which no campus or firm answers",
        "students with private mail",
    ),
)
"""Values that several sign-ups of one spell hold, weighed by rarity."""

THINGS: Final = tuple(sign for sign in SHARED if sign.kind is Kind.THING)
NAMES: Final = tuple(sign for sign in SHARED if sign.kind is Kind.NAME)
NO_THINGS: Final = tuple(sign for sign in SHARED if sign.kind is not Kind.THING)

BURST: Final = Sign(
    "signup-burst",
    "",
    Kind.MOMENT,
    4.5,
    "sign-ups that share things with one another, more at once than is ordinary",
    "a launch day on which several firms bring their people",
)

KNOWN: Final = Sign(
    "campaign-near", "", Kind.CAMPAIGN, 6.0, "what an account of a known campaign holds", "a copied name"
)

DISPOSABLE: Final = Sign(
    "disposable-mail", "mail_kind", Kind.MARK, 1.0, "mail to be thrown away", "people who guard their address"
)
YOUNG: Final = Sign(
    "young-domain", "domain_age_days", Kind.MARK, 1.0, "a mail domain of less than 30 days", "a new firm"
)
LISTED: Final = {
    kind: Sign(f"{kind}-network", "network_kind", Kind.MARK, 1.0, words, twin)
    for kind, words, twin in (
        ("hosting", "an address of a hosting provider", "people who work in the cloud"),
        ("vpn", "an address of a VPN", "people who use one"),
        ("proxy", "an address of a proxy network", "people whose devices are used without their knowledge"),
    )
}
MARKS_CAP: Final = 1.5
"""Nats that all marks together may say: none of them tells how many of the honest bear it."""
