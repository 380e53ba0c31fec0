"""The kernel says exactly what plain Python over ``json.loads`` says, on any input."""

import itertools
import json
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.contracts import EXCHANGE, SKETCH
from stillwatch.sketch import alphabet, fingerprints, json_scan, messages, tokens
from stillwatch.sketch.classifier import classify, feature_buckets, load_model
from stillwatch.sketch.cue_matcher import cues_of, load_cue_table
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.sketcher import Sketcher

KEY = SketchKey(bytes(range(16)))
WORD = (1 << 64) - 1
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT_TYPES = {"text", "input_text", "output_text"}


# -- the oracle


def fold_product(left, right):
    product = (left & WORD) * (right & WORD)
    return (product ^ product >> 64) & WORD


def words_of(text):
    table, found, open_word = alphabet.folding_table(), [], ""
    for character in text:
        point = ord(character)
        if point < alphabet.TABLE_SIZE:
            kind, point = divmod(int(table[point]), 1 << alphabet.KIND_SHIFT)
        else:
            far_han = alphabet.FIRST_FAR_HAN <= point <= alphabet.LAST_FAR_HAN
            kind = alphabet.SOLO if far_han else alphabet.SEPARATOR
        if kind == alphabet.WORD:
            open_word += chr(point)
        elif kind != alphabet.TRANSPARENT:
            found += [open_word] if open_word else []
            found += [chr(point)] if kind == alphabet.SOLO else []
            open_word = ""
    return [*found, open_word] if open_word else found


def exact_hash(word):
    raw = word.encode("utf-8")
    state = len(raw)
    for i in range(0, len(raw), 8):
        part = int.from_bytes(raw[i : i + 8], "little")
        state = fold_product(part ^ int(tokens.TOKEN_A), state ^ int(tokens.TOKEN_B))
    return state


def scaffold_hash(word):
    return int(tokens.NUMBER) if set(word) <= set("0123456789") else exact_hash(word)


def sequence(hashes):
    state = len(hashes)
    for value in hashes:
        state = fold_product(state ^ value, int(fingerprints.SEQUENCE))
    return keyed(state)


def shingles(words, most):
    hashes, size = [scaffold_hash(word) for word in words], fingerprints.SHINGLE_WORDS
    found = set()
    for i in range(len(hashes) - size + 1):
        rolling = 0
        for value in hashes[i : i + size]:
            rolling = (rolling * int(fingerprints.SHINGLE_BASE) + value) & WORD
        found.add(fold_product(rolling ^ int(fingerprints.SHINGLE_A), int(fingerprints.SHINGLE_B)))
    return [keyed(value) for value in sorted(found)[:most]]


def keyed(value, secret=KEY.secret):
    return siphash(secret, value.to_bytes(8, "little"))


