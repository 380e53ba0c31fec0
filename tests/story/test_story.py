"""The whole story through the command line alone: simulate, scan, explain, and how each can end."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch import contracts
from stillwatch.campaigns import judging

SCHEMAS = {
    "campaigns": contracts.CAMPAIGNS,
    "accounts": contracts.ACCOUNTS,
    "members": contracts.MEMBERS,
    "reasons": contracts.REASONS,
    "timeline": contracts.TIMELINE,
}
FEW = 400  # records; enough for every way to end, and quickly scanned


def rows(run: Path, table: str) -> list[dict[str, Any]]:
    return pq.read_table(run / f"{table}.parquet").to_pylist(maps_as_pydicts="strict")


@pytest.fixture(scope="module")
def strongest(scanned) -> dict[str, Any]:
    return max(rows(scanned, "campaigns"), key=lambda row: row["score"])


@pytest.fixture(scope="module")
def few(world, tmp_path_factory) -> Path:
    """A short log as JSON lines, as a gateway would write it."""
    path = tmp_path_factory.mktemp("few") / "log.jsonl"
    table = world.exchanges()
    path.write_bytes(json_lines(table.slice(0, FEW)))
    return path


def json_lines(table: pa.Table) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist())


# -- what a run leaves behind


@pytest.mark.parametrize("table", SCHEMAS)
def test_a_run_folder_holds_each_table_in_its_declared_schema(scanned, table):
    assert pq.read_schema(scanned / f"{table}.parquet").equals(SCHEMAS[table])


def test_every_account_of_the_log_has_one_verdict(world, scanned):
    verdicts = rows(scanned, "accounts")
    assert sorted(row["account_id"] for row in verdicts) == sorted(
        set(world.exchanges()["account_id"].to_pylist())
    )
    assert sum(row["exchanges"] for row in verdicts) == world.exchanges().num_rows
    assert {row["verdict"] for row in verdicts} <= {"campaign", "watch", "clear"}


def test_the_campaigns_of_the_world_are_found_and_honest_accounts_stay_clear(world, scanned):
    truth = world.campaigns()
    called = {row["account_id"] for row in rows(scanned, "accounts") if row["verdict"] == "campaign"}
    attackers = set().union(*truth.values())
    assert called, "no campaign was found"
    for name, members in truth.items():
        assert len(called & members) >= 0.8 * len(members), name
    assert len(called - attackers) <= 0.01 * len(called)


def test_tables_of_a_run_agree_with_each_other(scanned):
    campaigns = {row["campaign_id"]: row for row in rows(scanned, "campaigns")}
    members = rows(scanned, "members")
    accounts = {row["account_id"]: row for row in rows(scanned, "accounts")}
    for campaign_id, campaign in campaigns.items():
        assert re.fullmatch("cmp_[0-9a-f]{12}", campaign_id)
        assert campaign["accounts"] == sum(member["campaign_id"] == campaign_id for member in members)
        assert sum(campaign["capabilities"].values()) == pytest.approx(1)
        assert 0 <= campaign["q_value"] <= 1
    assert {member["campaign_id"] for member in members} == set(campaigns)
    alike = {row["campaign_id"] for row in rows(scanned, "lookalikes")}
    assert {row["campaign_id"] for row in rows(scanned, "reasons")} <= set(campaigns) | alike
    for member in members:
        assert accounts[member["account_id"]]["campaign_id"] in campaigns
        assert 0 <= member["share"] <= 1


def test_look_alikes_are_told_with_a_reason_and_without_an_account(scanned):
    alike = rows(scanned, "lookalikes")
    assert 0 < len(alike) <= 20
    for group in alike:
        assert re.fullmatch("grp_[0-9a-f]{12}", group["campaign_id"])
        assert group["verdict"] == "clear"
        assert group["linking"] >= judging.MIN_LINKING or group["extraction"] >= judging.WATCH_EXTRACTION
        assert group["score"] == pytest.approx(group["linking"] + group["extraction"])
    own = [row for row in rows(scanned, "reasons") if row["campaign_id"].startswith("grp_")]
    assert {row["campaign_id"] for row in own} == {group["campaign_id"] for group in alike}
    assert {row["account_id"] for row in own} == {None}


def test_ties_join_members_of_one_campaign(scanned):
    members = {(row["campaign_id"], row["account_id"]) for row in rows(scanned, "members")}
    held = {}
    for row in rows(scanned, "ties"):
        assert (row["campaign_id"], row["account_id"]) in members
        thing = (row["campaign_id"], row["signal"], row["value"])
        held.setdefault(thing, (set(), row["holders"]))[0].add(row["account_id"])
    assert held
    assert all(2 <= len(accounts) <= holders for accounts, holders in held.values())


def test_the_manifest_tells_inputs_counts_and_versions(world, scanned):
    manifest = json.loads((scanned / "manifest.json").read_bytes())
    assert {Path(entry["path"]).name for entry in manifest["inputs"]} >= {
        path.name for path in world.folder.glob("exchanges-*.parquet")
    }
    assert all(re.fullmatch("[0-9a-f]{64}", entry["sha256"]) for entry in manifest["inputs"])
    assert manifest["counts"]


class _Links(HTMLParser):
    """What a page would have to fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "source", "object", "embed"):
            names = ("src", "href", "data")
            found = [value for name, value in attrs if name in names and value]
            self.fetched += [value for value in found if not value.startswith(("data:", "#"))]


