"""The documentation keeps up with the code: generated pages are fresh, and nothing public is missing."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from typer.main import get_command

import stillwatch
from stillwatch import contracts
from stillwatch.accounts.signals import account_signals
from stillwatch.app import cli
from stillwatch.contracts import Cue
from stillwatch.evidence.phrases import catalogue
from stillwatch.linking.facets import facets
from stillwatch.settings import (
    ExpireSettings,
    ReplaySettings,
    ScanSettings,
    ServeSettings,
    SimulateSettings,
    variable_name,
)
from stillwatch.simulate.presets import PRESETS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LEDGER = [f"ledger {name}" for name in ("stat", "compact", "expire", "events", "forget")]
LABEL = [f"label {name}" for name in ("add", "list")]
DECISIONS = [f"decisions {name}" for name in ("list", "show", "approve", "reject", "undo", "export")]
TOKENS = [f"tokens {name}" for name in ("create", "list", "revoke")]
SIGNUPS = ["signups screen"]
APPEALS = [f"appeals {name}" for name in ("list", "show", "answer")]
SIGNALS = [f"signals {name}" for name in ("status", "retry", "rotate", "export")]
KEYS = [f"keys {name}" for name in ("create", "rotate", "revoke", "list", "verify", "forget", "shared")]
SEALS = [f"seals {name}" for name in ("rotate", "list", "drop")]
DECIDING = ["policy test", "audit verify", *DECISIONS, *APPEALS, *TOKENS, *SIGNUPS, *SIGNALS, *KEYS, *SEALS]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "scripts" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_fresh(reference):
    for name, text in reference.pages().items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, f"{name}: run `make docs`"


def test_every_command_setting_and_error_is_documented(reference):
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / "reference").glob("*.md")))
    commands = [
        f"## stillwatch {name}\n"
        for name in [*get_command(cli.app).commands, *LEDGER, *LABEL, *SIGNUPS, *DECIDING]
    ]
    settings = [
        f"`{variable_name(settings, name)}`"
        for settings in (ScanSettings, ReplaySettings, ServeSettings, SimulateSettings, ExpireSettings)
        for name in settings.model_fields
    ]
    errors = [f"`{error.__name__}`" for error in reference.error_classes()]
    assert [wanted for wanted in commands + settings + errors if wanted not in text] == []


def test_every_table_preset_facet_and_cue_is_documented():
    tables = [name for name, value in vars(contracts).items() if isinstance(value, pa.Schema)]
    wanted = {
        "tables": [f"### {name.lower()}\n" for name in tables],
        "commands": [f"| `{name}` | " for name in PRESETS],
        "evidence": [f"### {name}\n" for name in (*facets(), *account_signals())],
        "cues": [f"## {cue.value}\n" for cue in Cue],
    }
    for page, parts in wanted.items():
        text = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
        assert [part for part in parts if part not in text] == [], page


def test_every_signal_that_a_report_names_is_documented_with_its_honest_twin():
    told = {signal.id: signal for facet in facets().values() for signal in facet.card.signals}
    told |= {name: signal.card for name, signal in account_signals().items()}
    assert told.keys() == catalogue("ko")["statements"].keys()
    assert min(min(len(signal.shows), len(signal.honest_twin)) for signal in told.values()) > 10
    text = (DOCS / "reference" / "evidence.md").read_text(encoding="utf-8")
    assert [name for name, signal in told.items() if name not in text or signal.honest_twin not in text] == []


def test_every_json_document_is_documented(reference):
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    speaking = [
        name
        for name, command in reference.commands()
        if any("--json" in parameter.opts for parameter in command.params)
    ]
    assert len(speaking) > 5
    assert [name for name in speaking if f"\n## {name}\n" not in text] == []


def test_the_python_api_takes_every_setting():
    taken = set(inspect.signature(stillwatch.scan).parameters)
    assert taken == (set(ScanSettings.model_fields) - {"fail_on"}) | {"inputs", "progress"}


def test_importing_stillwatch_is_light():
    heavy = "print(sorted({'numpy', 'pyarrow', 'pydantic', 'numba'} & set(__import__('sys').modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import stillwatch; {heavy}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_documentation_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "start" / "index.html").is_file()
