"""What the kernel looks things up in, together."""

from __future__ import annotations

from typing import NamedTuple

from stillwatch.sketch.alphabet import folding_table
from stillwatch.sketch.classifier import Model, load_model
from stillwatch.sketch.columns import frozen
from stillwatch.sketch.cue_matcher import CueTable, load_cue_table
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.messages import Alphabet
from stillwatch.sketch.siphash import Key


class Tables(NamedTuple):
    """All arrays are read-only."""

    key: Key
    alphabet: Alphabet
    model: Model
    cues: CueTable

    @classmethod
    def load(cls, key: SketchKey) -> Tables:
        """The tables that come with the package, and the key."""
        return cls(frozen(key.words), folding_table(), load_model(), load_cue_table())
