"""How much of a member's traffic is the campaign's."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.campaigns.shares import campaign_share

WORK, CHAT, OTHER = 0, 1, 2


def counts(*rows):
    kinds = np.zeros((len(rows), 40), np.int64)
    kinds[:, :3] = rows
    return kinds


EVERYBODY = counts((3_000, 50_000, 40_000))[0]


def test_what_lies_in_no_family_counts_where_it_looks_like_the_work():
    """Half of the scaffolds of a pool that paraphrases leave a family; the accounts do nothing else."""
    total, work = counts(*[(40, 0, 0)] * 20), counts(*[(20, 0, 0)] * 20)
    assert campaign_share(work, total, EVERYBODY) == pytest.approx(1, abs=0.05)


def test_what_an_account_does_for_ordinary_users_is_not_the_campaign_s():
    total, work = counts(*[(20, 50, 30)] * 20), counts(*[(19, 1, 0)] * 20)
    assert campaign_share(work, total, EVERYBODY) == pytest.approx(0.2, abs=0.05)


def test_an_account_that_does_nothing_else_has_a_share_of_one():
    work = counts((1, 0, 0), (50, 2, 0))
    assert campaign_share(work, work, EVERYBODY).tolist() == [1, 1]
