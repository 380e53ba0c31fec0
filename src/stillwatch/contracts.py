"""The tables between the stages, the values that travel in them, and the error tree.

Stages meet only here: each one takes and returns Arrow tables of these schemas and imports no
sibling. Every border calls :func:`conform`, so that a table that drifted fails where it was made.

Conventions: timestamps are UTC in microseconds; a *fingerprint* (column ``*_fp``) is an unsigned
64-bit keyed hash, null where the value is absent; lists are never null, only empty; token and word
counts are non-negative integers.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import pyarrow as pa

ANALYST: Final = "analyst"
"""Facet of a reason that tells of a label, which is no evidence and weighs nothing."""

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
FINGERPRINT: Final = pa.uint64()


class Verdict(StrEnum):
    """What judging says of a group or an account."""

    CAMPAIGN = "campaign"
    WATCH = "watch"
    CLEAR = "clear"


class KeptClear(StrEnum):
    """Why a candidate that looked like a campaign was not called one; the first that applies."""

    FEW_MEMBERS = "few-members"
    ONE_PARTY = "one-party"
    LITTLE_WORK = "little-work"
    NOT_LINKED = "not-linked"
    NO_EXTRACTION = "no-extraction"
    NOT_DEALT_OUT = "not-dealt-out"
    ONE_TEMPLATE = "one-template"
    NOT_SURE = "not-sure"
    LABELLED_HONEST = "labelled-honest"


class Action(StrEnum):
    """What a decision asks of the gateway."""

    OBSERVE = "observe"
    THROTTLE = "throttle"
    RELEASE = "release"


class AccountEvent(StrEnum):
    """What became known of an account beside its requests, in the words of CAEP and RISC."""

    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    ACCOUNT_PURGED = "account-purged"
    CREDENTIAL_CHANGE = "credential-change"
    CREDENTIAL_COMPROMISE = "credential-compromise"
    SESSIONS_REVOKED = "sessions-revoked"
    ASSURANCE_CHANGE = "assurance-level-change"
    IDENTIFIER_CHANGED = "identifier-changed"
    SEAL_FOREIGN = "seal-foreign"
    """Reasoning that was sealed for another account was handed back under this one."""


class Activity(StrEnum):
    """What was done to an account, or by whom it is used, as a SIEM is told."""

    STEP_UP = "step-up"
    SESSIONS_REVOKED = "sessions-revoked"
    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"
    CREDENTIAL_CHANGED = "credential-changed"
    CREDENTIAL_COMPROMISED = "credential-compromised"
    ASSURANCE_CHANGED = "assurance-changed"
    IDENTIFIER_CHANGED = "identifier-changed"
    SEAL_FOREIGN = "seal-foreign"
    RESTRICTED = "restricted"
    """A decision that acts came into force."""
    RELEASED = "released"
    """It ended, or the account was taken out of it."""
    FACTOR_ENABLED = "factor-enabled"
    FACTOR_DISABLED = "factor-disabled"
    KEY_MADE = "key-made"
    KEY_REVOKED = "key-revoked"


class AccountActivity(NamedTuple):
    """One thing that happened to one account."""

    uid: str  # the same for the same thing, whenever it is told
    time: datetime
    account_id: str
    activity: Activity
    actor: str  # who did it: a part of this service, or an issuer
    succeeded: bool = True
    detail: str = ""  # in words, for people


class Capability(StrEnum):
    """What an exchange asks the model to do; the order is the class number in ``SKETCH.capability``."""

    AGENTIC = "agentic"
    CONVERSATION = "conversation"
    DATA_GENERATION = "data_generation"
    GRADING = "grading"
    KNOWLEDGE = "knowledge"
    MATHEMATICS = "mathematics"
    REASONING = "reasoning"
    SOFTWARE_ENGINEERING = "software_engineering"
    TEXT_PROCESSING = "text_processing"
    WRITING = "writing"


class Cue(StrEnum):
    """Wordings that published campaigns used; the order is the bit number in ``SKETCH.cues``."""

    REASONING_ELICITATION = "reasoning_elicitation"
    REASONING_RESTATED = "reasoning_restated"
    REASONING_LANGUAGE = "reasoning_language"
    DEBUG_MODE = "debug_mode"
    RUBRIC_GRADING = "rubric_grading"
    INSTRUCTION_GENERATION = "instruction_generation"
    TRACE_CLEANING = "trace_cleaning"
    SAFE_REWRITE = "safe_rewrite"


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_FINGERPRINTS: Final = pa.list_(pa.field("item", FINGERPRINT, nullable=False))

EXCHANGE: Final = pa.schema(
    [
        _required("exchange_id", pa.string()),  # the gateway's call id, which a client may repeat
        _required("timestamp", TIMESTAMP),  # when the request arrived
        _required("account_id", pa.string()),
        pa.field("key_id", pa.string()),
        pa.field("organization_id", pa.string()),
        pa.field("team_id", pa.string()),
        pa.field("conversation_id", pa.string()),  # client-supplied: never evidence by itself
        pa.field("operation", pa.string()),  # OpenTelemetry gen_ai.operation.name: chat, embeddings, ...
        pa.field("model", pa.string()),
        pa.field(
            "messages", pa.string()
        ),  # JSON text: [{"role": ..., "content": ...}, ...], history included
        pa.field("tools", pa.string()),  # JSON text of the tool definitions
        pa.field("answer", pa.string()),  # plain text of the model's answer, where logged
        pa.field("max_tokens", pa.int64()),
        pa.field("temperature", pa.float64()),
        pa.field("top_p", pa.float64()),
        pa.field("seed", pa.int64()),
        pa.field("choice_count", pa.int64()),
        pa.field("stream", pa.bool_()),
        pa.field("logprobs", pa.bool_()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("reasoning_tokens", pa.int64()),
        pa.field("status", pa.int32()),  # HTTP status the client got
        pa.field("client_address", pa.string()),
        pa.field("asn", pa.int64()),
        pa.field("user_agent", pa.string()),
        pa.field("tls_fingerprint", pa.string()),  # JA4 or alike
        _required("source", pa.string()),  # input file, for rejects
        _required("line", pa.int64()),  # 1-based line or row in it
    ]
)
"""One request to the model, with its answer where logged. Raw text: never stored."""

ACCOUNT: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        pa.field("created_at", TIMESTAMP),
        pa.field("email", pa.string()),
        pa.field("phone", pa.string()),
        pa.field("payment_fingerprint", pa.string()),
        pa.field("device_fingerprint", pa.string()),
        pa.field("signup_ip", pa.string()),
        pa.field("country", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("programme", pa.string()),
        pa.field("organization", pa.string()),
        pa.field("verification_level", pa.int64()),
        pa.field("domain_registered_at", TIMESTAMP),  # when the domain of the mail address was registered
        pa.field("domain_age_days", pa.int64()),  # the same, as an age when the account was created
        _required("source", pa.string()),
        _required("line", pa.int64()),
    ]
)
"""One account record as the provider keeps it. Raw identifiers: never stored."""

ACCOUNT_EVENT: Final = pa.schema(
    [
        _required("event_id", pa.string()),
        _required("timestamp", TIMESTAMP),
        _required("account_id", pa.string()),
        _required("event", pa.string()),  # one of AccountEvent
        pa.field("other_account_id", pa.string()),
        _required("issuer", pa.string()),  # who says so
        _required("source", pa.string()),
        _required("line", pa.int64()),
    ]
)
"""One account event as somebody sent it, with its place."""

REJECT: Final = pa.schema(
    [
        _required("source", pa.string()),
        _required("line", pa.int64()),  # 0 where the place is the whole file
        _required("reason", pa.string()),
        _required("digest", pa.string()),  # keyed BLAKE2b of the record, hexadecimal
    ]
)
"""A record that was not taken, with its place and reason; never its content."""

SKETCH: Final = pa.schema(
    [
        _required("exchange_id", pa.string()),
        _required("timestamp", TIMESTAMP),
        _required("account_id", pa.string()),
        pa.field("key_fp", FINGERPRINT),
        pa.field("organization_fp", FINGERPRINT),
        pa.field("team_fp", FINGERPRINT),
        pa.field("conversation_fp", FINGERPRINT),
        pa.field("operation", pa.string()),
        pa.field("model", pa.string()),
        pa.field("status", pa.int32()),
        _required("input_tokens", pa.int64()),
        _required("output_tokens", pa.int64()),
        _required("reasoning_tokens", pa.int64()),
        # -- the request's text, as fingerprints of its normalised words
        pa.field("system_fp", FINGERPRINT),  # system prompt, whole
        pa.field("tools_fp", FINGERPRINT),  # tool schema
        pa.field("head_fp", FINGERPRINT),  # first words of the newest user message
        pa.field("tail_fp", FINGERPRINT),  # last words of it
        pa.field("message_fp", FINGERPRINT),  # all of it
        _required(
            "shingles", _FINGERPRINTS
        ),  # sampled word shingles of system prompt and newest user message
        _required("history_fps", _FINGERPRINTS),  # the last four messages one by one, oldest first
        pa.field("answer_fp", FINGERPRINT),  # the answer, comparable with history_fps
        # -- what kind of request it is
        _required("cues", pa.uint32()),  # bit i: Cue number i
        _required("capability", pa.uint8()),  # class number in Capability
        _required("turns", pa.int32()),  # messages in the request, system prompt excluded
        _required("words", pa.int32()),  # words of the newest user message
        _required("message_bytes", pa.int32()),  # size of the messages JSON
        pa.field("parameters_fp", FINGERPRINT),  # sampling parameters as one value
        # -- where it came from
        pa.field("address_fp", FINGERPRINT),
        pa.field("network_fp", FINGERPRINT),  # /24 of IPv4, /48 of IPv6
        pa.field("asn", pa.int64()),
        pa.field("client_fp", FINGERPRINT),  # user agent
        pa.field("tls_fp", FINGERPRINT),
    ]
)
"""An exchange without its text: keyed fingerprints, cues, capability and counts."""

ACCOUNT_SKETCH: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        pa.field("created_at", TIMESTAMP),
        pa.field("email_fp", FINGERPRINT),  # normalised address (case, dots, tags)
        pa.field("email_domain_fp", FINGERPRINT),
        pa.field(
            "email_shape", pa.string()
        ),  # runs of letters, digits, separators: "a7d3@" ; see sketch/identifiers.py
        pa.field("email_kind", pa.string()),  # free, disposable, education, own
        pa.field("phone_fp", FINGERPRINT),
        pa.field("payment_fp", FINGERPRINT),
        pa.field("device_fp", FINGERPRINT),
        pa.field("signup_address_fp", FINGERPRINT),
        pa.field("signup_network_fp", FINGERPRINT),
        pa.field("country", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("programme", pa.string()),
        pa.field("organization_fp", FINGERPRINT),
        pa.field(
            "verification_level", pa.int16()
        ),  # how well it is known who uses it, on the provider's scale
    ]
)
"""An account record without its identifiers."""

SIGNUP: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        pa.field("created_at", TIMESTAMP),
        pa.field("plan", pa.string()),
        pa.field("programme", pa.string()),
        # -- who answers for it
        pa.field("organization_fp", FINGERPRINT),  # declared, with mail in a domain of its own: both as one
        pa.field("campus_fp", FINGERPRINT),  # education mail domain
        # -- what others may hold too
        pa.field("mailbox_fp", FINGERPRINT),  # normalised address
        pa.field("payment_fp", FINGERPRINT),
        pa.field("device_fp", FINGERPRINT),
        pa.field("phone_fp", FINGERPRINT),
        pa.field("address_fp", FINGERPRINT),  # that it signed up from
        pa.field("network_fp", FINGERPRINT),  # /24 of IPv4, /48 of IPv6
        pa.field(
            "domain_fp", FINGERPRINT
        ),  # registered mail domain that is neither a provider's nor a campus's
        pa.field("head_fp", FINGERPRINT),  # how the name before the @ begins, with the number of its digits
        pa.field("tail_fp", FINGERPRINT),  # how it ends before its digits
        pa.field("pattern_fp", FINGERPRINT),  # how it is built, and the kind of its domain
        pa.field("programme_fp", FINGERPRINT),  # programme and kind of domain, where no campus answers
        # -- marks that it bears by itself
        pa.field("mail_kind", pa.string()),  # free, disposable, education, own
        pa.field("network_kind", pa.string()),  # hosting, vpn or proxy, by the operator's lists
        pa.field("domain_age_days", pa.int64()),  # at sign-up
    ]
)
"""A sign-up without its identifiers: what screening compares."""

SCREENED: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        _required("risk", pa.float64()),  # in [0, 1]
        _required("reason_codes", pa.list_(pa.field("item", pa.string(), nullable=False))),
        _required("verification_level", pa.int64()),  # the level to ask for
        _required("asked_more", pa.bool_()),  # more than its plan and programme ask of everybody
    ]
)
"""What screening says of each sign-up, one row each."""

ACCOUNT_EVENTS: Final = pa.schema(
    [
        _required("event_id", pa.string()),  # of its source; the same one twice is one event
        _required("account_id", pa.string()),
        _required("timestamp", TIMESTAMP),  # when it happened
        _required("event", pa.string()),  # one of AccountEvent
        pa.field("other_account_id", pa.string()),  # seal-foreign: whom the reasoning was sealed for
        _required("source", pa.string()),  # who says so: an issuer, or the gateway
    ]
)
"""What became known of accounts beside their requests; it names accounts and nothing else."""

SHARED_KEYS: Final = pa.schema(
    [
        _required("key_fp", FINGERPRINT),
        _required("account_id", pa.string()),
        _required("kind", pa.string()),  # shared, runners, rotating or moving
        _required("requests", pa.int64()),
        _required("networks", pa.int64()),  # in all
        _required("brief_networks", pa.int64()),  # that were used within one hour and never again
        _required("clients", pa.int64()),  # kinds of client program, by user agent and TLS, in all
        _required(
            "users_at_once", pa.int64()
        ),  # each with own network and client, within ten minutes; 0: fewer than four
        _required("networks_at_once", pa.int64()),
        _required("clients_at_once", pa.int64()),
        _required("crowded_windows", pa.int64()),  # of ten minutes, with four users at once or more
        _required("crowded_days", pa.int64()),  # UTC days with such a window
        pa.field("crowded_first", TIMESTAMP),
        pa.field("crowded_last", TIMESTAMP),
        _required("first_seen", TIMESTAMP),
        _required("last_seen", TIMESTAMP),
    ]
)
"""API keys that came from many networks, and what kind of use that is."""

PROFILES: Final = pa.schema(
    [
        _required("account", pa.int32()),  # its number, in order of account_id
        _required("account_id", pa.string()),
        _required("exchanges", pa.int64()),
        _required("first_seen", TIMESTAMP),
        _required("last_seen", TIMESTAMP),
        pa.field("last_served", TIMESTAMP),  # last request that was not refused (401, 403)
        pa.field("organization_fp", FINGERPRINT),  # named by its requests
    ]
)
"""One row for each account seen in the log."""

PARTIES: Final = pa.schema(
    [
        _required("account", pa.int32()),  # as in PROFILES; accounts that the log does not show come after
        _required("account_id", pa.string()),
        _required("party", pa.int64()),
    ]
)
"""Every account of the log and of the account records; those of one party belong together openly."""

SEEDS: Final = pa.schema([_required("family", pa.int64()), _required("fp", FINGERPRINT)])
"""What workload families go by: exchanges belong to the first of these that they carry."""

FAMILIES: Final = pa.schema(
    [
        _required("family", pa.int64()),  # place of its seed in SEEDS: the largest first
        _required("seed_fp", FINGERPRINT),
        _required("accounts", pa.int64()),
        _required("exchanges", pa.int64()),
    ]
)
"""Workload families of many accounts: exchanges that share a scaffold, whatever their payload."""

ACTIVITY: Final = pa.schema(
    [
        _required("account", pa.int32()),
        _required("timestamp", TIMESTAMP),
        _required("family", pa.int64()),  # -1: shares no scaffold
        _required("standalone", pa.bool_()),  # no dialogue before it
        _required("cues", pa.uint32()),
        _required("capability", pa.uint8()),
        _required("input_tokens", pa.int64()),
        _required("output_tokens", pa.int64()),
        pa.field("message_fp", FINGERPRINT),
        pa.field("network_fp", FINGERPRINT),
        pa.field("state_fp", FINGERPRINT),  # what it put last: the state that its conversation reached
        pa.field("continued_fp", FINGERPRINT),  # the state it goes on from: before the model's last answer
    ]
)
"""Every exchange with its workload family, in no order; accounts by their number in PROFILES."""

USES: Final = pa.schema(
    [
        _required("account", pa.int32()),
        _required("family", pa.int64()),
        _required("exchanges", pa.int64()),
        _required("messages", pa.int64()),  # exchanges with a message of the user
        _required("standalone", pa.int64()),
        _required("resumed", pa.int64()),  # dialogues begun at most half an hour after the account's last
        _required("input_tokens", pa.int64()),
        _required("output_tokens", pa.int64()),
        _required("first_seen", TIMESTAMP),
        _required("last_seen", TIMESTAMP),
    ]
)
"""ACTIVITY counted by account and family: what linking and judging add up over."""

KINDS: Final = pa.schema(
    [
        _required("account", pa.int32()),
        _required("family", pa.int64()),
        _required("day", pa.int32()),  # since 1970
        _required("capability", pa.uint8()),
        _required("cues", pa.uint32()),
        _required("standalone", pa.bool_()),
        _required("exchanges", pa.int64()),
    ]
)
"""The same by day and by what was asked for."""

HOURS: Final = pa.schema(
    [
        _required("account", pa.int32()),
        _required("family", pa.int64()),
        _required("hour", pa.int32()),  # since 1970
        _required("exchanges", pa.int64()),
    ]
)
"""The same by hour."""

INSIDE: Final = pa.schema(
    [
        _required("candidate", pa.int64()),
        _required("account", pa.int32()),
        _required("family", pa.int64()),
    ]
)
"""Whose use of which families is a candidate's work."""

