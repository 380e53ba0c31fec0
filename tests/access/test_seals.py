"""Reasoning opens where it was sealed, and nowhere else, whatever is done to the token."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stillwatch.access.seals import Keyring, Place, SealError, Seals
from stillwatch.access.seals import keyring as keyring_module
from stillwatch.access.seals.errors import REFUSAL
from stillwatch.access.seals.keyring import drop, read_keys, rotate
from stillwatch.access.seals.seals import LASTS, PREFIX
from stillwatch.contracts import ACCOUNT_EVENTS, KeyFileError, UnknownSubjectError, conform

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
HERE = Place("acct-1", "conv-1", 3, "model-large")
REASONING = "First, divide both sides … 첫째".encode()
SIGNS = string.ascii_letters + string.digits + "+/"

names = st.text(max_size=40)
places = st.builds(Place, names, names, st.integers(0, 2**32 - 1), names)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("seals") / "seal.keys"
    rotate(path, NOW - timedelta(days=1), begins_in=timedelta())
    return path


@pytest.fixture(scope="module")
def seals(file):
    return Seals(Keyring(file, clock=Clock()), clock=Clock())


def refused(seals: Seals, token: str, place: Place = HERE) -> SealError:
    with pytest.raises(SealError) as error:
        seals.open(token, place)
    assert str(error.value) == REFUSAL  # the client is told one thing, whatever is wrong
    return error.value


@given(reasoning=st.binary(max_size=2000), place=places)
def test_it_opens_where_it_was_sealed(seals, reasoning, place):
    for opened in (
        seals.open(seals.seal(reasoning, place), place),
        seals.open_bytes(seals.seal_bytes(reasoning, place), place),
    ):
        assert (opened.reasoning, opened.sealed_at) == (reasoning, NOW)


@given(place=places, other=places)
def test_it_opens_nowhere_else(seals, place, other):
    assume(place != other)
    error = refused(seals, seals.seal(REASONING, place), other)
    assert error.reason in ("foreign", "conversation", "position", "model")
    assert (error.event is not None) == (place.account_id != other.account_id)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account_id": "acct-2"}, "foreign"),
        ({"conversation": "conv-2"}, "conversation"),
        ({"position": 4}, "position"),
        ({"model": "model-small"}, "model"),
    ],
)
def test_each_part_of_the_place_counts(seals, change, reason):
    assert refused(seals, seals.seal(REASONING, HERE), HERE._replace(**change)).reason == reason


@given(st.permutations(range(5)))
def test_tokens_of_one_conversation_cannot_change_places(seals, order):
    tokens = [seals.seal(REASONING, HERE._replace(position=number)) for number in range(5)]
    for position, number in enumerate(order):
        place = HERE._replace(position=position)
        if position == number:
            assert seals.open(tokens[number], place).reasoning == REASONING
        else:
            assert refused(seals, tokens[number], place).reason == "position"


@settings(max_examples=300)
@given(data=st.data())
def test_no_bit_can_be_flipped(seals, data):
    token = seals.seal(REASONING, HERE)
    at = data.draw(st.integers(0, len(token) - 1))
    flipped = token[:at] + chr(ord(token[at]) ^ 1 << data.draw(st.integers(0, 6))) + token[at + 1 :]
    refused(seals, flipped)
    other = token[:at] + data.draw(st.sampled_from(SIGNS)) + token[at + 1 :]
    assert other == token or refused(seals, other)


@given(cut=st.integers(0, 200), more=st.text(SIGNS + "= \n.é", min_size=1, max_size=9))
def test_it_is_neither_cut_nor_made_longer(seals, cut, more):
    token = seals.seal(REASONING, HERE)
    for changed in (
        token[:cut],
        token[cut + 1 :],
        token + more,
        more + token,
        token[:cut] + more + token[cut:],
    ):
        if changed != token:
            refused(seals, changed)


@given(st.integers(0, 150), st.integers(0, 150))
def test_parts_of_two_tokens_are_no_token(seals, first, second):
    one, other = (seals.seal(REASONING, HERE) for _ in range(2))
    mixed = one[:first] + other[second:]
    assert mixed in (one, other) or refused(seals, mixed)


@given(st.text(max_size=300))
def test_nothing_else_is_a_token(seals, text):
    assert refused(seals, text).reason == "malformed"
    assert refused(seals, PREFIX + text).reason in ("malformed", "unknown-key")


@pytest.mark.parametrize("sent", [None, 5, ["swr1.x"], b"swr1.x"])
def test_what_is_no_text_is_no_token(seals, sent):
    assert refused(seals, sent).reason == "malformed"


@given(st.binary(max_size=200))
def test_no_other_bytes_are_a_token(seals, raw):
    with pytest.raises(SealError):
        seals.open_bytes(raw, HERE)


def test_its_time_ends_and_does_not_begin_later(file):
    clock = Clock()
    seals = Seals(Keyring(file, clock=clock), clock=clock)
    token = seals.seal(REASONING, HERE)
    clock.now = NOW + LASTS - timedelta(seconds=1)
    assert seals.open(token, HERE).sealed_at == NOW
    clock.now = NOW + LASTS
    assert refused(seals, token).reason == "stale"
    clock.now = NOW - timedelta(seconds=61)
    assert refused(seals, token).reason == "early"


def test_two_tokens_of_one_text_have_nothing_in_common(seals):
    tokens = [seals.seal(bytes(200), HERE) for _ in range(50)]
    assert len({token[12:40] for token in tokens}) == len({token[-200:] for token in tokens}) == 50
    assert all(b"acct-1" not in token.encode() for token in tokens)


def test_a_foreign_redemption_names_whose_it_was(seals):
    token = seals.seal(REASONING, HERE)
    event = refused(seals, token, HERE._replace(account_id="acct-9")).event
    table = conform(pa.Table.from_pylist([event], schema=ACCOUNT_EVENTS), ACCOUNT_EVENTS, "access")
    row = table.to_pylist()[0]
    assert (row["account_id"], row["event"], row["other_account_id"]) == ("acct-9", "seal-foreign", "acct-1")
    again = refused(seals, token, HERE._replace(account_id="acct-9")).event
    assert again["event_id"] == event["event_id"]  # the same token under the same account is one event
    assert refused(seals, token, HERE._replace(account_id="acct-8")).event["event_id"] != event["event_id"]


def test_old_keys_open_and_new_ones_seal_once_they_begin(file, tmp_path):
    path, clock, ticks = tmp_path / "seal.keys", Clock(), [0.0]
    path.write_bytes(file.read_bytes())
    path.chmod(0o600)
    seals = Seals(Keyring(path, lambda: ticks[0], clock), clock=clock)
    old = seals.seal(REASONING, HERE)
    new_key = rotate(path, NOW, begins_in=timedelta(minutes=1))
    ticks[0] += keyring_module.LOOK_EVERY
    waiting = seals.seal(REASONING, HERE)
    assert waiting[:9] == old[:9]
    clock.now = NOW + timedelta(minutes=1)
    new = seals.seal(REASONING, HERE)
    assert new[:9] != old[:9]
    assert {seals.open(token, HERE).reasoning for token in (old, waiting, new)} == {REASONING}
    drop(path, read_keys(path)[0].name)
    ticks[0] += keyring_module.LOOK_EVERY
    assert refused(seals, old).reason == "unknown-key"
    assert seals.open(new, HERE).reasoning == REASONING
    with pytest.raises(UnknownSubjectError, match="only key"):
        drop(path, new_key.name)
    path.chmod(0o644)
    path.write_text("nonsense")
    ticks[0] += keyring_module.LOOK_EVERY
    assert seals.open(new, HERE).reasoning == REASONING  # those that were read hold


def test_keys_go_once_nothing_that_they_sealed_can_open(tmp_path):
    path = tmp_path / "seal.keys"
    first = rotate(path, NOW, begins_in=timedelta(minutes=1))
    assert first.begins_at == NOW  # nobody waits for the first
    second = rotate(path, NOW + timedelta(days=40), begins_in=timedelta(minutes=1))
    rotate(path, NOW + timedelta(days=50), begins_in=timedelta(), keep=LASTS)
    assert {key.name for key in read_keys(path)} > {first.name, second.name}
    rotate(path, NOW + timedelta(days=71), begins_in=timedelta(), keep=LASTS)
    assert first.name not in {key.name for key in read_keys(path)}
    assert second.name in {key.name for key in read_keys(path)}


@pytest.mark.parametrize("text", ["", "nonsense\n", "00 11 2026-06-01 2026-06-01\n", "x" * 8 + " a b c\n"])
def test_a_file_that_holds_no_keys_is_refused(tmp_path, text):
    path = tmp_path / "seal.keys"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(KeyFileError):
        Keyring(path)
    with pytest.raises(KeyFileError, match="not there"):
        read_keys(tmp_path / "none")


def test_the_file_is_its_owners_alone(file):
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o640)
    with pytest.raises(KeyFileError, match="open to other users"):
        Keyring(file)
    file.chmod(0o600)
    assert read_keys(file)[0].secret.hex() not in repr(read_keys(file))


def test_a_place_that_cannot_be_written_is_no_token(seals):
    for place in (HERE._replace(model="m" * 2**16), HERE._replace(position=-1)):
        with pytest.raises(ValueError, match="too long"):
            seals.seal(REASONING, place)
