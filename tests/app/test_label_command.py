"""``stillwatch label`` from outside, on a small run without campaigns."""

from __future__ import annotations

import json
from pathlib import Path

import forked_commands
import pytest

from stillwatch.app import cli

BEGAN = 1767225600


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    rows = [{"timestamp": BEGAN + n, "request_id": f"r{n}", "account_id": f"acct-{n % 7}"} for n in range(50)]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ["scan", log, "--out", tmp_path / "run", "--state", tmp_path / "state", "--quiet"]
    assert cli.run(list(map(str, arguments))) == 0
    return tmp_path / "run"


def label(run: Path, *arguments: str | Path) -> int:
    return cli.run(["label", str(run), *map(str, arguments)])


def listed(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_label_goes_into_the_state(run, tmp_path, capsys):
    state = tmp_path / "state"
    assert label(run, "acct-1", "honest", "--note", "a colleague", "--by", "kim", "--state", state) == 0
    assert f"next scan with --state {state}" in capsys.readouterr().out
    [given] = listed(state)
    assert (given["subject"], given["kind"], given["verdict"]) == ("acct-1", "account", "honest")
    assert (given["by"], given["note"], given["members"]) == ("kim", "a colleague", ["acct-1"])
    assert not (run / "labels.jsonl").exists()


def test_without_a_state_it_stays_in_the_run_and_says_how_to_use_it(run, tmp_path, capsys):
    assert label(run, "acct-1", "campaign", "--note", "resells", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(run / "labels.jsonl")
    assert f"--labels {run / 'labels.jsonl'}" in document["use"]
    assert f"--state {tmp_path / 'state'}" in document["use"]  # the run had one
    assert document["label"] == listed(run)[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["acct-11", "honest", "--note", "x"], "Did you mean acct-1"),
        (["acct-1", "honest", "--note", " "], "field --note: it is empty"),
        (["acct-1", "perhaps", "--note", "x"], "perhaps"),
        (["acct-1", "honest"], "--note"),
        (["acct-1", "honest", "--note", "x", "--state", "/absent/state"], "no such state folder"),
    ],
)
def test_a_mistake_is_one_line_and_labels_nothing(run, capsys, arguments, told):
    assert label(run, *arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (run / "labels.jsonl").exists()


def test_a_damaged_file_is_named_and_not_added_to(run, capsys):
    (run / "labels.jsonl").write_text("nonsense\n", encoding="utf-8")
    assert label(run, "acct-1", "honest", "--note", "x") == 2
    assert f"{run / 'labels.jsonl'}:1: " in capsys.readouterr().err
    assert (run / "labels.jsonl").read_text(encoding="utf-8") == "nonsense\n"


def test_several_who_label_at_once_all_get_their_line(run):
    started = [
        forked_commands.start(["label", run, f"acct-{number}", "honest", "--note", "at once", "--quiet"])
        for number in range(3)
    ]
    assert [one.wait(timeout=240) for one in started] == [0, 0, 0]
    assert {one["subject"] for one in listed(run)} == {"acct-0", "acct-1", "acct-2"}


def test_a_list_of_nothing_says_so_and_a_missing_folder_is_an_error(run, tmp_path, capsys):
    assert cli.run(["label", "list", str(run)]) == 0
    assert capsys.readouterr().out == "No labels.\n"
    assert cli.run(["label", "list", str(tmp_path / "absent")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_the_group_has_help_and_its_arguments_are_those_of_add(run, capsys):
    assert cli.run(["label", "--help"]) == 0
    assert "label list" in capsys.readouterr().out
    assert cli.run(["label", "--note", "options first", str(run), "acct-1", "honest", "-q"]) == 0
    assert listed(run)[0]["note"] == "options first"
