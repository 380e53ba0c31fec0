"""Marks: what a sign-up bears by itself. They corroborate, and raise nobody."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.access.agreement import Floats
from stillwatch.access.signs import DISPOSABLE, LISTED, YOUNG, Sign

YOUNG_DAYS: Final = 30


def marks(signups: pa.Table) -> dict[Sign, Floats]:
    """Return the nats of each mark of SIGNUP rows."""
    borne = {
        DISPOSABLE: pc.equal(signups["mail_kind"], "disposable"),
        YOUNG: pc.less(signups["domain_age_days"], YOUNG_DAYS),
    }
    borne |= {sign: pc.equal(signups["network_kind"], kind) for kind, sign in LISTED.items()}
    return {sign: _nats(where, sign.cap) for sign, where in borne.items()}


def _nats(where: pa.ChunkedArray, nats: float) -> Floats:
    return np.asarray(pc.fill_null(where, False).to_numpy(), np.float64) * nats
