"""The whole with real gateways: a campaign is throttled as one at both, nobody honest is, and undo holds."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import forked_commands
import pyarrow as pa
import pytest
from live_service import until
from watched_gateways import Sent, Watched, watched
from watched_world import World

from stillwatch.app.service.reconciling import Decided
from stillwatch.enforce.snapshot import Snapshot

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))
from headless import add_authenticator, open_browser

SCALE = "0.2"
RULES = """
[[rules]]
name = "large"
when = { verdict = "campaign", risk_at_least = 0.85, accounts_at_least = 30 }
action = "verify"
verify_url = "DOOR/verify?link={link}"
"""
REQUESTS = 400
UNDONE_WITHIN = 2.0


class Seen(NamedTuple):
    """The gateways once the log was sent and its last requests were driven through them."""

    gateways: Watched
    throttled: dict[str, list[str]]
    verifying: dict[str, list[str]]
    since: float  # seconds since 1970
    sent: list[Sent]

    @property
    def decided(self) -> set[str]:
        found = (*self.throttled.values(), *self.verifying.values())
        return {name for accounts in found for name in accounts}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    command = ["simulate", "demo", "--scale", SCALE, "--seed", "5", "--out", folder, "--quiet"]
    assert forked_commands.run(command).returncode == 0
    return World.read(folder)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser on a device that keeps passkeys and sees its owner."""
    session = open_browser(tmp_path_factory.mktemp("profile"))
    add_authenticator(session)
    yield session
    session.quit()


@pytest.fixture(scope="module")
def seen(litellm: Path, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with watched(tmp_path_factory.mktemp("watched"), litellm, world, rules=RULES) as gateways:
        gateways.send_accounts()
        last = world.exchanges.num_rows - REQUESTS
        for first, end in pairwise((0, last * 4 // 5, last)):
            gateways.send_log(first, end)
            gateways.wait_until_seen(end)
        throttled = until(lambda: gateways.deciding("throttle"), 60, "throttle")
        verifying = until(lambda: gateways.deciding("verify"), 60, "step-up")
        since = time.time()
        time.sleep(1)  # gates look twice a second
        yield Seen(gateways, throttled, verifying, since, gateways.drive(world.last(REQUESTS)))


def test_a_campaign_is_throttled_as_one_by_both_gateways(seen: Seen) -> None:
    gateways = seen.gateways
    for accounts in seen.throttled.values():
        began = time.monotonic()
        named = sorted(accounts)[:10]
        sent = [gateways.ask(gateway, name) for name in named for gateway in gateways.addresses]
        served = sum(one.status == 200 for one in sent)
        most = 1 + gateways.budget * (time.monotonic() - began + 60) / 3600
        assert served <= most, (served, most)
        assert {one.gateway for one in sent if one.is_refused} == set(gateways.addresses)


def test_nobody_honest_is_turned_away(seen: Seen) -> None:
    gateways, members = seen.gateways, seen.gateways.world.members
    assert seen.decided
    assert seen.decided <= members
    assert [one for one in seen.sent if one.status != 200 and one.account not in members] == []
    assert any(one.is_refused for one in seen.sent)
    assert {gateways.service.rule(name)[0] for name in gateways.world.honest} == {200}


def test_who_is_asked_to_step_up_passes_with_a_passkey_and_goes_on(seen: Seen, device: Any) -> None:
    gateways = seen.gateways
    one, other, *_ = sorted(next(iter(seen.verifying.values())))
    refused = {gateway: gateways.answered(gateway, one) for gateway in gateways.addresses}
    assert {gateway: sent.status for gateway, (sent, _) in refused.items()} == {"LiteLLM": 400, "Envoy": 403}
    link = refused["Envoy"][1]["error"]["verify_url"]
    assert link.partition("link=")[0] in json.dumps(refused["LiteLLM"][1])

    device.get(f"{link}&lang=en")
    device.find_element("css selector", "button[value=passkey]").click()
    until(lambda: device.current_url.endswith("/verify/passkey"), 10, "page for the passkey")
    device.find_element("id", "begin").click()
    until(lambda: device.current_url.endswith("/verify/passed"), 10, "pass")

    until(lambda: {gateways.ask(each, one).status for each in gateways.addresses} == {200}, 2.0, "way on")
    assert all(gateways.ask(each, other).is_refused for each in gateways.addresses)
    device.delete_all_cookies()
    device.get(link)
    assert "used" in device.find_element("tag name", "main").text  # a link opens once


def test_what_litellm_logs_is_reconciled_and_nothing_went_past_the_gate(seen: Seen) -> None:
    pushed = seen.gateways.logged(sum(one.gateway == "LiteLLM" for one in seen.sent))
    assert isinstance(pushed, pa.Table)
    assert pushed.num_rows > REQUESTS // 4
    assert set(pushed["account_id"].to_pylist()) <= set(seen.gateways.world.names)
    known = Snapshot(seen.gateways.service.state / "snapshot")  # without those who passed a step-up
    under = [name for name in seen.decided if known.find(name) is not None]
    decided = {name: Decided(seen.since - 4, time.time() + 60) for name in under}
    found = seen.gateways.reconciled(pushed, decided)
    assert found.logged > 0
    assert (found.unruled, found.alert) == (0, "")


def test_what_is_undone_flows_again_within_two_seconds_at_both(seen: Seen) -> None:
    decision, accounts = next(iter(seen.throttled.items()))
    done = seen.gateways.undo(decision, sorted(accounts)[0])
    assert max(done.seconds.values()) <= UNDONE_WITHIN, done
    outcomes = seen.gateways.outcomes()
    assert outcomes["throttle", "enforced"] > 0
    assert outcomes["throttle", "skipped(within budget)"] > 0