LINKS: Final = pa.schema(
    [
        _required("facet", pa.string()),
        _required("signal", pa.string()),
        _required("value", pa.int64()),  # number of the shared value within its signal, key-free
        _required("account_id", pa.string()),
        _required("holders", pa.int64()),  # accounts that hold the value
    ]
)
"""Who holds which shared value: the evidence that the account graph is made of."""

CANDIDATES: Final = pa.schema(
    [
        _required("candidate", pa.int64()),
        _required("account_id", pa.string()),
    ]
)
"""Groups of accounts that the graph proposes; an account may be in several."""

WORKLOADS: Final = pa.schema(
    [
        _required("candidate", pa.int64()),
        _required("family", pa.int64()),
    ]
)
"""Which families are a candidate's work; a candidate without any is judged on all its exchanges."""

BEHAVIOUR: Final = pa.schema(
    [
        _required("candidate", pa.int64()),  # -1: the account's whole traffic
        _required("account_id", pa.string()),
        _required("exchanges", pa.int64()),
        _required("total", pa.int64()),  # requests of the account in all
        _required("colleagues", pa.int64()),  # accounts of its party in the candidate, itself included
        _required("resumed", pa.int64()),  # dialogues begun within half an hour of the one before
        _required("standalone", pa.int64()),  # requests without a dialogue
        _required("tied", pa.int64()),  # values that it shares with another account of the candidate
        _required("tied_holders", pa.int64()),  # accounts that hold the rarest of them; 0 where there is none
        _required("first_seen", TIMESTAMP),
        _required("last_seen", TIMESTAMP),
        _required(
            "hours", pa.list_(pa.field("item", pa.int16(), nullable=False))
        ),  # 24: days with traffic in that UTC hour
        _required(
            "elsewhere", pa.list_(pa.field("item", pa.int16(), nullable=False))
        ),  # 24: such days on which none of it was the candidate's work
    ]
)
"""How an account behaves inside one candidate's work."""

