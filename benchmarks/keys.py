"""What verifying a key and opening a seal cost, in CPU of one process.

    python benchmarks/keys.py [--keys 1000000] [--rounds 2000] [--out FOLDER]

Keys are verified from a published file that holds as many as told, as every gate process does: plain ones,
those that are bound to a proof (DPoP, every proof another), and what is turned away. Proofs are signed before
the clock starts: that is the client's work. Seals are of reasoning of several sizes. CPU seconds of the
process, the median of ten parts of all rounds.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "access"))

from issuing import PATH, Issuing, issuing, proof

from speed.apart import apart, say
from speed.record import RESULTS, keep, surroundings
from stillwatch.access.keys.issued import IssuedKey
from stillwatch.access.keys.known import written
from stillwatch.access.keys.pepper import load_pepper
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.store import Made
from stillwatch.access.keys.verifier import Holder, Refused, Shown, Verifier
from stillwatch.access.keys.written import new_key
from stillwatch.access.seals import Keyring, Place, SealError, Seals
from stillwatch.access.seals.keyring import rotate

PARTS: Final = 10
SIZES: Final = (500, 2_000, 8_000, 32_000)
HERE: Final = Place("acct-1", "conversation-1", 3, "model-large")
OTHERS: Final = {"plain": 500.0, "seal": 50.0}
"""Microseconds that each may take at most."""


def spent(work: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    """Return microseconds of CPU for each input."""
    each = max(len(inputs) // PARTS, 1)
    found = []
    for begin in range(0, each * PARTS, each):
        part = inputs[begin : begin + each]
        began = time.process_time()
        for one in part:
            work(one)
        found.append((time.process_time() - began) / len(part) * 1e6)
    return round(median(found), 2)


def fill(keys: Issuing, number: int) -> None:
    """Put so many keys more into the published file, as the store would."""
    now, own = datetime.now(UTC), keys.published.read_text(encoding="utf-8").splitlines(keepends=True)
    lines = own[1:]
    for at in range(number):
        made = new_key()
        kept = keys.pepper.hash(made.text).hex()
        key = IssuedKey(made.id, f"acct-{at}", "", ("chat",), kept, now, "kim")
        lines.append(written(key, 1))
    body = "".join(lines)
    header = {**json.loads(own[0]), "revision": 1, "bytes": len(body)}
    keys.published.write_text(json.dumps(header) + "\n" + body, encoding="utf-8")


def resident() -> int:
    """Return the bytes of memory that this process holds now; Linux tells them."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def read_file(published: Path, pepper: Path) -> dict[str, Any]:
    """Return what reading a file of keys costs, in a process that has done nothing else."""
    secret = load_pepper(pepper)
    before = resident()
    began = time.process_time()
    known = PublishedKeys(published, secret)
    seconds = time.process_time() - began
    after = resident()
    return {
        "keys": len(known),
        "file MB": published.stat().st_size // 10**6,
        "read s": round(seconds, 2),
        "process MB more": (after - before) // 10**6,
    }


def known_after(keys: Issuing, known: PublishedKeys, made: Made) -> float:
    """Revoke a key; return the milliseconds until a verifier knows."""
    began = time.perf_counter()
    keys.revoke(made)
    while not known.find(made.key.id).revoked:
        time.sleep(0.001)
    return round((time.perf_counter() - began) * 1000, 1)


def verification(keys: Issuing, known: PublishedKeys, rounds: int) -> list[dict[str, Any]]:
    """Return what each kind of request costs."""
    plain, bound, confined = keys.issue(), keys.bound(), keys.issue(networks=["203.0.113.0/24"])
    verifier = Verifier(known, keys.pepper)
    strangers = [new_key().text for _ in range(rounds)]
    proofs = [proof(bound.secret) for _ in range(rounds)]
    cases = {
        "plain": ([Shown(plain.secret)] * rounds, Holder),
        "from an address range": ([Shown(confined.secret, address="203.0.113.9")] * rounds, Holder),
        "with a DPoP proof (ES256)": (
            [Shown(bound.secret, True, "POST", PATH, [one]) for one in proofs],
            Holder,
        ),
        "the same proofs again": (
            [Shown(bound.secret, True, "POST", PATH, [one]) for one in proofs],
            Refused,
        ),
        "an unknown key": ([Shown(text) for text in strangers], Refused),
        "a mistyped key": ([Shown(plain.secret[:-1] + "_")] * rounds, Refused),
    }
    rows = []
    for name, (shown, expected) in cases.items():
        rows.append({"request": name, "CPU us": spent(verifier.verify, shown), "allowed us": OTHERS["plain"]})
        assert isinstance(verifier.verify(shown[-1]), Refused if "proof" in name else expected), name
    return rows


def sealing(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Return what sealing, opening and refusing cost, by the size of what is sealed."""
    file = folder / "seal.keys"
    rotate(file, datetime.now(UTC), begins_in=timedelta())
    seals, rows = Seals(Keyring(file)), []

    def refuse(token: str) -> None:
        try:
            seals.open(token, HERE._replace(account_id="acct-2"))
        except SealError:
            return
        raise AssertionError("it opened elsewhere")

    for size in SIZES:
        texts = [bytes(size)] * rounds
        tokens = [seals.seal(text, HERE) for text in texts]
        raw = [seals.seal_bytes(text, HERE) for text in texts]
        rows.append(
            {
                "bytes": size,
                "seal us": spent(lambda text: seals.seal(text, HERE), texts),
                "open us": spent(lambda token: seals.open(token, HERE), tokens),
                "seal as bytes us": spent(lambda text: seals.seal_bytes(text, HERE), texts),
                "open as bytes us": spent(lambda token: seals.open_bytes(token, HERE), raw),
                "refuse (foreign) us": spent(refuse, tokens),
                "refuse (no token) us": spent(_refuse_quietly(seals), [token[:-3] for token in tokens]),
                "allowed us": OTHERS["seal"],
            }
        )
    return rows


def _refuse_quietly(seals: Seals) -> Callable[[str], None]:
    def refuse(token: str) -> None:
        try:
            seals.open(token, HERE)
        except SealError:
            return
        raise AssertionError("a token that was cut opened")

    return refuse


def main() -> None:
    """Measure, print and keep."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keys", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=2_000)
    options.add_argument("--out", type=Path, default=RESULTS)
    options.add_argument("--read", type=Path, nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.read:
        say(read_file(*asked.read))
        return
    made = surroundings("cryptography", "joserfc")
    with tempfile.TemporaryDirectory() as name, issuing(Path(name)) as keys:
        revoked = keys.issue()
        fill(keys, asked.keys)
        file = apart(__file__, ["--read", str(keys.published), str(keys.folder / "keys.pepper")])
        del file["peak MB"]  # inherited from this process, which made the file
        known = PublishedKeys(keys.published, keys.pepper)
        file["ms until a revoked key is known"] = known_after(keys, known, revoked)
        figures = {
            "verification": verification(keys, known, asked.rounds),
            "the published file": [file],
            "seals": sealing(Path(name), asked.rounds),
        }
    keep("keys", "What keys and seals cost", made, figures, asked.out)


if __name__ == "__main__":
    main()
