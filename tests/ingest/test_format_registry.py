"""Every format module is in the registry, says what it reads, and reads its own example."""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from typing import get_args

import pytest

import stillwatch.ingest
from stillwatch import settings
from stillwatch.contracts import ACCOUNT, ACCOUNT_EVENT, EXCHANGE
from stillwatch.ingest.exchange import Account, Event, Exchange
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS, recognise

EVERY = {**EVENT_FORMATS, **FORMATS, **ACCOUNT_FORMATS}


def test_no_format_module_is_left_out():
    modules = [
        import_module(f"stillwatch.ingest.{module.name}")
        for module in pkgutil.iter_modules(stillwatch.ingest.__path__)
    ]
    declared = {module.FORMAT.name: module.FORMAT for module in modules if hasattr(module, "FORMAT")}

    assert declared == EVERY
    assert all(name == known.name for name, known in EVERY.items())


@pytest.mark.parametrize("format", EVERY.values(), ids=EVERY)
def test_a_format_knows_and_reads_its_own_example(format):
    record = json.loads(format.example)

    assert format.summary
    assert recognise([record], EVERY) is format
    assert [format.read(part, format.account_fields) for part in format.unpack(record)]


@pytest.mark.parametrize("name", FORMATS)
def test_an_example_line_goes_through_the_door(read, jsonl, name):
    found = read([jsonl(FORMATS[name].example.encode())])

    assert found.sources[0].format == name
    assert len(found.rows) == 1


def test_rows_are_those_of_the_contract():
    assert [*Exchange._fields, "source", "line"] == EXCHANGE.names
    assert [*Account._fields, "source", "line"] == ACCOUNT.names
    assert [*Event._fields, "source", "line"] == ACCOUNT_EVENT.names


def test_the_format_is_that_of_most_records():
    records = [json.loads(FORMATS[name].example) for name in ("table", "litellm", "litellm")]

    assert recognise(records, FORMATS) is FORMATS["litellm"]
    assert recognise([{"colour": "red"}], FORMATS) is None


def test_every_format_can_be_asked_for_by_name():
    assert get_args(settings.Format) == ("auto", *FORMATS)
