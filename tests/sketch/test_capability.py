"""The capability model that comes with the package: its shape, its reach, and that the payload decides."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.contracts import Capability
from stillwatch.sketch.classifier import BUCKETS, CLASSES, classify, feature_buckets, load_model

CORPUS = Path(__file__).parents[2] / "scripts/capability_corpus"
PAYLOADS = {
    Capability.MATHEMATICS: "Find the greatest common divisor of 462 and 1071 and prove that it is odd.",
    Capability.REASONING: (
        "On an island knights tell the truth and knaves lie. Ana says that Bea is a knave, Bea says that "
        "they are alike. Who is what?"
    ),
    Capability.SOFTWARE_ENGINEERING: (
        "Refactor this Python function and add unit tests: "
        "def load(path): return json.loads(open(path).read())"
    ),
    Capability.WRITING: "Write a short story about a baker who finds an old lamp in the cellar.",
}


def predicted(prompts: list[dict[str, Any]]) -> list[Capability]:
    values, ends = feature_buckets(
        pa.array([prompt["user"] for prompt in prompts]),
        pa.array([prompt.get("system", "") for prompt in prompts]),
        np.array([prompt.get("tools", False) for prompt in prompts]),
        np.array([prompt.get("turns", 1) for prompt in prompts], np.int64),
    )
    classes, model = list(Capability), load_model()
    return [classes[classify(model, values[ends[row] : ends[row + 1]])] for row in range(len(prompts))]


def prompts_of(name: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
    return tomllib.loads((CORPUS / name).read_text(encoding="utf-8"))


def texts(tables: dict[str, dict[str, list[dict[str, Any]]]]) -> set[str]:
    return {
        prompt["user"] for by_language in tables.values() for some in by_language.values() for prompt in some
    }


def test_model_has_the_shape_that_the_kernel_reads_and_is_small() -> None:
    source = resources.files("stillwatch.sketch") / "capability" / "model.npz"
    with source.open("rb") as file, np.load(file) as stored:
        assert stored["weights"].shape == (BUCKETS, CLASSES)
        assert stored["weights"].dtype == np.int16
        assert stored["bias"].dtype == np.int32
    assert len(source.read_bytes()) < 1_000_000


@pytest.mark.parametrize("capability", PAYLOADS)
@pytest.mark.parametrize(
    "wrapper",
    [
        "{}",
        "{}\n\nThink step by step.",
        "Write your complete reasoning inside <think> tags, then the answer.\n\n{}",
        "Respond in JSON with the keys reasoning and answer.\n{}",
    ],
)
def test_wrapper_leaves_the_class_of_its_payload(capability: Capability, wrapper: str) -> None:
    assert predicted([{"user": wrapper.format(PAYLOADS[capability])}]) == [capability]


def test_wrapped_payloads_keep_their_class() -> None:
    tables = tomllib.loads(Path(__file__).with_name("wrapped_prompts.toml").read_text(encoding="utf-8"))
    rows = [
        (language, name, wrapper.replace("{payload}", payload))
        for name, languages in tables["payloads"].items()
        for language, payloads in languages.items()
        for payload in payloads
        for wrapper in tables["wrappers"][language]
    ]
    found = predicted([{"user": text} for _, _, text in rows])
    right = [name == got for (_, name, _), got in zip(rows, found, strict=True)]
    dragged = [got in (Capability.GRADING, Capability.DATA_GENERATION) for got in found]
    assert np.mean(right) > 0.9  # measured 0.957; 0.858 before such wrappers were trained on
    assert np.mean(dragged) < 0.04  # measured 0.021; 0.060 before
    for language in ("en", "zh", "ko", "ja"):
        spoken = [fits for (other, _, _), fits in zip(rows, right, strict=True) if other == language]
        assert np.mean(spoken) > 0.8, language


@pytest.mark.parametrize("payload", PAYLOADS.values())
def test_judging_and_evolving_win_over_the_payload(payload: str) -> None:
    judged = (
        "You are an impartial judge. Rate the response to the question from 1 to 10 according to the rubric "
        f"and output only the score.\n\nQuestion: {payload}\n\nResponse: I do not know."
    )
    evolved = (
        "Rewrite the given prompt into a more complex version. Add a constraint. Do not answer it, only "
        f"output the new prompt.\n\nPrompt: {payload}"
    )
    assert predicted([{"user": judged}, {"user": evolved}]) == [
        Capability.GRADING,
        Capability.DATA_GENERATION,
    ]


def test_heldout_prompts_are_balanced_and_not_trained_on() -> None:
    heldout, written = prompts_of("heldout.toml"), prompts_of("written.toml")
    assert set(heldout) == set(Capability) == set(written)
    sizes = {name: sum(map(len, languages.values())) for name, languages in heldout.items()}
    assert set(sizes.values()) == {15}
    assert not texts(heldout) & texts(written)


def test_model_is_right_on_most_heldout_prompts_of_every_language() -> None:
    tables = prompts_of("heldout.toml")
    for language in ("en", "zh", "ko", "ja"):
        rows = [(name, prompt) for name, languages in tables.items() for prompt in languages[language]]
        right = [
            name == found for (name, _), found in zip(rows, predicted([p for _, p in rows]), strict=True)
        ]
        assert np.mean(right) > 0.55, language
