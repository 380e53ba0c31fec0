"""Every setting once: name, type, default, help.

Command options, environment variables (``STILLWATCH_`` and the name), the Python API and the reference
pages are all made from these classes, so that they cannot disagree.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stillwatch.contracts import UsageError

PREFIX: Final = "STILLWATCH_"
_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SPANS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_LEAST_MEMORY: Final = 2**30
"""The program takes a third of it, and queries with less than a quarter would spill without end."""

QUERY_PART: Final = 0.25
"""Part of a run's memory that its queries may hold; the rest is for what lies beside them."""


def config_folder() -> Path:
    """Where a user's own files of stillwatch live: ``$XDG_CONFIG_HOME`` or ``~/.config``."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "stillwatch"


def available_cores() -> int:
    """Cores that this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _dated_folder() -> Path:
    return Path(f"stillwatch-run-{datetime.now(UTC):%Y-%m-%d}")


def _instant(value: Any) -> Any:
    """Read ISO 8601; without an offset it is UTC, and a bare date is its first moment."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("is no date or time; write it like 2026-04-22 or 2026-04-22T08:00Z") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def memory_bytes(quantity: str) -> int:
    """Bytes in a quantity such as ``4GiB`` or ``800 MB``.

    Raises:
        ValueError: it is no number with a unit.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", quantity)
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError("is no quantity of memory; write it like 4GiB or 800MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def span_of(value: Any) -> Any:
    """Read a span of time such as 30m, 1h or 7d."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d{1,6})\s*([mhd])\s*", value)
    if match is None or not int(match[1]):
        raise ValueError("is no span of time; write it like 30m, 1h or 1d")
    return int(match[1]) * _SPANS[match[2]]


def _enough_memory(quantity: str) -> str:
    if memory_bytes(quantity) < _LEAST_MEMORY:
        raise ValueError("is less than a scan can work with; give at least 1GiB")
    return quantity.replace(" ", "")


Format = Literal[
    "auto",
    "litellm-spend-logs",
    "litellm",
    "table",
    "otlp",
    "openinference",
    "langfuse",
    "helicone",
    "openai-responses",
    "anthropic",
    "openai",
]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Memory = Annotated[str, AfterValidator(_enough_memory)]
Span = Annotated[timedelta, BeforeValidator(span_of)]


class Settings(BaseSettings):
    """Base of every command's settings: explicit values first, then the environment, then defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Make settings from ``given`` and the environment; a None counts as not given.

        Raises:
            UsageError: a value is not what its setting takes; names the option or variable.
        """
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in given.items():
            if value == "":  # an unset shell variable, most likely; as a folder it would be the current one
                raise UsageError(
                    "it is empty", remedy="Give a value or leave it out", field=option_name(name)
                )
        try:
            return cls(**given)
        except ValidationError as error:
            raise cls._usage_error(error, given) from error

    @classmethod
    def _usage_error(cls, error: ValidationError, given: dict[str, Any]) -> UsageError:
        first = error.errors()[0]
        what = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            return UsageError(what, remedy="Change one of them")
        name = str(first["loc"][0])
        return UsageError(
            f"{str(first['input'])!r}: {what[0].lower()}{what[1:]}",
            remedy="See `stillwatch COMMAND --help`",
            field=option_name(name) if name in given else variable_name(cls, name),
        )


class JudgingSettings(Settings):
    """What whoever judges a log can be told, be it a scan, a replay or the service."""

    account_key: str | None = Field(
        None,
        description="Field of the log that names the account.",
        json_schema_extra={"default_text": "the format's user, then its key"},
    )
    memory: Memory = Field(
        "8GiB", description="Memory of the whole run; queries get a quarter of it, and spill to disk beyond."
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Threads to work with, at most 1,024; the result does not depend on it.",
        json_schema_extra={"default_text": "all cores"},
    )
    fdr: float = Field(
        0.01,
        gt=0,
        le=0.5,
        description="False discovery rate: what part of the campaigns called may be none, in (0, 0.5].",
    )

    @property
    def workers(self) -> int:
        """Threads to start: the setting, or every core that this process may use."""
        return self.threads or available_cores()

    @property
    def query_memory(self) -> str:
        """What of the run's memory its queries may hold."""
        return f"{int(memory_bytes(self.memory) * QUERY_PART) >> 20}MiB"


class ReportSettings(Settings):
    """What ``stillwatch report`` can be told, and a scan of the report that it writes."""

    lang: Literal["en", "ko"] = Field("en", description="Language of the report: English or Korean.")
    pdf: bool = Field(
        False,
        description="Write the report as report.pdf too, for print, with every account of every campaign.",
        json_schema_extra={"default_text": "off"},
    )
    sketch_key: Path = Field(
        default_factory=lambda: config_folder() / "sketch.key",
        description="Secret that keys the fingerprints; made at first use. Share it to compare runs.",
        json_schema_extra={"default_text": "~/.config/stillwatch/sketch.key"},
    )
    with_scaffolds: bool = Field(
        False,
        description=(
            "Show the wording that at least 20 accounts of a campaign share; the run keeps it encrypted, "
            "for 30 days."
        ),
        json_schema_extra={"default_text": "off"},
    )


class ScanSettings(ReportSettings, JudgingSettings):
    """What ``stillwatch scan`` can be told."""

    accounts: str | None = Field(
        None, description="Account records: a file, folder or glob (Parquet, CSV or JSON lines)."
    )
    events: str | None = Field(
        None, description="Account events, such as bans and sealed reasoning handed back: a file or glob."
    )
    format: Format = Field(
        "auto",
        description="Format of the log, see `stillwatch formats`; auto looks at each file's first records.",
    )
    mapping: FilePath | None = Field(
        None,
        description="Mapping of a log in no known format; `stillwatch formats --guess` begins one.",
    )
    since: Instant | None = Field(
        None, description="Leave out requests before this time (ISO 8601, UTC unless it says otherwise)."
    )
    until: Instant | None = Field(None, description="Leave out requests at or after this time.")
    allow: FilePath | None = Field(
        None,
        description="Allow list: accounts and organisations that are never flagged, one id per line or CSV.",
    )
    labels: FilePath | None = Field(
        None,
        description="Labels of `stillwatch label` to obey, beside those that the state folder holds.",
    )
    state: Path | None = Field(
        None,
        description="Folder that keeps the ledger and campaign ids between scans.",
        json_schema_extra={"default_text": "none, and nothing but the inputs is read"},
    )
    out: Path = Field(
        default_factory=_dated_folder,
        description="Run folder to write; the same inputs and folder resume a run that died.",
        json_schema_extra={"default_text": "stillwatch-run- and the date"},
    )
    engine: str = Field(
        "duckdb", description="Query engine: duckdb in this process, or spark; both find the same."
    )
    spark_master: str | None = Field(
        None,
        description="Spark to run on, with --engine spark: local[4], spark://host:7077, sc://host:15002.",
        json_schema_extra={"default_text": "this machine"},
    )
    max_rejects: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Fraction of unreadable records, in [0, 1], beyond which the scan ends with exit code 3.",
    )
    fail_on: Literal["campaign"] | None = Field(
        None, description="End with exit code 1 when a campaign is found."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.accounts is not None and self.accounts.startswith(("postgresql://", "postgres://")):
            raise ValueError("--accounts reads files: export the table and name the export")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("--since is not before --until")
        if self.spark_master is not None and self.engine != "spark":
            raise ValueError("--spark-master goes with --engine spark alone")
        return self


class ReplaySettings(ScanSettings):
    """What ``stillwatch replay`` can be told."""

    tick: Span = Field(
        timedelta(hours=1),
        description="Step of time at whose end there may be decisions, such as 30m, 1h or 1d.",
        json_schema_extra={"default_text": "1h"},
    )


class ServeSettings(JudgingSettings):
    """What ``stillwatch serve`` can be told."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SERVE_")

    state: Path = Field(
        Path("state"), description="Folder that keeps the ledger, decisions, tokens and the audit log."
    )
    policy: FilePath | None = Field(
        None,
        description="Policy that says what is asked of gateways; looked at again when it changes.",
        json_schema_extra={"default_text": "none, and everything is observed"},
    )
    allow: FilePath | None = Field(
        None, description="Allow list: whoever is in it is never acted on; looked at again when it changes."
    )
    labels: FilePath | None = Field(
        None, description="Labels to obey, beside those that the state folder holds."
    )
    sketch_key: Path = Field(
        default_factory=lambda: config_folder() / "sketch.key",
        description="Secret that keys the fingerprints; made at first use.",
        json_schema_extra={"default_text": "~/.config/stillwatch/sketch.key"},
    )
    database: str | None = Field(
        None,
        description="Where decisions are kept: postgresql://user@host/database, or a file.",
        json_schema_extra={"default_text": "decisions.db in the state folder"},
    )
    watch: tuple[Path, ...] = Field(
        (),
        description="Log file or folder to follow, through rotation; may be given more than once.",
        json_schema_extra={"default_text": "none"},
    )
    format: Format = Field("auto", description="Format of the watched logs, see `stillwatch formats`.")
    tick: float = Field(60.0, gt=0, le=86_400, description="Seconds between two looks at what has come in.")
    memory: Memory = Field(
        "4GiB", description="Memory for judging; queries get a quarter of it, and spill to disk beyond."
    )
    host: str = Field("127.0.0.1", description="Address at which records, operators and the page come in.")
    port: int = Field(8790, ge=0, lt=2**16, description="Its port.")
    otlp_port: int = Field(
        4317, ge=0, lt=2**16, description="Its port for OpenTelemetry by gRPC; 0 for none."
    )
    gate_host: str = Field("127.0.0.1", description="Address at which gateways ask for decisions.")
    gate_port: int = Field(8787, ge=0, lt=2**16, description="Its port for HTTP.")
    gate_grpc_port: int = Field(8788, ge=0, lt=2**16, description="Its port for gRPC; 0 for none.")
    gates: int = Field(1, ge=1, le=64, description="Processes that answer gateways.")
    gate_tokens: bool = Field(
        False,
        description="Gateways must show a token with the scope decide, on this machine too.",
        json_schema_extra={"default_text": "off, and needed from other machines alone"},
    )
    redis: str | None = Field(
        None,
        description="Redis through which all gates share budgets, such as redis://127.0.0.1:6379.",
        json_schema_extra={"default_text": "none, and each gate has its part of a budget"},
    )
    keys: FilePath | None = Field(None, description="Whose each API key is: hash of the key, account.")
    identity_header: str | None = Field(
        None, description="Header in which a trusted hop names the account; needs --trusted-hop."
    )
    trusted_hop: tuple[str, ...] = Field(
        (),
        description="Address or network whose identity header is believed; may be given more than once.",
        json_schema_extra={"default_text": "none, and no such header is believed"},
    )
    metadata: str | None = Field(
        None, description="Where Envoy's filters leave the account, as NAMESPACE:NAME.NAME."
    )
    access: FilePath | None = Field(
        None,
        description="Access file: opens the door for sign-ups, keys and people who step up.",
        json_schema_extra={"default_text": "none, and there is no such door"},
    )
    key_pepper: Path = Field(
        default_factory=lambda: config_folder() / "keys.pepper",
        description="Secret by which API keys that stillwatch issues are hashed; made at first use.",
        json_schema_extra={"default_text": "~/.config/stillwatch/keys.pepper"},
    )
    address_header: str | None = Field(
        None, description="Header in which a trusted hop names the client's address; needs --trusted-hop."
    )
    certificate_header: str | None = Field(
        None,
        description="Header in which a trusted hop names the client's certificate; needs --trusted-hop.",
    )
    access_host: str = Field("127.0.0.1", description="Address of that door.")
    access_port: int = Field(8791, ge=0, lt=2**16, description="Its port.")
    signals: FilePath | None = Field(
        None,
        description="Signals file: whom security events are sent to, and whose are believed.",
        json_schema_extra={"default_text": "none, and none are sent or taken"},
    )
    tls_certificate: FilePath | None = Field(None, description="Certificate, as PEM, for every port.")
    tls_key: FilePath | None = Field(None, description="Its private key, as PEM.")

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("--tls-certificate and --tls-key go together")
        if self.identity_header and not self.trusted_hop:
            raise ValueError("--identity-header needs --trusted-hop: anybody can send such a header")
        if (self.address_header or self.certificate_header) and not self.trusted_hop:
            raise ValueError(
                "--address-header and --certificate-header need --trusted-hop, as anybody can send them"
            )
        if self.state.is_file():
            raise ValueError(f"--state {self.state} is a file")
        return self

    @property
    def store(self) -> str | Path:
        """Where decisions are kept."""
        return self.database or self.state / "decisions.db"


class SimulateSettings(Settings):
    """What ``stillwatch simulate`` can be told."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SIMULATE_")

    scale: float = Field(
        1.0, ge=1e-6, le=1000, description="Factor on all accounts and exchanges; 1 is the published size."
    )
    seed: int = Field(7, ge=0, lt=2**63, description="The same seed gives the same world, byte for byte.")
    honest: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="Honest traffic: exchanges per campaign exchange, at the preset's own mix.",
    )
    out: Path = Field(Path("world"), description="Folder to write the world into.")


class ExpireSettings(Settings):
    """What ``stillwatch ledger expire`` can be told."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}LEDGER_")

    before: Instant | None = Field(
        None, description="Drop what is older than this time, rounded down to a full hour (ISO 8601, UTC)."
    )
    keep: int | None = Field(None, ge=1, le=36_500, description="Keep this many days up to now.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.before is None) == (self.keep is None):
            raise ValueError("give either --before or --keep")
        return self

    def cut(self, now: datetime) -> datetime:
        """Return the time before which everything goes, not rounded."""
        return self.before if self.before is not None else now - timedelta(days=self.keep or 0)


def option_name(setting: str) -> str:
    """Name of a setting as a command option."""
    return "--" + setting.replace("_", "-")


def variable_name(settings: type[Settings], setting: str) -> str:
    """Name of a setting as an environment variable."""
    return f"{settings.model_config['env_prefix']}{setting}".upper()


def default_text(settings: type[Settings], setting: str) -> str:
    """A setting's default in words, as help and reference show it; empty where there is none."""
    field = settings.model_fields[setting]
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default_text" in extra:
        return str(extra["default_text"])
    return "" if field.default is None else str(field.default)
