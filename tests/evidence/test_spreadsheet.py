"""campaigns.csv: what a CSV reader and a spreadsheet make of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stillwatch.contracts import Capability
from stillwatch.evidence.spreadsheet import render_campaigns_csv
from stillwatch.evidence.tables import RunTables


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_row_for_each_group_with_flat_columns(run: RunTables) -> None:
    rows = rows_of(render_campaigns_csv(run))
    groups = run.campaigns.to_pylist(maps_as_pydicts="strict")
    assert [row["campaign_id"] for row in rows] == [group["campaign_id"] for group in groups]
    for row, group in zip(rows, groups, strict=True):
        assert int(row["exchanges"]) == group["exchanges"]
        assert float(row["q_value"]) == group["q_value"]
        assert row["first_seen"] == group["first_seen"].isoformat()
        for capability in Capability:
            share = group["capabilities"].get(capability)
            assert row[f"capability_{capability}"] == ("" if share is None else str(share))
        told = {name.removeprefix("facet_"): value for name, value in row.items() if "facet_" in name}
        assert {name: float(value) for name, value in told.items() if value} == group["facets"]


def test_it_is_written_as_rfc_4180_and_excel_ask(run: RunTables) -> None:
    content = render_campaigns_csv(run)
    assert content.startswith(b"\xef\xbb\xbfcampaign_id,")
    assert content.count(b"\r\n") == content.count(b"\n") == run.campaigns.num_rows + 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_becomes_a_formula_and_numbers_stay_numbers(
    build_run: Callable[..., RunTables], many_groups: tuple[Any, ...], start: str
) -> None:
    summary = f'{start}HYPERLINK("http://example.test", "x"), "한국어"'
    reasons = [("network", "residential-proxy", "against", -1.1, "ordinary addresses")]
    group = replace(many_groups[0], summary=summary, reasons=reasons)
    (row,) = rows_of(render_campaigns_csv(build_run((group,), clear=1)))
    assert row["summary"] == "'" + summary
    assert row["facet_network"] == "-1.1"


def test_a_quiet_run_has_a_header_alone(quiet_run: RunTables) -> None:
    assert rows_of(render_campaigns_csv(quiet_run)) == []
