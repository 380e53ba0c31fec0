"""``stillwatch serve`` and ``stillwatch tokens``: a service that is left running, and who may talk to it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.app.options import Json, option
from stillwatch.contracts import MissingExtraError, UsageError
from stillwatch.settings import ServeSettings, span_of

if TYPE_CHECKING:
    from stillwatch.app.service.supervisor import Work

tokens = typer.Typer(name="tokens", no_args_is_help=True, rich_markup_mode="markdown")

_KEEP = "What it keeps"
_IN = "What comes in"
_GATE = "What gateways ask"
_ACCESS = "Who comes in"
_WORK = "How it works"


def _of(setting: str, metavar: str, panel: str) -> Any:
    return option(ServeSettings, setting, metavar, panel)


def serve(
    state: Annotated[str | None, _of("state", "DIR", _KEEP)] = None,
    policy: Annotated[str | None, _of("policy", "FILE", _KEEP)] = None,
    allow: Annotated[str | None, _of("allow", "FILE", _KEEP)] = None,
    labels: Annotated[str | None, _of("labels", "FILE", _KEEP)] = None,
    sketch_key: Annotated[str | None, _of("sketch_key", "FILE", _KEEP)] = None,
    database: Annotated[str | None, _of("database", "URL", _KEEP)] = None,
    host: Annotated[str | None, _of("host", "ADDRESS", _IN)] = None,
    port: Annotated[str | None, _of("port", "PORT", _IN)] = None,
    otlp_port: Annotated[str | None, _of("otlp_port", "PORT", _IN)] = None,
    watch: Annotated[list[str] | None, _of("watch", "PATH", _IN)] = None,
    format: Annotated[str | None, _of("format", "NAME", _IN)] = None,
    account_key: Annotated[str | None, _of("account_key", "FIELD", _IN)] = None,
    gate_host: Annotated[str | None, _of("gate_host", "ADDRESS", _GATE)] = None,
    gate_port: Annotated[str | None, _of("gate_port", "PORT", _GATE)] = None,
    gate_grpc_port: Annotated[str | None, _of("gate_grpc_port", "PORT", _GATE)] = None,
    gates: Annotated[str | None, _of("gates", "N", _GATE)] = None,
    gate_tokens: Annotated[bool | None, _of("gate_tokens", "", _GATE)] = None,
    redis: Annotated[str | None, _of("redis", "URL", _GATE)] = None,
    keys: Annotated[str | None, _of("keys", "FILE", _GATE)] = None,
    identity_header: Annotated[str | None, _of("identity_header", "NAME", _GATE)] = None,
    trusted_hop: Annotated[list[str] | None, _of("trusted_hop", "NETWORK", _GATE)] = None,
    metadata: Annotated[str | None, _of("metadata", "PLACE", _GATE)] = None,
    key_pepper: Annotated[str | None, _of("key_pepper", "FILE", _GATE)] = None,
    address_header: Annotated[str | None, _of("address_header", "NAME", _GATE)] = None,
    certificate_header: Annotated[str | None, _of("certificate_header", "NAME", _GATE)] = None,
    access: Annotated[str | None, _of("access", "FILE", _ACCESS)] = None,
    access_host: Annotated[str | None, _of("access_host", "ADDRESS", _ACCESS)] = None,
    access_port: Annotated[str | None, _of("access_port", "PORT", _ACCESS)] = None,
    signals: Annotated[str | None, _of("signals", "FILE", _ACCESS)] = None,
    tick: Annotated[str | None, _of("tick", "SECONDS", _WORK)] = None,
    fdr: Annotated[str | None, _of("fdr", "RATE", _WORK)] = None,
    memory: Annotated[str | None, _of("memory", "SIZE", _WORK)] = None,
    threads: Annotated[str | None, _of("threads", "N", _WORK)] = None,
    tls_certificate: Annotated[str | None, _of("tls_certificate", "FILE", _WORK)] = None,
    tls_key: Annotated[str | None, _of("tls_key", "FILE", _WORK)] = None,
) -> None:
    """Watch a gateway while it works: take its records, judge each minute, and tell it what to do.

    Three kinds of processes: one takes records, shows operators what is going on and keeps the ledger; one
    judges; and gates answer gateways, whatever the others do. With --access a fourth screens sign-ups, keeps
    keys and lets people prove who they are. Nothing is asked of a gateway before a policy
    says `enforce = true`. Ctrl-C ends it; what was acknowledged is kept.

    Examples:

        stillwatch serve --state state/
        stillwatch serve --state state/ --policy policy.toml --watch /var/log/litellm/
        stillwatch serve --state state/ --policy policy.toml --gates 2 --redis redis://127.0.0.1:6379
    """
    given = {name: value for name, value in locals().items() if value not in (None, [])}
    settings = ServeSettings.read(**given)
    _need_libraries()
    raise typer.Exit(_serve(settings))


def _serve(settings: ServeSettings) -> int:
    from stillwatch.access.signals.signals_file import read_signals_file
    from stillwatch.app.access_file import read_access_file
    from stillwatch.app.service.addresses import check_addresses, warn_of_open_doors
    from stillwatch.app.service.logs import log_json
    from stillwatch.app.service.rules import Rules, forget_accepted
    from stillwatch.app.service.sole_service import sole_service, wait_for_the_last
    from stillwatch.app.service.step_up.kept_secrets import read_kept_secrets
    from stillwatch.app.service.supervisor import service
    from stillwatch.sketch.key import load_or_create_key

    settings.state.mkdir(0o700, parents=True, exist_ok=True)  # accounts are named in it
    with sole_service(settings.state):
        wait_for_the_last(settings.state, _tell_of_waiting)
        check_addresses(settings)
        if settings.access is not None:
            read_kept_secrets(settings.state, read_access_file(settings.access).step_up)
        if settings.signals is not None:
            read_signals_file(settings.signals)
        Rules(settings)  # what is wrong is one line here, before anything is started
        load_or_create_key(settings.sketch_key)
        log_json()
        warn_of_open_doors(settings)
        _greet(settings)
        try:
            return _look_after(settings, service(settings))
        finally:
            forget_accepted(settings.state)


def _tell_of_waiting() -> None:
    from stillwatch.app import console

    console.show("Waiting for the processes of a service that was killed to end.")


def _look_after(settings: ServeSettings, works: Mapping[str, Work]) -> int:
    from stillwatch.app.service.supervisor import Supervisor

    supervisor = Supervisor(settings, works)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    return supervisor.run()


def gate(
    state: Annotated[str | None, _of("state", "DIR", _KEEP)] = None,
    redis: Annotated[str | None, _of("redis", "URL", _GATE)] = None,
    gate_host: Annotated[str | None, _of("gate_host", "ADDRESS", _GATE)] = None,
    gate_port: Annotated[str | None, _of("gate_port", "PORT", _GATE)] = None,
    gate_grpc_port: Annotated[str | None, _of("gate_grpc_port", "PORT", _GATE)] = None,
    gates: Annotated[str | None, _of("gates", "N", _GATE)] = None,
    gate_tokens: Annotated[bool | None, _of("gate_tokens", "", _GATE)] = None,
    keys: Annotated[str | None, _of("keys", "FILE", _GATE)] = None,
    identity_header: Annotated[str | None, _of("identity_header", "NAME", _GATE)] = None,
    trusted_hop: Annotated[list[str] | None, _of("trusted_hop", "NETWORK", _GATE)] = None,
    metadata: Annotated[str | None, _of("metadata", "PLACE", _GATE)] = None,
    key_pepper: Annotated[str | None, _of("key_pepper", "FILE", _GATE)] = None,
    address_header: Annotated[str | None, _of("address_header", "NAME", _GATE)] = None,
    certificate_header: Annotated[str | None, _of("certificate_header", "NAME", _GATE)] = None,
    account_key: Annotated[str | None, _of("account_key", "FIELD", _GATE)] = None,
    tls_certificate: Annotated[str | None, _of("tls_certificate", "FILE", _WORK)] = None,
    tls_key: Annotated[str | None, _of("tls_key", "FILE", _WORK)] = None,
) -> None:
    """Answer gateways on a machine of their own: decisions come through Redis from a service elsewhere.

    The service has to run with the same --redis. Hooks on this machine can map the snapshot that is kept in
    the state folder. While Redis is away everything goes on from the last snapshot.

    Examples:

        stillwatch gate --state gate/ --redis redis://10.0.0.5:6379
    """
    given = {name: value for name, value in locals().items() if value not in (None, [])}
    settings = ServeSettings.read(**given)
    if settings.redis is None:
        raise UsageError(
            "nothing says where decisions come from",
            remedy="Name the Redis that the service has",
            field="--redis",
        )
    _need_libraries()
    raise typer.Exit(_gate(settings))


def _gate(settings: ServeSettings) -> int:
    from stillwatch.app.service.logs import log_json
    from stillwatch.app.service.sole_service import sole_service, wait_for_the_last
    from stillwatch.app.service.supervisor import gates_alone

    settings.state.mkdir(0o700, parents=True, exist_ok=True)  # accounts are named in it
    with sole_service(settings.state):
        wait_for_the_last(settings.state, _tell_of_waiting)
        log_json()
        return _look_after(settings, gates_alone(settings))


def _greet(settings: ServeSettings) -> None:
    """Say where the service is, and what to do first."""
    from stillwatch.app import console
    from stillwatch.app.service.authorising import SCOPES
    from stillwatch.app.service.tokens import Tokens

    scheme = "https" if settings.tls_certificate else "http"
    lines = [
        f"Records and operators: {scheme}://{settings.host}:{settings.port}",
        f"Gateways ask at {scheme}://{settings.gate_host}:{settings.gate_port}",
    ]
    if settings.access is not None:
        lines.append(
            f"Sign-ups, keys and step-up at {scheme}://{settings.access_host}:{settings.access_port}"
        )
    if not Tokens(settings.state).list():
        lines.append(
            "Nobody has a token yet: "
            f"stillwatch tokens create me --state {settings.state} --scope {','.join(SCOPES)}"
        )
    console.show(*lines)


State = Annotated[
    Path,
    typer.Option("--state", metavar="DIR", help="State folder of the service.", show_default=False),
]


@tokens.callback()
def _tokens() -> None:
    """Say who may send records (ingest), ask for decisions (decide), look (read) and decide (operate),
    which of your own pages may screen sign-ups, make keys and let people step up (access), and which identity
    provider may fetch and send security events (signals).

    A token is shown once, when it is made; the service keeps a hash.

    Examples:

        stillwatch tokens create litellm --state state/ --scope ingest
        stillwatch tokens create kim --state state/ --scope read,operate --expires 90d
        stillwatch tokens list --state state/
        stillwatch tokens revoke 1f0c77ab --state state/
    """
    _need_libraries()


@tokens.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, as `tokens list` shows it.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope", metavar="SCOPE", help="ingest, decide, read, operate, access or signals; or several."
        ),
    ],
    state: State = Path("state"),
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="SPAN", help="When it ends, such as 90d.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Make a token and print it, once.

    Examples:

        stillwatch tokens create litellm --state state/ --scope ingest
    """
    from stillwatch.app import console, documents
    from stillwatch.app.service.tokens import Tokens, scopes_of

    made = Tokens(state).make(name, scopes_of(scope), _end_of(expires))
    if json:
        documents.show({"id": made.token.id, "name": name, "scopes": made.token.scopes, "token": made.secret})
    else:
        console.show(made.secret)