SIGNALS: Final = pa.schema(
    [
        _required("candidate", pa.int64()),
        _required("account_id", pa.string()),
        _required("signal", pa.string()),
        _required("llr", pa.float64()),
    ]
)
"""Log-likelihood ratio of each account signal, member against ordinary account, in groups that stand."""

MEMBERSHIP: Final = pa.schema(
    [
        _required("candidate", pa.int64()),
        _required("account_id", pa.string()),
        _required("strength", pa.float64()),  # posterior probability that the account is one of the group
        _required("member", pa.bool_()),
    ]
)
"""Which accounts of a candidate work as the group does, and which are strangers beside it."""

FINDINGS: Final = pa.schema(
    [
        _required("candidate", pa.int64()),
        _required("facet", pa.string()),
        _required("signal", pa.string()),
        _required("side", pa.string()),  # "linking", "extraction", or "either" until it is judged
        _required("llr", pa.float64()),
        pa.field("observed", pa.float64()),
        pa.field("expected", pa.float64()),
        pa.field("accounts", pa.int64()),
        pa.field("exchanges", pa.int64()),
        _required("statement", pa.string()),
    ]
)
"""What a facet or signal says of a candidate as a whole, before the caps."""

_SCORES: Final = pa.map_(pa.string(), pa.field("value", pa.float64(), nullable=False))

