"""Wording at rest: nothing of it to be read without the key, after its day, or once it was changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.evidence.sealed_text import FILE, SealedTextError, expiry, seal, unseal
from stillwatch.evidence.wording import CampaignWording, Scaffold, Wordings

NOW = datetime(2026, 6, 6, 12, tzinfo=UTC)
SECRET, KEY_ID = b"k" * 16, "0123456789abcdef"
WORDINGS = Wordings(
    {"cmp_7f3ac2d41e90": CampaignWording((Scaffold("Think step by step …\n한국어 \ud800", 31),), 48)},
    ("-",),
    expiry(NOW),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    seal(tmp_path, WORDINGS, SECRET, KEY_ID)
    return tmp_path


def test_what_was_sealed_is_read_again_with_the_key(folder: Path):
    assert unseal(folder, SECRET, KEY_ID, NOW) == WORDINGS
    assert unseal(folder, SECRET, KEY_ID, NOW + timedelta(days=29)) == WORDINGS


def test_the_file_says_nothing_of_the_text(folder: Path):
    content = (folder / FILE).read_bytes()
    for told in (b"Think", b"step", b"cmp_7f3a"):
        assert told not in content


def test_two_seals_of_one_text_differ(folder: Path):
    first = (folder / FILE).read_bytes()
    seal(folder, WORDINGS, SECRET, KEY_ID)
    assert (folder / FILE).read_bytes() != first


@pytest.mark.parametrize("days", [30, 400])
def test_it_is_not_shown_after_its_day(folder: Path, days: int):
    with pytest.raises(SealedTextError, match="expired on 2026-07-06"):
        unseal(folder, SECRET, KEY_ID, NOW + timedelta(days=days))


def test_another_key_is_named_as_the_reason(folder: Path):
    with pytest.raises(SealedTextError, match="another sketch key"):
        unseal(folder, b"x" * 16, "fedcba9876543210", NOW)


def test_a_later_day_written_over_the_true_one_does_not_open_it(folder: Path):
    content = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(content | {"expires": "2099-01-01"}))
    with pytest.raises(SealedTextError, match="damaged or was changed"):
        unseal(folder, SECRET, KEY_ID, NOW)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"expires": "2099-01-01", "key": "0123456789abcdef"}'])
def test_a_damaged_file_is_an_error_and_no_crash(folder: Path, content: str):
    (folder / FILE).write_text(content)
    with pytest.raises(SealedTextError) as raised:
        unseal(folder, SECRET, KEY_ID, NOW)
    assert raised.value.remedy


def test_a_run_without_wording_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(SealedTextError, match="keeps no wording") as raised:
        unseal(tmp_path, SECRET, KEY_ID, NOW)
    assert "--with-scaffolds" in raised.value.remedy
