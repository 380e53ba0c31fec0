"""Explained: evidence that says nothing new once other evidence is known.

Facets are added up as if they were independent. Where one thing makes another likely the second counts for
nothing: accounts in one place, an office, a campus, a data centre, keep one clock.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import FINDINGS, conform

ONE_PLACE: Final = 1.0
"""Nats of shared address ranges from which on accounts are taken to be in one place."""


def explain_away(findings: pa.Table) -> pa.Table:
    """Return FINDINGS in which one clock speaks for no group that its networks put in one place."""
    network = pc.and_(pc.equal(findings["facet"], "network"), pc.greater_equal(findings["llr"], ONE_PLACE))
    placed = pc.is_in(findings["candidate"], findings.filter(network)["candidate"].combine_chunks())
    speaks = pc.and_(pc.equal(findings["signal"], "one-clock"), pc.greater(findings["llr"], 0.0))
    known = pc.and_(placed, speaks)
    statement = pc.binary_join_element_wise(findings["statement"], "; one place explains it", "")
    changed = {
        "llr": pc.if_else(known, 0.0, findings["llr"]),
        "statement": pc.if_else(known, statement, findings["statement"]),
    }
    columns = {name: changed.get(name, findings[name]) for name in findings.column_names}
    return conform(pa.table(columns), FINDINGS, "campaigns")