def siphash(secret, raw):
    k0, k1 = (int.from_bytes(secret[i : i + 8], "little") for i in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotated(value, by):
        return (value << by | value >> (64 - by)) & WORD

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & WORD
            v[1] = rotated(v[1], 13) ^ v[0]
            v[0] = rotated(v[0], 32)
            v[2] = (v[2] + v[3]) & WORD
            v[3] = rotated(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & WORD
            v[3] = rotated(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & WORD
            v[1] = rotated(v[1], 17) ^ v[2]
            v[2] = rotated(v[2], 32)

    whole = len(raw) // 8 * 8
    last = raw[whole:].ljust(7, b"\0") + bytes([len(raw) & 0xFF])
    for block in [*(raw[i : i + 8] for i in range(0, whole, 8)), last]:
        word = int.from_bytes(block, "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def refuse(constant):
    raise ValueError(constant)


def text_of(content):
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    readable = [part for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "".join(part["text"] + " " for part in readable if _is_text(part.get("type")))


def _is_text(kind):
    return isinstance(kind, str) and kind in TEXT_TYPES


def expected(raw, has_tools=False):
    """SKETCH columns for messages JSON, or None where it must be rejected."""
    try:
        chat = json.loads(raw, strict=False, parse_constant=refuse, parse_int=len)
    except ValueError:
        return None
    if not isinstance(chat, list) or not all(isinstance(message, dict) for message in chat):
        return None
    if any(depth(value) > json_scan.MAX_DEPTH for message in chat for value in message.values()):
        return None
    system = " ".join(text_of(m.get("content")) for m in chat if m.get("role") in ("system", "developer"))
    spoken = [m for m in chat if m.get("role") not in ("system", "developer")]
    user = next((text_of(m.get("content")) for m in reversed(spoken) if m.get("role") == "user"), "")
    return features(system, user, [text_of(m.get("content")) for m in spoken], has_tools)


def features(system, user, spoken, has_tools):
    system_words, words = words_of(system), words_of(user)
    exact, scaffold = [exact_hash(w) for w in words], [scaffold_hash(w) for w in words]
    long_enough = len(words) >= fingerprints.HEAD_WORDS
    history = [[exact_hash(w) for w in words_of(text)] for text in spoken[-messages.HISTORY :]]
    buckets, _ = feature_buckets(plain(user), plain(system), np.array([has_tools]), np.array([len(spoken)]))
    cues = cues_of(pa.concat_arrays([plain(user), plain(system)]), load_cue_table())
    return {
        "system_fp": sequence([exact_hash(w) for w in system_words]) if system_words else None,
        "head_fp": sequence(scaffold[: fingerprints.HEAD_WORDS]) if long_enough else None,
        "tail_fp": sequence(scaffold[-fingerprints.HEAD_WORDS :]) if long_enough else None,
        "message_fp": sequence(exact) if words else None,
        "shingles": shingles(words, fingerprints.SHINGLES_USER)
        + shingles(system_words, fingerprints.SHINGLES_SYSTEM),
        "history_fps": [sequence(hashes) for hashes in history if hashes],
        "turns": len(spoken),
        "words": len(words),
        "cues": int(cues[0] | cues[1]),
        "capability": classify(load_model(), buckets),
    }


def plain(text):
    return pa.array([text.encode("utf-8", "replace").decode("utf-8")])


# -- what the kernel says


@pytest.fixture(scope="module")
def sketcher():
    return Sketcher(KEY)


def batch_of(raws, **columns):
    """EXCHANGE rows whose messages lie in a buffer without a byte to spare."""
    rows = len(raws)
    offsets = np.cumsum([0] + [len(raw) for raw in raws]).astype(np.int32)
    data = pa.py_buffer(b"".join(raws))
    columns |= {
        "exchange_id": [str(i) for i in range(rows)],
        "timestamp": [0] * rows,
        "account_id": ["a"] * rows,
        "source": ["log"] * rows,
        "line": list(range(1, rows + 1)),
        "messages": pa.StringArray.from_buffers(rows, pa.py_buffer(offsets.tobytes()), data),
    }
    arrays = [
        value
        if isinstance(value := columns.get(f.name, [None] * rows), pa.Array)
        else pa.array(value, f.type)
        for f in EXCHANGE
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=EXCHANGE)


def assert_agree(sketcher, raws, **columns):
    sifted = sketcher.exchanges(batch_of(raws, **columns))
    assert sifted.records.schema == SKETCH
    wanted = [expected(raw) for raw in raws]
    assert sifted.rejects["line"].to_pylist() == [i for i, row in enumerate(wanted, 1) if row is None]
    kept = [row for row in wanted if row is not None]
    names = list(kept[0]) if kept else []
    assert [{name: row[name] for name in names} for row in sifted.records.to_pylist()] == kept


# -- inputs

LETTERS = st.text(
    st.sampled_from('aAbZ09 .\n\t"\\/éßЖΣ中の한ｱＡ１ﬁ²½\u200b\u0301\ufe0f😀𝐀𠀀\x00\x7f—’'), max_size=90
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
WORDS = st.lists(st.sampled_from(["step", "by", "7", "2026", "Rate", "中", "x" * 9, "the"]), max_size=60)
TEXT = st.one_of(LETTERS, ANY_TEXT, WORDS.map(" ".join))
JSON_VALUE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), LETTERS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(LETTERS, inner, max_size=3)),
    max_leaves=5,
)
TYPE = st.one_of(st.sampled_from(sorted(TEXT_TYPES)), JSON_VALUE)
PART = st.fixed_dictionaries(
    {}, optional={"type": TYPE, "text": st.one_of(TEXT, JSON_VALUE), "image_url": JSON_VALUE}
)
CONTENT = st.one_of(TEXT, st.none(), st.lists(st.one_of(PART, JSON_VALUE), max_size=4), JSON_VALUE)
ROLE = st.one_of(
    st.sampled_from(["system", "developer", "user", "user", "assistant", "tool", "function"]), JSON_VALUE
)
MESSAGE = st.fixed_dictionaries({}, optional={"role": ROLE, "content": CONTENT, "name": JSON_VALUE})
MESSAGES = st.lists(MESSAGE, max_size=8)


def written(value, dice):
    """The value as JSON with whitespace and escapes as they fall, keys twice now and then."""

    def space():
        return dice.choice(["", "", " ", "\n\t", "\r "])

    if isinstance(value, str):
        return '"' + "".join(escaped(character, dice) for character in value) + '"'
    if isinstance(value, list):
        return (
            "[" + space() + f"{space()},{space()}".join(written(item, dice) for item in value) + space() + "]"
        )
    if isinstance(value, dict):
        pairs = list(value.items())
        dice.shuffle(pairs)
        if pairs and dice.random() < 0.2:
            pairs.insert(0, (dice.choice(pairs)[0], dice.choice(["old", None, [1]])))
        texts = (f"{written(key, dice)}{space()}:{space()}{written(item, dice)}" for key, item in pairs)
        return "{" + space() + f"{space()},{space()}".join(texts) + space() + "}"
    return json.dumps(value)


def escaped(character, dice):
    must = character in '"\\' or 0xD800 <= ord(character) < 0xE000
    if must or dice.random() < 0.1:
        short = json.dumps(character)[1:-1]
        units = character.encode("utf-16-be", "surrogatepass")
        long = "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
        return dice.choice([short, long])
    return character


@RELAXED
@given(st.lists(MESSAGES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_chat_requests_however_written(sketcher, requests, dice):
    assert_agree(sketcher, [written(request, dice).encode() for request in requests])


@RELAXED
@given(MESSAGES, st.randoms(use_true_random=False), st.data())
def test_damaged_requests(sketcher, request, dice, data):
    raw = bytearray(written(request, dice).encode())
    place = data.draw(st.integers(0, len(raw)))
    damage = data.draw(
        st.sampled_from([b"", b"\\", b'"', b"]", b"}", b",", b"\xff", b"\\u12", b"0", b"nul", b"-"])
    )
    raw[place : place + data.draw(st.integers(0, 3))] = damage
    if damage == b"\xff" or not is_utf8(raw):
        sketcher.exchanges(batch_of([bytes(raw), b"[]"]))
    else:
        assert_agree(sketcher, [bytes(raw), b"[]"])


def is_utf8(raw):
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@RELAXED
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_arbitrary_bytes_never_break_out(sketcher, raws):
    sifted = sketcher.exchanges(batch_of(raws))
    assert len(sifted.records) + len(sifted.rejects) == len(raws)


JSONISH = st.text(st.sampled_from('[]{}",:\\ \n09-.eEtrufalsn'), max_size=30)


@settings(RELAXED, max_examples=400)
@given(st.lists(JSONISH, min_size=1, max_size=6))
def test_grammar_is_that_of_json(sketcher, texts):
    raws = [f'[{{"role":"user","content":"x","k":{text}}}]'.encode() for text in texts]
    assert_agree(sketcher, raws + [text.encode() for text in texts])


@pytest.mark.parametrize("levels", [59, 60, 61, 200])
def test_depth_limit(sketcher, levels):
    assert_agree(sketcher, [b'[{"k":' + b"[" * levels + b"]" * levels + b"}]"])


@pytest.mark.parametrize("length", [*range(55, 75), 127, 128, 129, 5000])
def test_texts_around_block_borders(sketcher, length):
    for filler, last in itertools.product("a 中é", ["", '"', "\\", "z9"]):
        text = filler * length + last
        assert_agree(sketcher, [json.dumps([{"role": "user", "content": text}], ensure_ascii=False).encode()])


@pytest.mark.parametrize("length", range(55, 70))
def test_escapes_and_open_strings_around_block_borders(sketcher, length):
    texts = ["a" * length + rest for rest in ('\\\\"', '"\\n"b', "\n" * 70, 'b"')]
    raws = [json.dumps([{"role": "user", "content": text}]).encode() for text in texts]
    cut = [raw[:-3] for raw in raws]
    assert_agree(sketcher, [*raws, *cut, b"[" + b" " * 200 + b"]"])


@pytest.mark.parametrize("spread", [3, 7, 30, 1000])
def test_sampled_shingles_of_long_texts_that_repeat_themselves(sketcher, spread):
    text = " ".join(f"w{place * place % spread}x" for place in range(400))
    chat = [{"role": "system", "content": text}, {"role": "user", "content": text + " end"}]
    assert_agree(sketcher, [json.dumps(chat).encode()])


def test_answers_compare_with_history(sketcher):
    answers = ["The first answer: 42.", "Zweite Antwort – größer 中文", "", None, "***"]
    requests = [[{"role": "assistant", "content": text}] for text in answers]
    raws = [json.dumps(request).encode() for request in requests]
    records = sketcher.exchanges(batch_of(raws, answer=answers)).records
    assert records["history_fps"].to_pylist() == [
        [fp] if fp else [] for fp in records["answer_fp"].to_pylist()
    ]
    assert records["answer_fp"].null_count == 3


def test_sketch_does_not_depend_on_neighbours(sketcher):
    dice = random.Random(5)
    texts = [" ".join(dice.choices(["alpha", "beta", "12", "γάμμα", "中"], k=k)) for k in range(60)]
    raws = [json.dumps([{"role": dice.choice(["user", "system"]), "content": t}] * 2).encode() for t in texts]
    batch = batch_of(raws)
    whole = sketcher.exchanges(batch).records
    alone = [sketcher.exchanges(batch.slice(i, 1)).records for i in range(len(raws))]
    assert pa.Table.from_batches(alone).combine_chunks().to_batches()[0].equals(whole)


def test_prompts_alike_where_they_are_sampled(sketcher):
    prompts = [
        f"You answer {'x' * i}{letter}{'y' * (size - i)} as briefly as you can"
        for size in (10, 40, 150)
        for i in range(0, size, 2)
        for letter in "ab"
    ]
    requests = [
        [{"role": "system", "content": prompt}, {"role": "user", "content": "hello there"}]
        for prompt in [*prompts, *prompts]
    ]
    requests += [[request[0], *request] for request in requests]
    assert_agree(sketcher, [json.dumps(request).encode() for request in requests])
