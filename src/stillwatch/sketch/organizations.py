"""Organisations by the fingerprints that sketches and account records have of their names."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from stillwatch.sketch.columns import frozen
from stillwatch.sketch.fields import each, text_fp
from stillwatch.sketch.identifiers import plain_name
from stillwatch.sketch.key import SketchKey


def organization_fps(names: Sequence[str], key: SketchKey) -> pa.Table:
    """Return ``name``, ``record_fp`` (of account records, however written) and ``log_fp`` (as it stands)."""
    texts, words = pa.array(names, pa.string()), frozen(key.words)
    return pa.table(
        {
            "name": texts,
            "record_fp": text_fp(words, each(texts, plain_name)),
            "log_fp": text_fp(words, texts),
        }
    )