CAMPAIGNS: Final = pa.schema(
    [
        _required("campaign_id", pa.string()),  # "cmp_", of a look-alike "grp_", and 12 hexadecimal digits
        _required("verdict", pa.string()),  # campaign or watch; of a look-alike clear
        _required("score", pa.float64()),  # sum of the capped log-likelihood ratios, natural logarithm
        _required("q_value", pa.float64()),  # false discovery rate at which it would be called
        _required("accounts", pa.int64()),
        _required("exchanges", pa.int64()),  # those that belong to the campaign
        _required("input_tokens", pa.int64()),
        _required("output_tokens", pa.int64()),
        _required("first_seen", TIMESTAMP),
        _required("last_seen", TIMESTAMP),
        _required("capabilities", _SCORES),  # share per class, sums to 1
        _required("facets", _SCORES),  # log-likelihood ratio of each facet
        _required("summary", pa.string()),  # a name that a person can read
    ]
)
ACCOUNTS: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        _required("verdict", pa.string()),  # campaign, watch or clear
        pa.field("campaign_id", pa.string()),  # strongest, null where clear
        _required("risk", pa.float64()),  # in [0, 1]
        _required("facets", _SCORES),
        _required("exchanges", pa.int64()),
        pa.field("first_evidence_at", TIMESTAMP),
    ]
)
MEMBERS: Final = pa.schema(
    [
        _required("campaign_id", pa.string()),
        _required("account_id", pa.string()),
        _required("strength", pa.float64()),  # in [0, 1]: how firmly the account is tied to the campaign
        _required("share", pa.float64()),  # in [0, 1]: of the account's exchanges that belong to it
    ]
)
REASONS: Final = pa.schema(
    [
        _required("campaign_id", pa.string()),
        pa.field("account_id", pa.string()),  # null: a reason for the campaign as a whole
        _required("facet", pa.string()),
        _required("signal", pa.string()),  # id in the signal reference, such as "payment-shared"
        _required("side", pa.string()),  # "linking", "extraction" or "against"
        _required("llr", pa.float64()),  # log-likelihood ratio, natural logarithm; negative speaks against
        pa.field("observed", pa.float64()),
        pa.field("expected", pa.float64()),  # the same number under ordinary traffic
        pa.field("accounts", pa.int64()),  # how many accounts show it
        pa.field("exchanges", pa.int64()),  # how many exchanges show it
        _required("statement", pa.string()),  # the reason in words and numbers
    ]
)
"""Every piece of evidence, stored once; report, ``explain`` and the API only read it."""

