"""Prompts from grammars: the training corpus of the capability model, written for this project.

A few prompts are written by hand (``written.toml``), the others come from grammars. A grammar is a
TOML file per language with ``slots`` (lists of wordings; ``passages``, ``chatter`` and ``code`` are taken
as they are), ``templates`` and ``vocabulary`` per capability, and ``wrappers`` that leave the capability
as it is. In a wording ``{a|b}`` is a choice, ``{name}`` a slot, ``{n}`` and ``{N}`` a small and a large
number, ``{payload:any}`` a whole prompt, ``{passage}`` some text, ``{nonsense}`` unknown words, ``{code}``
a listing. Braces that are none of these stay.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from stillwatch.contracts import Capability

LANGUAGES: Final = ("en", "zh", "ko", "ja")
FOLDER: Final = Path(__file__).parent

WRAPPED: Final = 0.6  # share of prompts in a neutral wrapper
ELICITED: Final = 0.4  # share of those whose wrapper demands reasoning or names a place for it
STANDING: Final = 0.25  # share of those demands that stand in the system prompt
FOREIGN_WRAPPER: Final = 0.15  # share of those whose wrapper is English whatever the payload's language
IN_SYSTEM: Final = 0.35  # share of instructions that stand in the system prompt instead of the message
PLAIN_SYSTEM: Final = 0.4  # share of other prompts that come with a general system prompt
DEEPEST: Final = 12  # nesting of slots and payloads, a guard against endless recursion
PASTED: Final = 0.12  # share of prompts that come with a text that says nothing of the class
WRITTEN: Final = 0.12  # share of prompts written by hand
LOOSE: Final = 0.35  # share of prompts made of a class's vocabulary without grammar
NONSENSE: Final = 0.3  # share of passages made of unknown words
BORROWED: Final = 0.3  # share of passages made of prompts: what is asked decides, not what it is about
SPACED: Final = frozenset({"en", "ko"})
SCRIPTS: Final = {
    "en": (0, 0, 4),
    "zh": (0x4E00, 0x7A00, 1),
    "ko": (0xAC00, 0xD7A3, 3),
    "ja": (0x3042, 0x3093, 1),
    "russian": (0x430, 0x44F, 9),
    "arabic": (0x621, 0x64A, 7),
    "hindi": (0x905, 0x939, 6),
    "greek": (0x3B1, 0x3C9, 8),
}
"""Scripts of nonsense: first and last code point, longest word; English nonsense is made of sounds."""
TOOLS: Final = {Capability.AGENTIC: 0.6, Capability.SOFTWARE_ENGINEERING: 0.2}
TOOLS_ELSEWHERE: Final = 0.06
INSTRUCTED: Final = frozenset(
    {
        Capability.AGENTIC,
        Capability.CONVERSATION,
        Capability.DATA_GENERATION,
        Capability.GRADING,
        Capability.TEXT_PROCESSING,
    }
)
"""Classes whose instruction applications put into the system prompt, with the matter in the message."""

_SOUNDS: Final = [
    first + vowel for first in "bcdfghjklmnprstvw" for vowel in ("a", "e", "i", "o", "u", "an", "er", "in")
]
_BREAK: Final = re.compile(r"\n+|(?<=[.!?:])\s+|(?<=[。！？：])")


class Prompt(NamedTuple):
    """One training example: what the classifier sees of an exchange, and its class."""

    user: str
    system: str
    tools: bool
    turns: int
    capability: Capability
    language: str


class Grammar:
    """The grammar of one language."""

    def __init__(self, language: str) -> None:
        """Read the grammar's file."""
        tables: dict[str, Any] = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
        self.language = language
        self.templates: dict[str, list[str]] = tables["templates"]
        self.wrappers: dict[str, list[str]] = tables["wrappers"]
        self.written = _written(language)
        self._slots: dict[str, Any] = tables["slots"]
        self._vocabulary: dict[str, list[str]] = tables["vocabulary"]

    def sentence(self, wording: str, chance: random.Random, depth: int = 0) -> str:
        """Expand one wording."""
        if depth > DEEPEST:
            return ""
        parts = []
        at = 0
        for start, end in _groups(wording):
            parts += [wording[at:start], self._group(wording[start + 1 : end], chance, depth + 1)]
            at = end + 1
        return "".join([*parts, wording[at:]])

    def prompt(self, capability: str, chance: random.Random, depth: int = 0) -> str:
        """A prompt of ``capability`` without wrapper."""
        return self.sentence(chance.choice(self.templates[capability]), chance, depth)

    def loose(self, capability: str, chance: random.Random) -> str:
        """A prompt of no grammar: typical words of ``capability`` among words that say nothing."""
        telling = chance.choices(self._vocabulary[capability], k=chance.randint(2, 8))
        words = [word for told in telling for word in (*self._glue(chance), told)] + self._glue(chance)
        return (" " if self.language in SPACED else "").join(words)

    def _glue(self, chance: random.Random) -> list[str]:
        return chance.choices(self._vocabulary["glue"], k=chance.randint(0, 4))

    def _group(self, inside: str, chance: random.Random, depth: int) -> str:
        choices = _split(inside)
        if len(choices) > 1:
            return self.sentence(chance.choice(choices), chance, depth)
        return self._slot(inside, chance, depth)

    def _slot(self, name: str, chance: random.Random, depth: int) -> str:
        match name:
            case "n":
                return str(chance.randint(2, 99))
            case "N":
                return str(chance.randint(100, 9999))
            case "passage":
                return self._passage(chance)
            case "nonsense":
                return self._nonsense(chance)
            case "code":
                return str(chance.choice(self._slots["code"]))
            case "payload:any":
                return self.prompt(chance.choice(list(Capability)), chance, depth + 3)
            case _ if name in self._slots:
                return self.sentence(chance.choice(self._slots[name]), chance, depth)
            case _:
                return "{" + self.sentence(name, chance, depth) + "}"

    def _passage(self, chance: random.Random) -> str:
        kind = chance.random()
        if kind < NONSENSE:
            return self._nonsense(chance)
        if kind < NONSENSE + BORROWED:
            return "\n".join(self._borrowed(chance) for _ in range(chance.randint(1, 4)))
        sentences = self._slots[chance.choice(["passages", "passages", "chatter"])]
        return (" " if self.language in SPACED else "").join(chance.sample(sentences, chance.randint(1, 6)))

    def _borrowed(self, chance: random.Random) -> str:
        capability = chance.choice(list(Capability))
        return (
            self.loose(capability, chance)
            if chance.random() < 0.5
            else self.prompt(capability, chance, DEEPEST - 4)
        )

    def _nonsense(self, chance: random.Random) -> str:
        script = self.language if chance.random() < 0.5 else chance.choice(list(SCRIPTS))
        first, last, longest = SCRIPTS[script]
        words = []
        for _ in range(chance.randint(8, 70)):
            letters = [chr(chance.randint(first, last)) for _ in range(chance.randint(1, longest))]
            words.append(
                "".join(letters) if script != "en" else "".join(chance.choices(_SOUNDS, k=len(letters)))
            )
        return (" " if longest > 1 else "").join(words) + "."


