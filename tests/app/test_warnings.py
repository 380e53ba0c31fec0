"""A run warns where the stated error rate was measured on logs unlike its own."""

from dataclasses import fields, replace
from types import SimpleNamespace

import pyarrow as pa
import pytest

from stillwatch.app.warnings import unlike_reference
from stillwatch.campaigns.calibration import shipped_reference
from stillwatch.campaigns.likeness import BEYOND, Traffic
from stillwatch.evidence.phrases import phrases_in
from stillwatch.evidence.scanned import warning_text

LIKE = Traffic(**{name: (low + high) / 2 for name, (low, high) in shipped_reference().covers.items()})


def found(log: Traffic | None, groups: int = 1) -> list[dict[str, object]]:
    named = SimpleNamespace(campaigns=pa.table({"campaign_id": ["c"] * groups}))
    return list(unlike_reference(SimpleNamespace(results=named, traffic=log)))


def test_a_log_like_those_of_the_reference_is_taken_without_a_word():
    assert found(LIKE) == []
    assert found(None) == []


@pytest.mark.parametrize("quantity", [field.name for field in fields(Traffic)])
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_what_is_far_from_them_is_told_with_the_range_in_both_languages(quantity, lang):
    low, high = shipped_reference().covers[quantity]
    (entry,) = found(replace(LIKE, **{quantity: 1 + 2 * BEYOND * high}))
    assert entry["kind"] == f"unlike-{quantity.replace('_', '-')}"
    text = warning_text(entry, phrases_in(lang))
    assert all(f"{round(end):,}" in text for end in (low, high) if end >= 100)
    assert f"{entry['value']:,}" in text


def test_nothing_is_said_where_no_group_is_named():
    assert found(replace(LIKE, accounts=1e9), groups=0) == []
