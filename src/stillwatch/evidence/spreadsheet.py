"""The groups of a run as ``campaigns.csv``: one flat row each, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from stillwatch.contracts import CAMPAIGNS, Capability
from stillwatch.evidence.tables import RunTables

_MAPS: Final = ("capabilities", "facets")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet would run (OWASP, CSV injection)."""


def render_campaigns_csv(tables: RunTables) -> bytes:
    """Return the campaigns table as CSV (RFC 4180) in UTF-8 with the byte order mark that Excel asks for.

    Maps become columns ``capability_<name>`` and ``facet_<name>``; times are ISO 8601 in UTC. Text that
    a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers.
    """
    rows = tables.campaigns.to_pylist(maps_as_pydicts="strict")
    plain = [name for name in CAMPAIGNS.names if name not in _MAPS]
    facets = sorted({facet for row in rows for facet in row["facets"]})
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*plain, *(f"capability_{name}" for name in Capability), *(f"facet_{n}" for n in facets)])
    for row in rows:
        cells = [row[name] for name in plain]
        cells += [row["capabilities"].get(name) for name in Capability]
        cells += [row["facets"].get(name) for name in facets]
        writer.writerow([_cell(cell) for cell in cells])
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