LOOKALIKES: Final = pa.schema(
    [
        *CAMPAIGNS,
        _required("linking", pa.float64()),  # nats that link the accounts, after the limits
        _required("extraction", pa.float64()),  # nats that show extraction, after the limits
        _required(
            "kept_clear", pa.string()
        ),  # why, one of KeptClear: few-members, not-linked, one-template or another
    ]
)
"""Groups that came closest to a verdict and stayed clear, strongest first, twenty at most.

Their reasons stand in ``reasons``; their members are named nowhere, because they are honest people.
"""

TIES: Final = pa.schema(
    [
        _required("campaign_id", pa.string()),
        _required("facet", pa.string()),
        _required("signal", pa.string()),
        _required("value", pa.int64()),  # number of the shared thing within its campaign and signal, key-free
        _required("account_id", pa.string()),
        _required("holders", pa.int64()),  # accounts of the whole log that hold it
    ]
)
"""Which shared thing each member holds: every one that at least two members of the group hold."""
DECLARED: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        _required("exempt", pa.bool_()),  # it is in no candidate; else it only belongs to a party
        _required("kind", pa.string()),  # as the list says, such as research; "labelled-honest" of a label
        _required("entry", pa.string()),  # how it is named: "account_id acct-1", "organization Example Lab"
        _required("reason", pa.string()),
        _required("owner", pa.string()),  # who answers for the entry; of a label who gave it
        pa.field("until", TIMESTAMP),  # from then on it does not hold
        _required("party", pa.string()),  # those of one party belong together openly; empty where none
        _required("source", pa.string()),
        _required("line", pa.int64()),
    ]
)
"""Accounts of this run that the allow list names or that an analyst labelled honest, one row an entry."""

