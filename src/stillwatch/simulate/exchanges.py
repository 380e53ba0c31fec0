"""From slots to log records: the columns of ``exchanges-*.parquet``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.simulate import networks
from stillwatch.simulate.addresses import dotted
from stillwatch.simulate.choices import MODEL_NAMES, Choices, Chooser
from stillwatch.simulate.codes import hexadecimal
from stillwatch.simulate.dice import Seeds, generator, mix, name_seed
from stillwatch.simulate.recipes import RECIPES
from stillwatch.simulate.records import TIMESTAMP
from stillwatch.simulate.render import compile_templates, conversations, plain
from stillwatch.simulate.schedule import Slots, Stream
from stillwatch.simulate.window import Window

_TEXT: Final = pa.large_string()
SCHEMA: Final = pa.schema(
    [
        ("timestamp", TIMESTAMP),
        ("request_id", _TEXT),
        ("account_id", _TEXT),
        ("api_key_id", _TEXT),
        ("conversation_id", _TEXT),
        ("model", _TEXT),
        ("messages", _TEXT),
        ("tools", _TEXT),
        ("input_tokens", pa.int32()),
        ("output_tokens", pa.int32()),
        ("status", pa.int32()),
        ("ip", _TEXT),
        ("asn", pa.int32()),
        ("user_agent", _TEXT),
        ("ja4", _TEXT),
    ]
)
_STATUSES: Final = {200: 0.988, 429: 0.0052, 400: 0.0016, 403: 0.0015, 500: 0.0017, 529: 0.002}
_BYTES_PER_TOKEN: Final = 4.4
_MEDIAN_OUTPUT: Final = np.array([recipe.output for recipe in RECIPES.values()])
_HAS_TOOLS: Final = np.array([bool(recipe.tools) for recipe in RECIPES.values()])
_MODELS: Final = pa.array(MODEL_NAMES, type=_TEXT)
_KEYS: Final = pa.array([f"-k{number}" for number in range(16)], type=_TEXT)
_NOTHING: Final = pa.scalar("", _TEXT)

Counts = npt.NDArray[np.int32]


class Block(NamedTuple):
    """Exchanges that follow one another, and which of them a campaign made."""

    table: pa.Table
    account: npt.NDArray[np.int64]
    attack: npt.NDArray[np.bool_]


class Scribe:
    """Writes the exchanges of one world, block by block; may be used from several threads."""

    def __init__(
        self, seed: int, window: Window, streams: Sequence[Stream], account_ids: pa.LargeStringArray
    ) -> None:
        self._seed, self._account_ids = seed, account_ids
        self._chooser = Chooser(seed, window, streams)
        agents = self._chooser.agents
        self._agents = pa.array(agents, type=_TEXT)
        self._ja4 = pa.array([_ja4(agent) for agent in agents], type=_TEXT)
        self._attack = np.array([stream.traffic.attack for stream in streams])
        self._templates = compile_templates(
            [text for r in RECIPES.values() for text in (r.system, r.first, r.later, r.answer)]
        )
        self._tools = compile_templates(["<agent.tools>"])

    def write(self, number: int, first: int, slots: Slots) -> Block:
        """Return block ``number``, whose first exchange is number ``first`` of the world."""
        chosen = self._chooser.choose(slots)
        rng = generator(self._seed, "block", number)
        columns = self._senders(first, slots, chosen) | self._contents(slots, chosen, rng)
        table = pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
        return Block(table, slots.account, self._attack[slots.stream])

    def _senders(self, first: int, slots: Slots, chosen: Choices) -> dict[str, pa.Array]:
        serial = np.arange(first, first + len(slots.time), dtype=np.uint64)
        account = self._account_ids.take(pa.array(slots.account))
        return {
            "timestamp": pa.array(slots.time).cast(TIMESTAMP),
            "request_id": hexadecimal(mix(serial + name_seed(self._seed, "request")), 16, "req_"),
            "account_id": account,
            "api_key_id": pc.binary_join_element_wise(account, _KEYS.take(pa.array(chosen.key)), _NOTHING),
            "conversation_id": hexadecimal(mix(slots.seed), 15, "c", absent=chosen.silent),
            "ip": dotted(chosen.address),
            "asn": pa.array(chosen.asn),
            "user_agent": self._agents.take(pa.array(chosen.client)),
            "ja4": self._ja4.take(pa.array(chosen.client)),
        }

    def _contents(self, slots: Slots, chosen: Choices, rng: np.random.Generator) -> dict[str, pa.Array]:
        messages = conversations(self._templates, chosen.recipe, slots.turn, chosen.payload, chosen.shared)
        tools = self._tool_definitions(chosen)
        codes, shares = np.array(list(_STATUSES)), np.array(list(_STATUSES.values()))
        drawn = codes[np.searchsorted(np.cumsum(shares / shares.sum())[:-1], rng.random(len(slots.time)))]
        status = np.where(chosen.banned, 403, drawn).astype(np.int32)
        return {
            "model": _MODELS.take(pa.array(chosen.model)),
            "messages": messages,
            "tools": tools,
            "input_tokens": pa.array(_input_tokens(messages, tools, rng)),
            "output_tokens": pa.array(_output_tokens(chosen, status, rng)),
            "status": pa.array(status),
        }

    def _tool_definitions(self, chosen: Choices) -> pa.Array:
        """Return the tools that each exchange offers; null where its workload has none."""
        offered = _HAS_TOOLS[chosen.recipe]
        sets, index = np.unique(chosen.shared[offered], return_inverse=True)
        if not len(sets):
            return pa.nulls(len(offered), _TEXT)
        row = np.zeros(len(offered), dtype=np.int64)
        row[offered] = index
        return self._tool_sets(sets).take(pa.array(row, mask=~offered))

    def _tool_sets(self, sets: Seeds) -> pa.LargeStringArray:
        quoted = plain(self._tools, np.zeros(len(sets), dtype=np.int64), sets, sets)
        return pa.array([json.loads(f'"{text}"') for text in quoted.to_pylist()], type=_TEXT)


def _input_tokens(messages: pa.Array, tools: pa.Array, rng: np.random.Generator) -> Counts:
    size = pc.add(pc.binary_length(messages), pc.coalesce(pc.binary_length(tools), 0)).to_numpy()
    tokens: npt.NDArray[np.float64] = np.maximum(
        size / _BYTES_PER_TOKEN * rng.normal(1.0, 0.05, size=len(size)), 1
    )
    return tokens.astype(np.int32)


def _output_tokens(chosen: Choices, status: Counts, rng: np.random.Generator) -> Counts:
    drawn = _MEDIAN_OUTPUT[chosen.recipe] * np.exp(rng.normal(0.0, 0.6, size=len(status)))
    return np.where(status == 200, np.clip(drawn, 1, 32_000), 0).astype(np.int32)


def _ja4(agent: str) -> str:
    """Return the TLS fingerprint of a client; ones that are not listed get one of their own."""
    ciphers, extensions = (int(name_seed("tls", agent, part)) for part in ("ciphers", "extensions"))
    made_up = f"t13d{12 + ciphers % 8}{10 + extensions % 9}h2_{ciphers >> 16:012x}_{extensions >> 16:012x}"
    return networks.CLIENTS.get(agent, made_up)
