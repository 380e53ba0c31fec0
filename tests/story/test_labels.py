"""An analyst says what a group is, the allow list says who is known, and the next scan obeys both."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch


@pytest.fixture(scope="module")
def obeyed(stillwatch: Any, world: Any, scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that was labelled, and then replaced by a scan with the labels and an allow list."""
    out = Path(shutil.copytree(scanned, tmp_path_factory.mktemp("labelled") / "run"))
    honest, seats, called = groups(out)
    spared, tester = sorted(members(out, called))[:2]
    note = "one customer, seats under contract"
    for subject, verdict in ((honest, "honest"), (spared, "honest"), (called, "campaign")):
        done = stillwatch("label", out, subject, verdict, "--note", note, "--by", "kim")
        assert done.code == 0, done.err
        assert f"--labels {out / 'labels.jsonl'}" in done.out
    declared = pq.read_table(world.accounts, columns=["account_id", "organization"])
    company = declared["organization"].drop_null()[0].as_py()
    allow = out.parent / "allow.csv"
    allow.write_text(
        "account_id,organization,kind,reason,owner,until,party\n"
        f"{tester},,red-team,agreed test,lee@example.org,2999-12-31,\n"
        f",{company.upper()},evaluation,weekly benchmark,,,\n"
        f"{min(members(out, honest))},,research,over,,2020-01-01,\n"
        "acct_unknown,,research,typing mistake,,,\n"
        + "".join(f"{seat},,,seat of a reseller,,,acme resale\n" for seat in sorted(members(out, seats)))
    )
    before = {"out": out, "honest": honest, "seats": seats, "called": called, "tester": tester}
    before |= {"spared": spared, "members": {name: members(out, name) for name in (honest, seats, called)}}
    before["employees"] = set(
        declared.filter(pc.equal(declared["organization"], company))["account_id"].to_pylist()
    )
    done = stillwatch(
        *("scan", world.glob, "--accounts", world.accounts, "--out", out),
        *("--labels", out / "labels.jsonl", "--allow", allow),
    )
    assert done.code == 0, done.err
    return before | {"scan": done}


def groups(out: Path) -> list[str]:
    rows = pq.read_table(out / "campaigns.parquet").to_pylist()
    assert [row["verdict"] for row in rows] == ["campaign"] * 3
    return [row["campaign_id"] for row in sorted(rows, key=lambda row: row["accounts"])]


def members(out: Path, campaign: str) -> frozenset[str]:
    table = pq.read_table(out / "members.parquet")
    return frozenset(table.filter(pc.field("campaign_id") == campaign)["account_id"].to_pylist())


def explained(stillwatch: Any, out: Path, subject: str) -> tuple[str, dict[str, Any]]:
    told, document = stillwatch("explain", out, subject), stillwatch("explain", out, subject, "--json")
    assert told.code == document.code == 0, told.err
    return " ".join(told.out.split()), json.loads(document.out)


def test_the_next_scan_obeys_labels_and_list(obeyed):
    [row] = pq.read_table(obeyed["out"] / "campaigns.parquet").to_pylist()
    assert row["verdict"] == "campaign"
    found = members(obeyed["out"], row["campaign_id"])
    assert found == obeyed["members"][obeyed["called"]] - {obeyed["spared"], obeyed["tester"]}
    verdicts = pq.read_table(obeyed["out"] / "accounts.parquet").to_pylist()
    clear = {row["account_id"] for row in verdicts if row["verdict"] == "clear"}
    assert obeyed["members"][obeyed["honest"]] | obeyed["members"][obeyed["seats"]] <= clear
    assert {obeyed["spared"], obeyed["tester"]} <= clear


def test_an_allowed_account_is_explained_by_its_entry(stillwatch, obeyed):
    told, document = explained(stillwatch, obeyed["out"], obeyed["tester"])
    for words in ("clear (allowed)", "red-team", "allow.csv:2", "agreed test", "lee@example.org", "2999"):
        assert words in told
    assert "nothing links it" not in told
    [entry] = document["declarations"]
    assert document["exempt"] is True
    assert (entry["kind"], entry["line"], entry["entry"]) == (
        "red-team",
        2,
        f"account_id {obeyed['tester']}",
    )


