"""The rules of the compiled OCSF schema that a document can break."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parents[3] / "shared" / "data" / "ocsf_1.8.0_compiled.json.gz"
PYTHON_TYPES = {
    "string_t": str,
    "integer_t": int,
    "long_t": int,
    "float_t": (int, float),
    "boolean_t": bool,
    "json_t": object,
}


class Schema:
    """Finds what is wrong with a document."""

    def __init__(self, compiled: dict[str, Any]) -> None:
        self.compiled = compiled

    def faults(self, finding: dict[str, Any], of: str = "detection_finding") -> list[str]:
        """Everything that is wrong with a document of a class, by its place."""
        kind = self.compiled["classes"][of]
        profiles = set(finding.get("metadata", {}).get("profiles", []))
        unknown = [f"profile {name} is not of the class" for name in profiles - set(kind["profiles"])]
        return unknown + list(self._object(finding, kind, profiles, "finding"))

    def _object(self, value: Any, kind: dict[str, Any], profiles: set[str], place: str) -> Iterator[str]:
        attributes = {
            name: rule
            for name, rule in kind["attributes"].items()
            if rule.get("profile") is None or rule["profile"] in profiles
        }
        if not isinstance(value, dict):
            yield f"{place}: no object"
            return
        if not kind["attributes"]:
            return  # the generic object: anything goes
        yield from (f"{place}.{name}: unknown" for name in value.keys() - attributes.keys())
        for name, rule in attributes.items():
            if name in value:
                yield from self._attribute(value[name], rule, profiles, f"{place}.{name}")
            elif rule["requirement"] == "required":
                yield f"{place}.{name}: missing"
        least = (kind.get("constraints") or {}).get("at_least_one", [])
        if least and not set(least) & value.keys():
            yield f"{place}: none of {least}"

    def _attribute(self, value: Any, rule: dict[str, Any], profiles: set[str], place: str) -> Iterator[str]:
        if rule["is_array"] != isinstance(value, list):
            yield f"{place}: {'no' if rule['is_array'] else 'an'} array"
            return
        for item in value if rule["is_array"] else [value]:
            if rule["type"] in self.compiled["types"]:
                yield from self._scalar(item, rule, place)
            else:
                yield from self._object(item, self.compiled["objects"][rule["type"]], profiles, place)

    def _scalar(self, value: Any, rule: dict[str, Any], place: str) -> Iterator[str]:
        kind = self.compiled["types"][rule["type"]]
        expected = PYTHON_TYPES[kind["type"] or rule["type"]]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected in (int, (int, float))):
            yield f"{place}: {value!r} is no {rule['type']}"
        elif rule.get("enum") and str(value) not in rule["enum"]:
            yield f"{place}: {value!r} is not one of the values"
        elif kind["regex"] and not re.search(kind["regex"], value):
            yield f"{place}: {value!r} is not written as {rule['type']}"