def test_the_report_opens_offline_and_names_each_campaign(scanned):
    page = (scanned / "report.html").read_text(encoding="utf-8")
    links = _Links()
    links.feed(page)
    assert links.fetched == []
    assert not re.search(r"@import|url\(\s*['\"]?https?:", page)
    for row in rows(scanned, "campaigns"):
        if row["verdict"] == "campaign":
            assert row["campaign_id"] in page


def test_no_raw_text_or_identifier_is_left_in_a_run_folder(world, scanned):
    asked = json.loads(max(world.exchanges()["messages"].to_pylist(), key=len))[-1]["content"]
    mails = [mail for mail in pq.read_table(world.accounts)["email"].to_pylist() if mail]
    secrets = [secret.encode() for secret in (asked[:40], asked[-40:], mails[0], mails[-1])]
    for path in filter(Path.is_file, scanned.rglob("*")):
        stored = _readable(path)
        assert not [secret for secret in secrets if secret in stored], path


def _readable(path: Path) -> bytes:
    if path.suffix != ".parquet":
        return path.read_bytes()
    return orjson.dumps(pq.read_table(path).to_pylist(), default=str)


# -- explain


def test_a_campaign_is_explained_by_its_stored_reasons(stillwatch, scanned, strongest):
    stored = [
        row["statement"]
        for row in rows(scanned, "reasons")
        if row["campaign_id"] == strongest["campaign_id"] and row["account_id"] is None
    ]
    done = stillwatch("explain", scanned, strongest["campaign_id"])
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert stored
    assert all(" ".join(statement.split()) in told for statement in stored)


def test_a_campaign_is_explained_as_json(stillwatch, scanned, strongest):
    done = stillwatch("explain", scanned, strongest["campaign_id"], "--json")
    assert done.code == 0, done.err
    explained = json.loads(done.out)
    assert explained["kind"] == "campaign"
    assert explained["accounts"] == strongest["accounts"]
    assert {reason["side"] for reason in explained["reasons"]} >= {"linking", "extraction"}


def test_an_account_is_explained_by_the_campaigns_it_serves(stillwatch, scanned, strongest):
    member = next(
        row["account_id"]
        for row in rows(scanned, "members")
        if row["campaign_id"] == strongest["campaign_id"]
    )
    done = stillwatch("explain", scanned, member, "--json")
    assert done.code == 0, done.err
    served = {entry["campaign"]["campaign_id"] for entry in json.loads(done.out)["memberships"]}
    assert strongest["campaign_id"] in served


def test_an_unknown_subject_is_one_helpful_line(stillwatch, scanned):
    done = stillwatch("explain", scanned, "cmp_nobody")
    assert done.code == 2
    assert one_line(done.err)
    assert "cmp_nobody" in done.err


