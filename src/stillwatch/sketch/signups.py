"""Sign-ups as screening compares them: account records become SIGNUP rows; identifiers stop here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import SIGNUP, conform
from stillwatch.sketch.columns import one_batch
from stillwatch.sketch.fields import each, text_fp
from stillwatch.sketch.identifiers import phone_number, plain_name, read_mail, series_of
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.networks import locate

_COPIED: Final = ("account_id", "created_at", "plan", "programme")
_PER_DAY: Final = 86_400_000_000  # microseconds
_NOBODY_ANSWERS: Final = ("free", "disposable")
_APART: Final = "\x1f"  # between the parts of one value, which none of them holds


class _Names(NamedTuple):
    """What is compared of a mail address, before it is keyed."""

    mailbox: str | None = None
    domain: str | None = None
    campus: str | None = None
    own: str | None = None  # the whole domain, where nobody gives out addresses under it
    head: str | None = None
    tail: str | None = None
    pattern: str | None = None
    kind: str | None = None


class SignupSketcher:
    """Turns account records into sign-ups; holds nothing but the key, so that one may serve many threads."""

    def __init__(self, key: SketchKey, answering: Iterable[str] = ()) -> None:
        """Use this key for every fingerprint.

        Args:
            key: the sketch key.
            answering: mail domains whose owner answers for its people as a campus does.
        """
        self._key = key.words
        self._answering = frozenset(domain.casefold() for domain in answering)

    def signups(self, records: pa.RecordBatch, network_kinds: pa.Array) -> pa.RecordBatch:
        """Sketch a batch of ACCOUNT rows into SIGNUP rows, in the same order.

        Args:
            records: ACCOUNT.
            network_kinds: of each row's address what the operator's lists call its network, or null.
        """
        mails = [self._names(text) for text in records["email"].to_pylist()]
        columns = {name: records[name] for name in _COPIED}
        columns |= self._keyed(_answering(records, mails) | _held(records) | _named(records, mails))
        columns["mail_kind"] = pa.array([mail.kind for mail in mails], pa.string())
        columns["network_kind"] = network_kinds
        columns["domain_age_days"] = _domain_age(records)
        return one_batch(conform(pa.table(columns), SIGNUP, "sketch"))

    def _keyed(self, texts: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """Return the fingerprints of columns of texts, made at once: a single sign-up has a value in each."""
        rows = len(next(iter(texts.values())))
        keyed = text_fp(self._key, pa.concat_arrays(list(texts.values())))
        return {name: keyed.slice(place * rows, rows) for place, name in enumerate(texts)}

    def _names(self, written: str | None) -> _Names:
        mail = None if written is None else read_mail(written)
        if mail is None or mail.domain is None:
            return _Names(mailbox=mail and mail.address)
        local, _, domain = mail.address.rpartition("@")
        campus = mail.kind == "education" or mail.domain in self._answering
        own = mail.kind == "own" and not campus
        series = series_of(local)
        return _Names(
            mailbox=mail.address,
            domain=mail.domain if own else None,
            campus=mail.domain if campus else None,
            own=domain if own else None,
            head=series.head,
            tail=series.tail,
            pattern=f"{mail.shape}{_APART}{mail.kind}",
            kind=mail.kind,
        )


def _answering(records: pa.RecordBatch, mails: list[_Names]) -> dict[str, pa.Array]:
    declared = records["organization"].to_pylist()
    answers = [
        f"{plain_name(name)}{_APART}{mail.own}" if name and mail.own else None
        for name, mail in zip(declared, mails, strict=True)
    ]
    return {"organization_fp": _texts(answers), "campus_fp": _texts([mail.campus for mail in mails])}


def _held(records: pa.RecordBatch) -> dict[str, pa.Array]:
    encoded = records["signup_ip"].dictionary_encode()
    places = locate(encoded.dictionary)
    return {
        "payment_fp": records["payment_fingerprint"],
        "device_fp": records["device_fingerprint"],
        "phone_fp": each(records["phone"], phone_number),
        "address_fp": places.addresses.take(encoded.indices),
        "network_fp": places.networks.take(encoded.indices),
    }


def _named(records: pa.RecordBatch, mails: list[_Names]) -> dict[str, pa.Array]:
    programmes = [
        f"{plain_name(programme)}{_APART}{mail.kind}" if programme and mail.kind in _NOBODY_ANSWERS else None
        for programme, mail in zip(records["programme"].to_pylist(), mails, strict=True)
    ]
    return {
        "mailbox_fp": _texts([mail.mailbox for mail in mails]),
        "domain_fp": _texts([mail.domain for mail in mails]),
        "head_fp": _texts([mail.head for mail in mails]),
        "tail_fp": _texts([mail.tail for mail in mails]),
        "pattern_fp": _texts([mail.pattern for mail in mails]),
        "programme_fp": _texts(programmes),
    }


def _texts(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def _domain_age(records: pa.RecordBatch) -> pa.Array:
    """Return the age of the mail domain at sign-up in days: as it is told, or from when it was registered."""
    since = pc.subtract(
        records["created_at"].cast(pa.int64()), records["domain_registered_at"].cast(pa.int64())
    )
    days = pc.divide(pc.max_element_wise(since, 0, skip_nulls=False), _PER_DAY)
    return pc.coalesce(records["domain_age_days"], days)
