"""A key is found by scanners and told from what looks like one, whatever was mistyped in it."""

from __future__ import annotations

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.access.keys.written import PATTERN, PREFIX, id_of, new_key

ALPHABET = string.ascii_letters + string.digits
KEY = new_key()


def test_scanners_find_a_key_in_a_text():
    text = f'OPENAI_API_KEY="{KEY.text}" # see swk_docs'
    assert re.findall(PATTERN, text) == [KEY.text]
    assert id_of(KEY.text) == KEY.id == KEY.text[len(PREFIX) :][:10]


def test_no_two_keys_are_alike():
    keys = [new_key() for _ in range(200)]
    assert len({key.id for key in keys}) == len({key.text[14:57] for key in keys}) == 200
    assert all(id_of(key.text) == key.id for key in keys)


@given(st.integers(0, len(KEY.text) - 1), st.sampled_from(ALPHABET))
def test_one_sign_that_is_wrong_is_noticed(place, sign):
    mistyped = KEY.text[:place] + sign + KEY.text[place + 1 :]
    assert mistyped == KEY.text or id_of(mistyped) is None


@given(st.text(max_size=80))
def test_nothing_else_is_a_key(text):
    assert id_of(text) is None
    assert id_of(KEY.text + text) is None or not text
    assert id_of(PREFIX + text) is None
