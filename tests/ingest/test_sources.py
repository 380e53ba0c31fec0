"""What can be named as an input, what is found there, and how it is described."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.contracts import InputError, UsageError
from stillwatch.ingest.guess import guess
from stillwatch.ingest.reader import describe, read_exchanges
from stillwatch.ingest.sources import FileInput


@pytest.fixture
def logs(tmp_path, litellm_record):
    """A tree of logs: records 0 to 5 in six files, three deep, beside what is not to be read."""
    names = ["b.jsonl", "a.jsonl.gz", "deep/c.zst", "deep/er/d.json", "deep/er/e.log", "deep/f.jsonl"]
    for number, name in enumerate(names):
        raw = json.dumps(litellm_record(number)).encode()
        raw = gzip.compress(raw) if name.endswith("gz") else raw
        raw = zstandard.compress(raw) if name.endswith("zst") else raw
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    for name in (".hidden", "_SUCCESS", ".git/config"):
        path = tmp_path / "logs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("not a log")
    return tmp_path / "logs"


def test_folders_are_walked_in_the_order_of_paths(read, logs):
    found = read([logs])

    assert found.rejects == []
    assert found.ids == ["call-1", "call-0", "call-2", "call-3", "call-4", "call-5"]


@pytest.mark.parametrize(
    ("pattern", "count"), [("*.jsonl", 1), ("**/*.jsonl", 2), ("*", 6), ("deep/er/[de].*", 2), ("deep", 4)]
)
def test_globs_are_expanded(read, logs, pattern, count):
    assert len(read([logs / pattern]).rows) == count


def test_a_file_that_is_named_twice_is_read_once(read, logs, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(logs / "b.jsonl")
    os.link(logs / "b.jsonl", tmp_path / "hard.jsonl")
    found = read(
        [logs / "b.jsonl", logs, logs / "*", logs / "deep" / ".." / "b.jsonl", link, tmp_path / "hard.jsonl"]
    )

    assert sorted(found.ids) == [f"call-{number}" for number in range(6)]


def test_the_order_and_number_of_inputs_does_not_matter(read, logs):
    whole = read([logs])
    parts = read(sorted(logs.rglob("[a-f]*.*"), reverse=True))

    assert [dict(row) for row in parts.rows] == whole.rows


@pytest.mark.parametrize("named", ["gone.jsonl", "gone/*.jsonl", "gone-folder/"])
def test_what_is_missing_is_an_error_that_helps(read, tmp_path, named):
    with pytest.raises(InputError, match="Check the path") as error:
        read([tmp_path / named])
    assert named.rstrip("/") in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_a_folder_without_files_is_an_error(read, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        read([tmp_path / "empty"])


def test_no_input_at_all_is_an_error(read):
    with pytest.raises(InputError, match="no input"):
        read([])


@contextlib.contextmanager
def ordinary_user():
    """Without the superuser's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_what_may_not_be_read_is_an_error(read, locked):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        inner = Path(folder, "inner")
        inner.mkdir(mode=0o755)
        file = inner / "log.jsonl"
        file.write_text("{}")
        (inner if locked == "folder" else file).chmod(0)
        try:
            with ordinary_user(), pytest.raises(InputError, match="Permission denied"):
                read([inner if locked == "folder" else file])
        finally:
            inner.chmod(0o755)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_compression_is_told_by_content_and_not_by_name(read, tmp_path, litellm_record, pack):
    path = tmp_path / "misleading.csv"
    path.write_bytes(pack(b"\n".join(json.dumps(litellm_record(n)).encode() for n in range(3))))
    found = read([path])

    assert found.ids == ["call-0", "call-1", "call-2"]
    expected = {bytes: None, gzip.compress: "gzip", zstandard.compress: "zstd"}[pack]
    assert (found.sources[0].compression, found.sources[0].container) == (expected, "json lines")


def test_members_and_frames_one_after_another_are_one_stream(read, tmp_path, litellm_record):
    lines = [json.dumps(litellm_record(n)).encode() + b"\n" for n in range(4)]
    (tmp_path / "a").write_bytes(gzip.compress(lines[0]) + gzip.compress(lines[1]) + b"\0" * 512)
    (tmp_path / "b").write_bytes(zstandard.compress(lines[2]) + zstandard.compress(lines[3]))

    assert read([tmp_path]).ids == ["call-0", "call-1", "call-2", "call-3"]


