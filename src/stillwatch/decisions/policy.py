"""The policy: which action a campaign's accounts call for, as a file that a person writes and can test.

A policy is a list of rules in TOML. For each account of a campaign the first rule whose conditions all hold
says what is asked of the gateway; where none does, the account is observed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from stillwatch.contracts import Verdict
from stillwatch.settings import span_of
from stillwatch.toml_file import Strict, read_toml

_OBSERVED: Final = "no rule"
"""What is named where no rule holds."""

_FORM: Final = "See `docs/policy.md` for what a policy may say"


_ADDRESS: Final = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]")
_NO_ADDRESS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
"""Of a page that people may be sent to; in the clear on this machine alone, where it can be tried."""


class Measure(StrEnum):
    """What a policy may ask of the gateway, the mildest first."""

    OBSERVE = "observe"
    THROTTLE = "throttle"
    VERIFY = "verify"
    REDUCE = "reduce"
    BLOCK = "block"


class Failing(StrEnum):
    """What the gateway does where nobody can tell it what to do."""

    OPEN = "open"
    CLOSED = "closed"


_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=3650)
_MOST: Final = 10**12
"""Of anything counted: far above what is, and far below what a database or a gateway can hold."""


def _duration(value: Any) -> Any:
    """Read how long a decision stands: a span of time with its unit, within bounds that a clock can hold."""
    span = span_of(value)
    if not isinstance(span, timedelta):
        raise ValueError("is no span of time; write it like 30m, 1h or 1d")
    if not _SHORTEST <= span <= _LONGEST:
        raise ValueError("a decision stands for a minute at least and ten years (3650d) at most")
    return span


Span = Annotated[timedelta, BeforeValidator(_duration)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Amount = Annotated[int, Field(ge=1, le=_MOST)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Conditions(Strict):
    """What must hold of a campaign and of an account of it; what is not said may be anything."""

    verdict: Verdict | None = Field(default=None, description="`campaign` or `watch`.")
    q_value_at_most: Share | None = Field(default=None, description="How sure the campaign is.")
    facets: Names | None = Field(default=None, description="All of these speak for the campaign.")
    accounts_at_least: Count | None = Field(default=None, description="Accounts of the campaign.")
    accounts_at_most: Count | None = Field(default=None, description="Accounts of the campaign.")
    risk_at_least: Share | None = Field(default=None, description="How surely the account belongs to it.")
    plans: Names | None = Field(default=None, description="The account is on one of these plans.")
    programmes: Names | None = Field(default=None, description="The account is in one of these programmes.")
    countries: Names | None = Field(default=None, description="The account is of one of these countries.")
    verification_level_below: Amount | None = Field(
        default=None, description="It is known less well than this who uses the account."
    )
    verification_level_at_least: Count | None = Field(
        default=None, description="It is known at least this well who uses the account."
    )

    @property
    def of_record(self) -> bool:
        """Whether they look at the account's record, and hold of none without one."""
        levels = self.verification_level_below, self.verification_level_at_least
        return any((self.plans, self.programmes, self.countries)) or levels != (None, None)

    @model_validator(mode="after")
    def _possible(self) -> Conditions:
        least, most = self.accounts_at_least, self.accounts_at_most
        if least is not None and most is not None and least > most:
            raise ValueError("accounts_at_least is above accounts_at_most: no campaign is of that size")
        low, high = self.verification_level_at_least, self.verification_level_below
        if low is not None and high is not None and low >= high:
            raise ValueError(
                "verification_level_at_least is not under verification_level_below: no account is so"
            )
        if self.verdict is Verdict.CLEAR:
            raise ValueError("verdict: nothing is asked of accounts that are clear")
        return self

    def hold(self, campaign: Mapping[str, Any], account: Mapping[str, Any]) -> bool:
        """Whether they hold of a row of CAMPAIGNS and of a row of ACCOUNTS with its account record."""
        facets = {name for name, nats in campaign["facets"] if nats > 0}
        return all(
            (
                self.verdict is None or campaign["verdict"] == self.verdict,
                self.q_value_at_most is None or campaign["q_value"] <= self.q_value_at_most,
                self.facets is None or facets.issuperset(self.facets),
                self.accounts_at_least is None or campaign["accounts"] >= self.accounts_at_least,
                self.accounts_at_most is None or campaign["accounts"] <= self.accounts_at_most,
                self.risk_at_least is None or account["risk"] >= self.risk_at_least,
                self.plans is None or account.get("plan") in self.plans,
                self.programmes is None or account.get("programme") in self.programmes,
                self.countries is None or account.get("country") in self.countries,
                self._of_level(account.get("verification_level")),
            )
        )

    def _of_level(self, level: int | None) -> bool:
        """Whether a level is what they ask; one that is not known is neither low nor high."""
        below, least = self.verification_level_below, self.verification_level_at_least
        if level is None:
            return below is None and least is None
        return (below is None or level < below) and (least is None or level >= least)


