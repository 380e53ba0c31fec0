"""Keys and seal keys by the command line: made, told once, rotated, revoked, verified, reported."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from joserfc.jwk import ECKey

from stillwatch.access.keys.written import PATTERN, id_of
from stillwatch.access.seals import Keyring
from stillwatch.app import cli
from stillwatch.contracts import SHARED_KEYS
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.persistence.audit import verify_audit
from stillwatch.sketch.key import load_or_create_key

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
from key_traffic import a_key_in_a_forum, runners, traffic


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Runs a command over a state folder, and returns its exit code, output and errors."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments, stdin="", state=True):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        own = ["--state", str(tmp_path / "state")] if state else []
        code = cli.run([*map(str, arguments), *own])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_key_is_made_verified_rotated_and_revoked(told, tmp_path):
    _, secret, _ = told("keys", "create", "acct-1", "--name", "laptop", "--scope", "chat", "--expires", "90d")
    assert re.fullmatch(PATTERN, secret.strip())
    number = id_of(secret.strip())
    assert told("keys", "verify", stdin=secret)[:2] == (0, f"{number} of acct-1 holds.\n")
    _, rotated, _ = told("keys", "rotate", number, "--overlap", "1h", "--json")
    assert json.loads(rotated)["key"]["replaces"] == number
    code, out, _ = told("keys", "revoke", number, "--note", "it leaked", "--by", "kim")
    assert (code, out) == (0, f"{number} of acct-1 holds no more.\n")
    code, out, _ = told("keys", "verify", "--json", stdin=secret)
    assert (code, json.loads(out)["reason"]) == (1, "revoked")
    _, out, _ = told("keys", "list", "--account", "acct-1")
    assert f"{number}  acct-1 (laptop): chat, revoked" in out
    assert "by kim" in out
    assert secret.strip() not in out
    assert told("keys", "forget", "acct-1")[1] == "2 keys were removed.\n"
    assert told("keys", "list")[1] == "No keys.\n"
    assert verify_audit(tmp_path / "state" / "audit.jsonl").entries == 4


def test_a_key_is_bound_to_a_public_key_and_never_takes_a_private_one(told, tmp_path):
    pair, file = ECKey.generate_key("P-256"), tmp_path / "client.jwk"
    file.write_text(json.dumps(pair.as_dict(private=True)))
    code, _, err = told("keys", "create", "acct-1", "--proof-key", file)
    assert (code, "it holds a secret" in err) == (2, True)
    file.write_text(json.dumps(pair.as_dict(private=False)))
    code, _, err = told("keys", "create", "acct-1", "--proof-key", file)
    assert (code, "no DPoP proof would hold" in err) == (2, True)  # no access file has said where clients ask
    file.write_text("nonsense")
    assert "it is no JWK" in told("keys", "create", "acct-1", "--proof-key", file)[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["keys", "create", "acct-1", "--network", "office"], "field networks: 'office' is no address"),
        (["keys", "create", "acct-1", "--expires", "soon"], "field --expires: 'soon' is no span of time"),
        (["keys", "revoke", "nope", "--note", "x"], "there is no key 'nope'"),
    ],
)
def test_what_cannot_be_is_told(told, arguments, words):
    code, _, err = told(*arguments)
    assert code == 2
    assert words in err


def test_shared_keys_are_reported(told, tmp_path):
    sketches = traffic(a_key_in_a_forum, runners)
    ledger = tmp_path / "state" / "ledger"
    written(ledger, sketches)
    code, out, _ = told("keys", "shared", "--quiet", "--json", "--out", tmp_path / "shared.parquet")
    found = json.loads(out)
    assert (code, found["keys"], found["counts"]["shared"], found["counts"]["runners"]) == (0, 2, 1, 1)
    assert found["shared"][0]["account_id"] == "a_key_in_a_forum"
    assert pq.read_schema(tmp_path / "shared.parquet").equals(SHARED_KEYS)
    _, out, _ = told("keys", "shared", "--out", tmp_path / "shared.csv")
    assert "1 of 2 keys are used by many at once." in out
    assert "1 look like CI runners" in out
    assert (tmp_path / "shared.csv").read_text().count("\n") == 3
    (tmp_path / "allow.csv").write_text("a_key_in_a_forum,class\n")
    load_or_create_key(tmp_path / "sketch.key")
    _, out, _ = told(
        "keys", "shared", "--allow", tmp_path / "allow.csv", "--sketch-key", tmp_path / "sketch.key", "--json"
    )
    assert (json.loads(out)["counts"]["shared"], json.loads(out)["exempt_accounts"]) == (0, 1)
    code, _, err = told("keys", "shared", "--out", tmp_path / "shared.txt")
    assert (code, "neither CSV nor Parquet" in err) == (2, True)
    assert "there is no ledger" in told("keys", "shared", "--run", tmp_path, state=False)[2]
    assert "give either" in told("keys", "shared", "--run", tmp_path)[2]


def written(folder: Path, sketches: pa.Table) -> None:
    """Put sketches into a ledger."""
    ledger = Ledger(folder, "0" * 16)
    with ledger.in_use(), open_engine(threads=1, spill=folder.parent / "spill") as engine:
        for batch in sketches.to_batches():
            ledger.stage(batch)
        ledger.seal(engine)


def test_seal_keys_are_rotated_listed_and_dropped(told, tmp_path):
    file = tmp_path / "seal.keys"
    code, first, _ = told("seals", "rotate", file, "--json", state=False)
    assert code == 0
    told("seals", "rotate", file, "--begins-in", "1h", "--keep", "30d", state=False)
    _, listed, _ = told("seals", "list", file, "--json", state=False)
    names = [key["id"] for key in json.loads(listed)["keys"]]
    assert names[0] == json.loads(first)["id"] == Keyring(file).sealing().name
    _, out, _ = told("seals", "drop", file, names[0], state=False)
    assert out == f"What {names[0]} sealed opens no more.\n"
    assert names[1] in told("seals", "list", file, state=False)[1]
    code, _, err = told("seals", "drop", file, names[1], state=False)
    assert (code, "it is the only key" in err) == (2, True)
    assert "cannot" not in err
    assert "seals rotate FILE" in told("seals", "list", tmp_path / "none", state=False)[2]
