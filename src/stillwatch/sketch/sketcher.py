"""The door of the stage: batches of exchanges and account records become sketches."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import ACCOUNT_SKETCH, REJECT, SKETCH, Sifted, conform
from stillwatch.sketch.columns import bytes_of, one_batch
from stillwatch.sketch.fields import each, mapped_fp, parameters_fp, text_fp, without_space
from stillwatch.sketch.fingerprints import HEAD_WORDS
from stillwatch.sketch.identifiers import phone_number, plain_name, read_mail
from stillwatch.sketch.json_scan import MAX_DEPTH
from stillwatch.sketch.kernel import Reading, read_texts
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.messages import NOT_AN_ARRAY, NOT_JSON, NOT_OBJECTS, READ
from stillwatch.sketch.networks import locate
from stillwatch.sketch.prompts import NO_PROMPT
from stillwatch.sketch.tables import Tables

_REASONS: Final = {
    NOT_JSON: f"field messages: expected JSON at most {MAX_DEPTH} levels deep, found it broken",
    NOT_AN_ARRAY: "field messages: expected a JSON array of message objects, found another value",
    NOT_OBJECTS: "field messages: expected each message to be a JSON object, found another value",
}
_PARAMETERS: Final = ("max_tokens", "temperature", "top_p", "seed", "choice_count", "logprobs", "stream")
_COPIED: Final = ("exchange_id", "timestamp", "account_id", "operation", "model", "status", "asn")
_ACCOUNT_COPIED: Final = ("account_id", "created_at", "country", "plan", "programme", "verification_level")
_COUNTED: Final = ("input_tokens", "output_tokens", "reasoning_tokens")
_KEYED: Final = {
    "key_fp": "key_id",
    "organization_fp": "organization_id",
    "team_fp": "team_id",
    "conversation_fp": "conversation_id",
    "client_fp": "user_agent",
    "tls_fp": "tls_fingerprint",
}
_LARGEST_INT32: Final = np.iinfo(np.int32).max

Columns = dict[str, pa.Array]


class Sketcher:
    """Turns raw records into keyed fingerprints and counts.

    Holds nothing but the key and read-only tables: one may serve many threads, and the GIL is
    released while text is read.
    """

    def __init__(self, key: SketchKey) -> None:
        """Load the tables that every batch needs (a tenth of a second)."""
        self._key = key
        self._tables = Tables.load(key)

    def exchanges(self, batch: pa.RecordBatch) -> Sifted:
        """Sketch a batch of EXCHANGE rows.

        Returns:
            SKETCH rows in the order of the batch, without those whose ``messages`` are no chat
            messages; these are the REJECT rows. A row without messages has no text features.
        """
        reading = self._read_texts(batch)
        sketch = self._sketch(batch, reading)
        status = reading.found.status
        read = status == READ
        if read.all():
            return Sifted(sketch, one_batch(REJECT.empty_table()))
        return Sifted(sketch.filter(pa.array(read)), self._rejects(batch, status))

    def accounts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Sketch a batch of ACCOUNT rows into ACCOUNT_SKETCH rows, in the same order."""
        mails = [None if text is None else read_mail(text) for text in batch["email"].to_pylist()]
        columns = {name: batch[name] for name in _ACCOUNT_COPIED}
        columns["email_fp"] = self._fp_of([mail and mail.address for mail in mails])
        columns["email_domain_fp"] = self._fp_of([mail and mail.domain for mail in mails])
        columns["email_shape"] = pa.array([mail and mail.shape for mail in mails], pa.string())
        columns["email_kind"] = pa.array([mail and mail.kind for mail in mails], pa.string())
        columns["phone_fp"] = text_fp(self._tables.key, each(batch["phone"], phone_number))
        columns["payment_fp"] = text_fp(self._tables.key, batch["payment_fingerprint"])
        columns["device_fp"] = text_fp(self._tables.key, batch["device_fingerprint"])
        columns["organization_fp"] = text_fp(self._tables.key, each(batch["organization"], plain_name))
        places = self._places(batch["signup_ip"])
        columns["signup_address_fp"] = places["address_fp"]
        columns["signup_network_fp"] = places["network_fp"]
        return one_batch(conform(pa.table(columns), ACCOUNT_SKETCH, "sketch"))

    def _fp_of(self, texts: list[str | None]) -> pa.Array:
        return text_fp(self._tables.key, pa.array(texts, pa.string()))

    def _read_texts(self, batch: pa.RecordBatch) -> Reading:
        messages = batch["messages"]
        return read_texts(
            *bytes_of(messages),
            _present(messages),
            *bytes_of(batch["answer"]),
            _present(batch["tools"]),
            self._tables,
        )

    def _sketch(self, batch: pa.RecordBatch, reading: Reading) -> pa.RecordBatch:
        columns = {name: batch[name] for name in _COPIED}
        columns |= {name: pc.fill_null(batch[name], 0) for name in _COUNTED}
        columns |= {name: text_fp(self._tables.key, batch[source]) for name, source in _KEYED.items()}
        columns |= self._places(batch["client_address"])
        columns["tools_fp"] = mapped_fp(self._tables.key, batch["tools"], without_space)
        columns["parameters_fp"] = parameters_fp(self._tables.key, [batch[name] for name in _PARAMETERS])
        columns |= _text_columns(reading)
        size = pc.fill_null(pc.binary_length(batch["messages"]), 0)
        columns["message_bytes"] = pc.min_element_wise(size, _LARGEST_INT32).cast(pa.int32())
        return one_batch(conform(pa.table(columns), SKETCH, "sketch"))

    def _places(self, addresses: pa.Array) -> Columns:
        encoded = addresses.dictionary_encode()
        places = locate(encoded.dictionary)
        forms = {"address_fp": places.addresses, "network_fp": places.networks}
        return {name: text_fp(self._tables.key, texts).take(encoded.indices) for name, texts in forms.items()}

    def _rejects(self, batch: pa.RecordBatch, status: npt.NDArray[np.uint8]) -> pa.RecordBatch:
        rows = np.flatnonzero(status != READ)
        turned_away = batch.select(["source", "line", "messages"]).take(pa.array(rows))
        texts = turned_away["messages"].cast(pa.large_binary()).to_pylist()
        return pa.record_batch(
            {
                "source": turned_away["source"],
                "line": turned_away["line"],
                "reason": pa.array([_REASONS[code] for code in status[rows].tolist()], pa.string()),
                "digest": pa.array([self._key.digest(text) for text in texts], pa.string()),
            },
            schema=REJECT,
        )


def _present(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid())


def _text_columns(reading: Reading) -> Columns:
    prompts, newest, answers = reading.prompts, reading.newest, reading.answers
    long_enough = newest.words >= HEAD_WORDS
    prompted = (prompts.row != NO_PROMPT) & (prompts.words[prompts.row] > 0)
    return {
        "system_fp": pa.array(np.where(prompted, prompts.values[prompts.row], 0), mask=~prompted),
        "head_fp": pa.array(newest.heads, mask=~long_enough),
        "tail_fp": pa.array(newest.tails, mask=~long_enough),
        "message_fp": pa.array(newest.messages, mask=newest.words == 0),
        "answer_fp": pa.array(answers.values, mask=~answers.known),
        "shingles": _lists("shingles", reading.shingles.ends, reading.shingles.values),
        "history_fps": _lists("history_fps", reading.history.ends, reading.history.values),
        "cues": pa.array(newest.cues),
        "capability": pa.array(newest.capability),
        "turns": pa.array(reading.found.turns),
        "words": pa.array(newest.words),
    }


def _lists(name: str, ends: npt.NDArray[np.int32], values: npt.NDArray[np.uint64]) -> pa.Array:
    kind = SKETCH.field(name).type
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values), type=kind)
