"""What a word is, in every script, and that its hash follows from its folded form alone."""

import pyarrow as pa
import pytest

from stillwatch.sketch.tokens import pair_hashes, token_hashes


def hashes(text):
    return token_hashes(pa.array([text]))[0].tolist()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Hello, WORLD!", "hello world"),
        ("ＡＢＣ１２", "abc12"),
        ("ÄRGER Ωmega ЖУК", "ärger ωmega жук"),
        ("**bold**_x_", "bold x"),
        ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
        ("𝐛𝐨𝐥𝐝 ١٢٣", "bold 123"),
        ("中文字", "中 文 字"),
        ("ｶﾀｶﾅ", "カ タ カ ナ"),
        ("한국 말", "한 국 말"),
        ("plan中9", "plan 中 9"),
        ("𠀀𠀁", "𠀀 𠀁"),
        ("don't", "don t"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_texts_of_the_same_words(text, same):
    assert hashes(text) == hashes(same)
    assert len(hashes(text)) == len(same.split())


def test_words_differ_by_more_than_their_zero_filling():
    texts = ["a", "aa", "a a", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab", "b", "0", "00", "é", "e"]
    assert len({tuple(hashes(text)) for text in texts}) == len(texts)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_columns_of_any_width_slices_and_nulls(kind):
    texts = pa.array(["skipped", "one two", None, "", "three"], kind).slice(1)
    values, offsets = token_hashes(texts)
    assert offsets.tolist() == [0, 2, 2, 2, 3]
    assert values.tolist() == hashes("one two three")


def test_empty_column():
    values, offsets = token_hashes(pa.array([], pa.string()))
    assert values.tolist() == []
    assert offsets.tolist() == [0]


def test_bytes_that_are_no_utf8_separate():
    values, _ = token_hashes(pa.array([b"a\xffb\xc3(c\xed\xa0\x80d\xf5e\xc0\x80f\xe4\xb8"], pa.binary()))
    assert values.tolist() == hashes("a b c d e f")


def test_pairs_have_an_order():
    values, _ = token_hashes(pa.array(["left right left"]))
    first, second = pair_hashes(values).tolist()
    assert first != second
    assert pair_hashes(values[:1]).tolist() == []
