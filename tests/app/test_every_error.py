"""Every error class as a user meets it: one line with file, line, field, what is wrong and the remedy.

Each is brought about through the command line, by the mistake that it is for.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

import stillwatch
from stillwatch.app import cli
from stillwatch.contracts import StillwatchError
from stillwatch.persistence.audit import AuditLog

sys.path.insert(0, str(Path(__file__).parents[1] / "decisions"))
from decided_store import decided

SOURCE = Path(stillwatch.__file__).parent
BEGAN = 1767225600


class Mistake(NamedTuple):
    """A command that goes wrong, and how the line that says so reads."""

    arguments: list[str | Path]
    place: str  # file, line and field, as far as there are any
    what: str
    remedy: str


class Desk:
    """A user's folder: a log, a state and a run to make mistakes with."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        self.log, self.state, self.run = folder / "log.jsonl", folder / "state", folder / "run"
        rows = [{"timestamp": BEGAN + n, "request_id": f"r{n}", "account_id": f"a{n % 7}"} for n in range(50)]
        self.log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def scan(self, *more: str | Path) -> list[str | Path]:
        return ["scan", self.log, "--out", self.run, "--state", self.state, *more]

    def scanned(self) -> None:
        assert cli.run(list(map(str, self.scan("--quiet")))) == 0


def audit(desk: Desk) -> Mistake:
    log = desk.folder / "audit.jsonl"
    for name in ("kim", "lee", "ana"):
        AuditLog(log).append("approved", {"by": name})
    log.write_text(log.read_text(encoding="utf-8").replace("lee", "eve"), encoding="utf-8")
    return Mistake(
        ["audit", "verify", log], f"{log}:3: ", "does not follow from the line before", "Compare it"
    )


def contract(desk: Desk) -> Mistake:
    desk.monkeypatch.setattr("stillwatch.app.detection.profile_accounts", lambda _: pa.table({"odd": [1]}))
    return Mistake(desk.scan(), "", "stage profiles broke its contract", "Please report this as a defect")


def decision(desk: Desk) -> Mistake:
    found = decided(desk.state, "a")
    arguments = ["decisions", "reject", found.id, "--note", "no", "--state", desk.state]
    remedy = f"Run: stillwatch decisions undo {found.id}"
    return Mistake(arguments, "", f"{found.id} is in force already", remedy)


