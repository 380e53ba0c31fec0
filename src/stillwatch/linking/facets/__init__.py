"""Linking facets: the registry, in one screen. A plug-in joins through the entry point group."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from stillwatch.linking.facets.continuity import Continuity
from stillwatch.linking.facets.coverage import Coverage
from stillwatch.linking.facets.elicitation import Elicitation
from stillwatch.linking.facets.facet import Facet, FacetCard
from stillwatch.linking.facets.failover import Failover
from stillwatch.linking.facets.focus import Focus
from stillwatch.linking.facets.identity import Identity
from stillwatch.linking.facets.network import Network
from stillwatch.linking.facets.scaffold import Scaffold
from stillwatch.linking.facets.tempo import Tempo

ENTRY_POINT_GROUP: Final = "stillwatch.facets"

BUILT_IN: Final[dict[str, Facet]] = {
    "continuity": Continuity(),
    "coverage": Coverage(),
    "elicitation": Elicitation(),
    "failover": Failover(),
    "focus": Focus(),
    "identity": Identity(),
    "network": Network(),
    "scaffold": Scaffold(),
    "tempo": Tempo(),
}


def facets() -> dict[str, Facet]:
    """Return every facet by name: the built-in ones and those of installed plug-ins."""
    found = {point.name: point.load()() for point in entry_points(group=ENTRY_POINT_GROUP)}
    return dict(sorted({**found, **BUILT_IN}.items()))


__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "Facet", "FacetCard", "facets"]
