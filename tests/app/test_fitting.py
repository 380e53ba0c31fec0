"""A log that would not fit into the run's memory is refused before detection starts, with what it takes."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from stillwatch.app.fitting import memory_needed, refuse_too_large
from stillwatch.contracts import PROFILES, UsageError
from stillwatch.settings import memory_bytes


def profiles(accounts: int, each: int) -> pa.Table:
    columns = {
        "account": range(accounts),
        "account_id": [f"a{n}" for n in range(accounts)],
        "exchanges": [each] * accounts,
        "first_seen": [0] * accounts,
        "last_seen": [1] * accounts,
        "last_served": [None] * accounts,
        "organization_fp": [None] * accounts,
    }
    return pa.table(columns).select(PROFILES.names).cast(PROFILES)


def test_the_largest_published_case_fits_into_eight_gibibytes_and_the_smallest_log_into_one():
    assert memory_needed(57_600_000, 525_000) <= memory_bytes("8GiB")
    assert memory_needed(1, 1) <= memory_bytes("1GiB")


def test_what_would_not_fit_is_refused_with_the_memory_that_it_takes():
    log = profiles(100_000, 40)
    refuse_too_large(log, "2GiB")
    with pytest.raises(UsageError, match=r"4,000,000 exchanges of 100,000 accounts take 1\.4 GiB") as caught:
        refuse_too_large(log, "1GiB")
    enough = re.search(r"Give (\d+GiB)", caught.value.remedy)
    assert enough
    refuse_too_large(log, enough[1])


def test_a_log_without_exchanges_fits():
    refuse_too_large(PROFILES.empty_table(), "1GiB")