class Rule(Strict):
    """Conditions, and what is asked of the gateway where they hold."""

    name: Annotated[str, Field(min_length=1)] = Field(description="What people call the rule.")
    when: Conditions = Field(
        default=Conditions(), description="Conditions; without any the rule always holds."
    )
    action: Measure = Field(description="`observe`, `throttle`, `verify`, `reduce` or `block`.")
    duration: Span = Field(
        default=timedelta(hours=24), description="How long a decision stands, such as 24h."
    )
    budget_per_hour: Amount | None = Field(
        default=None,
        description="Requests an hour that all accounts of the campaign have together; of `throttle`.",
    )
    verify_url: str | None = Field(
        default=None,
        description="Where the account proves who it is, with `{link}` for a link of its own; of `verify`.",
    )
    max_tokens: Amount | None = Field(
        default=None, description="The longest answer that the account gets; of `reduce`."
    )
    approval_above: Count | None = Field(
        default=None, description="With more accounts of one campaign than this a person must approve."
    )
    if_unreachable: Failing = Field(
        default=Failing.OPEN, description="`open`: requests go on; `closed`: they wait."
    )

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        needs = {
            "budget_per_hour": Measure.THROTTLE,
            "verify_url": Measure.VERIFY,
            "max_tokens": Measure.REDUCE,
        }
        for name, action in needs.items():
            given = getattr(self, name) is not None
            if given and self.action is not action:
                raise ValueError(f"{name} belongs to action {action.value}, not to {self.action.value}")
            if not given and self.action is action and name != "max_tokens":
                raise ValueError(f"action {action.value} needs {name}")
        if self.verify_url is not None:
            _check_address(self.verify_url)
        return self


def _check_address(verify_url: str) -> None:
    if not _ADDRESS.match(verify_url):
        raise ValueError("verify_url must begin with https://: people are to give proof there")
    if _NO_ADDRESS.search(verify_url) or not _host(verify_url):
        raise ValueError("verify_url must name a host, and have no space and no control character in it")
    rest = verify_url.replace("{link}", "", 1)
    if "{" in rest or "}" in rest:
        raise ValueError("verify_url may have {link} in it, once, and no other braces")


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


class Policy(Strict):
    """A version and rules in the order in which they are looked at."""

    version: Annotated[str, Field(min_length=1)] = Field(description="Told with every decision.")
    enforce: bool = Field(default=False, description="Without it every decision is a dry run.")
    rules: tuple[Rule, ...] = Field(default=(), description="The first one that holds of an account counts.")

    @model_validator(mode="after")
    def _named_apart(self) -> Policy:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules are called {twice[0]!r}: a decision would not say which it was")
        return self

    def rule_for(self, campaign: Mapping[str, Any], account: Mapping[str, Any]) -> Rule:
        """Return the first rule that holds; one that observes where none does."""
        holding = (rule for rule in self.rules if rule.when.hold(campaign, account))
        return next(holding, Rule(name=_OBSERVED, action=Measure.OBSERVE))


def read_policy(path: Path) -> Policy:
    """Read a policy.

    Raises:
        InputError: the file cannot be read, is no TOML, or says something that a policy may not say; every
            mistake in it is named.
    """
    return read_toml(path, Policy, "policy", _FORM)
