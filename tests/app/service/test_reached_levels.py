"""What an account has proved since counts for the policy as what its record says."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.app.service.reached_levels import with_reached
from stillwatch.contracts import ACCOUNT_SKETCH


def records(**levels: int | None) -> pa.Table:
    blank = dict.fromkeys(ACCOUNT_SKETCH.names)
    rows = [
        blank | {"account_id": name, "plan": "free", "verification_level": level}
        for name, level in levels.items()
    ]
    return pa.Table.from_pylist(rows, ACCOUNT_SKETCH)


def test_the_higher_level_holds_and_the_rest_of_a_record_stays():
    found = with_reached(records(a=1, b=5, c=None, d=2), {"a": 3, "b": 3, "c": 3, "e": 3}).to_pylist()
    assert {row["account_id"]: (row["verification_level"], row["plan"]) for row in found} == {
        "a": (3, "free"),
        "b": (5, "free"),
        "c": (3, "free"),
        "d": (2, "free"),
        "e": (3, None),
    }


def test_where_nobody_proved_anything_records_stay_as_they_are():
    assert with_reached(records(a=1), {}).equals(records(a=1))
