"""Closeness to known campaigns: holding what their accounts hold, and hardly anybody else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.access.agreement import Floats
from stillwatch.access.company import Ints
from stillwatch.access.population import NOTHING, Population
from stillwatch.access.signs import SHARED, Kind

TELLING: Final = tuple(
    sign
    for sign in SHARED
    if sign.kind is Kind.THING or sign.column in ("domain_fp", "head_fp", "tail_fp", "address_fp")
)
"""Signs whose values may belong to one hand."""


def near_campaigns(population: Population, campaigns: Collection[str]) -> Floats:
    """Return the nats by which each is near an account of a campaign that is another one than itself."""
    nats = np.zeros(population.size)
    if not campaigns:
        return nats
    named = pa.array(sorted(campaigns), pa.string())
    member = pc.is_in(population.table["account_id"], named).to_numpy().astype(np.int64)
    share = (member.sum() + 1) / (population.size + 1)
    for sign in TELLING:
        nats = np.maximum(nats, _near(population.values(sign), member, share))
    return nats


def closeness(members: Ints, holders: Ints, share: float) -> Floats:
    """Return how much likelier a member is among the holders of a value than among all, in nats.

    Args:
        members: other holders of the value that are of a campaign.
        holders: all other holders; one more is taken for granted who is of none.
        share: of members among all sign-ups.
    """
    lift = np.maximum(members, 1e-9) / (holders + 1) / share
    return np.asarray(np.where(members > 0, np.maximum(np.log(lift), 0.0), 0.0))


def _near(values: Ints, member: Ints, share: float) -> Floats:
    held = values != NOTHING
    size = int(values.max(initial=0)) + 1
    members = np.bincount(values[held], member[held], minlength=size)
    holders = np.bincount(values[held], minlength=size)
    near = np.where(held, members[values] - member, 0)
    return closeness(near.astype(np.int64), np.where(held, holders[values] - 1, 0), share)
