"""Proofs that were seen are shared through a real Redis, and remembered here while it is gone."""

from __future__ import annotations

import pytest
from redis_server import RedisServer

from stillwatch.access.keys.replays import OwnReplays, SharedReplays, proof_id, replays_for


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


def test_a_proof_is_new_to_one_process_alone(redis):
    one, other = SharedReplays(redis.url, processes=2), SharedReplays(redis.url, processes=2)
    proof = proof_id("jkt", "first")
    assert one.is_new(proof, 60)
    assert not other.is_new(proof, 60)
    assert not one.is_new(proof, 60)
    assert other.is_new(proof_id("jkt", "second"), 60)
    assert one.trouble == ""


def test_without_redis_each_process_knows_its_own_and_says_so(redis):
    ticks = [0.0]
    one, other = (SharedReplays(redis.url, processes=2, ticks=lambda: ticks[0]) for _ in range(2))
    seen = proof_id("jkt", "before")
    assert one.is_new(seen, 60)
    redis.stop()
    proof = proof_id("jkt", "meanwhile")
    assert one.is_new(proof, 60)
    assert "Redis does not answer" in one.trouble
    assert not one.is_new(proof, 60)
    assert not one.is_new(seen, 60)
    assert other.is_new(proof, 60)  # the price, which is told
    redis.start()
    ticks[0] += 2
    assert one.is_new(proof_id("jkt", "after"), 60)
    assert one.trouble == ""
    ticks[0] += 2
    assert not other.is_new(proof_id("jkt", "after"), 60)


def test_without_a_url_proofs_are_this_processes_own():
    assert isinstance(replays_for("", 1), OwnReplays)
    assert replays_for("", 1).trouble == ""
