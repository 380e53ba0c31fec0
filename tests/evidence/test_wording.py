"""The wording that many accounts share: all of it is shown, and nothing that fewer than twenty sent."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.evidence.wording import ELIDED, SHARED_BY, shared_wording

SCAFFOLD = (
    "Solve this.\n\nThink step by step in <notes>.\nProblem: {payload}\nNow answer in one line, after it."
)
WORDS = ("alpha", "beta", "gamma", "delta", "what", "is", "the", "value", "of", "a", "sum", "number", "train")


def requests(
    accounts: int, scaffold: str = SCAFFOLD, prefix: str = "a", each: int = 2
) -> list[tuple[str, str]]:
    dice = random.Random(f"{prefix}{accounts}")
    made = []
    for account in range(accounts):
        for number in range(each):
            payload = f"secret{prefix}{account}x{number} " + " ".join(dice.choices(WORDS, k=25))
            made.append((f"{prefix}{account}", scaffold.format(payload=payload)))
    return made


def test_the_scaffold_stands_as_it_was_sent_and_the_payload_is_left_out():
    found = shared_wording(requests(30))
    [scaffold] = found.scaffolds
    assert scaffold.text == SCAFFOLD.format(payload=ELIDED)
    assert (scaffold.accounts, found.accounts_read) == (30, 30)


@pytest.mark.parametrize("accounts", [1, SHARED_BY - 1])
def test_what_fewer_than_twenty_accounts_share_is_never_shown(accounts: int):
    assert shared_wording(requests(accounts, each=40)).scaffolds == ()
    beside = requests(accounts, "A private note of a few friends: {payload}", prefix="b")
    shown = shared_wording(requests(30) + beside).scaffolds
    assert [scaffold.text for scaffold in shown] == [SCAFFOLD.format(payload=ELIDED)]


def test_two_scaffolds_of_one_campaign_are_both_shown():
    other = "请逐步思考并写出完整的推理过程。题目：{payload}。请给出答案"
    found = shared_wording(requests(40) + requests(25, other, prefix="b"))
    assert [scaffold.accounts for scaffold in found.scaffolds] == [40, 25]
    assert found.scaffolds[1].text.startswith("请逐步思考并写出完整的推理过程。题目：")
    assert "secret" not in found.scaffolds[1].text


def test_of_a_long_request_beginning_and_end_are_compared_and_never_joined():
    long = (
        "Read what follows with care and answer. " + "{payload} " * 60 + "Close with a summary of five lines."
    )
    [scaffold] = shared_wording(requests(24, long, each=1)).scaffolds
    assert (
        scaffold.text
        == f"Read what follows with care and answer. {ELIDED} Close with a summary of five lines."
    )


def test_a_common_word_or_two_is_no_wording():
    assert shared_wording(requests(40, "{payload}")).scaffolds == ()


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(
        st.tuples(st.integers(0, 40), st.lists(st.sampled_from("abcdefg"), min_size=3, max_size=14)),
        min_size=20,
        max_size=90,
    )
)
def test_every_run_that_is_shown_was_sent_whole_by_twenty_accounts(texts: list[tuple[int, list[str]]]):
    sent = [(f"a{account}", " ".join(text)) for account, text in texts]
    for scaffold in shared_wording(sent).scaffolds:
        for run in scaffold.text.split(ELIDED):
            senders = {account for account, text in sent if f" {' '.join(words(run))} " in f" {text} "}
            assert not words(run) or len(senders) >= SHARED_BY


@given(order=st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_the_requests_does_not_show(order: random.Random):
    sent = requests(24) + requests(24, "Grade the answer below from one to ten: {payload}", prefix="b")
    expected = shared_wording(sent)
    order.shuffle(sent)
    assert shared_wording(sent) == expected
