"""elicitation: wordings that draw training material out of a model."""

from __future__ import annotations

import math
from typing import Final

import pyarrow as pa

from stillwatch.contracts import Cue
from stillwatch.engines.engine import Engine
from stillwatch.linking.facets.facet import FacetCard, FacetSignal
from stillwatch.linking.facets.finding import Finding, findings_table, no_links

CUE_SIGNALS: Final = {
    Cue.REASONING_ELICITATION: ("fixed-elicitation", "demand the model's reasoning in the open"),
    Cue.REASONING_RESTATED: ("reasoning-restated", "have past reasoning written out again"),
    Cue.REASONING_LANGUAGE: ("reasoning-language", "demand a language for the reasoning"),
    Cue.DEBUG_MODE: ("bypass-search", "claim a debug mode or a system's authority"),
    Cue.RUBRIC_GRADING: ("rubric-grading", "use the model as a grader"),
    Cue.INSTRUCTION_GENERATION: ("instruction-generation", "have tasks or data generated"),
    Cue.TRACE_CLEANING: ("trace-cleaning", "have captured traces cleaned"),
    Cue.SAFE_REWRITE: ("safe-rewrite", "have sensitive text rewritten to pass"),
}
"""Cue -> (signal, what requests with it do)."""

_SMOOTHING: Final = 0.01
"""A wording that nobody else uses is still taken for one request in a hundred."""


class Elicitation:
    """Work whose wording asks for what a student model is trained on."""

    card = FacetCard(
        name="elicitation",
        shows="the wording asks for reasoning, grades, tasks or cleaned traces",
        honest_twin="prompt standards, judges with an open template, synthetic test data, audit trails",
        method=(
            "p ln((p + 0.01) / (q + 0.01)) for each cue, its term of the relative entropy (Kullback & "
            "Leibler 1951): what one request is worth, however many there are; less than 0 counts as 0. "
            "Ordinary traffic: q, the cue's share in all other requests of the log, of any hour and kind, "
            "where p is its share in the group's work. By hand: the 0.01, the cap"
        ),
        side="extraction",
        cap=3.0,
        template=True,
        signals=(
            FacetSignal(
                "fixed-elicitation",
                "requests demand the model's reasoning in tags, fields or word for word",
                "a company's own prompt standard",
            ),
            FacetSignal(
                "reasoning-restated",
                "requests have the reasoning behind a finished answer written out",
                "audit trails and explainability in regulated teams",
            ),
            FacetSignal(
                "reasoning-language",
                "requests prescribe the language of the reasoning",
                "people who do not write English",
            ),
            FacetSignal(
                "bypass-search",
                "requests claim a debug mode or a system's authority over the reasoning",
                "red teams and safety research",
            ),
            FacetSignal(
                "rubric-grading",
                "the model is used as a grader or reward model",
                "judges of answers with one open-source template",
            ),
            FacetSignal(
                "instruction-generation",
                "requests have tasks, prompts or data generated",
                "synthetic test data at one customer",
            ),
            FacetSignal("trace-cleaning", "captured traces are fed back to be cleaned", "summaries of logs"),
            FacetSignal(
                "safe-rewrite",
                "sensitive text is rewritten so that it passes",
                "moderation and editorial teams",
            ),
        ),
    )

    def links(self, engine: Engine) -> pa.Table:
        """Return no LINKS: a wording that many use ties nobody together."""
        return no_links()

    def weigh(self, engine: Engine) -> pa.Table:
        """Return FINDINGS of each cue that the group's work shows more than other traffic does."""
        counts = ", ".join(
            f"CAST(sum(CASE WHEN k.cues & {1 << bit} > 0 THEN k.exchanges ELSE 0 END) AS BIGINT) AS cue_{bit}"
            for bit in range(len(Cue))
        )
        total = f"CAST(sum(k.exchanges) AS BIGINT) AS exchanges, {counts}"
        groups = engine.table(
            f"""
            SELECT w.candidate, {total} FROM work w
            JOIN kinds k ON k.account = w.account AND k.family = w.family
            GROUP BY w.candidate ORDER BY w.candidate
            """
        ).to_pylist()
        everyone = engine.table(f"SELECT {total} FROM kinds k ORDER BY 1").to_pylist()[0]
        return findings_table(
            finding
            for group in groups
            for bit, cue in enumerate(Cue)
            if (finding := _finding(group, everyone, bit, cue)).llr > 0
        )


def _finding(group: dict[str, int], everyone: dict[str, int], bit: int, cue: Cue) -> Finding:
    signal, words = CUE_SIGNALS[cue]
    here = group[f"cue_{bit}"] / group["exchanges"]
    others = max(everyone["exchanges"] - group["exchanges"], 1)
    there = max(everyone[f"cue_{bit}"] - group[f"cue_{bit}"], 0) / others
    return Finding(
        candidate=group["candidate"],
        facet="elicitation",
        signal=signal,
        side="extraction",
        llr=here * math.log((here + _SMOOTHING) / (there + _SMOOTHING)),
        observed=here,
        expected=there,
        exchanges=group[f"cue_{bit}"],
        statement=f"{here:.0%} of the requests {words}; {there:.1%} of all other requests do",
    )