LABELLED: Final = pa.schema(
    [
        _required("subject", pa.string()),  # id of the campaign, group or account that was labelled
        _required("kind", pa.string()),  # "group" or "account"
        _required("verdict", pa.string()),  # "honest" or "campaign"
        pa.field("campaign_id", pa.string()),  # the group of this run that it speaks of
        _required(
            "effect", pa.string()
        ),  # what it changed: kept-clear, called, agrees, too-weak, member or nothing
        _required("given_at", TIMESTAMP),
        _required("given_by", pa.string()),
        _required("note", pa.string()),
    ]
)
"""Analysts' labels that were in force when the run was made, and what each of them changed."""

TIMELINE: Final = pa.schema(
    [
        _required("day", TIMESTAMP),  # start of the UTC day
        pa.field("campaign_id", pa.string()),  # null: all traffic that belongs to no campaign
        _required("exchanges", pa.int64()),
        _required("accounts", pa.int64()),  # active that day
    ]
)


DECISIONS: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        _required("campaign_id", pa.string()),  # the group that it is for; holds over ticks
        _required("decided_at", TIMESTAMP),  # the tick's end
        _required("action", pa.string()),  # observe, throttle, or release from a throttle
        _required(
            "reason_codes", pa.list_(pa.field("item", pa.string(), nullable=False))
        ),  # signals that weigh most, the campaign's before the account's own; none for a release
        _required("q_value", pa.float64()),  # the campaign's at that tick; 1 where it no longer stands
        _required("dry_run", pa.bool_()),  # true: recommended only, nothing was done
    ]
)
"""What a replay would have done and when: one row each time that an account's recommendation changes."""


