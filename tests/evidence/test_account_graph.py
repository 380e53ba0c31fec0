"""The account graph: folded until it can be read, and never a number lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.contracts import TIES
from stillwatch.evidence.account_graph import AccountGraph, account_graph
from stillwatch.evidence.graph_chart import draw_graph, holders_text, hub_name, kind_name
from stillwatch.evidence.phrases import ENGLISH, phrases_in
from stillwatch.evidence.placement import Sheet, drawn, settled
from stillwatch.evidence.tables import RunTables

CAMPAIGN = "cmp_000000000001"


def tie(signal: str, value: int, account: str, holders: int = 2) -> dict[str, Any]:
    return {
        "campaign_id": CAMPAIGN,
        "facet": "identity",
        "signal": signal,
        "value": value,
        "account_id": account,
        "holders": holders,
    }


@pytest.fixture
def graph_of(quiet_run: RunTables) -> Callable[..., AccountGraph]:
    def graph(rows: list[dict[str, Any]]) -> AccountGraph:
        ties = pa.Table.from_pylist(rows, schema=TIES)
        found = account_graph(replace(quiet_run, ties=ties), CAMPAIGN)
        assert found is not None
        return found

    return graph


def test_accounts_that_hold_the_same_things_are_one_bundle(graph_of: Callable[..., AccountGraph]):
    rows = [tie("payment-shared", value, f"a{value}{n}") for value in (0, 1) for n in range(4)]
    graph = graph_of([*rows, tie("device-shared", 0, "a00", 3), tie("device-shared", 0, "a10", 3)])
    assert [bundle.accounts for bundle in graph.bundles] == [3, 3, 1, 1]
    assert [(hub.signal, hub.number, hub.members) for hub in graph.hubs] == [
        ("device-shared", 1, 2),
        ("payment-shared", 1, 4),
        ("payment-shared", 2, 4),
    ]
    assert graph.accounts == 8
    assert len(graph.edges) == 6


def test_a_campaign_without_ties_has_no_graph(quiet_run: RunTables):
    assert account_graph(quiet_run, CAMPAIGN) is None


def test_what_nearly_everybody_holds_of_a_kind_folds_into_one(graph_of: Callable[..., AccountGraph]):
    rows = [
        tie("network-shared", value, f"a{n}") for value in range(12) for n in range(30) if (n + value) % 9
    ]
    [hub] = graph_of(rows).hubs
    assert (hub.things, hub.of, hub.members) == (12, 12, 30)
    assert hub_name(hub, ENGLISH) == "12 address ranges"


def test_of_thousands_of_things_the_largest_stay_and_the_rest_fold(graph_of: Callable[..., AccountGraph]):
    rows = [
        tie("continuity", value, f"a{(7 * value + n) % 900}", 2 + n)
        for value in range(3000)
        for n in range(2 + (value < 5))
    ]
    hubs = graph_of(rows).hubs
    assert [hub.things for hub in hubs] == [1, 1, 1, 1, 1, 2995]
    assert hub_name(hubs[0], ENGLISH) == "Conversation 1"
    assert hub_name(hubs[-1], ENGLISH) == "2,995 more conversations"
    assert kind_name(hubs[0], ENGLISH) == "3,000 conversations"
    assert holders_text(hubs[-1], ENGLISH) == "2 to 3 each"
    assert hub_name(hubs[-1], phrases_in("ko")) == "그 밖의 대화 2,995개"


def test_an_unknown_kind_of_a_plug_in_is_drawn_too(graph_of: Callable[..., AccountGraph]):
    graph = graph_of([tie("passport-shared", 0, account) for account in "abc"])
    assert hub_name(graph.hubs[0], ENGLISH) == "Passport shared"
    [chart] = draw_graph(graph, phrases=ENGLISH, widths=(760,), name="g", alt_text="A graph.")
    assert "Passport shared" in chart
    assert "var(--triangle-right)" in chart


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["payment-shared", "device-shared", "continuity"]),
        st.integers(0, 9),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=300,
    unique=True,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_folding_loses_no_account_and_no_tie_and_knows_no_order(
    graph_of: Callable[..., AccountGraph], rows: list[tuple[str, int, int]], order: Any
):
    ties = [tie(signal, value, f"a{account}") for signal, value, account in rows]
    graph = graph_of(ties)
    assert sum(bundle.accounts for bundle in graph.bundles) == len({account for _, _, account in rows})
    for signal in graph.signals:
        things = {value for kind, value, _ in rows if kind == signal}
        assert sum(hub.things for hub in graph.hubs if hub.signal == signal) == len(things)
    for at, hub in enumerate(graph.hubs):
        assert sum(edge.accounts for edge in graph.edges if edge.hub == at) == hub.members
    assert all(edge.accounts <= graph.bundles[edge.bundle].accounts for edge in graph.edges)
    order.shuffle(ties)
    assert graph_of(ties) == graph


@pytest.mark.parametrize("count", [2, 9, 120])
def test_nodes_stand_on_the_sheet_and_clear_of_one_another(count: int):
    lines = [(node, node // 3) for node in range(1, count)]
    radii = [4.0 + node % 5 for node in range(count)]
    for sheet in (Sheet(760, 470), Sheet(340, 400)):
        places = settled(drawn(count, lines), lines, radii, sheet)
        assert (places >= 0).all()
        assert (places <= [sheet.width, sheet.height]).all()
        distance = np.linalg.norm(places[:, None] - places[None, :], axis=-1)
        touching = distance < np.add.outer(radii, radii) - 0.5
        assert touching.sum() - count <= 2 * count * 0.05  # where it is crowded a few still touch


def test_five_thousand_accounts_stay_a_picture_that_a_browser_draws_at_once(
    graph_of: Callable[..., AccountGraph],
):
    random = np.random.default_rng(3)
    rows = [tie("scaffold-shared", 0, f"a{n}", 5200) for n in range(5000)]
    rows += [tie("payment-shared", n // 8, f"a{n}", 8) for n in range(5000)]
    rows += [tie("signup-network", int(random.integers(90)), f"a{n}", 60) for n in range(5000)]
    rows += [
        tie("network-shared", int(v), f"a{n}", 300) for n in range(5000) for v in random.integers(0, 400, 6)
    ]
    graph = graph_of(rows)
    assert graph.accounts == 5000
    assert len(graph.bundles) + len(graph.hubs) <= 400
    charts = draw_graph(graph, phrases=ENGLISH, widths=(760, 340), name="g", alt_text="A graph.")
    assert sum(map(len, charts)) < 400_000
    assert charts == draw_graph(graph, phrases=ENGLISH, widths=(760, 340), name="g", alt_text="A graph.")