# -- how a scan ends


def test_a_found_campaign_fails_a_scan_that_asks_for_it(stillwatch, world, tmp_path):
    scan = ["scan", world.glob, "--accounts", world.accounts, "--out", tmp_path / "run"]
    done = stillwatch(*scan, "--fail-on", "campaign", "--json")
    assert done.code == 1, done.err
    assert json.loads(done.out)


def test_no_campaign_does_not_fail_a_scan_that_asks_for_it(stillwatch, few, tmp_path):
    quiet = few.with_name("quiet.jsonl")
    quiet.write_bytes(b"".join(few.read_bytes().splitlines(keepends=True)[:5]))
    done = stillwatch("scan", quiet, "--out", tmp_path / "run", "--fail-on", "campaign", "--quiet")
    assert done.code == 0, done.err
    assert rows(tmp_path / "run", "campaigns") == []


def test_a_missing_file_is_one_helpful_line(stillwatch, tmp_path):
    done = stillwatch("scan", tmp_path / "nowhere.jsonl", "--out", tmp_path / "run")
    assert done.code == 2
    assert one_line(done.err)
    assert "nowhere.jsonl" in done.err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--max-rejects", "1.5"],
        ["--format", "pigeon"],
        ["--since", "2026-06-05", "--until", "2026-04-22"],
        ["--fail-on", "tuesday"],
        ["--no-such-option"],
    ],
    ids=lambda wrong: wrong[0],
)
def test_a_wrong_option_is_a_usage_error(stillwatch, few, tmp_path, wrong):
    done = stillwatch("scan", few, "--out", tmp_path / "run", *wrong)
    assert done.code == 2
    assert wrong[0] in done.err
    assert "Traceback" not in done.err


def test_too_many_rejects_end_the_scan_with_three(stillwatch, few, tmp_path):
    broken = few.with_name("broken.jsonl")
    broken.write_bytes(few.read_bytes() + b'{"timestamp": "a secret line"}\n' * FEW)
    done = stillwatch("scan", broken, "--out", tmp_path / "run")
    assert done.code == 3, done.err
    assert "Traceback" not in done.err


def test_rejects_within_the_limit_are_listed_without_their_content(stillwatch, few, tmp_path):
    broken = few.with_name("mostly.jsonl")
    lines = few.read_bytes().splitlines(keepends=True)
    broken.write_bytes(b"".join([*lines[:7], b'{"timestamp": "a secret line"}\n', *lines[7:]]))
    done = stillwatch("scan", broken, "--out", tmp_path / "run", "--quiet")
    assert done.code == 0, done.err
    (reject,) = map(json.loads, (tmp_path / "run" / "rejected.jsonl").read_text().splitlines())
    assert (Path(reject["source"]).name, reject["line"]) == ("mostly.jsonl", 8)
    assert reject["reason"]
    assert reject["digest"]
    assert "secret" not in json.dumps(reject)
    assert sum(row["exchanges"] for row in rows(tmp_path / "run", "accounts")) == FEW


def test_quiet_prints_nothing_and_json_prints_one_document(stillwatch, few, tmp_path):
    quiet = stillwatch("scan", few, "--out", tmp_path / "quiet", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    spoken = stillwatch("scan", few, "--out", tmp_path / "json", "--json")
    assert spoken.code == 0, spoken.err
    assert json.loads(spoken.out)


def test_since_and_until_cut_the_log(stillwatch, world, few, tmp_path):
    first, last = (world.exchanges()["timestamp"][place].as_py() for place in (100, 300))
    kept = sum(first <= moment < last for moment in world.exchanges()["timestamp"].to_pylist()[:FEW])
    window = ["--since", first.isoformat(), "--until", last.isoformat()]
    done = stillwatch("scan", few, "--out", tmp_path / "run", "--quiet", *window)
    assert done.code == 0, done.err
    assert sum(row["exchanges"] for row in rows(tmp_path / "run", "accounts")) == kept


def one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1
