"""What a family of accounts is, as data: who they are, where they come from, what they send and when.

Honest families and campaigns are values of the same types; ``honest.py`` and ``campaigns.py`` list
them. Nothing here draws anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from stillwatch.simulate.tempo import Tempo


class Sharing(StrEnum):
    """Who shares a value: a prompt, a card, a device, an address, a choice."""

    EVERYONE = "everyone"  # the whole family
    GROUP = "group"  # a company, a class, users of one client
    ACCOUNT = "account"
    CONVERSATION = "conversation"
    EXCHANGE = "exchange"


class Mail(StrEnum):
    """How the mail addresses of a family look."""

    PERSON = "person"
    STAFF = "staff"
    STUDENT = "student"
    DISPOSABLE = "disposable"
    GENERATED = "generated"
    SUBDOMAIN = "subdomain"
    ALIASED = "aliased"


class Place(StrEnum):
    """Kinds of networks, see ``networks.py``."""

    HOME = "home"
    OFFICE = "office"
    CAMPUS = "campus"
    MOBILE = "mobile"
    VPN = "vpn"
    HOSTING = "hosting"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How accounts fall into groups: many of a mean size, or a fixed number of unequal ones."""

    size: float = 1.0  # mean accounts per group, geometric; 1: everybody alone
    count: int | None = None  # fixed number of groups, Zipf-distributed sizes


@dataclass(frozen=True, slots=True)
class Pool:
    """A few values for many accounts: each takes one of ``count``, or of accounts / ``each``."""

    sharing: Sharing = Sharing.ACCOUNT
    each: float = 1.0  # accounts per value, within the sharing
    absent: float = 0.0  # share of accounts without one


@dataclass(frozen=True, slots=True)
class Identity:
    """The account records of a family."""

    mail: Mail = Mail.PERSON
    card: Pool = Pool(absent=0.15)
    device: Pool = Pool(absent=0.28)
    phone: Pool = Pool(absent=0.4)
    plan: str = "payg"
    programme: str | None = None
    organization: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """Where requests come from: ``size`` addresses for those who share them, one picked per ``turnover``."""

    places: tuple[tuple[Place, float], ...] = ((Place.HOME, 1.0),)  # with weights, drawn per group
    sharing: Sharing = Sharing.ACCOUNT
    size: float = 1.0  # addresses; per account where everyone shares
    turnover: Sharing = Sharing.ACCOUNT


@dataclass(frozen=True, slots=True)
class Enrolment:
    """When accounts were created and how long they live."""

    during: float = 0.08  # share of accounts created within the window; the others up to two years before
    bursts: int = 0  # sign-ups in so many bursts around the start, 0: spread out
    burst_hours: float = 6.0
    waves: float = 0.0  # share of the window over which the bursts lie
    ban: float | None = None  # the first pool is banned at this share of the window
    standby: float = 0.0  # share of the accounts that sleep until then


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How a conversation runs: 1 turn means requests that stand alone."""

    turns: float = 1.0  # mean, geometric
    longest: int = 12
    think: float = 45.0  # median seconds between turns
    handover: float = 0.0  # chance that a turn goes on under another account


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Payloads that come from a list instead of being new each time."""

    items: int
    sharing: Sharing = Sharing.EVERYONE
    weekly: bool = False  # another list each week


@dataclass(frozen=True, slots=True)
class Traffic:
    """One stream of requests of a family."""

    tempo: Tempo
    recipes: tuple[tuple[str, float], ...]  # names in recipes.RECIPES with weights
    dialogue: Dialogue = Dialogue()
    recipe_per: Sharing = Sharing.CONVERSATION
    share: float = 1.0  # of the family's exchanges
    catalogue: Catalogue | None = None
    network: Network | None = None  # where it differs from the family's
    attack: bool = False


@dataclass(frozen=True, slots=True)
class Population:
    """One family; ``accounts`` and ``exchanges`` are those of the world that is being made."""

    name: str
    kind: str
    accounts: float
    exchanges: float
    traffic: tuple[Traffic, ...]
    grouping: Grouping = Grouping()
    identity: Identity = Identity()
    network: Network = Network()
    enrolment: Enrolment = Enrolment()
    clients: tuple[str, ...] = ()  # user agents, all of networks.CLIENTS where empty
    client_per: Sharing = Sharing.ACCOUNT
    keys: int = 1
    spread: float = 1.1  # sigma of the logarithm of the accounts' activity
    campaign: str | None = None
    dialect: str = ""  # families of one dialect word shared prompts alike: a campaign and its copycats
    pivot: float | None = None  # half of the traffic asks for the newest model from this share of the window

    def sized(self, accounts: float, exchanges: float) -> Population:
        """Return this family with other numbers; at least one account."""
        return replace(self, accounts=max(1, round(accounts)), exchanges=round(exchanges))
