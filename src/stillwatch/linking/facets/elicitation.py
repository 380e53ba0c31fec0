"""elicitation: wordings that draw training material out of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
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
            "Ordinary traffic: q, the cue's share in all other requests of the same days, each day as heavy "
            "as in the group's work, where p is its share. By hand: the 0.01, the cap"
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
        everyone, groups = engine.table(_EVERYONE), engine.table(_GROUPS)
        return findings_table(_findings(everyone, groups) if groups.num_rows else [])


_COUNTS: Final = "CAST(sum(k.exchanges) AS BIGINT) AS exchanges, " + ", ".join(
    f"CAST(sum(CASE WHEN k.cues & {1 << bit} > 0 THEN k.exchanges ELSE 0 END) AS BIGINT) AS cue_{bit}"
    for bit in range(len(Cue))
)
_EVERYONE: Final = f"SELECT day, {_COUNTS} FROM kinds k GROUP BY day ORDER BY day"
_GROUPS: Final = f"""
    SELECT w.candidate, k.day, {_COUNTS} FROM work w
    JOIN kinds k ON k.account = w.account AND k.family = w.family
    GROUP BY w.candidate, k.day ORDER BY w.candidate, k.day
"""

Floats = npt.NDArray[np.float64]


def _findings(everyone: pa.Table, groups: pa.Table) -> Iterator[Finding]:
    """Yield what is more than ordinary, candidate by candidate; both tables are by day."""
    day = np.searchsorted(everyone["day"].to_numpy(), groups["day"].to_numpy())
    candidates, starts = np.unique(groups["candidate"].to_numpy(), return_index=True)
    own, own_cues = _counts(groups)
    all_requests, all_cues = _counts(everyone)
    others = np.maximum(all_requests[day] - own, 1)
    there = (all_cues[day] - own_cues) / others[:, None]
    requests = np.add.reduceat(own, starts)
    cues = np.add.reduceat(own_cues, starts)
    here = cues / requests[:, None]
    ordinary = np.add.reduceat(there * own[:, None], starts) / requests[:, None]
    nats = here * np.log((here + _SMOOTHING) / (ordinary + _SMOOTHING))
    for row, bit in np.argwhere(nats > 0):
        yield _finding(
            int(candidates[row]),
            list(Cue)[bit],
            float(nats[row, bit]),
            float(here[row, bit]),
            float(ordinary[row, bit]),
            int(cues[row, bit]),
        )


def _counts(table: pa.Table) -> tuple[Floats, Floats]:
    """Return the requests, of shape (rows,), and those with each cue, of shape (rows, cues)."""
    cues = [table[f"cue_{bit}"].to_numpy() for bit in range(len(Cue))]
    return table["exchanges"].to_numpy().astype(np.float64), np.stack(cues, axis=1).astype(np.float64)


def _finding(candidate: int, cue: Cue, nats: float, here: float, there: float, requests: int) -> Finding:
    signal, words = CUE_SIGNALS[cue]
    return Finding(
        candidate=candidate,
        facet="elicitation",
        signal=signal,
        side="extraction",
        llr=nats,
        observed=here,
        expected=there,
        exchanges=requests,
        statement=(
            f"{here:.0%} of the requests {words}; {there:.1%} of all other requests on the same days do"
        ),
    )
