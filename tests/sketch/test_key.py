"""The key is made once, readable by its owner alone, and never shown."""

import stat

import pytest

from stillwatch.contracts import KeyFileError
from stillwatch.sketch.key import SketchKey, load_or_create_key


def test_key_is_made_at_first_use_and_kept(tmp_path):
    path = tmp_path / "new" / "folder" / "sketch.key"
    made = load_or_create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["sketch.key"]
    assert load_or_create_key(path) == made
    assert load_or_create_key(tmp_path / "other.key") != made


def test_nothing_shown_tells_the_secret():
    key = SketchKey(bytes(range(16)))
    shown = repr(key) + key.id + key.digest(b"line")
    assert key.secret.hex() not in shown
    assert key.id in repr(key)


def test_digest_depends_on_the_key():
    one, other = SketchKey(bytes(16)), SketchKey(bytes(15) + b"\1")
    assert one.digest(b"line") != other.digest(b"line")
    assert one.digest(b"line") != one.digest(b"lines")
    assert one.id != other.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o010])
def test_key_open_to_others_is_refused(tmp_path, mode):
    path = tmp_path / "sketch.key"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_create_key(path)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"0" * 31, b"0" * 33, b"G" * 32, b"\xff" * 32, b"0" * 32 + b"\n\n"]
)
def test_malformed_key_is_refused(tmp_path, content):
    path = tmp_path / "sketch.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeyFileError):
        load_or_create_key(path)
    assert path.read_bytes() == content


def test_folder_in_place_of_a_key_is_refused(tmp_path):
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_or_create_key(tmp_path)


def test_place_that_cannot_hold_a_key_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(KeyFileError) as caught:
        load_or_create_key(blocked / "sketch.key")
    assert str(blocked) in str(caught.value)