@tokens.command(name="list")
def list_(state: State = Path("state"), json: Json = False) -> None:
    """List the tokens, without what would let somebody use them.

    Examples:

        stillwatch tokens list --state state/
    """
    from stillwatch.app import console, documents
    from stillwatch.app.service.tokens import Tokens

    found = Tokens(state).list()
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "scopes": one.scopes,
            "made_at": one.made_at,
            "expires_at": one.expires_at,
        }
        for one in found
    ]
    if json:
        documents.show({"tokens": rows})
    elif not rows:
        console.show("There are no tokens.")
    else:
        for row in rows:
            until = f", until {row['expires_at']}" if row["expires_at"] else ""
            console.show(f"{row['id']}  {row['name']}: {', '.join(row['scopes'] or ())}{until}")


@tokens.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Token, as `tokens list` names it.")],
    state: State = Path("state"),
) -> None:
    """Take a token back: it holds no more within half a second.

    Examples:

        stillwatch tokens revoke 1f0c77ab --state state/
    """
    from stillwatch.app import console
    from stillwatch.app.service.tokens import Tokens

    gone = Tokens(state).revoke(token)
    console.show(f"{gone.id} ({gone.name}) holds no more.")


def _end_of(span: str | None) -> datetime | None:
    if span is None:
        return None
    try:
        lasts = span_of(span)
    except ValueError as error:
        raise typer.BadParameter(f"{span!r} {error}", param_hint="--expires") from error
    return datetime.now(UTC) + (lasts if isinstance(lasts, timedelta) else timedelta())


def _need_libraries() -> None:
    """See that what the service needs is there.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import envoy.service.auth.v3.external_auth_pb2  # noqa: F401
        import joserfc  # noqa: F401
        import opentelemetry.proto.collector.trace.v1.trace_service_pb2  # noqa: F401
        import prometheus_client  # noqa: F401
        import redis  # noqa: F401
        import sqlalchemy  # noqa: F401
        import starlette  # noqa: F401
        import uvloop  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the service needs {error.name}", remedy="Run `pip install 'stillwatch[serve]'`"
        ) from error
