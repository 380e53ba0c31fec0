"""``stillwatch policy``: look at a policy file, and at what it would have done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.app.options import Json

if TYPE_CHECKING:
    from stillwatch.app.trying_policy import Tried

app = typer.Typer(name="policy", no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def _policy() -> None:
    """Say what is asked of the gateway, in a file of rules, and try it before it counts.

    Examples:

        stillwatch policy test policy.toml
        stillwatch policy test policy.toml --on run/
    """


@app.command(name="test")
def try_on(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy to look at, in TOML.")],
    on: Annotated[
        Path | None,
        typer.Option(
            "--on", metavar="RUN", help="Run folder of a scan to hold it against.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check a policy file, and tell what it would have asked of the accounts that a scan found.

    Nothing is decided and nothing is written. Every mistake in the file is named, by the rule that it is in.

    Examples:

        stillwatch policy test policy.toml
        stillwatch policy test policy.toml --on run/ --json
    """
    from stillwatch.app import console, documents
    from stillwatch.app.trying_policy import try_policy
    from stillwatch.decisions.policy import read_policy

    policy = read_policy(file)
    tried = None if on is None else try_policy(policy, on)
    if json:
        documents.show(
            {
                "policy_version": policy.version,
                "enforce": policy.enforce,
                "rules": [rule.name for rule in policy.rules],
                "run": on,
                "groups": None if tried is None else list(tried.groups()),
                "exempt_accounts": None if tried is None else tried.exempt,
            }
        )
        return
    kind = "enforced" if policy.enforce else "a dry run"
    console.show(f"{file}: version {policy.version}, {console.counted(len(policy.rules), 'rule')}, {kind}.")
    if tried is not None:
        console.show("", *_lines(tried))


def _lines(tried: Tried) -> list[str]:
    groups = list(tried.groups())
    told = [
        f"{group['campaign_id']}  {group['accounts']:>7,} accounts  {group['action']:<8}  {group['rule']}"
        f"{_terms(group)}"
        for group in groups
    ]
    if not groups:
        told = ["The run found no campaign: nothing is asked of anybody."]
    if tried.exempt:
        told.append(f"{tried.exempt:,} accounts are declared or labelled honest: nothing is asked of them.")
    if any(rule.when.of_record for rule in tried.policy.rules) and not tried.records:
        told.append("The run has no account records: rules on what they tell hold for nobody.")
    return told


def _terms(group: dict[str, object]) -> str:
    if group["action"] == "observe":
        return ""
    hours = float(str(group["seconds"])) / 3600
    budget = f", {group['budget_per_hour']:,} requests an hour together" if group["budget_per_hour"] else ""
    approval = ", once a person approves" if group["needs_approval"] else ""
    return f" (for {hours:g} h{budget}{approval})"
