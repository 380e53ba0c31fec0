"""``stillwatch keys``: API keys of accounts, made, rotated, revoked, listed, verified and forgotten."""

from __future__ import annotations

import json as json_text
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.app.options import Json, option, span_option
from stillwatch.app.shared_key_command import shared
from stillwatch.contracts import InputError
from stillwatch.settings import ServeSettings

if TYPE_CHECKING:
    from stillwatch.access.keys.store import Made
    from stillwatch.app.key_desk import KeyDesk

app = typer.Typer(name="keys", no_args_is_help=True, rich_markup_mode="markdown")

_STORE = "Where keys are kept"
State = Annotated[
    Path,
    typer.Option("--state", metavar="DIR", help="State folder of the service.", rich_help_panel=_STORE),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Store elsewhere: a file, or postgresql://user@host/database. Default: in the state folder.",
        show_default=False,
        rich_help_panel=_STORE,
    ),
]
Pepper = Annotated[Path | None, option(ServeSettings, "key_pepper", "FILE", _STORE)]
Id = Annotated[str, typer.Argument(metavar="ID", help="Key by its public id: the ten characters after swk_.")]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who says so. Default: the user.", show_default=False),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for who reads the audit log.")]


@app.callback()
def _keys() -> None:
    """Issue API keys to accounts, rotate and revoke them, and see which are used by many at once.

    A key is shown once, when it is made; the service keeps a keyed hash. Every change is in the audit log,
    and gates know of it within half a second. `swk_` begins every key, so that scanners find one that leaked.

    Examples:

        stillwatch keys create acct-1 --state state/ --name laptop --expires 90d
        stillwatch keys rotate 7Kd02mQzXa --state state/ --overlap 1d
        stillwatch keys revoke 7Kd02mQzXa --state state/ --note "found in a public repository"
        stillwatch keys list --state state/ --account acct-1
        stillwatch keys verify --state state/ < key.txt
        stillwatch keys shared --state state/ --out shared.csv
    """
    from stillwatch.app.decision_store import need_store

    need_store()


@app.command()
def create(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id of the account that it is for.")],
    state: State = Path("state"),
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What it is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="What it may, in your own words; or several."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="CIDR", help="Where it may be used from; or several."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="SPAN", help="When it ends, such as 90d.", show_default=False),
    ] = None,
    proof_key: Annotated[
        Path | None,
        typer.Option(
            "--proof-key",
            metavar="FILE",
            help="Public JWK of the client: each request must prove it has the private one (DPoP).",
            show_default=False,
        ),
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            "--certificate",
            metavar="SHA256",
            help="SHA-256 of the client certificate that each request must come with.",
            show_default=False,
        ),
    ] = None,
    by: By = None,
    database: Database = None,
    key_pepper: Pepper = None,
    json: Json = False,
) -> None:
    """Make a key for an account and print it, once.

    Examples:

        stillwatch keys create acct-1 --state state/ --name laptop --scope chat --expires 90d
        stillwatch keys create acct-1 --state state/ --network 203.0.113.0/24
        stillwatch keys create acct-1 --state state/ --proof-key client.jwk.json
    """
    from stillwatch.access.keys.wanted import wanted

    now = datetime.now(UTC)
    asked = wanted(
        account,
        name,
        scopes=scope or (),
        networks=network or (),
        jkt=None if proof_key is None else _thumbprint(proof_key),
        x5t_s256=certificate,
        expires_at=None if expires is None else now + span_option(expires, "--expires"),
        now=now,
    )
    _show(_desk(state, database, key_pepper).create(asked, _who(by)), json=json)


@app.command()
def rotate(
    key: Id,
    state: State = Path("state"),
    overlap: Annotated[
        str | None,
        typer.Option(
            "--overlap",
            metavar="SPAN",
            help="How long the old key holds on, such as 1h. Default: as the access file says, or 1d.",
            show_default=False,
        ),
    ] = None,
    note: Note = "",
    by: By = None,
    database: Database = None,
    key_pepper: Pepper = None,
    json: Json = False,
) -> None:
    """Make a key in the place of another, which holds on for a while, and print it, once.

    Examples:

        stillwatch keys rotate 7Kd02mQzXa --state state/ --overlap 1d
    """
    lasts = None if overlap is None else span_option(overlap, "--overlap")
    _show(_desk(state, database, key_pepper).rotate(key, lasts, _who(by), note), json=json)


@app.command()
def revoke(
    key: Id,
    note: Note,
    state: State = Path("state"),
    by: By = None,
    database: Database = None,
    key_pepper: Pepper = None,
    json: Json = False,
) -> None:
    """Take a key back for good: within half a second no gate lets it in.

    Examples:

        stillwatch keys revoke 7Kd02mQzXa --state state/ --note "found in a public repository"
    """
    from stillwatch.app import console, documents

    gone = _desk(state, database, key_pepper).revoke(key, _who(by), note)
    if json:
        documents.show({"key": gone.document()})
    else:
        console.show(f"{gone.id} of {gone.account_id} holds no more.")