PLANNED: Final = pa.schema(
    [
        _required("account_id", pa.string()),
        _required("campaign_id", pa.string()),
        _required("verdict", pa.string()),  # of the campaign: campaign or watch
        _required("q_value", pa.float64()),  # of the campaign
        _required(
            "reason_codes", pa.list_(pa.field("item", pa.string(), nullable=False))
        ),  # signals that weigh most for the campaign
        _required("action", pa.string()),  # observe, throttle, verify, reduce or block
        _required("rule", pa.string()),  # of the policy; "no rule" where none holds
        _required("policy_version", pa.string()),
        _required("dry_run", pa.bool_()),
        _required("needs_approval", pa.bool_()),  # by a person, before anything happens
        pa.field("approval_above", pa.int64()),  # accounts from which on it does; null: never
        _required("seconds", pa.int64()),  # how long it would stand
        pa.field("budget_per_hour", pa.int64()),  # of the whole campaign, where it is throttled
        pa.field("verify_url", pa.string()),  # where the account proves who it is
        pa.field("max_tokens", pa.int64()),  # of an answer, where it is reduced
        _required("fail_closed", pa.bool_()),  # requests wait where the gateway cannot be told
    ]
)
"""What a policy asks for: one row for each account of a campaign that is not exempt."""


class Sifted(NamedTuple):
    """One batch of a stage that may turn records away: what went on, and what did not."""

    records: pa.RecordBatch
    rejects: pa.RecordBatch  # REJECT


