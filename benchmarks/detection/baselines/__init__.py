"""The baselines: what else could be done in an afternoon, or is published. The registry, in one screen."""

from __future__ import annotations

from typing import Final

from baselines.account_two_sample import AccountTwoSample
from baselines.afternoon_rule import AfternoonRule
from baselines.baseline import Baseline
from baselines.group_two_sample import GroupTwoSample
from baselines.rate_limit import RateLimit
from baselines.shared_attributes import SharedAttributes

BASELINES: Final[dict[str, Baseline]] = {
    "afternoon rule": AfternoonRule(),
    "rate limit": RateLimit(),
    "shared attributes": SharedAttributes(),
    "two-sample test, account": AccountTwoSample(),
    "two-sample test, group": GroupTwoSample(),
}

__all__ = ["BASELINES", "Baseline"]
