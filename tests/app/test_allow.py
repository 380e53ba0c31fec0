from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.allow import Entry, read_allow
from stillwatch.contracts import InputError

HEADER = "account_id,organization,kind,reason,owner,until,party\n"


def reasons(path):
    return {entry.name: entry.reason for entry in read_allow(path).entries}


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
        "acct-7,ticket #12\n"
    )
    assert reasons(path) == {
        "acct-1": "",
        "acct-2": "red team, until July",
        "acct-3": "",
        "acct#4": "",
        "acct-5": "evaluation of models",
        "acct,6": "nightly, on purpose",
        "acct-7": "ticket #12",
    }
    assert all(entry.exempts for entry in read_allow(path).entries)


def test_every_column_in_any_order(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_text(
        "kind,organization,account_id,until,party,owner,reason\n"
        'research,Example Lab,,2026-12-31,,kim@example.org,"agreed, in writing"\n'
        ",,acct-1,,acme,,seat of a reseller\n"
        "customer,,acct-2,,acme\n"
    )
    lab, seat, customer = read_allow(path).entries
    assert lab.subject == "organization"
    assert (lab.name, lab.kind, lab.owner, lab.reason) == (
        "Example Lab",
        "research",
        "kim@example.org",
        "agreed, in writing",
    )
    assert seat == Entry("account_id", "acct-1", 3, reason="seat of a reseller", party="acme")
    assert [lab.exempts, seat.exempts, customer.exempts] == [
        True,
        False,
        True,
    ]  # a party alone exempts nobody


def test_an_entry_holds_to_the_end_of_its_last_day(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_text("account_id,until\nacct-1,2026-06-30\nacct-2,\n")
    allow = read_allow(path)
    late, after = datetime(2026, 6, 30, 23, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert [entry.name for entry in allow.holding(late)] == ["acct-1", "acct-2"]
    assert [entry.name for entry in allow.holding(after)] == ["acct-2"]
    assert [entry.name for entry in allow.expired(after)] == ["acct-1"]


def test_an_entry_until_the_last_day_there_is_always_holds(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_text("account_id,until\nacct-1,9999-12-31\n")
    allow = read_allow(path)
    assert [entry.expires for entry in allow.holding(datetime.now(UTC))] == [None]


def test_of_two_lines_for_one_account_the_later_counts(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_text("account_id,reason\nacct-1,first\nacct-2,other\nacct-1,second\n")
    assert reasons(path) == {"acct-2": "other", "acct-1": "second"}


def test_a_line_that_has_ended_cancels_none_that_holds(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_text("account_id,reason,until\nacct-1,valid,2099-12-31\nacct-1,ended,2020-12-31\n")
    now = datetime(2026, 5, 1, tzinfo=UTC)
    allowed = read_allow(path)
    assert [entry.reason for entry in allowed.holding(now)] == ["valid"]
    assert [entry.reason for entry in allowed.expired(now)] == ["ended"]


def test_a_spreadsheet_saves_a_byte_order_mark_and_long_line_ends(tmp_path):
    path = tmp_path / "allow.csv"
    path.write_bytes("\ufeffaccount_id,reason\r\nacct-1,known\r\n".encode())
    assert reasons(path) == {"acct-1": "known"}


@pytest.mark.parametrize(
    ("text", "line", "field", "what"),
    [
        ("acct-1,known\n,forgotten\n", 2, None, "names no account"),
        (HEADER + ",,research\n", 2, "organization", "names no account"),
        (HEADER + "acct-1,Example Lab,research\n", 2, "organization", "an account and an organisation"),
        (HEADER + "acct-1,,research,why,kim,next year\n", 2, "until", "'next year' is no date"),
        (HEADER + "acct-1,,,,,,,more\n", 2, "party", "8 fields and the header 7"),
        ("account_id,ground\nacct-1,x\n", 1, "ground", "no such column"),
        ("account_id,kind,kind\nacct-1,x\n", 1, "kind", "twice"),
        ("Account ID,Reason\nacct-1,x\n", 1, "Account ID", "none as the allow list calls it"),
        ("user_id,reason\nacct-1,x\n", 1, "user_id", "none as the allow list calls it"),
        ('account_id,reason\nacct-1,"never closed\n', 2, None, "no CSV"),
    ],
)
def test_a_bad_line_names_its_place_and_a_remedy(tmp_path, text, line, field, what):
    path = tmp_path / "allow.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        read_allow(path)
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(path), line, field)
    assert caught.value.remedy


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
    headers = {"account_id", "organization"}
    assert reasons(path) == {account: reason for account, reason in entries if account not in headers}


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_an_error_with_its_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("allow") / "allow"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        named = [entry.name for entry in read_allow(path).entries]
    except InputError as error:
        named = [error.line]
    assert all(named)