class FacetLimit(NamedTuple):
    """How far one facet may move a verdict, whatever its findings add up to."""

    side: str  # "linking": the accounts belong together; "extraction": the work is a harvest; or "either"
    cap: float
    floor: float
    dispatch: bool = False  # it tells how requests are dealt out, which no office does for its people
    template: bool = False  # strangers who use one template show it too


class StillwatchError(Exception):
    """Base of every error shown to a user: what happened, where, and what to do about it."""

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        remedy: str,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        self.what, self.remedy, self.file, self.line, self.field = what, remedy, file, line, field
        super().__init__(str(self))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        where = f"{place}: " if place else ""
        field = f"field {self.field}: " if self.field else ""
        return f"{where}{field}{self.what}. {self.remedy}"


class UsageError(StillwatchError):
    """An option or argument that cannot be what the user meant."""


class InputError(StillwatchError):
    """An input that is missing or cannot be read at all."""


class RunFolderError(StillwatchError):
    """A run folder that is not one, is damaged, or belongs to other inputs."""


class LedgerError(StillwatchError):
    """A ledger that cannot be read, written, or was written with another key."""


class KeyFileError(StillwatchError):
    """A sketch key that is missing, malformed, or open to other users."""


class UnknownSubjectError(StillwatchError):
    """A campaign or account id that the run does not know."""


class MissingExtraError(StillwatchError):
    """An optional dependency that a command needs is not installed."""


class TooManyRejectsError(StillwatchError):
    """More than ``--max-rejects`` of the records were rejected."""

    exit_code = 3


class AuditError(StillwatchError):
    """An audit log that is broken: something in it was changed after it was written."""


class StoreError(StillwatchError):
    """A store of decisions that cannot be reached, read or written."""


class TokenError(StillwatchError):
    """Tokens that cannot be read or written, or a token or scope that there is none of."""


class DecisionError(StillwatchError):
    """A change that a decision, as it stands, does not admit of."""


class ServiceError(StillwatchError):
    """A running service that does not answer, or refuses to."""


class ContractError(StillwatchError):
    """A stage made a table that breaks its schema: a defect in stillwatch, not in the input."""


def conform(table: pa.Table, schema: pa.Schema, stage: str) -> pa.Table:
    """Return ``table`` with exactly the columns, order and types of ``schema``.

    Columns are put in order and cast where the cast loses nothing; nullability is checked.

    Raises:
        ContractError: a column is missing or unknown, a cast would lose values, or a required
            column holds nulls.
    """
    if set(table.column_names) != set(schema.names):
        odd = sorted(set(table.column_names) ^ set(schema.names))
        raise _broken(stage, f"columns differ: {', '.join(odd)}")
    try:
        result = table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise _broken(stage, str(error)) from error
    for field in schema:
        if not field.nullable and result.column(field.name).null_count:
            raise _broken(stage, f"nulls in required column {field.name}")
    return result


def _broken(stage: str, what: str) -> ContractError:
    return ContractError(
        f"stage {stage} broke its contract ({what})", remedy="Please report this as a defect"
    )
