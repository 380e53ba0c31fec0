"""All facets together: the links of the account graph, and what they say of every candidate."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from stillwatch.contracts import FINDINGS, LINKS, FacetLimit, conform
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets import Facet


def find_links(engine: Engine, facets: Mapping[str, Facet]) -> pa.Table:
    """Return LINKS of every facet over the relations ``sketches``, ``accounts`` and ``activity``."""
    return conform(pa.concat_tables(facet.links(engine) for facet in facets.values()), LINKS, "linking")


def weigh_candidates(engine: Engine, facets: Mapping[str, Facet]) -> pa.Table:
    """Return FINDINGS of every facet over the relations of links and of candidates."""
    return conform(pa.concat_tables(facet.weigh(engine) for facet in facets.values()), FINDINGS, "linking")


def facet_limits(facets: Mapping[str, Facet]) -> dict[str, FacetLimit]:
    """Return how far each facet counts."""
    return {
        name: FacetLimit(
            facet.card.side, facet.card.cap, facet.card.floor, facet.card.dispatch, facet.card.template
        )
        for name, facet in facets.items()
    }
