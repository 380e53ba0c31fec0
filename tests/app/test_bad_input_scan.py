"""Input and places that went wrong, seen by the person who scans: one line, or a count, that helps."""

from __future__ import annotations

import gzip
import html
import json
import os
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import forked_commands
import pyarrow.parquet as pq
import pytest
import zstandard


@pytest.fixture
def scan(tmp_path):
    def run(*arguments, out=None, shown=("--json",), largest_file=None):
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = ["scan", *arguments, "--out", out or tmp_path / "run", *shown]
        return forked_commands.run(command, environment=environment, largest_file=largest_file)

    return run


@pytest.fixture
def log(tmp_path):
    records = [
        {"timestamp": 1767225600 + n, "request_id": f"r{n}", "account_id": f"a{n % 7}", "model": "large"}
        for n in range(50)
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def document(done):
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def counts(done):
    return document(done)["counts"]["exchanges"]


def warnings(done):
    return {entry["kind"]: entry["text"] for entry in document(done)["warnings"]}


def complaint(done):
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("stillwatch: ")
    return line


def test_a_window_in_which_nothing_lies_is_no_good_news(scan, log):
    assert "none of the 50 records lies within" in warnings(scan(log, "--since", "2026-06-01"))["window"]


def test_account_records_of_others_are_told(scan, log, tmp_path):
    records = tmp_path / "accounts.csv"
    records.write_text("account_id,plan\n" + "".join(f"key-{n},free\n" for n in range(7)))
    assert "0 of 7 accounts" in warnings(scan(log, "--accounts", records))["unmatched"]
    records.write_text("account_id,plan\n" + "".join(f"a{n},free\n" for n in range(3)))
    assert "unmatched" not in warnings(scan(log, "--accounts", records, out=tmp_path / "again"))


def test_a_file_and_its_copy_are_counted_once(scan, log, tmp_path):
    shutil.copy(log, tmp_path / "copy.jsonl")
    done = scan(log, tmp_path / "copy.jsonl")
    found, told = counts(done), warnings(done)

    assert (found["read"], found["duplicates"], found["rejected"]) == (100, 50, 0)
    assert f"log.jsonl: holds the same bytes as {tmp_path / 'copy.jsonl'}" in told["copy"]
    assert "50 of 100 records came more than once" in told["duplicates"]


def test_records_in_the_wrong_unit_are_rejected_with_the_reason(scan, log, tmp_path):
    with log.open("a") as file:
        file.write('{"timestamp": 1767225, "request_id": "x", "account_id": "a1"}\n')
    assert counts(scan(log))["rejected"] == 1
    (reject,) = map(json.loads, (tmp_path / "run" / "rejected.jsonl").read_text().splitlines())

    assert reject["line"] == 51
    assert "timestamp: absurd time, before 2015" in reject["reason"]


def test_the_most_frequent_reason_is_told_as_it_stands(scan, log):
    with log.open("a") as file:
        for number in range(2):
            file.write(f'{{"timestamp": 1767225, "request_id": "x{number}", "account_id": "a1"}}\n')
    few = {entry["kind"]: entry for entry in document(scan(log, "--max-rejects", "1"))["warnings"]}[
        "rejected"
    ]
    assert few["reason"] == "timestamp: absurd time, before 2015"
    assert (
        "2 records were rejected, most often (2 of them): timestamp: absurd time, before 2015" in few["text"]
    )

    with log.open("ab") as file:
        for blanks in range(3):
            file.write(b" " * blanks + b'{"timestamp": "\xff"}\n')
    many = {entry["kind"]: entry for entry in document(scan(log, "--max-rejects", "1"))["warnings"]}[
        "rejected"
    ]
    assert (many["rejected"], many["times"], many["reason"]) == (5, 3, "not UTF-8 text (byte 16)")


def test_one_record_is_told_as_one(scan, log, tmp_path):
    with log.open("a") as file:
        file.write("junk\n")
    cut = gzip.compress(noisy(2))
    (tmp_path / "cut").write_bytes(cut[: len(cut) * 9 // 10])
    told = warnings(scan(log, tmp_path / "cut", "--max-rejects", "1"))

    assert told["cut"].startswith(f"{tmp_path / 'cut'}: only 1 record could be read, what follows is lost: ")
    assert told["rejected"].startswith("2 records were rejected, most often (1 of them): ")
    assert warnings(scan(log))["rejected"].startswith("1 record was rejected: not JSON")


def test_an_empty_file_is_one_line(scan, tmp_path):
    (tmp_path / "empty.jsonl").touch()

    assert "empty.jsonl: the file is empty" in complaint(scan(tmp_path / "empty.jsonl"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read and write everything")
def test_folders_without_rights_are_one_line(scan, log, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    shutil.copy(log, closed / "log.jsonl")
    closed.chmod(0)
    try:
        assert "closed: cannot be read (Permission denied)" in complaint(scan(closed))
        assert "cannot be written (Permission denied)" in complaint(scan(log, out=closed / "run"))
    finally:
        closed.chmod(0o700)


PACKED = {"gzip": gzip.compress, "zstd": zstandard.compress}


def noisy(count):
    """Records that do not compress well, so that a cut falls into the middle of them."""
    noise = random.Random(7)
    record = {"timestamp": 1767225600, "account_id": "a1", "model": "large"}
    rows = [
        record | {"request_id": f"r{n}", "user_agent": f"{noise.getrandbits(800):x}"} for n in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("packer", PACKED)
def test_a_file_that_was_cut_is_warned_of_wherever_a_person_looks(scan, log, tmp_path, packer):
    packed = PACKED[packer](noisy(4000))
    (tmp_path / "cut").write_bytes(packed[: len(packed) // 2])
    done = scan(tmp_path / "cut", log, shown=())
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    warned = manifest["warnings"][0]
    half = len(packed) // 2

    assert done.returncode == 0
    assert warned["kind"] == "cut"
    assert 1500 < warned["records"] < 2100
    assert warned["records"] == manifest["counts"]["exchanges"]["read"] - 51  # the log and the cut itself
    told = f"cut: only {warned['records']:,} records could be read, what follows is lost: the {packer} data"
    assert told in warned["text"]
    assert f"near byte {half:,} of {half:,}" in warned["text"]
    assert f"Warning:  {warned['text']}" in done.stdout.decode()
    assert warned["text"] in html.unescape((tmp_path / "run" / "report.html").read_text())
    assert any("ends early" in line for line in (tmp_path / "run" / "rejected.jsonl").open())


@pytest.mark.parametrize("packer", PACKED)
def test_rubbish_after_a_compressed_file_costs_no_record(scan, tmp_path, packer):
    pack, raw = PACKED[packer], noisy(20).splitlines(keepends=True)
    parts = pack(b"".join(raw[:10])) + pack(b"".join(raw[10:]))
    (tmp_path / "log").write_bytes(parts + b"and now for something else")
    done = scan(tmp_path / "log", "--max-rejects", "0.1")

    assert counts(done)["accepted"] == 20
    assert f"after the {packer} data comes something else" in warnings(done)["cut"]


def test_files_of_which_nothing_is_read_are_warned_of(scan, log, tmp_path):
    (tmp_path / "junk").write_bytes(random.Random(1).randbytes(50_000))
    (tmp_path / "wide.jsonl").write_bytes(log.read_text().encode("utf-16"))
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "also-empty.jsonl").touch()
    done = scan(log, *tmp_path.glob("[jwea]*"))
    entries = document(done)["warnings"]
    unread = [entry["text"] for entry in entries if entry["kind"] == "unread"]

    assert counts(done)["accepted"] == 50
    assert "junk: nothing of it was read" in unread[0]
    assert "UTF-16 text: convert it to UTF-8 first" in unread[1]
    assert "also-empty.jsonl: the file is empty (the same of 1 more)" in entries[-1]["text"]


def test_columns_that_are_not_read_are_named_with_the_nearest_known_one(scan, tmp_path):
    (tmp_path / "log.csv").write_text("timestamp,account_id,modle,region\n2026-01-01,a,large,north\n")
    (tmp_path / "accounts.csv").write_text("account_id,creatd_at,signup_adress,colour\na,,192.0.2.1,red\n")
    done = scan(tmp_path / "log.csv", "--accounts", tmp_path / "accounts.csv")
    told = [entry["text"] for entry in document(done)["warnings"]]

    assert told[0].endswith("log.csv: these columns are not read: modle (model?), region")
    assert "creatd_at (created_at?), signup_adress (signup_address?), colour" in told[1]


def test_a_renamed_field_is_pointed_at(scan, log, tmp_path):
    with log.open("a") as file:
        file.write('{"time_stamp": 1767225600, "request_id": "x", "account_id": "a1"}\n')
        file.write('{"timestamp": 1767225600, "request_id": "y", "acount_id": "a1"}\n')
    assert counts(scan(log))["rejected"] == 2
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "run" / "rejected.jsonl").open()]

    assert reasons[0] == "timestamp: missing (is it time_stamp?)"
    assert reasons[1].endswith("(is it acount_id?)")


def test_a_log_whose_field_was_renamed_everywhere_says_which(scan, tmp_path):
    (tmp_path / "log.jsonl").write_text('{"time_stamp": 1767225600, "request_id": "x", "account_id": "a"}\n')

    assert "like table but for time_stamp (is it timestamp?)" in complaint(scan(tmp_path / "log.jsonl"))


def test_times_in_any_unit_and_zone_are_one_and_nonsense_is_rejected(scan, tmp_path):
    same = [1767225600, 1767225600000, 1767225600000000, 1767225600000000000, "1767225600", "1767225600000"]
    same += ["1767225600.0", "2026-01-01T09:00:00+09:00", "2025-12-31 19:00:00-05:00", "2026-01-01"]
    bad = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", -5, 4e9, 10**30, 1767225, "soon", True, "NaN"]
    log = tmp_path / "log.jsonl"
    records = [
        {"timestamp": time, "request_id": f"r{n}", "account_id": "a"} for n, time in enumerate(same + bad)
    ]
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    done = scan(log, "--max-rejects", "1")

    assert counts(done)["accepted"] == len(same)
    rejects = [json.loads(line) for line in (tmp_path / "run" / "rejected.jsonl").open()]
    assert [reject["line"] for reject in rejects] == list(range(len(same) + 1, len(records) + 1))
    assert all(reject["reason"].startswith("timestamp: ") for reject in rejects)
    (day,) = {row["day"] for row in pq.read_table(tmp_path / "run" / "timeline.parquet").to_pylist()}
    assert day == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_huge_line_and_a_deep_one_cost_little_memory(scan, log, tmp_path):
    messages = json.dumps([{"role": "user", "content": "word " * 10_000_000}])
    huge = {"timestamp": 1767225600, "request_id": "huge", "account_id": "a1", "messages": messages}
    deep = ["[" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000]
    with log.open("a") as file:
        file.write("\n".join([json.dumps(huge), *deep]) + "\n")
    done = scan(log, "--max-rejects", "0.1")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    rejects = [json.loads(line) for line in (tmp_path / "run" / "rejected.jsonl").open()]

    assert counts(done)["accepted"] == 51
    assert {reject["line"] for reject in rejects} == {52, 53}
    assert manifest["peak_memory_bytes"] < 1_500_000_000


def test_ids_that_differ_in_what_is_no_character_stay_two(scan, log, tmp_path):
    ids = [r"odd\ud800", r"odd\ud801", "odd?", "odd"]
    with log.open("a") as file:
        for number, one in enumerate(ids):
            file.write(f'{{"timestamp": 1767225600, "request_id": "s{number}", "account_id": "{one}"}}\n')
    assert counts(scan(log))["rejected"] == 0
    seen = pq.read_table(tmp_path / "run" / "accounts.parquet")["account_id"].to_pylist()

    assert {one for one in seen if one.startswith("odd")} == set(ids)


@pytest.mark.parametrize("size", [0, 40, 300, 3_000, 8_000, 16_000])
def test_a_disk_that_fills_at_any_moment_is_one_line_and_the_next_run_is_whole(scan, log, tmp_path, size):
    with log.open("a") as file:
        file.write("junk\n" * 2)  # which has to be written down
    done = scan(log, largest_file=size)
    told = complaint(done)
    assert "File too large" in told
    assert (tmp_path / "run").exists() == ("the same command goes on from there" in told)

    assert counts(scan(log))["accepted"] == 50


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_line(scan, log, tmp_path):
    with log.open("a") as file:
        file.write("junk\n" * 2)  # which has to be written down
    out = tmp_path / "run"
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    (out / "rejected.jsonl").symlink_to("/dev/full")

    assert "No space left on device" in complaint(scan(log, out=out))
