"""The key in a request's headers: of a bearer, with a DPoP proof, or as Anthropic's clients send it."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.access.keys.certificates import thumbprint_of
from stillwatch.access.keys.refusals import Reason, Refused
from stillwatch.access.keys.trusted import Seen
from stillwatch.access.keys.verifier import Shown
from stillwatch.access.keys.written import looks_issued

_SCHEMES = ("bearer", "dpop")


def shown_in(headers: Iterable[tuple[bytes, bytes]], seen: Seen) -> Shown | Refused | None:
    """Return the key of ours that a request shows; None where it shows none.

    Two that do not agree are refused: a proxy may go by the one and the application by the other.
    """
    found: list[tuple[str, bool]] = []
    proofs = []
    for raw_name, raw_value in headers:
        name, value = raw_name.lower(), raw_value.decode("latin-1")
        if name == b"authorization":
            scheme, _, key = value.partition(" ")
            if scheme.lower() in _SCHEMES:
                found.append((key.strip(), scheme.lower() == "dpop"))
        elif name == b"x-api-key":
            found.append((value.strip(), False))
        elif name == b"dpop":
            proofs.append(value)
    if not any(looks_issued(key) for key, _ in found):
        return None
    if len({key for key, _ in found}) > 1:
        return Refused(Reason.SEVERAL)
    key, is_dpop = found[0][0], any(dpop for _, dpop in found)
    certificate = thumbprint_of(seen.certificate) or ""
    return Shown(key, is_dpop, seen.method, seen.path, proofs, seen.address, certificate)
