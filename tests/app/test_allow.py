from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.allow import read_allow
from stillwatch.contracts import InputError


def test_ids_with_and_without_reasons(tmp_path):
    path = tmp_path / "allow.txt"
    path.write_text(
        "# accounts we know\n"
        "\n"
        "acct-1\n"
        "acct-2 # red team, until July\n"
        "  acct-3  \n"
        "acct#4\n"
        "account_id,reason\n"
        "acct-5,evaluation of models\n"
        '"acct,6","nightly, on purpose"\n'
    )
    assert read_allow(path) == {
        "acct-1": "",
        "acct-2": "red team, until July",
        "acct-3": "",
        "acct#4": "",
        "acct-5": "evaluation of models",
        "acct,6": "nightly, on purpose",
    }


def test_a_spreadsheet_saves_a_byte_order_mark_and_long_line_ends(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_bytes("\ufeffaccount_id,reason\r\nacct-1,known\r\n".encode())
    assert read_allow(path) == {"acct-1": "known"}


def test_a_line_without_an_account_is_named(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_text("acct-1,known\n,forgotten\n")
    with pytest.raises(InputError) as caught:
        read_allow(path)
    assert (caught.value.file, caught.value.line) == (str(path), 2)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_allow(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_allow(tmp_path / "binary")


@given(st.lists(st.tuples(st.from_regex(r"[\w@.:/-]{1,40}", fullmatch=True), st.text("abc, é", max_size=20))))
def test_any_list_comes_back(tmp_path_factory, entries):
    entries = [(account, " ".join(reason.replace(",", " ").split())) for account, reason in entries]
    path = tmp_path_factory.mktemp("allow") / "allow"
    path.write_text("".join(f"{account} # {reason}\n" for account, reason in entries), encoding="utf-8")
    assert read_allow(path) == {account: reason for account, reason in entries if account != "account_id"}