@pytest.mark.parametrize("layout", ["line", "pretty", "lines of arrays", "one per line", "concatenated"])
def test_arrays_are_read_in_every_layout(read, tmp_path, litellm_record, layout):
    records = [litellm_record(number) for number in range(5)]
    dumped = [json.dumps(record) for record in records]
    text = {
        "line": json.dumps(records),
        "pretty": json.dumps(records, indent=2),
        "lines of arrays": f"{json.dumps(records[:2])}\n{json.dumps(records[2:])}\n",
        "one per line": "[\n" + ",\n".join(dumped) + "\n]\n",
        "concatenated": "\n".join(json.dumps(record, indent=2) for record in records),
    }[layout]
    path = tmp_path / "log.json"
    path.write_text(text)
    found = read([path])

    assert found.rejects == []
    assert found.ids == [f"call-{number}" for number in range(5)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read(tmp_path, litellm_record, table_record, pack, monkeypatch):
    raw = pack(b"\n".join(json.dumps(litellm_record(n)).encode() for n in range(3000)))
    program = (
        "from stillwatch.ingest.reader import read_exchanges\n"
        "reading = read_exchanges(['-'], digest=lambda raw: '')\n"
        "print(sum(batch.records.num_rows for batch in reading), reading.tally.rejected)\n"
        "print(reading.sources()[0].bytes, reading.sources()[0].sha256, reading.sources()[0].format)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=raw, capture_output=True, check=True)

    assert done.stdout.decode().split() == [
        "3000",
        "0",
        str(len(raw)),
        hashlib.sha256(raw).hexdigest(),
        "litellm",
    ]


def test_parquet_comes_through_a_pipe_and_through_gzip(read, tmp_path, table_record):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([table_record(number) for number in range(10)]), sink)
    (tmp_path / "log.parquet.gz").write_bytes(gzip.compress(sink.getvalue()))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"open({str(pipe)!r}, 'wb').write(open({str(tmp_path / 'log.parquet.gz')!r}, 'rb').read())",
        ]
    ):
        piped = read([pipe])

    assert len(piped.rows) == 10
    assert read([tmp_path / "log.parquet.gz"]).ids == piped.ids


def test_sources_are_described_for_the_manifest(logs, tmp_path):
    (tmp_path / "logs/empty.jsonl").touch()
    (tmp_path / "logs/notes.txt").write_text("remember the milk\n")
    described = {Path(source.path).name: source for source in describe([str(logs), "-"])}

    one = described["a.jsonl.gz"]
    raw = (logs / "a.jsonl.gz").read_bytes()
    assert (one.bytes, one.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert (one.format, one.container, one.compression) == ("litellm", "json lines", "gzip")
    assert described["empty.jsonl"].format == "empty"
    assert described["notes.txt"].format == "unknown"
    assert (described["-"].bytes, described["-"].sha256) == (None, None)


def test_progress_counts_every_byte_of_the_inputs(digest, logs):
    heard = []
    list(read_exchanges([str(logs)], digest=digest, on_bytes=heard.append))

    assert sum(heard) == sum(path.stat().st_size for path in logs.rglob("[a-f]*.*"))


def test_progress_counts_every_byte_of_parquet(digest, tmp_path, table_record):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist([table_record(number) for number in range(9000)]), path)
    heard = []
    list(read_exchanges([str(path)], digest=digest, on_bytes=heard.append))

    assert len(heard) > 1
    assert sum(heard) == path.stat().st_size


def test_an_unknown_format_is_a_usage_error(read, logs):
    with pytest.raises(UsageError, match="litellm"):
        read([logs], format="syslog")


def test_the_chosen_format_holds_where_it_is_not_recognised(read, jsonl):
    found = read([jsonl({"startTime": 1767225600, "owner": "a"})], format="litellm", account_key="owner")

    assert found.rows[0]["account_id"] == "a"


def test_empty_inputs_are_an_error_whatever_the_format(read, jsonl):
    with pytest.raises(InputError, match="empty"):
        read([jsonl(b"")], format="litellm")


def test_a_file_of_another_kind_in_a_folder_is_one_reject(read, logs):
    (logs / "notes.txt").write_text("remember the milk\n" * 100)
    found = read([logs])

    assert len(found.rows) == 6
    (reject,) = found.rejects
    assert (reject["line"], Path(reject["source"]).name) == (0, "notes.txt")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "empty"),
        (b"\n\n \n", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"hello world\n", "no record"),
        (bytes(range(256)) * 50, "no record"),
        (b'{"colour": "red", "size": 3}\n', "fields colour, size"),
        (b"colour,size\nred,3\n", "fields colour, size"),
        ('{"a": 1}\n'.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04 and so on", "zip archive"),
        (b"\x1f\x8b\x08", "ends early"),
        ('{"who": "Zo\xeb"}\n{"who": "Ren\xe9"}\n'.encode("latin-1"), "not UTF-8 .byte 12.: .*iconv -f"),
        ("who,what\nZo\xeb,1\n".encode("latin-1"), "not UTF-8 .byte 12.: .*iconv -f"),
        ('{"a": 1}\n'.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ('{"a": 1}\n'.encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        (b"timestamp,account_id\n", "a CSV header and no rows"),
        (b"timestamp,account_id\n1,2,3\n", "a CSV header and no row that could be read"),
        (b"\0" * 5000, "nothing but zero bytes"),
    ],
)
def test_nothing_known_in_any_input_is_an_error_that_says_what_was_seen(read, tmp_path, raw, expected):
    path = tmp_path / "log"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=expected) as error:
        read([path])
    assert "\n" not in str(error.value)
    if "fields" not in expected:
        assert "--guess" not in str(error.value)  # which would find no record either
        with pytest.raises(InputError, match=expected):
            guess(str(path))


def test_a_file_that_was_written_to_has_another_digest(tmp_path):
    path = tmp_path / "log.jsonl"
    file = FileInput(str(path))
    for number, text in enumerate((b"one", b"two", b"two and more")):
        path.write_bytes(text)
        os.utime(path, ns=(number, number))
        for _ in range(2):
            assert file.digest() == (len(text), hashlib.sha256(text).hexdigest())