def test_an_account_of_a_party_is_explained_and_not_exempt(stillwatch, obeyed):
    seat = min(obeyed["members"][obeyed["seats"]])
    told, document = explained(stillwatch, obeyed["out"], seat)
    assert "acme resale" in told
    assert document["exempt"] is False


def test_an_organisation_stands_for_all_its_accounts_however_its_name_is_written(obeyed):
    declared = pq.read_table(obeyed["out"] / "declared.parquet").to_pylist()
    assert {row["account_id"] for row in declared if row["kind"] == "evaluation"} == obeyed["employees"]


def test_what_the_list_does_not_do_is_said_and_counted(obeyed):
    manifest = json.loads((obeyed["out"] / "manifest.json").read_text())
    report = (obeyed["out"] / "report.html").read_text()
    expired, unknown = manifest["warnings"]
    assert "allow.csv:4: " in expired["text"]
    assert "2020-01-01" in expired["text"]
    assert "allow.csv:5: nothing in this scan is known as account_id acct_unknown" in unknown["text"]
    for warning in (expired, unknown):
        assert warning["text"] in report
    counts = manifest["counts"]["declared"]
    assert (counts["expired_entries"], counts["unknown_entries"], counts["labels"]) == (1, 1, 3)
    assert counts["exempt_accounts"] == len(obeyed["employees"] | {obeyed["tester"], obeyed["spared"]})
    assert counts["party_accounts"] == len(obeyed["members"][obeyed["seats"]])


def test_labels_are_shown_with_what_they_changed(stillwatch, obeyed):
    rows = {row["subject"]: row for row in pq.read_table(obeyed["out"] / "labelled.parquet").to_pylist()}
    effects = {name: rows[obeyed[name]]["effect"] for name in ("honest", "spared", "called")}
    assert effects == {"honest": "kept-clear", "spared": "kept-clear", "called": "called"}
    report = (obeyed["out"] / "report.html").read_text()
    assert report.count("one customer, seats under contract") >= 3
    told, document = explained(stillwatch, obeyed["out"], rows[obeyed["called"]]["campaign_id"])
    assert "Label campaign, by kim" in told
    assert "labelled a campaign by kim" in told
    assert [label["verdict"] for label in document["labels"]] == ["campaign"]
    told, _ = explained(stillwatch, obeyed["out"], obeyed["spared"])
    assert "Allowed as labelled-honest" in told


def test_a_scan_into_the_same_folder_keeps_the_labels(stillwatch, obeyed):
    listed = json.loads(stillwatch("label", "list", obeyed["out"], "--json").out)["labels"]
    assert [label["subject"] for label in listed] == [
        obeyed["honest"],
        obeyed["spared"],
        obeyed["called"],
    ]
    group = listed[0]
    assert set(group["members"]) == obeyed["members"][obeyed["honest"]]
    assert group["evidence"]["score"] == pytest.approx(
        group["evidence"]["linking"] + group["evidence"]["extraction"]
    )
    assert len(group["run"]) == 64


def test_a_later_label_holds_instead(stillwatch, world, scanned, tmp_path):
    out = Path(shutil.copytree(scanned, tmp_path / "run"))
    smallest = groups(out)[0]
    for verdict in ("honest", "campaign"):
        assert stillwatch("label", out, smallest, verdict, "--note", "looked again").code == 0
    told, _ = explained(stillwatch, out, smallest)
    assert "given after this scan" in told
    listed = stillwatch("label", "list", out).out.splitlines()
    assert [line.endswith("(replaced)") for line in listed] == [True, False]
    result = stillwatch_scan(world, tmp_path, out / "labels.jsonl")
    assert smallest in result.campaigns["campaign_id"].to_pylist()
    assert result.labelled["effect"].to_pylist() == ["agrees"]


def stillwatch_scan(world: Any, folder: Path, labels: Path) -> Any:
    return stillwatch.scan(
        world.glob, accounts=world.accounts, out=folder / "next", labels=labels, sketch_key=folder / "key"
    )
