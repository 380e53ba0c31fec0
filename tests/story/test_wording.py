"""Raw text: nowhere in a run folder unless it was asked for, and then only what twenty accounts share."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app.scaffolds import request_text

RUN = 4  # words in a row: fewer are ordinary language, which a report has of its own


def word_runs(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def text_of(path: Path) -> str:
    """Everything that can be read in a file."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        texts = [column for column in table.columns if pa.types.is_string(column.type)]
        return " ".join(str(value) for column in texts for value in column.to_pylist())
    return html.unescape(re.sub(r"<[^>]+>", " ", path.read_bytes().decode("utf-8", "replace")))


def files(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def sent(world) -> dict[str, set[str]]:
    """Every run of four words of the campaigns' requests, with the accounts that sent it."""
    accounts = set().union(*world.campaigns().values())
    rows = world.exchanges().select(["account_id", "messages"]).to_pylist()
    found = defaultdict(set)
    for row in rows:
        if row["account_id"] in accounts:
            for run in word_runs(request_text(row["messages"])):
                found[run].add(row["account_id"])
    return found


@pytest.fixture(scope="module")
def shown(stillwatch, world, tmp_path_factory) -> Path:
    """The run folder of a scan that was asked for the wording."""
    out = tmp_path_factory.mktemp("wording") / "run"
    done = stillwatch(
        "scan", world.glob, "--accounts", world.accounts, "--out", out, "--with-scaffolds", "--quiet"
    )
    assert done.code == 0, done.err
    return out


def test_without_the_option_no_text_of_a_request_is_anywhere(scanned, sent):
    assert len(sent) > 10_000
    for path in files(scanned):
        assert not word_runs(text_of(path)) & sent.keys(), path


def test_with_it_the_report_shows_what_twenty_accounts_share_and_nothing_else_does(shown, sent):
    told = word_runs(text_of(shown / "report.html")) & sent.keys()
    assert len(told) > 20
    assert all(len(sent[run]) >= 20 for run in told)
    for path in files(shown):
        assert path.name == "report.html" or not word_runs(text_of(path)) & sent.keys(), path


def test_the_tables_are_those_of_a_scan_without_it(shown, scanned):
    for name in ("campaigns", "accounts", "members", "reasons", "timeline", "lookalikes", "ties"):
        assert (shown / f"{name}.parquet").read_bytes() == (scanned / f"{name}.parquet").read_bytes()


def test_the_report_can_be_written_again_with_the_wording_and_without(stillwatch, shown, sent, tmp_path):
    again, plain = tmp_path / "again.html", tmp_path / "plain.html"
    done = stillwatch("report", shown, "--with-scaffolds", "--out", again)
    assert (done.code, done.out) == (0, f"Report:   {again}\n")
    assert again.read_text() == (shown / "report.html").read_text()
    done = stillwatch("report", shown, "--lang", "ko", "--out", plain, "--json")
    assert json.loads(done.out) == {"version": 1, "report": str(plain), "pdf": None}
    assert '<html lang="ko">' in plain.read_text()
    assert not word_runs(text_of(plain)) & sent.keys()


def test_another_key_does_not_open_it(stillwatch, shown, tmp_path):
    key = tmp_path / "other.key"
    done = stillwatch("report", shown, "--with-scaffolds", "--sketch-key", key, "--out", tmp_path / "r.html")
    assert done.code == 2
    assert "no such sketch key" in done.err
    key.touch(mode=0o600)
    key.write_text("0" * 32)
    done = stillwatch("report", shown, "--with-scaffolds", "--sketch-key", key, "--out", tmp_path / "r.html")
    assert done.code == 2
    assert "sealed with another sketch key" in done.err


def test_a_run_that_kept_none_says_so(stillwatch, scanned, tmp_path):
    done = stillwatch("report", scanned, "--with-scaffolds", "--out", tmp_path / "r.html")
    assert done.code == 2
    assert "keeps no wording" in done.err


def test_a_pipe_cannot_be_read_again_and_the_report_says_so(stillwatch, world, sent, tmp_path):
    log = b"".join(json.dumps(row, default=str).encode() + b"\n" for row in world.exchanges().to_pylist())
    out = tmp_path / "run"
    done = stillwatch("scan", "-", "--with-scaffolds", "--out", out, "--quiet", stdin=log)
    assert done.code == 0, done.err
    page = text_of(out / "report.html")
    assert "a pipe can be read only once: -" in page
    assert not word_runs(page) & sent.keys()