def engine(desk: Desk) -> Mistake:
    desk.scanned()
    part = next(desk.state.rglob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # of the pages: the footer is whole
    part.write_bytes(content[:4] + b"\xff" * (end - 4) + content[end:])
    what = "a query could not read a file"
    return Mistake(desk.scan(), "", what, "Check that the file is there, whole and readable")


def input_(desk: Desk) -> Mistake:
    allow = desk.write("allow.csv", "a1,known\n,forgotten\n")
    form = "Write one account id per line, or account_id,reason"
    return Mistake(desk.scan("--allow", allow), f"{allow}:2: ", "the line names no account", form)


def key(desk: Desk) -> Mistake:
    path = desk.write("open.key", "0" * 32)
    path.chmod(0o644)
    return Mistake(
        desk.scan("--sketch-key", path), f"{path}: ", "open to other users", f"Run: chmod 600 {path}"
    )


def ledger(desk: Desk) -> Mistake:
    path = desk.write("state/ledger/key.json", "{")
    remedy = "Restore the file or start a new ledger"
    return Mistake(["ledger", "stat", desk.state], f"{path}: ", "does not say which key wrote it", remedy)


def missing_extra(desk: Desk) -> Mistake:
    desk.monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    desk.monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    address = "postgresql://reader@localhost/litellm"
    arguments = ["scan", address, "--out", desk.run]
    return Mistake(
        arguments, f"{address}: ", "needs adbc-driver-postgresql", "Run `pip install stillwatch[postgres]`"
    )


def run_folder(desk: Desk) -> Mistake:
    desk.scanned()
    path = desk.write("state/campaigns.jsonl", '{"campaign_id": "cmp_1", "members": ["a"]}\nnonsense\n')
    arguments = ["ledger", "forget", desk.state, "a", "--yes"]
    return Mistake(
        arguments, f"{path}:2: ", "no entry of a campaign registry", "Restore the file from a copy"
    )


def service(desk: Desk) -> Mistake:
    token = desk.state.parent / "read.token"
    token.write_text("any")
    arguments = ["top", "--url", "http://127.0.0.1:1", "--token-file", token]  # where nobody ever listens
    return Mistake(arguments, "http://127.0.0.1:1: ", "it does not answer", "See that `stillwatch serve`")


def store(desk: Desk) -> Mistake:
    file = desk.state / "decisions.db"
    return Mistake(
        ["decisions", "list", "--state", desk.state], f"{file}: ", "there is no store", "Name the service's"
    )


def sealed_text(desk: Desk) -> Mistake:
    desk.scanned()
    arguments = ["report", desk.run, "--with-scaffolds"]
    return Mistake(
        arguments, f"{desk.run / 'scaffolds.sealed.json'}: ", "keeps no wording", "Scan the inputs again"
    )


def token(desk: Desk) -> Mistake:
    arguments = ["tokens", "create", "litellm", "--scope", "write", "--state", desk.state]
    return Mistake(arguments, "", "there is no scope 'write'", "Choose from ingest, decide, read, operate")


def too_many_rejects(desk: Desk) -> Mistake:
    with desk.log.open("a") as file:
        file.write("{broken\n" * 50)
    place = f"{desk.run / 'rejected.jsonl'}: "
    return Mistake(
        desk.scan("--format", "table"), place, "50 of 100 records were rejected", "See the reasons"
    )


def unknown_subject(desk: Desk) -> Mistake:
    desk.scanned()
    return Mistake(["explain", desk.run, "nobody"], "", "nobody", "")


def usage(desk: Desk) -> Mistake:
    return Mistake(desk.scan("--max-rejects", "5%"), "field --max-rejects: ", "'5%'", "See `stillwatch")


MISTAKES: dict[str, Callable[[Desk], Mistake]] = {
    "AuditError": audit,
    "ContractError": contract,
    "DecisionError": decision,
    "EngineError": engine,
    "InputError": input_,
    "KeyFileError": key,
    "LedgerError": ledger,
    "MissingExtraError": missing_extra,
    "RunFolderError": run_folder,
    "SealedTextError": sealed_text,
    "ServiceError": service,
    "StoreError": store,
    "TokenError": token,
    "TooManyRejectsError": too_many_rejects,
    "UnknownSubjectError": unknown_subject,
    "UsageError": usage,
}


def error_classes() -> list[type[StillwatchError]]:
    for module in pkgutil.walk_packages(stillwatch.__path__, "stillwatch."):
        importlib.import_module(module.name)
    found, waiting = set(), [StillwatchError]
    while waiting:
        error = waiting.pop()
        found.add(error)
        waiting += error.__subclasses__()
    return sorted(found, key=lambda error: error.__name__)


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place in the code that makes an error."""
    names = {error.__name__ for error in error_classes()}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


def test_every_error_has_its_mistake():
    assert set(MISTAKES) == {error.__name__ for error in error_classes()} - {"StillwatchError"}


def test_nobody_raises_the_base_of_all_errors():
    assert [place for place, call in raised() if call.func.id == "StillwatchError"] == []


@pytest.mark.parametrize("error", [error for error in error_classes() if error is not StillwatchError])
def test_a_mistake_is_one_line_with_its_place_and_a_remedy(error, tmp_path, monkeypatch, capfd):
    mistake = MISTAKES[error.__name__](Desk(tmp_path, monkeypatch))
    capfd.readouterr()
    met = []
    monkeypatch.setattr(error, "__init__", _noting(error, met))
    assert cli.run(list(map(str, mistake.arguments))) == error.exit_code
    assert met
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(f"stillwatch: {mistake.place}")
    assert mistake.what in printed.err
    assert f". {mistake.remedy}" in printed.err


def _noting(error: type[StillwatchError], met: list[StillwatchError]) -> Callable[..., None]:
    make = error.__init__

    def init(self: StillwatchError, *arguments: object, **named: object) -> None:
        met.append(self)
        make(self, *arguments, **named)

    return init


@pytest.mark.parametrize("error", error_classes())
def test_an_error_without_a_place_says_none(error):
    assert str(error("it is odd", remedy="Even it out")) == "it is odd. Even it out"


@pytest.mark.parametrize("error", error_classes())
def test_the_exit_code_of_an_error_is_documented(error):
    assert error.exit_code in cli.EXIT_CODES
    assert error.__doc__


def test_every_error_that_is_made_has_a_remedy_that_reads_as_one():
    places = list(raised())
    assert len(places) > 20
    for place, call in places:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        assert "remedy" in given, place
        assert call.args, f"{place}: says nothing of what is wrong"
        remedy = given["remedy"]
        if isinstance(remedy, ast.Constant):
            assert not remedy.value[0].islower(), f"{place}: {remedy.value}"
            assert not remedy.value.endswith("."), f"{place}: {remedy.value}"
