"""How often the capability model is right on prompts written by hand: ``python benchmarks/capability.py``.

Prints JSON (``--json FILE`` writes it) and a table: accuracy by class and language, and which class is
taken for which. The prompts are in ``scripts/capability_corpus/heldout.toml`` and never trained on.
``--wrapped`` does the same for the payloads of ``tests/sketch/wrapped_prompts.toml``, each in every wrapper
of its language, which are not trained on either.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.contracts import Capability
from stillwatch.sketch.classifier import classify, feature_buckets, load_model

HELDOUT: Final = Path(__file__).parents[1] / "scripts/capability_corpus/heldout.toml"
WRAPPED: Final = Path(__file__).parents[1] / "tests/sketch/wrapped_prompts.toml"


Known = tuple[str, str, dict[str, Any]]
"""Language, class and prompt."""


class Judged(NamedTuple):
    """One held-out prompt: its language, its class, and the class that the model gave it."""

    language: str
    actual: str
    predicted: str


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--json", type=Path, help="also write the figures to this file")
    options.add_argument("--wrapped", action="store_true", help="measure wrapped payloads instead")
    chosen = options.parse_args()
    target = chosen.json
    judged = judge(wrapped_prompts(WRAPPED) if chosen.wrapped else heldout_prompts(HELDOUT))
    figures = json.dumps(summary(judged), indent=2)
    if target:
        target.write_text(figures + "\n", encoding="utf-8")
    print(figures)
    print(confusion(judged))


def heldout_prompts(path: Path) -> list[Known]:
    """Every prompt of a held-out file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        (language, actual, prompt)
        for actual, languages in tables.items()
        for language, prompts in languages.items()
        for prompt in prompts
    ]


def wrapped_prompts(path: Path) -> list[Known]:
    """Every payload of a file in every wrapper of its language."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        (language, actual, {"user": wrapper.replace("{payload}", payload)})
        for actual, languages in tables["payloads"].items()
        for language, payloads in languages.items()
        for payload in payloads
        for wrapper in tables["wrappers"][language]
    ]


def judge(rows: list[Known]) -> list[Judged]:
    """Classify prompts with the model that comes with the package."""
    values, ends = feature_buckets(
        pa.array([prompt["user"] for _, _, prompt in rows]),
        pa.array([prompt.get("system", "") for _, _, prompt in rows]),
        np.array([prompt.get("tools", False) for _, _, prompt in rows]),
        np.array([prompt.get("turns", 1) for _, _, prompt in rows], np.int64),
    )
    model, classes = load_model(), list(Capability)
    return [
        Judged(language, actual, classes[classify(model, values[ends[row] : ends[row + 1]])].value)
        for row, (language, actual, _) in enumerate(rows)
    ]


def summary(judged: list[Judged]) -> dict[str, object]:
    """Shares that are right: of all prompts, by class and by language."""
    return {
        "prompts": len(judged),
        "accuracy": accuracy(judged),
        "by_class": {
            name: accuracy(one for one in judged if one.actual == name)
            for name in sorted({one.actual for one in judged})
        },
        "by_language": {
            name: accuracy(one for one in judged if one.language == name)
            for name in sorted({one.language for one in judged})
        },
    }


def accuracy(judged: Iterable[Judged]) -> float:
    """Share of ``judged`` whose predicted class is the actual one."""
    return round(float(np.mean([one.actual == one.predicted for one in judged])), 3)


def confusion(judged: list[Judged]) -> str:
    """Table of actual classes (rows) against predicted ones (columns, in the same order)."""
    names = [name.value for name in Capability]
    cells = Counter((one.actual, one.predicted) for one in judged)
    header = " " * 22 + "".join(f"{name[:6]:>8}" for name in names)
    rows = [f"{actual:<22}" + "".join(f"{cells[actual, name]:>8}" for name in names) for actual in names]
    return "\n".join([header, *rows])


if __name__ == "__main__":
    main()
