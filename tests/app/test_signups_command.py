"""``stillwatch signups screen``: one row for each account, and nothing that disappears."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app import cli
from stillwatch.contracts import CAMPAIGNS, MEMBERS, SCREENED

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
from signups_made import group, people

FARM = group(
    24, payment_fingerprint=lambda n: f"virtual-{n // 8}", email=lambda n: f"m{n}x{n}@mailinator.com"
)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    path = tmp_path_factory.mktemp("backlog") / "accounts.jsonl"
    rows = [*people(300), *FARM]
    broken = ['{"account_id": 7.5}', "no JSON", json.dumps(rows[0] | {"email": None, "phone": None})]
    path.write_text("\n".join([*map(json.dumps, rows), *broken]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def own_key(tmp_path, monkeypatch):
    monkeypatch.setenv("STILLWATCH_SKETCH_KEY", str(tmp_path / "sketch.key"))


def screen(*arguments: str | Path) -> int:
    return cli.run(["signups", "screen", *map(str, arguments)])


def test_a_backlog_has_one_row_for_each_account(accounts, tmp_path, capsys):
    assert screen(accounts, "--out", tmp_path / "out.parquet", "--json") == 0
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(SCREENED)
    assert table["account_id"].to_pylist() == sorted({row["account_id"] for row in [*people(300), *FARM]})
    rows = {row["account_id"]: row for row in table.to_pylist()}
    asked = {account for account, row in rows.items() if row["asked_more"]}
    assert asked == {row["account_id"] for row in FARM}
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("accounts", "asked_more", "read", "rejected", "duplicates")} == {
        "accounts": 324,
        "asked_more": 24,
        "read": 327,
        "rejected": 2,
        "duplicates": 1,
    }
    assert told["verification_levels"] == {"1": 300, "3": 24}
    assert told["reasons"]["payment-shared"] == 24
    rejected = [json.loads(line) for line in Path(told["rejected_file"]).read_text().splitlines()]
    assert [reject["line"] for reject in rejected] == [325, 326]
    assert all("7.5" not in reject["reason"] for reject in rejected)


def test_csv_is_the_same_with_codes_joined_by_spaces_and_the_screen_tells_why(accounts, tmp_path, capsys):
    out = tmp_path / "new" / "out.csv"
    assert screen(accounts, "--out", out) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == SCREENED.names
    asked = next(row for row in rows if row["asked_more"] == "true")
    assert "payment-shared" in asked["reason_codes"].split(" ")
    assert (asked["verification_level"], len(rows)) == ("3", 324)
    told = capsys.readouterr().out
    assert "324 accounts, 24 asked for more than their plan asks (74.1 of 1,000)." in told
    assert "24  payment-shared" in told
    assert "Rejected: 2 of 327 records" in told


def test_levels_and_networks_come_from_the_access_file_and_campaigns_from_a_run(accounts, tmp_path, capsys):
    (tmp_path / "hosting.txt").write_text("0.0.0.0/1\n128.0.0.0/1\n", encoding="utf-8")
    access = tmp_path / "access.toml"
    access.write_text(
        'public_url = "https://accounts.example.com"\n[levels]\neverybody = 2\ndoubtful = 5\n'
        f'[[signups.networks]]\nfile = "{tmp_path}/hosting.txt"\nkind = "hosting"\n',
        encoding="utf-8",
    )
    run = run_folder(tmp_path / "run", [row["account_id"] for row in FARM[:6]])
    out = tmp_path / "out.parquet"
    assert screen(accounts, "--out", out, "--access", access, "--campaigns", run, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verification_levels"] == {"2": 300, "5": 24}
    assert told["reasons"]["hosting-network"] == 24
    assert told["reasons"]["campaign-near"] >= 6


def test_the_page_shows_what_a_backlog_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "sign-ups.md").read_text(encoding="utf-8")
    block = page.split("<!-- tried: backlog -->\n```console\n")[1].split("```")[0]
    lines = block.splitlines()
    for command in [line for line in lines if line.startswith("$ ")]:
        assert cli.run(command.split()[2:]) == 0
    assert capsys.readouterr().out == "\n".join(line for line in lines if not line.startswith("$ ")) + "\n"


def run_folder(folder: Path, accounts: list[str]) -> Path:
    """The two tables of a run that are looked at, and the others empty."""
    from stillwatch.evidence.tables import _SCHEMAS

    folder.mkdir()
    for name, schema in _SCHEMAS.items():
        pq.write_table(schema.empty_table(), folder / f"{name}.parquet")
    empty = dict.fromkeys(CAMPAIGNS.names, 0) | {"capabilities": [], "facets": []}
    row = empty | {"campaign_id": "cmp_1", "verdict": "campaign", "summary": ""}
    members = [
        {"campaign_id": "cmp_1", "account_id": account, "strength": 1.0, "share": 1.0} for account in accounts
    ]
    pq.write_table(pa.Table.from_pylist([row], schema=CAMPAIGNS), folder / "campaigns.parquet")
    pq.write_table(pa.Table.from_pylist(members, schema=MEMBERS), folder / "members.parquet")
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["ACCOUNTS", "--out", "out.txt"], 2, "ends in neither .parquet nor .csv"),
        (["nowhere.csv", "--out", "out.csv"], 2, "nowhere.csv"),
        (["ACCOUNTS", "--out", "out.csv", "--campaigns", "nowhere"], 2, "there is no such run folder"),
        (["ACCOUNTS", "--out", "out.csv", "--access", "nowhere.toml"], 2, "access file cannot be read"),
        (
            ["ACCOUNTS", "--out", "out.csv", "--max-rejects", "0.001"],
            3,
            "2 of 327 account records were rejected",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(accounts, tmp_path, monkeypatch, capsys, arguments, code, told):
    monkeypatch.chdir(tmp_path)
    given = [str(accounts) if argument == "ACCOUNTS" else argument for argument in arguments]
    assert screen(*given) == code
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()