@app.command(name="list")
def list_(
    state: State = Path("state"),
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", help="Only those of this account.", show_default=False),
    ] = None,
    database: Database = None,
    key_pepper: Pepper = None,
    json: Json = False,
) -> None:
    """List the keys that were issued, without what would let anybody use them.

    Examples:

        stillwatch keys list --state state/
        stillwatch keys list --state state/ --account acct-1 --json
    """
    from stillwatch.app import console, documents, key_texts

    found = list(_desk(state, database, key_pepper).store.every(account))
    if json:
        documents.show({"keys": [key.document() for key in found]})
    else:
        now = datetime.now(UTC)
        console.show(*([key_texts.key_line(key, now) for key in found] or ["No keys."]))


@app.command()
def verify(
    state: State = Path("state"),
    address: Annotated[
        str, typer.Option("--address", metavar="IP", help="Where it is used from.", show_default=False)
    ] = "",
    database: Database = None,
    key_pepper: Pepper = None,
    json: Json = False,
) -> int:
    """Say whose a key is and whether it holds; the key is read from standard input, never from the command.

    Ends with exit code 1 where it does not hold. A key that is bound to a proof or a certificate is said to
    need it: nobody has either here.

    Examples:

        stillwatch keys verify --state state/ < key.txt
        stillwatch keys verify --state state/ --address 203.0.113.9 --json < key.txt
    """
    from stillwatch.access.keys.refusals import Refused
    from stillwatch.access.keys.verifier import Shown
    from stillwatch.app import console, documents

    shown = Shown(sys.stdin.readline().strip(), address=address)
    found = _desk(state, database, key_pepper).verifier().verify(shown)
    refused = found.reason.value if isinstance(found, Refused) else None
    if json:
        told = {"account_id": found.account_id or None, "key_id": found.key_id or None}
        documents.show({"holds": refused is None, **told, "reason": refused})
    else:
        whose = f"{found.key_id} of {found.account_id}" if found.key_id else "This"
        console.show(f"{whose} {'holds.' if refused is None else f'does not let anybody in: {refused}.'}")
    return 0 if refused is None else 1


@app.command()
def forget(
    accounts: Annotated[list[str], typer.Argument(metavar="ACCOUNT", help="Ids of accounts, exactly.")],
    state: State = Path("state"),
    by: By = None,
    database: Database = None,
    key_pepper: Pepper = None,
    json: Json = False,
) -> None:
    """Remove every key of accounts, from the store and from what gates read.

    Who made and revoked them stays in the audit log: an entry that could be removed would prove nothing.

    Examples:

        stillwatch keys forget acct-20419 --state state/
    """
    from stillwatch.app import console, documents

    gone = _desk(state, database, key_pepper).forget(accounts, _who(by))
    if json:
        documents.show({"accounts": accounts, "removed": gone})
    else:
        console.show(f"{gone:,} keys were removed.")


app.command()(shared)


def _desk(state: Path, database: str | None, key_pepper: Path | None) -> KeyDesk:
    """Return the desk of keys, the store made where it is not there.

    Raises:
        StoreError: the store cannot be reached.
        KeyFileError: the pepper cannot be read or made.
    """
    from stillwatch.app.decision_store import AUDIT
    from stillwatch.app.key_desk import key_desk
    from stillwatch.app.service.places import ISSUED_KEYS
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.audit import AuditLog
    from stillwatch.persistence.database import Database as Store

    settings = ServeSettings.read(state=state, database=database, key_pepper=key_pepper)
    state.mkdir(parents=True, exist_ok=True)
    store = Store(address_of(settings.store))
    store.migrate()
    return key_desk(store, AuditLog(state / AUDIT), settings.key_pepper, state / ISSUED_KEYS)


def _show(made: Made, *, json: bool) -> None:
    from stillwatch.app import console, documents

    if json:
        documents.show({"key": made.key.document(), "secret": made.secret})
    else:
        console.show(made.secret)


def _thumbprint(path: Path) -> str:
    """Return the thumbprint (RFC 7638) of a public key.

    Raises:
        InputError: it is none, or holds a private key, which nobody but the client may have.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    remedy = "Name a file with the public key of an EC, OKP or RSA pair as JWK"
    try:
        key = import_key(json_text.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, JoseError) as error:
        raise InputError("it is no JWK", remedy=remedy, file=str(path)) from error
    if key.key_type == "oct" or key.is_private:
        raise InputError("it holds a secret", remedy=remedy, file=str(path))
    return str(key.thumbprint())


def _who(by: str | None) -> str:
    from stillwatch.app.decision_commands import user

    return user() if by is None else by