def _written(language: str) -> dict[str, list[dict[str, str]]]:
    tables = tomllib.loads((FOLDER / "written.toml").read_text(encoding="utf-8"))
    return {capability: languages[language] for capability, languages in tables.items()}


def corpus(seed: int, per_class: dict[str, int]) -> Iterator[Prompt]:
    """Prompts of every class and language in a fixed order.

    Args:
        seed: the same seed gives the same prompts.
        per_class: prompts per class, by language.
    """
    grammars = {language: Grammar(language) for language in LANGUAGES}
    for language, count in per_class.items():
        for capability in Capability:
            chance = random.Random(f"{seed}/{language}/{capability}")
            for _ in range(count):
                yield _prompt(grammars[language], grammars["en"], capability, chance)


def _prompt(grammar: Grammar, english: Grammar, capability: Capability, chance: random.Random) -> Prompt:
    system, user = _matter(grammar, capability, chance)
    if chance.random() < WRAPPED:
        source = english if chance.random() < FOREIGN_WRAPPER else grammar
        system, user = _wrapped(source, system, user, chance)
    if chance.random() < PASTED:
        parts = [user, grammar.sentence("{passage}", chance)]
        user = "\n\n".join(parts if chance.random() < 0.5 else reversed(parts))
    if not system and chance.random() < PLAIN_SYSTEM:
        system = grammar.sentence(chance.choice(grammar.wrappers["system"]), chance)
    tools = chance.random() < TOOLS.get(capability, TOOLS_ELSEWHERE)
    turns = min(9, int(chance.expovariate(0.7)) + 1)
    return Prompt(user, system, tools, turns, capability, grammar.language)


def _wrapped(source: Grammar, system: str, user: str, chance: random.Random) -> tuple[str, str]:
    """System prompt and message with a wrapper of ``source`` around them that says nothing of the class."""
    elicited = chance.random() < ELICITED
    wording = chance.choice(source.wrappers["elicitation" if elicited else "neutral"])
    wrapper = source.sentence(wording.replace("{payload}", "\0"), chance)
    if elicited and not system and chance.random() < STANDING:
        return wrapper.replace("\0", "").strip(), user
    return system, wrapper.replace("\0", user)


def _matter(grammar: Grammar, capability: Capability, chance: random.Random) -> tuple[str, str]:
    """System prompt and message before anything is put around them."""
    kind = chance.random()
    if kind < WRITTEN:
        written = chance.choice(grammar.written[capability])
        return written.get("system", ""), written["user"]
    loose = kind < WRITTEN + LOOSE
    text = grammar.loose(capability, chance) if loose else grammar.prompt(capability, chance)
    return _placed(text, capability, chance)


def _placed(text: str, capability: Capability, chance: random.Random) -> tuple[str, str]:
    """System prompt and message: some instructions are standing ones, apart from the matter."""
    breaks = [match.end() for match in _BREAK.finditer(text) if 0 < match.end() < len(text)]
    if capability not in INSTRUCTED or not breaks or chance.random() > IN_SYSTEM:
        return "", text
    place = breaks[0] if chance.random() < 0.5 else chance.choice(breaks)
    return text[:place].strip(), text[place:].strip()


def _groups(wording: str) -> Iterator[tuple[int, int]]:
    """Places of the outermost braces; an unclosed one is text."""
    depth, start = 0, 0
    for place, character in enumerate(wording):
        if character == "{":
            start = start if depth else place
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            if not depth:
                yield start, place


def _split(inside: str) -> list[str]:
    """Alternatives of a group: split at the bars that stand in no inner group."""
    choices, depth = [""], 0
    for character in inside:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "|" and not depth:
            choices.append("")
        else:
            choices[-1] += character
    return choices
