"""The door of the stage: batches of exchanges and account records become sketches."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import ACCOUNT_SKETCH, REJECT, SKETCH, Sifted, conform
from stillwatch.sketch import kernel, messages
from stillwatch.sketch.alphabet import folding_table
from stillwatch.sketch.classifier import load_model
from stillwatch.sketch.columns import bytes_of, frozen, one_batch
from stillwatch.sketch.cue_matcher import load_cue_table
from stillwatch.sketch.fields import each, mapped_fp, parameters_fp, text_fp, without_space
from stillwatch.sketch.identifiers import phone_number, plain_name, read_mail
from stillwatch.sketch.json_scan import MAX_DEPTH
from stillwatch.sketch.kernel import Output, Tables, sketch_rows
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.networks import locate

_REASONS: Final = {
    messages.NOT_JSON: f"field messages: expected JSON at most {MAX_DEPTH} levels deep, found it broken",
    messages.NOT_AN_ARRAY: "field messages: expected a JSON array of message objects, found another value",
    messages.NOT_OBJECTS: "field messages: expected each message to be a JSON object, found another value",
}
_PARAMETERS: Final = ("max_tokens", "temperature", "top_p", "seed", "choice_count", "logprobs", "stream")
_COPIED: Final = ("exchange_id", "timestamp", "account_id", "operation", "model", "status", "asn")
_ACCOUNT_COPIED: Final = ("account_id", "created_at", "country", "plan", "programme")
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
        self._words = frozen(key.words)
        self._tables = Tables(self._words, folding_table(), load_model(), load_cue_table())

    def exchanges(self, batch: pa.RecordBatch) -> Sifted:
        """Sketch a batch of EXCHANGE rows.

        Returns:
            SKETCH rows in the order of the batch, without those whose ``messages`` are no chat
            messages; these are the REJECT rows. A row without messages has no text features.
        """
        out = self._read_texts(batch)
        sketch = self._sketch(batch, out)
        read = out.status == messages.READ
        if read.all():
            return Sifted(sketch, one_batch(REJECT.empty_table()))
        return Sifted(sketch.filter(pa.array(read)), self._rejects(batch, out.status))

    def accounts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Sketch a batch of ACCOUNT rows into ACCOUNT_SKETCH rows, in the same order."""
        mails = [None if text is None else read_mail(text) for text in batch["email"].to_pylist()]
        columns = {name: batch[name] for name in _ACCOUNT_COPIED}
        columns["email_fp"] = self._fp_of([mail and mail.address for mail in mails])
        columns["email_domain_fp"] = self._fp_of([mail and mail.domain for mail in mails])
        columns["email_shape"] = pa.array([mail and mail.shape for mail in mails], pa.string())
        columns["email_kind"] = pa.array([mail and mail.kind for mail in mails], pa.string())
        columns["phone_fp"] = text_fp(self._words, each(batch["phone"], phone_number))
        columns["payment_fp"] = text_fp(self._words, batch["payment_fingerprint"])
        columns["device_fp"] = text_fp(self._words, batch["device_fingerprint"])
        columns["organization_fp"] = text_fp(self._words, each(batch["organization"], plain_name))
        places = self._places(batch["signup_ip"])
        columns["signup_address_fp"] = places["address_fp"]
        columns["signup_network_fp"] = places["network_fp"]
        return one_batch(conform(pa.table(columns), ACCOUNT_SKETCH, "sketch"))

    def _fp_of(self, texts: list[str | None]) -> pa.Array:
        return text_fp(self._words, pa.array(texts, pa.string()))

    def _read_texts(self, batch: pa.RecordBatch) -> Output:
        out = Output.of(len(batch))
        sketch_rows(
            *bytes_of(batch["messages"]),
            _present(batch["messages"]),
            *bytes_of(batch["answer"]),
            _present(batch["tools"]),
            self._tables,
            out,
        )
        return out

    def _sketch(self, batch: pa.RecordBatch, out: Output) -> pa.RecordBatch:
        columns = {name: batch[name] for name in _COPIED}
        columns |= {name: pc.fill_null(batch[name], 0) for name in _COUNTED}
        columns |= {name: text_fp(self._words, batch[source]) for name, source in _KEYED.items()}
        columns |= self._places(batch["client_address"])
        columns["tools_fp"] = mapped_fp(self._words, batch["tools"], without_space)
        columns["parameters_fp"] = parameters_fp(self._words, [batch[name] for name in _PARAMETERS])
        columns |= _text_columns(out)
        size = pc.fill_null(pc.binary_length(batch["messages"]), 0)
        columns["message_bytes"] = pc.min_element_wise(size, _LARGEST_INT32).cast(pa.int32())
        return one_batch(conform(pa.table(columns), SKETCH, "sketch"))

    def _places(self, addresses: pa.Array) -> Columns:
        encoded = addresses.dictionary_encode()
        places = [locate(address) for address in encoded.dictionary.to_pylist()]
        forms = {
            "address_fp": [place.address for place in places],
            "network_fp": [place.network for place in places],
        }
        return {
            name: text_fp(self._words, pa.array(texts, pa.string())).take(encoded.indices)
            for name, texts in forms.items()
        }

    def _rejects(self, batch: pa.RecordBatch, status: npt.NDArray[np.uint8]) -> pa.RecordBatch:
        rows = np.flatnonzero(status != messages.READ)
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


def _text_columns(out: Output) -> Columns:
    fingerprints = {
        "system_fp": kernel.SYSTEM_FP,
        "head_fp": kernel.HEAD_FP,
        "tail_fp": kernel.TAIL_FP,
        "message_fp": kernel.MESSAGE_FP,
        "answer_fp": kernel.ANSWER_FP,
    }
    columns = {name: pa.array(out.values[i], mask=~out.known[i]) for name, i in fingerprints.items()}
    columns["shingles"] = _lists("shingles", out.shingle_ends, out.shingles)
    columns["history_fps"] = _lists("history_fps", out.history_ends, out.history)
    counts = {"cues": out.cues, "capability": out.capability, "turns": out.turns, "words": out.words}
    return columns | {name: pa.array(values) for name, values in counts.items()}


def _lists(name: str, ends: npt.NDArray[np.int32], values: npt.NDArray[np.uint64]) -> pa.Array:
    kind = SKETCH.field(name).type
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values[: ends[-1]]), type=kind)
