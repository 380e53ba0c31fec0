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
    for sign in TELLING:
        nats = np.maximum(nats, _near(population.values(sign), member))
    return nats


def _near(values: Ints, member: Ints) -> Floats:
    """Weigh the members among the other holders of each value against those who are none."""
    held = values != NOTHING
    size = int(values.max(initial=0)) + 1
    members = np.bincount(values[held], member[held], minlength=size)
    holders = np.bincount(values[held], minlength=size)
    near = np.where(held, members[values] - member, 0)
    strangers = np.where(held, holders[values] - members[values] - (1 - member), 0)
    return closeness(near, strangers, _seen_twice(holders))


def closeness(members: Ints, strangers: Ints, recurring: float) -> Floats:
    """Return ``ln(members / (strangers + recurring))`` where there are members, never less than nothing.

    ``recurring`` is the share of holders of such values who share theirs with anybody: it stands for the
    strangers who have not come yet.
    """
    odds = np.maximum(members, 1e-9) / (np.maximum(strangers, 0) + recurring)
    return np.asarray(np.where(members > 0, np.maximum(np.log(odds), 0.0), 0.0))


def _seen_twice(holders: Ints) -> float:
    return float((holders[holders > 1].sum() + 1) / (holders.sum() + 2))
