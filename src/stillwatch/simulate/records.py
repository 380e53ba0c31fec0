"""Account records: what the provider keeps of each account, and the truth about it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.simulate import networks
from stillwatch.simulate.addresses import dotted, pick, uplinks
from stillwatch.simulate.codes import bijective48, hexadecimal
from stillwatch.simulate.dice import Seeds, below, derive, mix, unit
from stillwatch.simulate.population import Mail, Pool, Sharing
from stillwatch.simulate.render import compile_templates, plain
from stillwatch.simulate.roster import Roster
from stillwatch.simulate.tempo.arrivals import SECOND

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
SCHEMA: Final = pa.schema(
    [
        ("account_id", pa.large_string()),
        ("created_at", TIMESTAMP),
        *(
            (name, pa.large_string())
            for name in (
                "email",
                "phone",
                "payment_fingerprint",
                "device_fingerprint",
                "signup_ip",
                "country",
                "plan",
                "programme",
                "organization",
            )
        ),
    ]
)
_MAILS: Final = {
    Mail.PERSON: "{identities.person}",
    Mail.STAFF: "{identities.staff}<identities.organization>",
    Mail.STUDENT: "{identities.student}<identities.campus>",
    Mail.DISPOSABLE: "{identities.disposable_person}",
    Mail.GENERATED: "{identities.generated}",
    Mail.SUBDOMAIN: "{identities.subdomain}{identities.subdomain_host}<identities.subdomain_domain>",
    Mail.ALIASED: "<identities.alias_base>{identities.aliased}",
}


def account_ids(first: int, count: int, seed: int) -> pa.LargeStringArray:
    """Return the ids of accounts ``first`` and on; they say nothing about the order."""
    numbers = np.arange(first, first + count, dtype=np.uint64) + (
        mix(seed & ((1 << 64) - 1)) >> np.uint64(20)
    )
    return hexadecimal(bijective48(numbers & np.uint64((1 << 48) - 1)), 12, "acct_")


def records(roster: Roster, seed: int) -> pa.Table:
    """Return the account records of one family, see ``SCHEMA``."""
    population, crew = roster.population, roster.crew
    identity, count = population.identity, len(crew.seed)
    own, shared = derive(crew.seed, 11), roster.shared_seed(Sharing.GROUP, "organization")
    organization = _text("<identities.organization>", own, shared)
    signup = pick(uplinks(roster, population.network), np.arange(count), derive(crew.seed, 12))
    countries = pa.array([c.code for c in networks.COUNTRIES], type=pa.large_string())
    columns = [
        account_ids(roster.first, count, seed),
        pa.array(roster.created // SECOND * SECOND, type=pa.int64()).cast(TIMESTAMP),
        _text(_MAILS[identity.mail], own, shared),
        _opaque(roster, identity.phone, "phone"),
        _opaque(roster, identity.card, "card"),
        _opaque(roster, identity.device, "device"),
        dotted(signup.address),
        countries.take(pa.array(roster.country)),
        _constant(identity.plan, count),
        _constant(identity.programme, count),
        organization if identity.organization else _constant(None, count),
    ]
    return pa.table(columns, schema=SCHEMA)


def _text(template: str, own: Seeds, shared: Seeds) -> pa.LargeStringArray:
    return plain(compile_templates([template]), np.zeros(len(own), dtype=np.int64), own, shared)


def _constant(value: str | None, count: int) -> pa.Array:
    return pa.array([value], type=pa.large_string()).take(pa.array(np.zeros(count, dtype=np.int64)))


def _opaque(roster: Roster, pool: Pool, purpose: str) -> pa.LargeStringArray:
    """Return a fingerprint per account, shared as the pool says."""
    own = roster.shared_seed(pool.sharing, purpose)
    if pool.sharing is Sharing.EVERYONE:
        values = max(1, round(len(own) / pool.each))
        own = derive(own, below(derive(roster.crew.seed, len(purpose)), values))
    absent: npt.NDArray[np.bool_] = unit(derive(roster.crew.seed, 100 + len(purpose))) < pool.absent
    return hexadecimal(mix(own), 16, absent=absent)
