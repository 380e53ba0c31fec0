"""Whose request Envoy asks about."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct

from stillwatch.app.service.envoy_identity import (
    account_by_metadata,
    client_of,
    metadata_path,
    scope_of,
)
from stillwatch.enforce.identity import by_hop, by_key

HOP = by_hop("x-account-id", ["127.0.0.1", "::1"])


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("ipv4:127.0.0.1:5000", ("127.0.0.1", 5000)),
        ("ipv6:%5B::1%5D:5000", ("::1", 5000)),
        ("ipv6:[::1]:5000", ("::1", 5000)),
        ("unix:/run/envoy", None),
        ("unix:", None),
    ],
)
def test_who_asks_is_read_as_grpc_says_it(peer, client):
    assert client_of(peer) == client


def test_a_header_counts_from_a_trusted_peer_alone_and_once():
    headers = [(":path", "/"), ("x-account-id", "acct-1")]
    assert HOP(scope_of(headers, "ipv4:127.0.0.1:1")) == "acct-1"
    assert HOP(scope_of(headers, "ipv6:%5B::1%5D:1")) == "acct-1"
    assert HOP(scope_of(headers, "ipv4:192.0.2.1:1")) is None
    assert HOP(scope_of(headers, "unix:")) is None
    assert HOP(scope_of([*headers, headers[1]], "ipv4:127.0.0.1:1")) is None


@pytest.mark.parametrize("name", ["acct-é", "계정-1"])
def test_an_id_beyond_ascii_is_the_same_as_text_and_as_bytes(name):
    as_bytes = name.encode().decode("latin-1")
    for value in (name, as_bytes):
        assert HOP(scope_of([("x-account-id", value)], "ipv4:127.0.0.1:1")) == name


def test_a_known_key_that_was_joined_to_a_junk_one_counts():
    told = by_key({"k-1": "acct-1"})
    for sent in (("authorization", "Bearer junk,Bearer k-1"), ("x-api-key", "junk, k-1")):
        assert told(scope_of([sent], "ipv4:127.0.0.1:1")) == "acct-1"


def test_what_a_filter_found_names_the_account():
    found = Struct()
    found.update({"payload": {"sub": " acct-1 ", "age": 7}})
    held = {"envoy.filters.http.jwt_authn": found}
    where = metadata_path("envoy.filters.http.jwt_authn:payload.sub")
    assert account_by_metadata(held, where) == "acct-1"
    assert account_by_metadata({}, where) is None
    for path in ("payload.iss", "payload.sub.deeper", "payload.age", "nothing.at.all", "payload"):
        assert account_by_metadata(held, metadata_path(f"envoy.filters.http.jwt_authn:{path}")) is None
